"""Arrival processes that the fabric plays from its table of gaps: trains, frames, jitter, traces.

The fabric counts ticks, at least a clock cycle long, and loops over a table of gaps of 1 to 65535
ticks. Each process here is laid out over one turn of that loop, with the shortest tick for which
its longest gap still fits. So fast ones are exact to a clock cycle, slow ones (15 Hz from a fabric
of 100 MHz) to 1/65533 of their longest gap; a whole turn takes as long as it should, to within
2**-33. What will not fit is refused.

Random layouts follow from their seed in integers, the same on every machine. Two events that fall
on the same tick would be one to the fabric: the later one moves on by a tick.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchmarkError
from harness.traffic import deviates
from harness.traffic.events import random_words
from harness.traffic.groups import Groups
from harness.traffic.schedule import DEFAULT_GAP_ENTRIES, MAX_GAP_TICKS, ONE_CYCLE_Q32, Schedule

COARSEST: Final = 2
"""Ticks that random events must be apart on average; with fewer, too many would have to move."""
_MOST_FRAMES: Final = 1 << 20
_FINE: Final = 1 << 32  # places within a window are drawn as 32-bit fractions of it


def trains(
    period: Fraction,
    count: int,
    idle: Fraction,
    events: int,
    name: str,
    item: str,
    *,
    gap_entries: int = DEFAULT_GAP_ENTRIES,
) -> Schedule:
    """Schedule trains of equidistant events, back to back, and idle time between trains.

    Args:
        period: Clock cycles from event to event in a train.
        count: Events of a train.
        idle: Clock cycles from the end of a train's last period to the next train.
        events: How many.
        name: What a train is.
        item: What an event is to it.
        gap_entries: Entries of the fabric's gap table.

    Raises:
        BenchmarkError: A train has more events than the table entries, or the idle time more
            periods than a gap can have ticks.
    """
    _check_period(period)
    _check_count(count, f"a {name} has {count:,} events", gap_entries)
    finest = MAX_GAP_TICKS * period / (period + idle)
    steps = math.floor(min(period, finest))
    if steps < 1:
        raise BenchmarkError(
            f"the time between two {name}s is too long for the fabric",
            why=f"it is {float(1 + idle / period):.6g} times that between two events; a gap has "
            f"at most {MAX_GAP_TICKS} of the shortest",
            hint="a shorter idle time, or a lower rate within",
        )
    gaps = [steps] * count
    gaps[0] += min(round(idle * steps / period), MAX_GAP_TICKS - steps)
    groups = Groups(name, item, (count,))
    return _schedule(gaps, period / steps, events, groups)


def frames(
    period: Fraction,
    window: Fraction,
    mean: Fraction,
    seed: int,
    events: int,
    name: str,
    item: str = "event",
    *,
    gap_entries: int = DEFAULT_GAP_ENTRIES,
) -> Schedule:
    """Schedule a Poisson number of events at random places within the window of every frame.

    The table holds as many frames as it has room for; longer runs loop over them.

    Args:
        period: Clock cycles from frame to frame.
        window: Clock cycles at the beginning of a frame in which events come, at most a period.
        mean: Events in a frame, on average.
        seed: Any integer from 0.
        events: How many.
        name: What a frame is.
        item: What an event is to it.
        gap_entries: Entries of the fabric's gap table.

    Raises:
        BenchmarkError: A frame has more events than the table entries, or the shortest possible
            tick is too coarse for the window.
    """
    _check_period(period)
    if window > period:
        raise BenchmarkError(f"a {name}'s window is longer than the {name}")
    _check_count(math.ceil(mean), f"a {name} has {float(mean):,.6g} events", gap_entries)
    asked = min(_MOST_FRAMES, math.ceil(gap_entries / mean) + 64)
    draw = random_words(seed, 0, -(-asked // 4)).view("<u2")[:asked]
    ends = np.cumsum(deviates.poisson(float(mean)).take(draw))
    whole = int(np.searchsorted(ends, gap_entries, side="right"))
    count = int(ends[whole - 1]) if whole else 0
    if not count:
        raise BenchmarkError(
            f"the first {max(whole, 1):,} {name}s have {'no' if whole else 'too many'} events",
            hint=f"another seed, or {'more' if whole else 'fewer'} events in a {name}",
        )
    counts = np.diff(ends[:whole], prepend=0)
    frame = np.repeat(np.arange(whole), counts)
    words = random_words(seed, 1, count) >> np.uint64(32)
    order = np.lexsort((words, frame))
    place = [
        Fraction(int(number)) + Fraction(int(word), _FINE) * window / period
        for number, word in zip(frame, words[order], strict=True)
    ]
    groups = Groups(name, item, tuple(counts[counts > 0].tolist()))
    schedule = _laid_out(place, Fraction(whole), period, events, groups)
    _check_grid(schedule, window / mean, name)
    return schedule


def jittered(
    period: Fraction,
    jitter: Fraction,
    seed: int,
    events: int,
    *,
    gap_entries: int = DEFAULT_GAP_ENTRIES,
) -> Schedule:
    """Schedule events at a constant rate, each off by a random time of its own.

    Args:
        period: Clock cycles from event to event on average.
        jitter: Clock cycles by which an event is early or late at most; all are equally likely.
        seed: Any integer from 0.
        events: How many.
        gap_entries: Entries of the fabric's gap table.

    Raises:
        BenchmarkError: The jitter is half a period or more, or less than a few ticks.
    """
    _check_period(period)
    if 2 * jitter >= period:
        raise BenchmarkError(
            "the jitter is half a period or more",
            why="events would overtake each other",
            hint="less jitter, or process = 'poisson'",
        )
    words = random_words(seed, 0, gap_entries) >> np.uint64(32)
    wide = 2 * jitter / period
    place = [number + Fraction(int(word), _FINE) * wide for number, word in enumerate(words)]
    schedule = _laid_out(place, Fraction(gap_entries), period, events, None)
    _check_grid(schedule, 2 * jitter, "jitter")
    return schedule


def replay(
    cycles: Sequence[Fraction], events: int, *, gap_entries: int = DEFAULT_GAP_ENTRIES
) -> Schedule:
    """Schedule events at recorded times; a longer run loops, a mean gap after the last event.

    Args:
        cycles: Clock cycles from any origin, in order.
        events: How many.
        gap_entries: Entries of the fabric's gap table.

    Raises:
        BenchmarkError: The run needs more events than the table holds, they take no time, or there
            are more than one a clock cycle.
    """
    used = [time - cycles[0] for time in cycles[: min(events, len(cycles))]]
    _check_count(len(used), f"the run replays {len(used):,} events", gap_entries)
    mean = used[-1] / (len(used) - 1) if len(used) > 1 else Fraction(1)
    if mean < 1:
        raise BenchmarkError(
            "the trace has more than one event a clock cycle",
            why=f"{len(used):,} events in {float(used[-1]):,.6g} cycles",
            hint="check the unit of its times, or raise run.clock",
        )
    turn = Fraction(math.ceil(used[-1] + mean))  # whole, so that a tick can be a cycle
    return _laid_out(used, turn, Fraction(1), events, None)


def _laid_out(
    place: Sequence[Fraction], turn: Fraction, period: Fraction, events: int, groups: Groups | None
) -> Schedule:
    """Return the schedule of one turn of the loop.

    Args:
        place: Where events are, rising, each in 0 ... turn.
        turn: How long a turn is.
        period: Clock cycles of one unit of these.
        events: How many to schedule.
        groups: How they belong together.
    """
    longest = max(
        (after - before for before, after in pairwise(place)),
        default=Fraction(0),
    )
    longest = max(longest, turn - place[-1] + place[0])
    # Less than fits by a tick for rounding down, and one for an event that has to move on.
    steps = min(period, (MAX_GAP_TICKS - 2) / longest)
    total = max(math.floor(turn * steps), len(place))
    ticks = np.array([math.floor(where * total / turn) for where in place], dtype=np.int64)
    ticks = _apart(ticks, total)
    gaps = np.diff(ticks, prepend=ticks[-1] - total)
    return _schedule(gaps.tolist(), turn * period / total, events, groups)


def _apart(ticks: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Move events on, or back at the end of the turn, until no two share a tick."""
    order = np.arange(len(ticks))
    moved = np.maximum.accumulate(ticks - order) + order
    apart: NDArray[np.int64] = np.minimum(moved, total - len(ticks) + order)
    return apart


def _schedule(
    gaps: Sequence[int], cycles_per_tick: Fraction, events: int, groups: Groups | None
) -> Schedule:
    interval = max(round(cycles_per_tick * ONE_CYCLE_Q32), ONE_CYCLE_Q32)
    return Schedule(events=events, interval_q32=interval, gaps=tuple(gaps), groups=groups)


def _check_period(period: Fraction) -> None:
    """Refuse more than one event per clock cycle.

    Raises:
        BenchmarkError: The period is shorter than a cycle.
    """
    if period < 1:
        raise BenchmarkError("more than one event a clock cycle", hint="lower the rate")


def _check_count(count: int, what: str, entries: int) -> None:
    """Refuse what has more events than the table entries.

    Raises:
        BenchmarkError: It has.
    """
    if count > entries:
        raise BenchmarkError(
            f"{what}, but the fabric's table of gaps has {entries:,} entries",
            hint=f"at most {entries:,} events; a shorter stretch at the same rate will do",
        )


def _check_grid(schedule: Schedule, mean: Fraction, name: str) -> None:
    """Refuse a tick so long that random events cannot lie where they were drawn.

    Args:
        schedule: What it came to.
        mean: Clock cycles between events.
        name: Of what they are in.

    Raises:
        BenchmarkError: Less than `COARSEST` ticks between events.
    """
    tick = Fraction(schedule.interval_q32, ONE_CYCLE_Q32)
    if mean < COARSEST * tick:
        raise BenchmarkError(
            f"the fabric's ticks are too coarse for this {name}",
            why=f"events have {float(mean):,.6g} clock cycles each, a tick is {float(tick):,.6g}: "
            f"the longest gap must fit in {MAX_GAP_TICKS:,} of them",
            hint="fewer events in the time they have, or less time without any",
        )
