"""`event_schedule` against the exact formula."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.reference import ONE, bernoulli_ticks, due_cycles, periodic_ticks
from tests.gateware.sim.support import begin, cycles, number

GAP_ENTRIES = 8
LHC = round(200e6 / 40.079e6 * ONE)
AFTER = 30


async def load_gaps(dut: Any, gaps: list[int]) -> None:
    for address, gap in enumerate(gaps):
        dut.gap_we_i.value, dut.gap_addr_i.value, dut.gap_data_i.value = 1, address, gap
        await cycles(dut, 1)
    dut.gap_we_i.value = 0
    dut.use_gaps_i.value, dut.gaps_i.value = 1, len(gaps)


async def fired(dut: Any, events: int, most: int) -> list[int]:
    """Start, and return the cycles after the first active one in which events were announced."""
    dut.events_i.value = events
    dut.start_i.value = 1
    await cycles(dut, 1)
    dut.start_i.value = 0
    await cycles(dut, 1)
    assert number(dut.active_o) == 0
    edge = RisingEdge(dut.clk_i)
    found: list[int] = []
    left = AFTER
    for position in range(most):
        await edge
        if position == 0:
            assert number(dut.active_o) == 1
        if number(dut.fire_o):
            assert number(dut.number_o) == len(found)
            assert len(found) < events
            found.append(position)
        elif len(found) == events:
            assert number(dut.exhausted_o) == 1
            left -= 1
            if not left:
                break
    return found


async def stop(dut: Any) -> None:
    dut.stop_i.value = 1
    await cycles(dut, 1)
    dut.stop_i.value = 0
    await cycles(dut, 1)
    assert number(dut.active_o) == 0


def random_intervals() -> list[int]:
    rng = random.Random(3)
    return [ONE + rng.getrandbits(rng.randrange(20, 36)) for _ in range(8)]


INTERVALS = [ONE, ONE + 1, 2 * ONE - 1, 2 * ONE, LHC, 5 * ONE // 2, 100 * ONE + 7]


@cocotb.test()
async def ticks_at_the_exact_floor(dut: Any) -> None:
    await begin(dut)
    for interval in INTERVALS + random_intervals():
        dut.interval_i.value = interval
        expected = due_cycles(periodic_ticks(interval), [1], min(400, 20_000 * ONE // interval))
        assert await fired(dut, len(expected), expected[-1] + 2 * AFTER) == expected
        await stop(dut)


LONG = [1, 65_535, 2]
FULL = [5, 4, 3, 2, 1, 1, 1, 9]
TABLES = [[1], [2], [7], [1, 1, 1, 1], [1, 1, 40, 1], [3, 1], LONG, FULL]


@cocotb.test()
async def gaps_are_counted_in_ticks(dut: Any) -> None:
    await begin(dut)
    for gaps in TABLES:
        await load_gaps(dut, gaps)
        for interval in (ONE, 5 * ONE // 2) if max(gaps) < 100 else (ONE,):
            dut.interval_i.value = interval
            events = 100 if max(gaps) < 100 else 3
            expected = due_cycles(periodic_ticks(interval), gaps, events)
            if max(gaps) > 100:
                # All the way to the long gap's end, looking at the pins only near it.
                await long_gap(dut, expected)
            else:
                assert await fired(dut, events, expected[-1] + 2 * AFTER) == expected
            await stop(dut)


async def long_gap(dut: Any, expected: list[int]) -> None:
    dut.events_i.value = len(expected)
    dut.start_i.value = 1
    await cycles(dut, 1)
    dut.start_i.value = 0
    await cycles(dut, 1 + expected[1])
    assert (number(dut.fire_o), number(dut.number_o)) == (0, 1)
    for position in range(expected[1], expected[2] + 2):
        await cycles(dut, 1)
        assert number(dut.fire_o) == (position in expected)


@cocotb.test()
async def bernoulli_follows_the_generator(dut: Any) -> None:
    rng = random.Random(9)
    await begin(dut)
    dut.bernoulli_i.value, dut.interval_i.value = 1, ONE
    for share in (0.02, 0.2, 0.5, 0.97, 1.0):
        threshold = min(int(share * ONE), ONE - 1)
        seed = rng.getrandbits(64) | 1
        dut.threshold_i.value, dut.seed_i.value = threshold, seed
        for gaps in ([1], [2, 1, 3]):
            await load_gaps(dut, gaps)
            dut.use_gaps_i.value = gaps != [1]
            expected = due_cycles(bernoulli_ticks(threshold, seed), gaps, int(50 + 250 * share))
            assert await fired(dut, len(expected), expected[-1] + 2 * AFTER) == expected
            await stop(dut)


@cocotb.test()
async def never_ticks_at_probability_zero(dut: Any) -> None:
    await begin(dut)
    dut.bernoulli_i.value, dut.seed_i.value = 1, 1
    assert await fired(dut, 5, 2000) == []


@cocotb.test()
@cocotb.parametrize(events=[0, 1, 2])
async def stops_at_the_event_limit(dut: Any, events: int) -> None:
    await begin(dut)
    dut.interval_i.value = 3 * ONE
    assert await fired(dut, events, 300) == [3 * n for n in range(events)]


@cocotb.test()
async def the_full_event_count_does_not_end_the_run(dut: Any) -> None:
    await begin(dut)
    dut.interval_i.value = ONE
    assert await fired(dut, 0xFFFF_FFFF, 500) == list(range(500))


@cocotb.test()
async def a_stopped_run_leaves_no_trace_in_the_next(dut: Any) -> None:
    await begin(dut)
    gaps = [2, 5, 1, 1, 8]
    await load_gaps(dut, gaps)
    dut.interval_i.value, dut.seed_i.value = LHC, 77
    expected = due_cycles(periodic_ticks(LHC), gaps, 60)
    for cut in (3, 17, 18, 19, 40, 100):
        await fired(dut, 60, cut)
        await stop(dut)
        assert await fired(dut, 60, expected[-1] + 2 * AFTER) == expected
        await stop(dut)
