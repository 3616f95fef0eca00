"""`event_player`: order, rows and drops, cycle by cycle and against the closed form."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.reference import first_drop, serve
from tests.gateware.sim.support import begin, cycles, number

ROWS, QUEUE_DEPTH, GOLDEN_ROWS = 32, 8, 64
CYCLES = 1200
PERIODS = ((1, 2), (1, 15), (2, 3), (3, 4), (3, 7), (5, 6), (7, 11), (11, 15), (4, 4))
WORD = 0xFFFF_FFFF


@dataclass
class Model:
    """The player's promise, one cycle at a time."""

    rows: list[int]
    distinct: int
    in_beats: int
    out_beats: int
    limit: int
    waiting: deque[tuple[int, int, int]] = field(default_factory=deque)
    sending: tuple[int, int] | None = None
    newcomer: tuple[int, int, int] | None = None
    fired: int = 0

    def step(self, stamp: int, fire: bool, event: int, ready: bool) -> dict[str, int]:
        """Go through one cycle; return what the pins must have shown in it."""
        if self.newcomer is not None:
            self.waiting.append(self.newcomer)
        shown: dict[str, int] = {"valid": self.sending is not None or len(self.waiting) > 0}
        shown["empty"] = not shown["valid"]
        shown["accept"] = shown["drop"] = 0
        if shown["valid"]:
            slot, beat = self.sending or (self.waiting[0][2], 0)
            last = beat + 1 == self.in_beats
            shown |= {"data": self.rows[slot * self.in_beats + beat], "last": last}
            if ready and self.sending is None:
                due, head, _ = self.waiting.popleft()
                shown |= {"accept": 1, "accept_due": due, "accept_number": head}
                shown["accept_golden"] = slot * self.out_beats % GOLDEN_ROWS
            if ready:
                self.sending = None if last else (slot, beat + 1)
        if self.newcomer is not None and len(self.waiting) > self.limit:
            shown["drop"] = 1
            assert self.waiting.pop() == self.newcomer
        shown["arrive"] = self.newcomer is not None and not shown["drop"]
        shown["waiting"] = len(self.waiting)
        self.newcomer = None
        if fire:
            self.newcomer = (stamp + 1 & WORD, event, self.fired % self.distinct)
            self.fired += 1
        return shown


async def prepare(dut: Any, seed: object) -> list[int]:
    """Reset, and fill the event memory with noise."""
    rng = random.Random(f"rows {seed}")
    await begin(dut)
    rows = [rng.getrandbits(64) for _ in range(ROWS)]
    for address, row in enumerate(rows):
        dut.row_we_i.value, dut.row_addr_i.value, dut.row_data_i.value = 1, address, row
        await cycles(dut, 1)
    dut.row_we_i.value = 0
    dut.direct_i.value = 1
    return rows


async def start(dut: Any, model: Model) -> None:
    dut.limit_i.value, dut.distinct_i.value = model.limit, model.distinct
    dut.in_beats_i.value, dut.out_beats_i.value = model.in_beats, model.out_beats
    dut.start_i.value = 1
    await cycles(dut, 1)
    dut.start_i.value = 0


async def play(dut: Any, model: Model, rng: random.Random, busy: float, readiness: float) -> int:
    """Play random events into a random consumer; return the number of drops."""
    edge = RisingEdge(dut.clk_i)
    drops = 0
    first = rng.choice([0, WORD - 300, WORD // 2 - 300])
    for offset in range(CYCLES):
        stamp, fire = first + offset & WORD, rng.random() < busy
        event, ready = rng.getrandbits(32), rng.random() < readiness
        dut.stamp_i.value, dut.fire_i.value, dut.number_i.value = stamp, fire, event
        dut.ready_i.value = ready
        await edge
        for name, value in model.step(stamp, fire, event, ready).items():
            assert number(getattr(dut, f"{name}_o")) == value, f"{name} in cycle {offset}"
            drops += name == "drop" and value
    dut.fire_i.value, dut.ready_i.value = 0, 0
    return drops


@cocotb.test()
@cocotb.parametrize(in_beats=[1, 2, 7], limit=[1, 2, QUEUE_DEPTH - 1])
async def every_cycle_is_as_promised(dut: Any, in_beats: int, limit: int) -> None:
    rng = random.Random(f"{in_beats} {limit}")
    rows = await prepare(dut, rng.random())
    drops = 0
    for busy, readiness in ((0.05, 1.0), (0.3, 0.15), (1.0, 0.9)):
        distinct = rng.randrange(1, ROWS // in_beats + 1)
        out_beats = rng.randrange(1, 4)
        model = Model(rows, distinct, in_beats, out_beats, limit)
        await start(dut, model)
        drops += await play(dut, model, rng, busy, readiness)
        # Stopped with events waiting and, as a rule, one half sent.
        dut.stop_i.value = 1
        await cycles(dut, 1)
        dut.stop_i.value = 0
        await cycles(dut, 1)
        assert (number(dut.valid_o), number(dut.empty_o)) == (0, 1)
    assert drops > 100


@cocotb.test()
@cocotb.parametrize(depth=[1, 3, QUEUE_DEPTH - 1])
async def drops_as_d_d_1_k(dut: Any, depth: int) -> None:
    rows = await prepare(dut, depth)
    events = 60
    edge = RisingEdge(dut.clk_i)
    for period, interval in PERIODS:
        await start(dut, Model(rows, ROWS, 1, 1, depth))
        outcome = serve(
            [period * n for n in range(events)], interval=interval, delay=1, depth=depth
        )
        dropped, accepted, free, deepest = [], [], 0, 0
        for position in range(-1, interval * events + 1):
            # Fired one cycle before it is due, as the schedule does.
            event, rest = divmod(position + 1, period)
            dut.fire_i.value, dut.number_i.value = rest == 0 and event < events, event
            dut.stamp_i.value, dut.ready_i.value = position & WORD, position >= free
            await edge
            if number(dut.drop_o):
                dropped.append(position // period)
            if number(dut.accept_o):
                accepted.append((number(dut.accept_number_o), position))
                free = position + interval
            deepest = max(deepest, number(dut.waiting_o))
        assert accepted == [(life.event, life.accepted) for life in outcome.lives]
        assert tuple(dropped) == outcome.dropped
        assert deepest == outcome.max_depth
        assert next(iter(dropped), None) == first_drop(period, interval, depth + 1, events)


@cocotb.test()
async def alarm_when_an_event_grows_too_old(dut: Any) -> None:
    rows = await prepare(dut, 0)
    await start(dut, Model(rows, 1, 1, 1, 1))
    dut.stamp_i.value, dut.fire_i.value = WORD - 5, 1
    await cycles(dut, 1)
    dut.fire_i.value = 0
    due = WORD - 4
    for age, alarm in ((0, 0), (100, 0), (0x7FFF_FFFF, 0), (0x8000_0000, 1), (WORD, 1)):
        dut.stamp_i.value = due + age & WORD
        await cycles(dut, 1)
        assert number(dut.age_alarm_o) == alarm
    dut.ready_i.value = 1
    await cycles(dut, 2)
    assert number(dut.age_alarm_o) == 0
