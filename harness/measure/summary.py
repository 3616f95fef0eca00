"""What of a run takes part in a comparison: whose it is, what was counted, how latencies spread.

A summary is small and plain, so that an accepted one can be kept in a file. Hashes stand for what
is large: they cover the numbers themselves, not the file that held them, so that the same cycles
have the same hash whether they were stored as Parquet or as a NumPy archive.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import InputError
from harness.fabric.samples import Kind, LatencyHistogram, Trace
from harness.measure import statistics

if TYPE_CHECKING:
    from harness.measure.statistics import Estimate

STAMPS: Final = ("event", "scheduled", "accepted", "done")
STATISTICS: Final = ("min", "mean", "p50", "p99", "p999", "max")


@dataclass(frozen=True, slots=True)
class Identity:
    """What two runs must have in common for a comparison to mean something.

    Args:
        benchmark: Name of the benchmark.
        benchmark_digest: Digest of all that it asks for.
        overlay: Name of the overlay.
        overlay_digest: Digest of its RTL, model and manifest.
        board: Name of the board; None where the result does not say.
        time_base: Whose cycles were counted.
        clock_hz: Measured fabric clock.
    """

    benchmark: str
    benchmark_digest: str
    overlay: str
    overlay_digest: str
    board: str | None
    time_base: str
    clock_hz: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.clock_hz) and self.clock_hz > 0):
            raise InputError("is no clock", where="clock_hz", why=f"got {self.clock_hz} Hz")


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """What two of a host's runs must have in common; see `Identity`.

    Args:
        benchmark: Name of the benchmark, or of the link where there is none.
        overlay: Name and digest of the overlay; empty where none takes part.
        board: How the board was reached.
        link: Over which link.
        schedule: Process, rate and number of events, in words.
        sender: How the sender was scheduled.
        machine: Which processor.
        time_base: Always `host`.
    """

    benchmark: str
    overlay: str
    board: str | None
    link: str
    schedule: str
    sender: str
    machine: str
    time_base: str = "host"


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters and checks of one run; None where it was not counted."""

    scheduled: int | None
    completed: int | None
    dropped: int | None
    in_flight: int | None
    deadline_misses: int | None
    max_depth: int | None
    mismatches: int | None
    first_mismatch: int | None
    output_beats: int | None
    output_crc: int | None
    bit_exact: bool | None
    events_sha256: str | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """One latency of one run, in cycles.

    Args:
        sha256: Of every bin and of what the bins alone cannot tell; see `distribution`.
        count: Completed events.
        overflow: Those beyond the last bin.
        sum: Exact sum over all events.
        min: Least latency; None, as for the others, where it cannot be stated.
        max: Largest latency.
        p50: Nearest-rank quantile; likewise the others.
        reasons: Why a value is None, by its name.
    """

    sha256: str
    count: int
    overflow: int
    sum: int
    min: int | None
    max: int | None
    p50: int | None
    p99: int | None
    p999: int | None
    reasons: Mapping[str, str]

    @property
    def mean(self) -> Fraction | None:
        """Exact mean in cycles."""
        return Fraction(self.sum, self.count) if self.count else None

    def statistic(self, name: str) -> Fraction | None:
        """Return one of `STATISTICS` in cycles."""
        value = getattr(self, name)
        return None if value is None else Fraction(value)


@dataclass(frozen=True, slots=True)
class TraceMark:
    """What stands for a trace: its length in events and the SHA-256 of all its stamps."""

    events: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Summary:
    """One run, small enough to keep.

    Args:
        run: Its id.
        started_utc: When it began, ISO 8601; None where the result does not say.
        verdict: What its own verdict was.
        identity: What it is a run of.
        counts: What was counted.
        wait: Spread of the wait; likewise the other two latencies.
        trace: Its traced events; None for none.
    """

    run: str
    started_utc: str | None
    verdict: str
    identity: Identity
    counts: Counts
    wait: Distribution
    service: Distribution
    total: Distribution
    trace: TraceMark | None

    def latency(self, kind: Kind) -> Distribution:
        """Return one of the three latencies."""
        return {"wait": self.wait, "service": self.service}.get(kind, self.total)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run to be compared: its summary, and what shows where it differs.

    Args:
        summary: What decides.
        histograms: By kind; empty where only the summary was kept.
        stamps: Returns the trace in consecutive pieces, of any sizes; None likewise.
    """

    summary: Summary
    histograms: Mapping[Kind, LatencyHistogram]
    stamps: Callable[[], Iterable[Trace]] | None = None


def distribution(histogram: LatencyHistogram) -> Distribution:
    """Return what is compared of a histogram.

    The hash covers, as JSON, the number of bins, the fields beside them, and each bin that is not
    empty as index and count.
    """
    found = statistics.summarise(histogram)
    filled = np.flatnonzero(histogram.counts)
    content = {
        "bins": histogram.counts.size,
        "overflow": histogram.overflow,
        "count": histogram.count,
        "minimum": histogram.minimum,
        "maximum": histogram.maximum,
        "total": histogram.total,
        "filled": [filled.tolist(), histogram.counts[filled].tolist()],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    estimates = {"p50": found.p50, "p99": found.p99, "p999": found.p999}
    return Distribution(
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        count=histogram.count,
        overflow=histogram.overflow,
        sum=histogram.total,
        min=histogram.minimum,
        max=histogram.maximum,
        p50=_whole(found.p50),
        p99=_whole(found.p99),
        p999=_whole(found.p999),
        reasons={name: each.reason for name, each in estimates.items() if each.cycles is None},
    )


def mark(pieces: Iterable[Trace]) -> TraceMark:
    """Return what stands for a trace, whatever the sizes of its pieces.

    Each column has a hash of its own over little-endian 64-bit integers; the result covers these.
    """
    columns = {name: hashlib.sha256() for name in STAMPS}
    events = 0
    for piece in pieces:
        events += piece.event.size
        for name, column in columns.items():
            column.update(np.ascontiguousarray(getattr(piece, name), dtype="<i8").data)
    whole = "".join(column.hexdigest() for column in columns.values())
    return TraceMark(events, hashlib.sha256(whole.encode()).hexdigest())


def _whole(estimate: Estimate) -> int | None:
    return None if estimate.cycles is None else int(estimate.cycles)
