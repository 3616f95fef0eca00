"""Whether the numbers of a run may be believed: identities that hold exactly on a sound fabric.

Counters, histograms and traces are kept by different blocks of the fabric. They must agree to the
last event and the last cycle; nothing here has a tolerance but the clock and the random schedule.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.measure.evidence import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.fabric.samples import Kind, LatencyHistogram, Samples
    from harness.measure.evidence import Evidence

CLOCK_TOLERANCE: Final = 1e-3
SCHEDULE_TOLERANCE: Final = 1e-2
_END_CYCLES: Final = 64
"""Cycles that the fabric may take to notice that a run is over."""
_REPEAT = "load the overlay again and repeat the run"


def doubts(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    """Yield every reason not to believe the run."""
    for fault in samples.counters.faults:
        yield _invalid(f"the fabric raised the fault {fault}", "sticky fault bit", _REPEAT)
    yield from _clock(evidence)
    yield from _schedule(evidence, samples)
    yield from _conservation(evidence, samples)
    for kind, histogram in samples.histograms().items():
        yield from _histogram(kind, histogram, samples.counters.completed)
    yield from _sums(samples)
    yield from _deadline(evidence, samples)
    yield from _stamps(evidence, samples)


def _invalid(what: str, evidence: str, recommendation: str) -> Reason:
    return Reason("invalid", what, evidence, recommendation)


def _clock(evidence: Evidence) -> Iterator[Reason]:
    clock = evidence.clock
    for what, is_hz, wanted_hz, advice in (
        (
            "the board cannot make the clock that was asked for",
            clock.set_hz,
            clock.asked_hz,
            "ask for a clock that its dividers can make",
        ),
        (
            "the clock does not run as it was set",
            clock.measured_hz,
            clock.set_hz,
            "check the clock source of the board; it may be throttled",
        ),
    ):
        known_hz = clock.uncertainty_hz if is_hz == clock.measured_hz else 0.0
        if abs(is_hz - wanted_hz) - known_hz > CLOCK_TOLERANCE * wanted_hz:
            yield _invalid(what, f"{is_hz:.9g} Hz instead of {wanted_hz:.9g} Hz", advice)
    if clock.uncertainty_hz > CLOCK_TOLERANCE * clock.measured_hz:
        yield _invalid(
            "the clock is not known well enough",
            f"{clock.measured_hz:.9g} Hz, give or take {clock.uncertainty_hz:.3g} Hz",
            "the link to the board answers too irregularly: use a quieter one",
        )
    if clock.asked_hz > clock.nominal_hz:
        # Outputs are still compared, and simulation has no timing to violate.
        yield Reason(
            "note",
            "the clock is faster than the overlay was built for",
            f"{clock.asked_hz:.9g} Hz asked, timing met at {clock.nominal_hz:.9g} Hz",
            "on a board, trust the numbers only as far as outputs are bit-exact",
        )


def _schedule(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    counters, run = samples.counters, evidence.benchmark.run
    if counters.scheduled != run.events:
        yield _invalid(
            "not all events came due",
            f"{counters.scheduled} of {run.events}",
            "the run was cut short; give it more time",
        )
        return
    random = evidence.benchmark.arrival.random
    share = SCHEDULE_TOLERANCE + (5 / math.sqrt(run.events) if random else 0.0)
    slack = share * evidence.schedule_cycles + _END_CYCLES
    # The last event came due at most its own total, and so at most the largest, before the end.
    earliest = counters.run_cycles - (samples.total.maximum or 0)
    if counters.run_cycles < evidence.schedule_cycles - slack or (
        earliest > evidence.schedule_cycles + slack
    ):
        yield _invalid(
            "the schedule did not take the time it should",
            f"the run took {counters.run_cycles} cycles, its schedule {evidence.schedule_cycles}",
            _REPEAT,
        )


def _conservation(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    counters = samples.counters
    told = (
        f"{counters.scheduled} scheduled, {counters.dropped} dropped, "
        f"{counters.accepted} accepted, {counters.completed} completed"
    )
    sound = counters.completed <= counters.accepted <= counters.scheduled - counters.dropped
    if not sound:
        yield _invalid("events were lost or multiplied", told, "check the stream protocol")
    elif counters.in_flight:
        yield _invalid(
            "events are still in flight",
            f"{counters.in_flight} at the end: {told}",
            "the accelerator stalled, or the run was cut short",
        )
    if counters.max_depth > evidence.queue_limit:
        yield _invalid(
            "more events waited than the derandomiser may hold",
            f"{counters.max_depth}, limit {evidence.queue_limit}",
            _REPEAT,
        )


def _histogram(kind: Kind, histogram: LatencyHistogram, completed: int) -> Iterator[Reason]:
    held = int(histogram.counts.sum()) + histogram.overflow
    if not held == histogram.count == completed:
        yield _invalid(
            f"the {kind} histogram does not hold all completed events",
            f"{held} in its bins, {histogram.count} counted, {completed} completed",
            _REPEAT,
        )
        return
    filled = np.flatnonzero(histogram.counts)
    if not filled.size:
        return
    bins, low, high = histogram.counts.size, int(filled[0]), int(filled[-1])
    last_sound = (
        histogram.maximum is not None and histogram.maximum >= bins
        if histogram.overflow
        else histogram.maximum == high
    )
    if histogram.minimum != low or not last_sound:
        yield _invalid(
            f"the {kind} histogram contradicts its extremes",
            f"bins {low} to {high}, overflow {histogram.overflow}; "
            f"minimum {histogram.minimum}, maximum {histogram.maximum}",
            _REPEAT,
        )
    exact = int(np.dot(histogram.counts, np.arange(bins, dtype=np.int64)))
    if histogram.overflow == 0 and exact != histogram.total:
        yield _invalid(
            f"the {kind} histogram contradicts its sum",
            f"bins add up to {exact} cycles, the sum is {histogram.total}",
            _REPEAT,
        )


def _sums(samples: Samples) -> Iterator[Reason]:
    wait, service, total = samples.wait.total, samples.service.total, samples.total.total
    if wait + service != total:
        yield _invalid(
            "wait and service do not add up to total", f"{wait} + {service} != {total}", _REPEAT
        )
    # Little's law on the sample path: exact for a system that begins and ends empty.
    occupancy = samples.counters.occupancy_sum
    if samples.counters.in_flight == 0 and occupancy != total:
        yield _invalid(
            "latencies contradict the events in the system",
            f"sum of total {total}, sum of occupancy {occupancy}",
            _REPEAT,
        )


def _deadline(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    limit, histogram = evidence.deadline_cycles, samples.total
    if limit is None or limit >= histogram.counts.size:
        return
    late = int(histogram.counts[limit + 1 :].sum()) + histogram.overflow
    if late != samples.counters.deadline_misses:
        yield _invalid(
            "deadline misses contradict the histogram",
            f"{samples.counters.deadline_misses} counted, {late} above {limit} cycles",
            _REPEAT,
        )


def _stamps(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    trace, run = samples.trace, evidence.benchmark.run
    # Of the events before the first traced one, some may have been dropped: at least so many.
    wanted = min(run.trace, max(0, samples.counters.completed - run.trace_start))
    if trace.event.size < wanted:
        yield _invalid(
            "the trace is truncated",
            f"{trace.event.size} of {wanted} events",
            "ask for fewer with run.trace, or repeat the run",
        )
    sound = (
        bool((trace.scheduled <= trace.accepted).all())
        and bool((trace.accepted <= trace.done).all())
        and bool((np.diff(trace.event) > 0).all())
        and bool((np.diff(trace.scheduled) >= 0).all())
        and bool((np.diff(trace.done) >= 0).all())
    )
    if not sound:
        yield _invalid(
            "traced events are out of order or their stamps run backwards",
            f"{trace.event.size} events in the trace",
            "check that the accelerator keeps events in order",
        )
