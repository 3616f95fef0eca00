"""The network of an overlay against its golden model: values, cycles, stalls and reset."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import cocotb

from harness.overlay import find_overlay
from tests.gateware.networks import Network
from tests.gateware.sim.handshake import Record, play
from tests.gateware.sim.support import begin, cycles, number, reset

OVERLAY = find_overlay(os.environ["OVERLAY"])
INTERVAL = OVERLAY.accelerator.initiation_interval_cycles
LATENCY = OVERLAY.accelerator.latency_cycles
assert OVERLAY.model is not None
NETWORK = Network(OVERLAY.model, OVERLAY.input.width_bits, OVERLAY.output.width_bits)
MOST_CYCLES = 15_000
SLOWER = 8  # cycles for a beat, about, where that depends on the data


def fewer(count: int, gap: int = 0) -> int:
    """Return how many events to play where so many would do if they had one beat."""
    # A source may idle four cycles of five.
    pace = max((SLOWER if INTERVAL is None else 5) * NETWORK.in_beats, INTERVAL or 0)
    return max(4, min(count, MOST_CYCLES // (pace + gap)))


async def run(dut: Any, count: int, seed: int, **stalls: Any) -> Record:
    """Reset, then play random events."""
    await reset(dut)
    beats = NETWORK.in_beats
    results = count * NETWORK.out_beats
    events = NETWORK.beats(count, seed)
    return await play(dut, "", events, beats=beats, results=results, **stalls)


def expected(count: int, seed: int) -> list[int]:
    """Return the data of the output beats."""
    return [beat & ~(1 << NETWORK.out_bits) for beat in NETWORK.results(count, seed)]


def latencies(record: Record) -> set[int]:
    """Return the cycles from first beats being taken to last ones leaving, each number once."""
    entering = record.taken[:: NETWORK.in_beats]
    leaving = record.left[NETWORK.out_beats - 1 :: NETWORK.out_beats]
    return {left - taken for taken, left in zip(entering, leaving, strict=True)}


@cocotb.test()
async def answers_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    count = fewer(150)
    for seed, (idle, pause) in enumerate([(0, 0), (0.8, 0), (0, 0.5), (0.7, 0.7), (0.2, 0.9)]):
        record = await run(dut, count, seed, idle=idle, pause=pause)
        assert record.results == expected(count, seed)


@cocotb.test(skip=INTERVAL is None)
async def interval_and_latency_are_those_of_the_manifest(dut: Any) -> None:
    await begin(dut)
    assert INTERVAL is not None
    assert LATENCY is not None
    record = await run(dut, fewer(60), 6)
    leaving = record.left[NETWORK.out_beats - 1 :: NETWORK.out_beats]
    assert {later - earlier for earlier, later in pairwise(leaving[1:])} == {INTERVAL}
    for gap in (LATENCY, LATENCY + 7):
        record = await run(dut, fewer(12, gap), gap, gap=gap)
        assert latencies(record) == {LATENCY}


@cocotb.test()
async def the_last_beat_of_an_answer_says_so(dut: Any) -> None:
    await begin(dut)
    last: list[int] = []
    count = fewer(20)
    task = cocotb.start_soon(run(dut, count, 7))
    while not task.done():
        await cycles(dut, 1)
        if number(dut.out_valid_o) and number(dut.out_ready_i):
            last.append(number(dut.out_last_o))
    answer = [0] * (NETWORK.out_beats - 1) + [1]
    assert last == answer * count


@cocotb.test()
async def reset_forgets_events_under_way(dut: Any) -> None:
    await begin(dut)
    for stop in (2, 13, 27, 60):
        await run(dut, fewer(60), stop, pause=0.5, stop_after=stop)
        await reset(dut)
        dut.out_ready_i.value = 1
        for _ in range(40):
            await cycles(dut, 1)
            assert number(dut.out_valid_o) == 0
        assert (await run(dut, 4, stop + 1)).results == expected(4, stop + 1)
