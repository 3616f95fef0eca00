"""Raw values of one run, as read from the fabric: cycles and counts, nothing derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["wait", "service", "total"]
KINDS: tuple[Kind, ...] = ("wait", "service", "total")


@dataclass(frozen=True, slots=True, eq=False)
class LatencyHistogram:
    """A full histogram of one latency, one bin a cycle.

    Args:
        counts: int64, shape (bins,): events whose latency was exactly the index, in cycles.
        overflow: Events whose latency was `bins` cycles or more.
        count: Events in all, counted apart from the bins.
        minimum: Least latency in cycles, None when there was no event.
        maximum: Largest latency in cycles, exact also beyond the last bin; None without events.
        total: Exact sum of the latencies in cycles, overflowing ones included.
    """

    counts: NDArray[np.int64]
    overflow: int
    count: int
    minimum: int | None
    maximum: int | None
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Raw stamps of consecutive completed events, in order of completion.

    Args:
        event: int64, shape (n,): number of the event in the schedule; dropped ones are absent.
        scheduled: int64, shape (n,): cycle in which the event was due, in cycles since run start.
        accepted: int64, shape (n,): cycle of the first input beat's handshake.
        done: int64, shape (n,): cycle of the last output beat's handshake.
    """

    event: NDArray[np.int64]
    scheduled: NDArray[np.int64]
    accepted: NDArray[np.int64]
    done: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters of one run, from one coherent snapshot.

    Args:
        scheduled: Events that came due.
        accepted: Events whose first beat the accelerator took.
        completed: Events whose last output beat left.
        dropped: Events that found the derandomiser full.
        deadline_misses: Completed events whose total exceeds the deadline.
        stall_cycles: Cycles in which an offered beat was refused.
        occupancy_sum: Sum over cycles of the events due but not done.
        max_depth: Most events that waited in one cycle.
        mismatches: Output beats unlike the golden ones.
        first_mismatch: Number of the first event with such a beat, None when there was none.
        output_beats: Output beats in all.
        crc: CRC-32 (IEEE 802.3) of all output beats.
        run_cycles: Cycles from run cycle 0 to the end of the run, draining included.
        faults: Names of the sticky faults that the fabric raised.
    """

    scheduled: int
    accepted: int
    completed: int
    dropped: int
    deadline_misses: int
    stall_cycles: int
    occupancy_sum: int
    max_depth: int
    mismatches: int
    first_mismatch: int | None
    output_beats: int
    crc: int
    run_cycles: int
    faults: tuple[str, ...]

    @property
    def in_flight(self) -> int:
        """Events due, not dropped and not done; negative if events multiplied."""
        return self.scheduled - self.dropped - self.completed


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Everything the fabric says about one run."""

    wait: LatencyHistogram
    service: LatencyHistogram
    total: LatencyHistogram
    counters: Counters
    trace: Trace

    def histograms(self) -> Mapping[Kind, LatencyHistogram]:
        """Return the three histograms by name, in the order of an event's life."""
        return {"wait": self.wait, "service": self.service, "total": self.total}
