"""Looks at a run while it lasts, few enough not to matter to the bus.

Reads of stream_bench have no side effect, and the schedule waits for no one, so a run that is
watched counts the same as one that is not. What is bounded here is the traffic: words are read only
as far as a small share of the bus, accumulated over the run so far, pays for them. A short run is
then seen once and at its end; a histogram that is wide for its run is seen seldom or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from harness.fabric.samples import LatencyHistogram

if TYPE_CHECKING:
    from harness.fabric.samples import Samples
    from harness.fabric.stream_bench import StreamBench

SHARE: Final = 0.02
"""Of the bus cycles that looks may take."""
CYCLES_A_WORD: Final = 8
"""Of one register read on AXI4-Lite, an upper estimate."""
_FIRST_LOOK_WORDS: Final = 128
_BUSIEST: Final = 0.9


@dataclass(frozen=True, slots=True)
class About:
    """What is being watched.

    Args:
        benchmark: Its name.
        target: How the fabric is reached.
        time_base: Whose cycles are counted.
        events: Events to be scheduled.
        clock_hz: Measured fabric clock.
        deadline_cycles: Largest total in time; None for no deadline.
    """

    benchmark: str
    target: str
    time_base: str
    events: int
    clock_hz: float
    deadline_cycles: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look found: counters of one instant; the histogram may be newer or older.

    Args:
        run_cycles: Cycles since the first in which an event could be due.
        scheduled: Events that came due so far; likewise the others.
        completed: Events whose last output beat left.
        dropped: Events that found the derandomiser full.
        deadline_misses: Completed events later than the deadline.
        waiting: Events in the derandomiser at that instant.
        max_depth: Most events that waited in one cycle.
        total: Total latency as last read; None if it was not read yet.
    """

    run_cycles: int
    scheduled: int
    completed: int
    dropped: int
    deadline_misses: int
    waiting: int
    max_depth: int
    total: LatencyHistogram | None


class Watcher(Protocol):
    """Who wants to see a run while it lasts."""

    def begin(self, about: About) -> None:
        """Be told, once, what will be seen."""

    def look(self, look: Look) -> None:
        """See how far the run is; the last one is of its end."""


@dataclass(frozen=True, slots=True)
class Watchers:
    """Several watchers as one."""

    of: tuple[Watcher, ...]

    def begin(self, about: About) -> None:
        """Tell all of them."""
        for watcher in self.of:
            watcher.begin(about)

    def look(self, look: Look) -> None:
        """Show all of them."""
        for watcher in self.of:
            watcher.look(look)


class Watch:
    """Looks at a run for a watcher.

    Args:
        bench: What plays the run.
        watcher: Who wants to see it.
    """

    def __init__(self, bench: StreamBench, watcher: Watcher) -> None:
        self._bench = bench
        self._watcher = watcher
        # Apart, or counters, being cheaper, would leave nothing for the bins.
        self._credit = float(_FIRST_LOOK_WORDS)
        self._bin_credit = 0.0
        self._cycle: int | None = None
        self._last = (0, 0)
        self._total: LatencyHistogram | None = None

    def poll(self) -> None:
        """Look, if the bus can spare it; right after a snapshot was taken."""
        cycle = self._bench.snapshot_cycle()
        if self._cycle is not None:
            words = (cycle - self._cycle) * SHARE / CYCLES_A_WORD
            self._credit += words / 2
            self._bin_credit += words / 2
        self._cycle = cycle
        if self._credit < self._bench.counter_words:
            return
        self._credit -= self._bench.counter_words
        values = self._bench.snapshot_values()
        self._read_total(values)
        self._watcher.look(
            Look(
                run_cycles=values["RUN_CYCLES"],
                scheduled=values["SCHEDULED"],
                completed=values["COMPLETED"],
                dropped=values["DROPPED"],
                deadline_misses=values["DEADLINE_MISSES"],
                waiting=max(0, values["SCHEDULED"] - values["DROPPED"] - values["ACCEPTED"]),
                max_depth=values["MAX_DEPTH"],
                total=self._total,
            )
        )

    def finish(self, samples: Samples) -> None:
        """Show the end of the run, out of what was read of it anyway."""
        counters = samples.counters
        self._watcher.look(
            Look(
                run_cycles=counters.run_cycles,
                scheduled=counters.scheduled,
                completed=counters.completed,
                dropped=counters.dropped,
                deadline_misses=counters.deadline_misses,
                waiting=max(0, counters.scheduled - counters.dropped - counters.accepted),
                max_depth=counters.max_depth,
                total=samples.total,
            )
        )

    def _read_total(self, values: dict[str, int]) -> None:
        if not values["TOTAL_COUNT"]:
            return
        cycles, completed = values["RUN_CYCLES"], values["COMPLETED"]
        passed, ended = cycles - self._last[0], completed - self._last[1]
        self._last = cycles, completed
        # The bins are written first: with an event in every cycle a read would never be answered.
        if ended > _BUSIEST * passed:
            return
        first = values["TOTAL_MIN"]
        bins = self._bench.histogram_bins
        words = min(values["TOTAL_MAX"] + 1, bins) - first
        if not 0 < words <= self._bin_credit:
            return
        self._bin_credit -= words
        counts = np.zeros(bins, np.int64)
        counts[first : first + words] = self._bench.read_bins("TOTAL", first, words)
        overflow = values["TOTAL_OVERFLOW"]
        self._total = LatencyHistogram(
            counts=counts,
            overflow=overflow,
            count=int(counts.sum()) + overflow,
            minimum=first,
            maximum=values["TOTAL_MAX"],
            total=values["TOTAL_SUM"],
        )
