"""What the gateware must do, in plain Python: schedule, queue and dial.

Written from the formulae, not from the RTL: event n of a schedule is due in a cycle known
beforehand, and an ideal server with a derandomiser of `depth` places takes or drops it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

ONE = 1 << 32
_MASK64 = (1 << 64) - 1


def xorshift64(state: int) -> Iterator[int]:
    """Yield the states of Marsaglia's generator (2003, triple 13, 7, 17), the given one first."""
    while True:
        yield state
        state ^= state << 13 & _MASK64
        state ^= state >> 7
        state ^= state << 17 & _MASK64


def xorshift32(state: int) -> Iterator[int]:
    """Yield the states of Marsaglia's 32-bit generator (triple 13, 17, 5), the given one first."""
    while True:
        yield state
        state ^= state << 13 & 0xFFFF_FFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFF_FFFF


def periodic_ticks(interval_q32: int) -> Iterator[int]:
    """Yield floor(k * interval / 2^32) for k = 0, 1, ..."""
    k = 0
    while True:
        yield k * interval_q32 >> 32
        k += 1


def bernoulli_ticks(threshold: int, seed: int) -> Iterator[int]:
    """Yield the cycles in which the generator's upper half is below the threshold."""
    for position, state in enumerate(xorshift64(seed)):
        if state >> 32 < threshold:
            yield position


def due_cycles(ticks: Iterator[int], gaps: Sequence[int], events: int) -> list[int]:
    """Return the cycles of the ticks (gap[0] + ... + gap[j]) - 1, j = 0 .. events - 1."""
    return [next(islice(ticks, gap - 1, None)) for gap in islice(cycle(gaps), events)]


@dataclass(frozen=True)
class Life:
    """Stamps of one event that was not dropped, in run cycles."""

    event: int
    due: int
    accepted: int
    done: int


@dataclass(frozen=True)
class Outcome:
    """All that a run must show.

    Args:
        lives: Events kept, in order.
        dropped: Numbers of the events dropped, in order.
        max_depth: Most events that waited at the end of a cycle.
        stalls: Cycles with a first beat offered and refused.
    """

    lives: tuple[Life, ...]
    dropped: tuple[int, ...]
    max_depth: int
    stalls: int


def serve(due: Sequence[int], *, interval: int, delay: int, depth: int, beats: int = 1) -> Outcome:
    """Serve events one by one: D/D/1/K with K = depth + 1, extended to any arrivals.

    Args:
        due: Cycle in which each event is due, rising.
        interval: Least cycles between two acceptances.
        delay: From a beat in to the beat out.
        depth: Events that may wait.
        beats: Beats of an event; the next one's first beat cannot be taken before they are through.
    """
    step = max(interval, beats)
    waiting: deque[int] = deque()
    lives: list[Life] = []
    dropped: list[int] = []
    free = max_depth = stalls = last_beat = 0

    def accept(until: int) -> None:
        nonlocal free, stalls, last_beat
        while waiting and max(due[waiting[0]], free) <= until:
            event = waiting.popleft()
            at = max(due[event], free)
            stalls += at - max(due[event], last_beat)
            free, last_beat = at + step, at + beats
            lives.append(Life(event, due[event], at, at + delay + beats - 1))

    for event, at in enumerate(due):
        accept(at - 1)
        waiting.append(event)
        accept(at)
        if len(waiting) > depth:
            dropped.append(waiting.pop())
        max_depth = max(max_depth, len(waiting))
    accept(1 << 62)
    return Outcome(tuple(lives), tuple(dropped), max_depth, stalls)


def first_drop(period: int, interval: int, places: int, limit: int) -> int | None:
    """Return the number of the first event dropped, in closed form for a period below the interval.

    n* = min{n : n - min(n, floor(n T / II)) >= K}: the event finds K places taken, departures being
    counted before the arrival of the same cycle. None if that is not below `limit`.
    """
    for n in range(limit):
        if n - min(n, n * period // interval) >= places:
            return n
    return None
