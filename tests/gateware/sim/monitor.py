"""`latency_monitor` and `trace_memory` against a model in plain Python."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, cycles, number

IN_FLIGHT, TRACE = 4, 8
CYCLES = 2500
TRACE_START = 0x4000_0000
WORD = 0xFFFF_FFFF


class Pins(NamedTuple):
    """Inputs of one cycle."""

    clear: int
    flush: int
    running: int
    stamp: int
    fire: int
    arrive: int
    drop: int
    stall: int
    waiting: int
    accept: int
    due: int
    number: int
    golden: int
    beat: int
    last: int


class Entry(NamedTuple):
    """An accepted event."""

    due: int
    accepted: int
    number: int
    golden: int


QUIET = Pins(*[0] * len(Pins._fields))
COUNTERS = (
    "run_cycles", "scheduled", "accepted", "completed", "dropped", "misses", "stalls",
    "occupancy_sum", "max_depth", "stamp_overflow", "unexpected",
)  # fmt: skip


@dataclass
class Model:
    """The monitor's promise, one cycle at a time."""

    deadline: int
    trace_start: int
    store: deque[Entry] = field(default_factory=deque)
    occupancy: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    record: tuple[int, int, int, int] | None = None
    trace: list[tuple[int, int, int, int]] = field(default_factory=list)

    def step(self, pins: Pins) -> None:
        """Go through one cycle."""
        counts, head, full = self.counts, len(self.store) > 0, len(self.store) == IN_FLIGHT
        leaving = self.store[0] if pins.beat and pins.last and head else None
        occupancy = (self.occupancy + pins.arrive - (leaving is not None)) & WORD
        missed = self.record is not None and self.record[3] - self.record[1] & WORD > self.deadline
        traced = self.record is not None and self.record[0] >= self.trace_start
        if pins.clear:
            self.counts = dict.fromkeys(COUNTERS, 0)
            self.trace.clear()
        else:
            counts["run_cycles"] += pins.running
            counts["scheduled"] += pins.fire
            counts["accepted"] += pins.accept
            counts["completed"] += leaving is not None
            counts["dropped"] += pins.drop
            counts["misses"] += missed
            counts["stalls"] += pins.stall
            counts["occupancy_sum"] += occupancy
            counts["max_depth"] = max(counts["max_depth"], pins.waiting)
            counts["stamp_overflow"] |= pins.accept and full
            counts["unexpected"] |= pins.beat and not head
            if self.record is not None and traced and len(self.trace) < TRACE:
                self.trace.append(self.record)
        self.record, self.occupancy = None, occupancy
        if leaving is not None:
            self.record = (leaving.number, leaving.due, leaving.accepted, pins.stamp)
            self.store.popleft()
        if pins.accept and not full:
            self.store.append(Entry(pins.due, pins.stamp, pins.number, pins.golden))
        if pins.flush:
            self.store.clear()
            self.occupancy, self.record = 0, None


def draw(rng: random.Random, stamp: int, crowded: float) -> Pins:
    """Return random inputs; `crowded` is the probability of an acceptance."""
    chance = rng.random
    clear = chance() < 0.002
    return Pins(
        clear=clear,
        flush=clear or chance() < 0.002,
        running=chance() < 0.8,
        stamp=stamp & WORD,
        fire=chance() < 0.4,
        arrive=chance() < 0.4,
        drop=chance() < 0.2,
        stall=chance() < 0.3,
        waiting=rng.randrange(13),
        accept=chance() < crowded,
        due=stamp - rng.randrange(300) & WORD,
        number=rng.choice([TRACE_START - 1, TRACE_START, rng.getrandbits(32)]),
        golden=rng.randrange(16),
        beat=chance() < 0.5,
        last=chance() < 0.7,
    )


def drive(dut: Any, pins: Pins) -> None:
    for name, value in pins._asdict().items():
        getattr(dut, f"mon_{name}_i").value = int(value)


def compare(dut: Any, model: Model) -> None:
    assert number(dut.mon_occupancy_o) == model.occupancy
    assert number(dut.mon_head_valid_o) == (len(model.store) > 0)
    if model.store:
        assert number(dut.mon_head_number_o) == model.store[0].number
        assert number(dut.mon_head_golden_o) == model.store[0].golden
    assert number(dut.mon_record_o) == (model.record is not None)
    if model.record is not None:
        names = ("number", "due", "accepted", "done")
        found = tuple(number(getattr(dut, f"mon_record_{name}_o")) for name in names)
        assert found == model.record


async def read_trace(dut: Any) -> list[tuple[int, ...]]:
    rows = []
    for address in range(number(dut.traced_o)):
        dut.trace_req_i.value, dut.trace_addr_i.value = 1, address
        await cycles(dut, 2)
        row = number(dut.trace_rdata_o)
        rows.append(tuple(row >> 32 * word & WORD for word in range(4)))
    return rows


@cocotb.test()
@cocotb.parametrize(crowded=[0.1, 0.35, 0.9], first=[0, 0xFFFF_FC00, 0x7FFF_FC00])
async def follows_every_event(dut: Any, crowded: float, first: int) -> None:
    rng = random.Random(f"{crowded} {first}")
    model = Model(deadline=200, trace_start=TRACE_START)
    await begin(dut)
    dut.mon_deadline_i.value, dut.trace_start_i.value = model.deadline, model.trace_start
    edge = RisingEdge(dut.clk_i)
    seen = 0
    for offset in range(CYCLES):
        pins = draw(rng, first + offset, crowded)
        drive(dut, pins)
        await edge
        compare(dut, model)
        seen += model.record is not None
        model.step(pins)
        if offset % 50 == 0:
            drive(dut, quiet := QUIET._replace(stamp=pins.stamp))
            await edge
            differ(dut, model)
            model.step(quiet)
    drive(dut, quiet := QUIET._replace(stamp=pins.stamp))
    for _ in range(3):
        await edge
        differ(dut, model)
        model.step(quiet)
    assert number(dut.mon_age_alarm_o) == 0
    assert await read_trace(dut) == model.trace
    assert seen > 100
    assert model.trace or crowded < 0.2


def differ(dut: Any, model: Model) -> None:
    found = {name: number(getattr(dut, f"mon_{name}_o")) for name in COUNTERS}
    assert {n: (found[n], model.counts[n]) for n in COUNTERS if found[n] != model.counts[n]} == {}


@cocotb.test()
@cocotb.parametrize(age=[0x7FFF_FFFF, 0x8000_0000])
async def alarm_at_half_the_stamps_range(dut: Any, age: int) -> None:
    await begin(dut)
    dut.mon_accept_i.value, dut.mon_due_i.value, dut.mon_stamp_i.value = 1, 1000, 1000
    await cycles(dut, 1)
    dut.mon_accept_i.value, dut.mon_stamp_i.value = 0, 1000 + age & WORD
    await cycles(dut, 2)
    assert number(dut.mon_age_alarm_o) == (age >> 31)
    # The alarm stays when the event is gone, until it is cleared.
    dut.mon_beat_i.value, dut.mon_last_i.value = 1, 1
    await cycles(dut, 1)
    dut.mon_beat_i.value = 0
    await cycles(dut, 3)
    assert number(dut.mon_age_alarm_o) == (age >> 31)
    dut.mon_clear_i.value = 1
    await cycles(dut, 2)
    assert number(dut.mon_age_alarm_o) == 0


@cocotb.test()
async def the_players_alarm_is_kept(dut: Any) -> None:
    await begin(dut)
    dut.mon_age_i.value = 1
    await cycles(dut, 1)
    dut.mon_age_i.value = 0
    await cycles(dut, 2)
    assert number(dut.mon_age_alarm_o) == 1
