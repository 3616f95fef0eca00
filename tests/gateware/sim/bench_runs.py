"""Runs of the player against theory: every stamp, bin and counter is known beforehand."""

from __future__ import annotations

import json
import os
import random
import zlib
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cocotb

from harness.registers import Fault, Status
from tests.gateware.reference import (
    ONE,
    Outcome,
    bernoulli_ticks,
    due_cycles,
    first_drop,
    periodic_ticks,
    serve,
    xorshift32,
)
from tests.gateware.sim.host import SIZES, Host, Plan, Reading, connect

WORD = 0xFFFF_FFFF
LHC = round(200e6 / 40.079e6 * ONE)


def due_of(plan: Plan) -> list[int]:
    ticks = (
        periodic_ticks(plan.interval_q32)
        if plan.bernoulli is None
        else bernoulli_ticks(plan.bernoulli, plan.seed)
    )
    return due_cycles(ticks, plan.gaps or [1], plan.events)


async def play(host: Host, plan: Plan, rows: list[int], **dial: int) -> Reading:
    """Load, play to the end, read out."""
    await host.fresh()
    await host.dial(**dial)
    await host.load("EVENT", rows)
    await host.load("GOLDEN", rows)
    await host.arm(plan)
    await host.start()
    await host.finish()
    return await host.read_out()


def noise(host: Host, plan: Plan) -> list[int]:
    rng = random.Random(f"{plan.distinct} {plan.beats}")
    return [rng.getrandbits(8 * host.beat_bytes) for _ in range(plan.distinct * plan.beats)]


def outputs(plan: Plan, outcome: Outcome, rows: list[int]) -> list[int]:
    """Return the output beats: the dial gives back what it takes."""
    found = []
    for life in outcome.lives:
        first = life.event % plan.distinct * plan.beats
        found += rows[first : first + plan.beats]
    return found


def histogram(values: list[int]) -> tuple[list[int], dict[str, int]]:
    bins = [values.count(latency) for latency in range(SIZES["histogram_bins"])]
    return bins, {
        "COUNT": len(values),
        "SUM": sum(values),
        "MIN": min(values, default=WORD),
        "MAX": max(values, default=0),
        "OVERFLOW": len(values) - sum(bins),
    }


def judge(host: Host, plan: Plan, reading: Reading, outcome: Outcome, rows: list[int]) -> None:
    """Compare everything the fabric said with what must have happened."""
    lives, beats = outcome.lives, outputs(plan, outcome, rows)
    stream = b"".join(beat.to_bytes(host.beat_bytes, "little") for beat in beats)
    totals = [life.done - life.due for life in lives]
    expected = {
        "RUN_CYCLES": max((life.done for life in lives), default=-1) + 2,
        "SCHEDULED": plan.events,
        "ACCEPTED": len(lives),
        "COMPLETED": len(lives),
        "DROPPED": len(outcome.dropped),
        "DEADLINE_MISSES": sum(total > plan.deadline for total in totals),
        "STALL_CYCLES": outcome.stalls,
        "OCCUPANCY_SUM": sum(totals),  # Little's law, sample path
        "MISMATCHES": 0,
        "OUTPUT_BEATS": len(beats),
        "FIRST_MISMATCH": WORD,
        "MAX_DEPTH": outcome.max_depth,
        "CRC": zlib.crc32(stream),
        "TRACED": min(sum(life.event >= plan.trace_start for life in lives), SIZES["trace_depth"]),
        "SPIED": min(len(beats), SIZES["spy_depth"]),
    }
    kinds = {
        "WAIT": [life.accepted - life.due for life in lives],
        "SERVICE": [life.done - life.accepted for life in lives],
        "TOTAL": totals,
    }
    for kind, values in kinds.items():
        bins, summary = histogram(values)
        assert reading.bins[kind] == bins, kind
        expected |= {f"{kind}_{name}": value for name, value in summary.items()}
    # A run that ends is only found to have ended when the last event has left.
    if not lives and plan.events == 0:
        expected["RUN_CYCLES"] = reading.counters["RUN_CYCLES"]
    found = {name: reading.counters[name] for name in expected}
    assert found == expected
    assert found["SCHEDULED"] == found["COMPLETED"] + found["DROPPED"]
    assert reading.status == Status.DONE
    assert reading.spy == beats[: SIZES["spy_depth"]]
    stamped = [
        (life.event, *(at + plan.cycle_init & WORD for at in (life.due, life.accepted, life.done)))
        for life in lives
        if life.event >= plan.trace_start
    ]
    assert reading.trace == stamped[: SIZES["trace_depth"]]


async def verify(
    host: Host, plan: Plan, interval: int = 1, delay: int = 1
) -> tuple[Reading, Outcome]:
    rows = noise(host, plan)
    reading = await play(host, plan, rows, INITIATION_INTERVAL=interval, DELAY=delay, JITTER_MASK=0)
    outcome = serve(
        due_of(plan), interval=interval, delay=delay, depth=plan.depth, beats=plan.beats
    )
    judge(host, plan, reading, outcome, rows)
    return reading, outcome


DEEPEST = 15
GRID = {
    "idle": (Plan(40, 7 * ONE), 5, 17),
    "critical": (Plan(40, 5 * ONE), 5, 17),
    "overload, depth 1": (Plan(60, 3 * ONE, depth=1), 5, 9),
    "overload, deepest": (Plan(80, 3 * ONE, depth=DEEPEST), 7, 4),
    "every cycle": (Plan(60, ONE, depth=4, distinct=5), 1, 3),
    "every cycle, half taken": (Plan(60, ONE, depth=3), 2, 3),
    "the LHC's clock": (Plan(60, LHC, depth=2), 5, 6),
    "events of 2 beats": (Plan(40, 3 * ONE, depth=3, beats=2, distinct=7), 1, 5),
    "events of 7 beats": (Plan(30, 6 * ONE, depth=2, beats=7, distinct=3), 9, 2),
    "gaps": (Plan(50, ONE, gaps=(1, 1, 40, 2, 1, 1, 1, 9), depth=2), 4, 8),
    "one gap": (Plan(40, ONE, gaps=(3,), depth=2), 4, 8),
    "bernoulli": (Plan(60, bernoulli=ONE // 3, seed=99, depth=2), 3, 5),
    "bernoulli with gaps": (
        Plan(40, bernoulli=ONE // 2, seed=5, gaps=(2, 1, 3), depth=2), 4, 5,
    ),
    "one event": (Plan(1), 1, 1),
    "trace from the middle": (Plan(90, 2 * ONE, trace_start=50, deadline=5), 2, 6),
    "beyond the bins": (Plan(12, 20 * ONE, deadline=39), 1, 40),
    "longer than the trace": (Plan(100, ONE, deadline=2), 1, 2),
}  # fmt: skip


@cocotb.test()
@cocotb.parametrize(name=list(GRID))
async def as_predicted(dut: Any, name: str) -> None:
    plan, interval, delay = GRID[name]
    await verify(await connect(dut), plan, interval, delay)


@cocotb.test()
@cocotb.parametrize(first=[WORD, WORD // 2, WORD - 40, WORD // 2 - 40, 1 << 40])
async def stamps_may_wrap_in_a_run(dut: Any, first: int) -> None:
    await verify(await connect(dut), Plan(40, 3 * ONE, depth=4, cycle_init=first), 4, 11)


@cocotb.test()
async def drops_follow_the_closed_form(dut: Any) -> None:
    host = await connect(dut)
    for period, interval, depth in ((1, 2, 1), (2, 3, 2), (3, 7, DEEPEST), (5, 6, 3), (4, 4, 1)):
        _, outcome = await verify(
            host, Plan(60, period * ONE, depth=depth, check=False), interval, 3
        )
        first = first_drop(period, interval, depth + 1, 60)
        assert next(iter(outcome.dropped), None) == first


@cocotb.test()
async def a_run_without_events_ends_at_once(dut: Any) -> None:
    host = await connect(dut)
    reading, _ = await verify(host, Plan(0))
    assert reading.counters["RUN_CYCLES"] <= 2


@cocotb.test()
async def jitter_is_the_generators(dut: Any) -> None:
    """Random service times, known from the seed; outputs stay in order."""
    host = await connect(dut)
    plan, mask, delay = Plan(60, 2 * ONE, depth=3), 7, 4
    rows = noise(host, plan)
    reading = await play(
        host, plan, rows, INITIATION_INTERVAL=1, DELAY=delay, JITTER_MASK=mask, SEED=12345
    )
    done, expected = -1, []
    for event, state in zip(range(plan.events), islice(xorshift32(12345), 60), strict=True):
        done = max(2 * event + delay + (state & mask), done + 1)
        expected.append((event, 2 * event, 2 * event, done))
    assert reading.trace == expected
    assert reading.counters["OCCUPANCY_SUM"] == sum(row[3] - row[1] for row in expected)
    assert (reading.counters["MISMATCHES"], reading.status) == (0, Status.DONE)
    assert len({row[3] - row[2] for row in expected}) > 4


@cocotb.test()
async def in_flight_overflow_is_flagged(dut: Any) -> None:
    host = await connect(dut)
    room = SIZES["in_flight"]
    # An event that enters a full store is flagged, even as another leaves.
    await verify(host, Plan(60, ONE, depth=2), 1, room - 1)
    await host.fresh()
    await host.dial(INITIATION_INTERVAL=1, DELAY=room)
    await host.arm(Plan(60, ONE, depth=2))
    await host.start()
    await host.cycles(300)
    assert await host.get("STATUS") & Fault.STAMP_OVERFLOW
    # The flag goes with the next clear, and the next run is sound.
    await verify(host, Plan(30, 2 * ONE, depth=2), 1, 3)


@cocotb.test()
async def everything_for_comparison(dut: Any) -> None:
    """Write all that a few runs give to a file: it must not depend on the state at power-up."""
    host = await connect(dut)
    found = []
    for plan, interval, delay in (
        (replace(GRID["gaps"][0], cycle_init=77), 4, 8),
        (GRID["bernoulli"][0], 3, 5),
        (GRID["events of 7 beats"][0], 2, 9),
    ):
        reading = await play(
            host, plan, noise(host, plan), INITIATION_INTERVAL=interval, DELAY=delay,
            JITTER_MASK=3, SEED=6,
        )  # fmt: skip
        reading.counters["CYCLE"] = 0  # how long the host took is in it
        found.append(asdict(reading))
    Path(os.environ["COMPARISON"]).write_text(json.dumps(found), encoding="utf-8")
