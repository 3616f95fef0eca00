from __future__ import annotations

import math
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BenchmarkError
from harness.traffic import Schedule, filling
from harness.traffic.schedule import MAX_EVENTS
from harness.traffic.xorshift import STRETCH_CYCLES, ticking_cycles, xorshift64

MASK = (1 << 64) - 1
gap_tables = st.lists(st.integers(1, 65535) | st.integers(1, 3), min_size=1, max_size=9)
intervals = st.integers(1 << 32, 1 << 34) | st.integers(1 << 32, (1 << 64) - 1)
seeds = st.integers(1, MASK)


def naive_tick(gaps: list[int] | None, event: int) -> int:
    return sum(gaps[i % len(gaps)] for i in range(event + 1)) - 1 if gaps else event


def naive_bernoulli(seed: int, threshold: int, cycles: int) -> list[int]:
    state, ticks = seed, []
    for cycle in range(cycles):
        if state >> 32 < threshold:
            ticks.append(cycle)
        state ^= (state << 13) & MASK
        state ^= state >> 7
        state ^= (state << 17) & MASK
    return ticks


@settings(deadline=None)
@given(intervals, gap_tables | st.none(), st.integers(0, 60), st.integers(0, 60))
def test_periodic_cycles_are_exact(
    interval: int, gaps: list[int] | None, first: int, count: int
) -> None:
    table = tuple(gaps) if gaps else None
    last = naive_tick(gaps, first + count)
    if (last * interval >> 32) + 1 >= 1 << 63:
        return
    schedule = Schedule(events=first + count + 1, interval_q32=interval, gaps=table)
    expected = [naive_tick(gaps, j) * interval >> 32 for j in range(first, first + count)]
    got = schedule.cycles(first, count)
    assert got.dtype == np.int64
    assert got.tolist() == expected
    assert schedule.expected_cycles() == (last * interval >> 32) + 1


@settings(deadline=None)
@given(intervals, gap_tables | st.none(), st.integers(0, MAX_EVENTS - 3))
def test_the_last_events_of_the_longest_runs_do_not_overflow(
    interval: int, gaps: list[int] | None, first: int
) -> None:
    table = tuple(gaps) if gaps else None
    total, count = (sum(gaps), len(gaps)) if gaps else (1, 1)

    def tick(event: int) -> int:
        loops, rest = divmod(event, count)
        return loops * total + (sum(gaps[: rest + 1]) if gaps else 1) - 1

    if (tick(MAX_EVENTS - 1) * interval >> 32) + 1 >= 1 << 63:
        with pytest.raises(BenchmarkError, match=r"2\*\*63"):
            Schedule(events=MAX_EVENTS, interval_q32=interval, gaps=table)
        return
    schedule = Schedule(events=MAX_EVENTS, interval_q32=interval, gaps=table)
    for start in (first, MAX_EVENTS - 3):
        expected = [tick(event) * interval >> 32 for event in range(start, start + 3)]
        assert schedule.cycles(start, 3).tolist() == expected


def test_the_step_is_marsaglias() -> None:
    # Computed by hand: 1 -> 1 ^ 1<<13 -> ^ >>7 (1<<6) -> ^ <<17.
    first = 1 ^ 1 << 13 ^ 1 << 6
    assert xorshift64(1) == first ^ first << 17
    assert xorshift64(MASK) <= MASK


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, (1 << 32) - 1), st.integers(1, 3000))
def test_bernoulli_ticks_are_those_of_the_generator(seed: int, threshold: int, cycles: int) -> None:
    expected = naive_bernoulli(seed, threshold, cycles)
    got = next(ticking_cycles(seed, threshold))
    assert got[got < cycles].tolist() == expected


def test_stretches_join_without_a_seam() -> None:
    """The generator's own step, one at a time over more than two stretches, at a high threshold."""
    seed, threshold = 0x0123456789ABCDEF, 1 << 22
    expected = naive_bernoulli(seed, threshold, 2 * STRETCH_CYCLES + 4000)
    parts = list(islice(ticking_cycles(seed, threshold), 3))
    got = np.concatenate(parts)
    assert got[got < 2 * STRETCH_CYCLES + 4000].tolist() == expected
    assert all(part.max() < (i + 1) * STRETCH_CYCLES for i, part in enumerate(parts))


@settings(max_examples=15, deadline=None)
@given(seeds, gap_tables.map(lambda gaps: [gap % 40 + 1 for gap in gaps]) | st.none())
def test_bernoulli_events_count_ticks(seed: int, gaps: list[int] | None) -> None:
    schedule = Schedule(
        events=50,
        bernoulli_threshold=1 << 31,
        seed=seed,
        gaps=tuple(gaps) if gaps else None,
    )
    ticks = naive_bernoulli(seed, 1 << 31, 12_000)
    expected = [ticks[naive_tick(gaps, event)] for event in range(50)]
    assert schedule.cycles(0, 50).tolist() == expected
    assert schedule.cycles(17, 20).tolist() == expected[17:37]
    assert schedule.cycles(50, 0).tolist() == []


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule.periodic(40.079e6, 200e6, 10_000),
        Schedule.lhc(40.079e6, 200e6, "25ns_2744b_bcms", 10_000),
        Schedule.bernoulli(1e6, 200e6, 99, 10_000),
        Schedule(events=10_000, bernoulli_threshold=1 << 29, seed=5, gaps=(3, 1, 7)),
    ],
)
def test_chunks_give_the_same_events(schedule: Schedule) -> None:
    chunks = list(schedule.iter_cycles(777))
    assert [len(chunk) for chunk in chunks] == [777] * 12 + [676]
    whole = schedule.cycles(0, 10_000)
    assert np.array_equal(np.concatenate(chunks), whole)
    assert np.array_equal(schedule.cycles(6000, 1000), whole[6000:7000])
    assert np.all(np.diff(whole) > 0)


def test_a_rate_that_does_not_divide_the_clock_is_exact_on_average() -> None:
    schedule = Schedule.periodic(40.079e6, 200e6, 40_079_001)
    (cycle,) = schedule.cycles(40_079_000, 1).tolist()  # after one second
    assert abs(cycle - 200_000_000) <= 1
    assert schedule.interval_q32 == round(Fraction(200_000_000 << 32, 40_079_000))
    assert schedule.mean_rate_per_cycle == pytest.approx(40.079 / 200, rel=1e-9)


def test_rates_are_read_as_decimals() -> None:
    # The float next to 0.1 would give an interval 476 units of 2**-32 shorter.
    assert Schedule.periodic(0.1, 2e8, 10).interval_q32 == 2_000_000_000 << 32
    assert Schedule.periodic(Fraction(1, 10), 1, 10).interval_q32 == 10 << 32
    assert Schedule.periodic(200_000_000, 200e6, 10).cycles(0, 10).tolist() == list(range(10))


def test_the_lhc_schedule_fires_in_the_filled_slots() -> None:
    orbit = filling("25ns_2744b_bcms")
    bunches = len(orbit.slots)
    schedule = Schedule.lhc(40e6, 200e6, orbit.name, 3 * bunches)
    cycles = schedule.cycles(0, 3 * bunches)
    # One slot is 5 cycles; the run begins in the slot after the last bunch.
    slots = cycles // 5 + orbit.slots[-1] + 1
    assert np.all(cycles % 5 == 0)
    assert np.array_equal(slots % 3564, np.tile(orbit.slots, 3))
    assert np.array_equal(slots // 3564, np.repeat([1, 2, 3], bunches))
    assert schedule.mean_rate_per_cycle == pytest.approx(2744 / (3564 * 5), rel=1e-12)
    assert schedule.expected_cycles() == cycles[-1] + 1


def test_a_table_of_cycles_is_a_burst() -> None:
    schedule = Schedule.gaps_in_cycles([100, 1, 1], 7)
    assert schedule.cycles(0, 7).tolist() == [99, 100, 101, 201, 202, 203, 303]
    assert schedule.mean_rate_per_cycle == pytest.approx(3 / 102)


def test_bernoulli_gaps_are_geometric() -> None:
    schedule = Schedule.bernoulli(20e6, 200e6, 2024, 400_000)
    cycles = schedule.cycles(0, 400_000)
    gaps = np.diff(cycles)
    probability = 0.1
    deviation = math.sqrt(1 - probability) / probability
    assert abs(gaps.mean() - 1 / probability) < 4 * deviation / math.sqrt(len(gaps))
    assert gaps.std() == pytest.approx(deviation, rel=0.01)
    for length in (1, 2, 5, 20):
        expected = 1 - (1 - probability) ** length
        spread = math.sqrt(expected * (1 - expected) / len(gaps))
        assert abs((gaps <= length).mean() - expected) < 4 * spread
    centred = gaps - gaps.mean()
    lag_one = float((centred[1:] * centred[:-1]).mean() / centred.var())
    assert abs(lag_one) < 4 / math.sqrt(len(gaps))
    assert schedule.expected_cycles() == pytest.approx(cycles[-1], rel=0.01)
    assert schedule.mean_rate_per_cycle == pytest.approx(0.1, rel=1e-8)


@pytest.mark.parametrize(
    ("rate", "clock", "message"),
    [
        (0, 2e8, "rate_hz 0 is not a positive number"),
        (-1.0, 2e8, "rate_hz"),
        (math.nan, 2e8, "rate_hz nan"),
        (math.inf, 2e8, "rate_hz inf"),
        (1e6, 0, "clock_hz 0"),
        (1e6, math.nan, "clock_hz nan"),
        ("1e6", 2e8, "rate_hz '1e6'"),
        (200_000_001, 2e8, "more than one event per cycle|no probability"),
        (1e-9, 2e8, "less than one event in|no probability"),
    ],
)
def test_impossible_rates_are_refused(rate: Any, clock: float, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        Schedule.periodic(rate, clock, 10)
    with pytest.raises(BenchmarkError, match=message):
        Schedule.bernoulli(rate, clock, 1, 10)


def test_certainty_is_no_probability() -> None:
    with pytest.raises(BenchmarkError, match="use a periodic schedule"):
        Schedule.bernoulli(2e8, 2e8, 1, 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"events": 0},
        {"events": MAX_EVENTS + 1},
        {"events": 10.0},
        {"interval_q32": (1 << 32) - 1},
        {"interval_q32": 1 << 64},
        {"bernoulli_threshold": 0},
        {"bernoulli_threshold": 1 << 32},
        {"seed": 0},
        {"seed": 1 << 64},
        {"gaps": ()},
        {"gaps": (1, 0)},
        {"gaps": (65536,)},
        {"events": MAX_EVENTS, "interval_q32": MASK},
    ],
)
def test_what_the_registers_cannot_hold_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BenchmarkError):
        Schedule(**{"events": 10, **fields})


def test_tables_larger_than_the_fabrics_are_refused() -> None:
    assert Schedule.gaps_in_cycles([1] * 4096, 5).gaps == (1,) * 4096
    with pytest.raises(BenchmarkError, match="4097 gaps, but the fabric's table has 4096"):
        Schedule.gaps_in_cycles([1] * 4097, 5)
    with pytest.raises(BenchmarkError, match="3 gaps, but the fabric's table has 2"):
        Schedule.gaps_in_cycles([1] * 3, 5, gap_entries=2)
    with pytest.raises(BenchmarkError, match="2744 gaps"):
        Schedule.lhc(40e6, 200e6, "25ns_2744b_bcms", 5, gap_entries=2048)
    with pytest.raises(BenchmarkError, match="unknown filling"):
        Schedule.lhc(40e6, 200e6, "none", 5)


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 11), (10, 1), (5, -1)])
def test_events_that_are_not_scheduled_are_refused(first: int, count: int) -> None:
    with pytest.raises(BenchmarkError, match="schedule of 10"):
        Schedule.periodic(1e6, 2e8, 10).cycles(first, count)
