"""When events are due: the arrival process of a run, exactly as the gateware counts it.

Time is counted in clock cycles from the first in which an event can be due, cycle 0.

* A **tick** is what events are spaced by. Periodic: tick k is in cycle floor(k * interval), the
  interval an unsigned Q32.32 of cycles, so that rates that do not divide the clock are exact on
  average. Bernoulli: cycle c ticks if the upper half of the state of a xorshift64 generator, which
  begins with the seed in cycle 0 and steps every cycle, is below a threshold.
* **Event** j is due on tick gaps[0] + ... + gaps[j] - 1, the table of gaps being read in a loop;
  without a table every tick is an event.

Nothing here waits or rounds differently from the fabric: `Schedule.cycles` gives the very cycles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchmarkError
from harness.traffic.filling import filling
from harness.traffic.filling import gaps as filling_gaps
from harness.traffic.groups import Groups
from harness.traffic.xorshift import MASK64, ticking_cycles

Rate = float | int | Fraction

ONE_CYCLE_Q32 = 1 << 32
MAX_EVENTS = (1 << 32) - 1
MAX_GAP_TICKS = (1 << 16) - 1
DEFAULT_GAP_ENTRIES = 4096

_MAX_THRESHOLD = (1 << 32) - 1
_MASK32 = np.uint64(MAX_EVENTS)
_CHUNK_EVENTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Schedule:
    """The arrival process of one run, in the units of the registers.

    Args:
        events: Events to schedule, 1..2**32-1.
        interval_q32: Clock cycles per tick in 2**-32, from 2**32 to below 2**64. Ignored in
            Bernoulli mode.
        bernoulli_threshold: Probability of a tick per cycle in 2**-32, 1..2**32-1, or None for
            periodic ticks.
        seed: State of the generator in cycle 0, a 64-bit integer other than zero.
        gaps: Ticks from event to event, each 1..65535, looped; None means an event on every tick.
        groups: How events belong together, None if they do not; the fabric does not know.

    Raises:
        BenchmarkError: A value is out of range, or the run would last beyond 2**63 cycles.
    """

    events: int
    interval_q32: int = ONE_CYCLE_Q32
    bernoulli_threshold: int | None = None
    seed: int = 1
    gaps: tuple[int, ...] | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        _within("events", self.events, 1, MAX_EVENTS)
        _within("interval_q32", self.interval_q32, ONE_CYCLE_Q32, MASK64)
        _within("seed", self.seed, 1, MASK64)
        if self.bernoulli_threshold is not None:
            _within("bernoulli_threshold", self.bernoulli_threshold, 1, _MAX_THRESHOLD)
        if self.gaps is not None:
            if not self.gaps:
                raise BenchmarkError("a schedule's gap table is empty")
            _within("the smallest gap", min(self.gaps), 1, MAX_GAP_TICKS)
            _within("the largest gap", max(self.gaps), 1, MAX_GAP_TICKS)
        if self.expected_cycles() >= 1 << 63:
            raise BenchmarkError("the run would last for more than 2**63 clock cycles")

    @classmethod
    def periodic(cls, rate_hz: Rate, clock_hz: Rate, events: int) -> Schedule:
        """Schedule events at a constant rate.

        Args:
            rate_hz: Events per second.
            clock_hz: Clock of the fabric.
            events: How many.

        Returns:
            The schedule.

        Raises:
            BenchmarkError: A rate is not a positive number, or above one event per cycle.
        """
        return cls(events=events, interval_q32=_interval_q32(rate_hz, clock_hz))

    @classmethod
    def lhc(
        cls,
        crossing_hz: Rate,
        clock_hz: Rate,
        scheme: str,
        events: int,
        *,
        gap_entries: int = DEFAULT_GAP_ENTRIES,
    ) -> Schedule:
        """Schedule an event in every filled slot of the LHC's orbit.

        The run begins with the abort gap; see `filling.gaps`.

        Args:
            crossing_hz: Rate of the slots, 40.079 MHz at the LHC's top energy.
            clock_hz: Clock of the fabric.
            scheme: Name of the filling scheme.
            events: How many.
            gap_entries: Entries of the fabric's gap table.

        Returns:
            The schedule.

        Raises:
            BenchmarkError: The scheme is unknown or too large for the table, or a rate is not a
                positive number or above one slot per cycle.
        """
        orbit = filling(scheme)
        table = tuple(filling_gaps(orbit).tolist())
        _check_entries(table, gap_entries)
        interval = _interval_q32(crossing_hz, clock_hz)
        return cls(events=events, interval_q32=interval, gaps=table, groups=orbit.trains)

    @classmethod
    def bernoulli(cls, rate_hz: Rate, clock_hz: Rate, seed: int, events: int) -> Schedule:
        """Schedule events at random: in each cycle with the same probability, independently.

        Args:
            rate_hz: Mean events per second.
            clock_hz: Clock of the fabric.
            seed: A 64-bit integer other than zero.
            events: How many.

        Returns:
            The schedule.

        Raises:
            BenchmarkError: A rate is not a positive number, or the probability rounds to 0 or 1.
        """
        probability = _positive("rate_hz", rate_hz) / _positive("clock_hz", clock_hz)
        threshold = round(probability * (1 << 32))
        if not 1 <= threshold <= _MAX_THRESHOLD:
            raise BenchmarkError(
                f"{rate_hz} Hz is no probability per cycle of {clock_hz} Hz",
                why="it must lie between 2**-32 and 1 - 2**-32",
                hint="use a periodic schedule for one event per cycle" if probability >= 1 else "",
            )
        return cls(events=events, bernoulli_threshold=threshold, seed=seed)

    @classmethod
    def gaps_in_cycles(
        cls, gaps: Sequence[int], events: int, *, gap_entries: int = DEFAULT_GAP_ENTRIES
    ) -> Schedule:
        """Schedule events by a table of gaps in clock cycles, looped: bursts, traces.

        Args:
            gaps: Each 1..65535; the first event is due in cycle gaps[0] - 1.
            events: How many.
            gap_entries: Entries of the fabric's gap table.

        Returns:
            The schedule.

        Raises:
            BenchmarkError: A gap is out of range, or there are none or too many.
        """
        table = tuple(gaps)
        _check_entries(table, gap_entries)
        return cls(events=events, gaps=table)

    @property
    def mean_rate_per_cycle(self) -> float:
        """Events per clock cycle, averaged over a whole loop of the gap table."""
        return float(self._ticks_per_cycle() / self._ticks_per_event())

    def expected_cycles(self) -> int:
        """Return how long the events take from cycle 0 on.

        Exact for periodic ticks (the last event's cycle plus one), the mean in Bernoulli mode.
        """
        last_tick = self._tick(self.events - 1)
        if self.bernoulli_threshold is None:
            return (last_tick * self.interval_q32 >> 32) + 1
        return math.ceil((last_tick + 1) / self._ticks_per_cycle())

    def cycles(self, first: int, count: int) -> NDArray[np.int64]:
        """Return the cycles in which events are due.

        The time grows with `count`, and in Bernoulli mode with the cycles from 0 to the last event.

        Args:
            first: Number of the first event, from 0.
            count: How many events.

        Returns:
            Rising cycle numbers, int64 [count].

        Raises:
            BenchmarkError: The schedule has no such events.
        """
        if first < 0 or count < 0 or first + count > self.events:
            raise BenchmarkError(
                f"events {first}..{first + count - 1} asked of a schedule of {self.events}"
            )
        ticks = self._ticks(first, count)
        if self.bernoulli_threshold is not None:
            return next(self._select(iter((ticks,)))) if count else np.empty(0, dtype=np.int64)
        return self._periodic_cycles(ticks)

    def iter_cycles(self, chunk_events: int = _CHUNK_EVENTS) -> Iterator[NDArray[np.int64]]:
        """Yield the cycles of all events, a chunk at a time, in bounded memory and one pass.

        Args:
            chunk_events: Events per chunk; the last chunk may be shorter.

        Yields:
            Rising cycle numbers, int64.
        """
        chunks = (
            self._ticks(first, min(chunk_events, self.events - first))
            for first in range(0, self.events, chunk_events)
        )
        if self.bernoulli_threshold is not None:
            yield from self._select(chunks)
        else:
            yield from map(self._periodic_cycles, chunks)

    def _ticks_per_cycle(self) -> Fraction:
        if self.bernoulli_threshold is not None:
            return Fraction(self.bernoulli_threshold, 1 << 32)
        return Fraction(1 << 32, self.interval_q32)

    def _ticks_per_event(self) -> Fraction:
        return Fraction(1) if self.gaps is None else Fraction(sum(self.gaps), len(self.gaps))

    def _tick(self, event: int) -> int:
        """Return the tick on which an event is due."""
        if self.gaps is None:
            return event
        loops, rest = divmod(event, len(self.gaps))
        return loops * sum(self.gaps) + sum(self.gaps[: rest + 1]) - 1

    def _ticks(self, first: int, count: int) -> NDArray[np.int64]:
        """Return the ticks on which events are due; below 2**48, so int64 holds them."""
        events = np.arange(first, first + count, dtype=np.int64)
        if self.gaps is None:
            return events
        ends = np.cumsum(np.array(self.gaps, dtype=np.int64))
        loops, rest = np.divmod(events, len(ends))
        ticks: NDArray[np.int64] = loops * ends[-1] + ends[rest] - 1
        return ticks

    def _periodic_cycles(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return floor(tick * interval): by halves, since the product has up to 112 bits."""
        tick = ticks.astype(np.uint64)
        whole = np.uint64(self.interval_q32 >> 32)
        fraction = np.uint64(self.interval_q32 & MAX_EVENTS)
        low = (tick & _MASK32) * fraction >> np.uint64(32)
        high = (tick >> np.uint64(32)) * fraction
        cycles: NDArray[np.int64] = (tick * whole + high + low).astype(np.int64)
        return cycles

    def _select(self, wanted: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
        """Yield the cycles of the wanted ticks of the generator; both sequences rise."""
        stretches = ticking_cycles(self.seed, self.bernoulli_threshold or 1)
        cycles = next(stretches)
        before = 0  # ticks in the stretches already left behind
        for ticks in wanted:
            out = np.empty(len(ticks), dtype=np.int64)
            done = 0
            while True:
                here = int(np.searchsorted(ticks, before + len(cycles)))
                out[done:here] = cycles[ticks[done:here] - before]
                done = here
                if done == len(ticks):
                    break
                before += len(cycles)
                cycles = next(stretches)
            yield out


def _positive(name: str, value: Rate) -> Fraction:
    """Return a rate exactly as its decimal says.

    Raises:
        BenchmarkError: It is not a positive, finite number.
    """
    if not isinstance(value, (int, float, Fraction)) or not math.isfinite(value) or value <= 0:
        raise BenchmarkError(f"{name} {value!r} is not a positive number")
    # 40.079e6 means 40 079 000, not the binary fraction next to it.
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


def _interval_q32(rate_hz: Rate, clock_hz: Rate) -> int:
    """Return clock cycles per tick in 2**-32.

    Raises:
        BenchmarkError: More than one tick per cycle, or fewer than one in 2**32.
    """
    ratio = _positive("clock_hz", clock_hz) / _positive("rate_hz", rate_hz)
    if ratio < 1:
        raise BenchmarkError(
            f"{rate_hz} Hz is more than one event per cycle of {clock_hz} Hz",
            hint="lower the rate or raise the clock",
        )
    interval = round(ratio * (1 << 32))
    if interval > MASK64:
        raise BenchmarkError(
            f"{rate_hz} Hz is less than one event in 2**32 cycles of {clock_hz} Hz"
        )
    return interval


def _check_entries(table: Sequence[int], limit: int) -> None:
    """Refuse a table that the fabric cannot hold.

    Raises:
        BenchmarkError: It has too many entries.
    """
    if len(table) > limit:
        raise BenchmarkError(f"{len(table)} gaps, but the fabric's table has {limit} entries")


def _within(name: str, value: int, low: int, high: int) -> None:
    """Refuse an integer outside its range.

    Raises:
        BenchmarkError: It is outside, or no integer.
    """
    if type(value) is not int or not low <= value <= high:
        raise BenchmarkError(f"a schedule's {name} is {value!r}, not an integer in {low}..{high}")
