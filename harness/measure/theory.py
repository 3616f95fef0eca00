"""A run held to theory: every number that can be predicted beside the one that was measured.

What is predicted exactly must be measured exactly: both are cycles and counts of the same events.
Closed forms are about infinitely many events, so they come with limits (`closed_forms`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure.closed_forms import ClosedForm, closed_forms
from harness.measure.evidence import Reason
from harness.measure.prediction import (
    Timing,
    histogram_of,
    model_of,
    pacing_of,
    predict,
    timing_of,
)
from harness.measure.statistics import Estimate, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from harness.fabric.samples import LatencyHistogram, Samples, Trace
    from harness.measure.prediction import Prediction
    from harness.overlay import Overlay
    from harness.traffic import Schedule


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that was predicted exactly.

    Args:
        name: `drops`, `max_depth`, `deadline_misses`, `wait_mean` and so on; `traced_differences`
            counts traced events with a stamp other than the predicted one.
        predicted: A count or cycles; None where it cannot be stated.
        measured: Likewise; None too where only a part of the run was predicted.
        agrees: Whether they are equal; None where they are not of the same events.
        reason: Why something is None; empty otherwise.
    """

    name: str
    predicted: Fraction | None
    measured: Fraction | None
    agrees: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """A closed form beside what was measured; `agrees` is None where it has no limits."""

    form: ClosedForm
    measured: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Theory:
    """What theory says of a run, and whether the run says the same.

    Args:
        model: The kind of queue, in Kendall's notation.
        depth: Events that may wait; K is one more.
        timing: Of the accelerator; None if not known, or if it depends on the data.
        events: Events predicted one by one.
        whole: Whether these are all.
        exact: What was predicted exactly.
        closed: Closed forms.
        reason: Why nothing was predicted; empty otherwise.
        waits: int64, shape (n,): waits in cycles of the predicted events that were kept, in their
            order; None unless the run showed exactly what was predicted.
    """

    model: str
    depth: int
    timing: Timing | None
    events: int = 0
    whole: bool = False
    exact: tuple[Quantity, ...] = ()
    closed: tuple[Compared, ...] = ()
    reason: str = ""
    waits: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)

    @property
    def agrees(self) -> bool | None:
        """Whether everything agrees that could be compared; None if nothing could."""
        verdicts = [*(item.agrees for item in self.exact), *(item.agrees for item in self.closed)]
        found = [agrees for agrees in verdicts if agrees is not None]
        return all(found) if found else None


def hold_to_theory(
    overlay: Overlay,
    schedule: Schedule,
    registers: Mapping[str, int],
    depth: int,
    deadline_cycles: int | None,
    samples: Samples,
    raw: NDArray[np.integer[Any]] | None = None,
) -> Theory:
    """Predict a finished run and compare.

    Args:
        overlay: What ran.
        schedule: When its events were due.
        registers: Accelerator registers that the run wrote.
        depth: Events that might wait.
        deadline_cycles: Largest total in time; None for no deadline.
        samples: What the fabric counted.
        raw: Raw values of the events in the event memory, [events, values], for an accelerator of
            which the timing depends on them.
    """
    timing, reason = timing_of(overlay, registers)
    pace = None
    if timing is None and raw is not None:
        pace, why = pacing_of(overlay, raw)
        reason = f"{reason}; {why}" if why else reason
    model = model_of(schedule, paced=pace is not None)
    known = timing or pace
    if known is None:
        return Theory(model, depth, None, reason=reason)
    prediction = predict(schedule, known, depth, deadline_cycles)
    exact = [*_counts(prediction, samples), *_latencies(prediction, samples)]
    if not prediction.whole:
        why = f"the first {prediction.events} of {schedule.events} events were predicted"
        exact = [Quantity(item.name, item.predicted, None, None, why) for item in exact]
    exact += _traced(prediction, samples.trace)
    closed = [_compared(form, samples) for form in closed_forms(schedule, prediction)]
    verdicts = {item.agrees for item in exact}
    return Theory(
        model=model,
        depth=depth,
        timing=timing,
        events=prediction.events,
        whole=prediction.whole,
        exact=tuple(exact),
        closed=tuple(closed),
        waits=prediction.wait if True in verdicts and False not in verdicts else None,
    )


def disagreement(theory: Theory) -> Reason | None:
    """Return the first quantity that is not as predicted, as a note; None if there is none."""
    advice = "see whether the accelerator keeps the interval and latency of its manifest"
    for item in theory.exact:
        if item.agrees is False:
            told = f"{_plain(item.predicted)} predicted, {_plain(item.measured)} measured"
            return Reason("note", f"{item.name} is not what theory predicts", told, advice)
    for other in theory.closed:
        if other.agrees is False:
            form = other.form
            told = (
                f"{form.model} gives {form.value:.6g}, {form.low:.6g} to {form.high:.6g} in a run "
                f"of this length; {_plain(other.measured)} measured"
            )
            advice = "see whether the schedule is as random as it should be"
            return Reason("note", f"{form.name} is not what theory predicts", told, advice)
    return None


def _counts(prediction: Prediction, samples: Samples) -> Iterator[Quantity]:
    counters = samples.counters
    for name, predicted, measured in (
        ("drops", prediction.dropped, counters.dropped),
        ("max_depth", prediction.max_depth, counters.max_depth),
        ("deadline_misses", prediction.deadline_misses, counters.deadline_misses),
    ):
        if predicted is not None:
            yield Quantity(name, Fraction(predicted), Fraction(measured), predicted == measured)


def _latencies(prediction: Prediction, samples: Samples) -> Iterator[Quantity]:
    for kind, cycles, histogram in (
        ("wait", prediction.wait, samples.wait),
        ("total", prediction.total, samples.total),
    ):
        # The same bins, hence the same statement where a quantile lies beyond the last one.
        predicted = _estimates(histogram_of(cycles, histogram.counts.size))
        for name, measured in _estimates(histogram).items():
            wanted = predicted[name]
            yield Quantity(
                f"{kind}_{name}",
                wanted.cycles,
                measured.cycles,
                wanted == measured,
                wanted.reason or measured.reason,
            )


def _estimates(histogram: LatencyHistogram) -> dict[str, Estimate]:
    found = summarise(histogram)
    return {
        "mean": found.mean,
        "p50": found.p50,
        "p99": found.p99,
        "p999": found.p999,
        "max": found.maximum,
    }


def _traced(prediction: Prediction, trace: Trace) -> Iterator[Quantity]:
    """Compare the stamps of traced events, in order, with those of the events that are kept."""
    traced = trace.event < prediction.events
    numbers = trace.event[traced]
    if not numbers.size:
        return
    departures = prediction.departures
    kept = np.flatnonzero(~departures.dropped)
    start = int(np.searchsorted(kept, numbers[0]))
    wanted = kept[start : start + numbers.size]
    same = np.zeros(numbers.size, dtype=np.bool_)
    same[: wanted.size] = wanted == numbers[: wanted.size]
    for stamps, column in (
        (prediction.due, trace.scheduled),
        (departures.accepted, trace.accepted),
        (departures.done, trace.done),
    ):
        same &= stamps[numbers] == column[traced]
    different = int(np.count_nonzero(~same))
    yield Quantity("traced_differences", Fraction(0), Fraction(different), different == 0)


def _compared(form: ClosedForm, samples: Samples) -> Compared:
    measured = _measured(form.name, samples)
    judged = measured is not None and form.low is not None and form.high is not None
    if form.name == "wait_mean" and samples.counters.dropped:
        judged = False  # a formula for a queue that loses nothing
    if not judged or measured is None or form.low is None or form.high is None:
        return Compared(form, measured, None)
    return Compared(form, measured, form.low <= measured <= form.high)


def _measured(name: str, samples: Samples) -> float | None:
    counters, wait = samples.counters, samples.wait
    if name == "drop_fraction":
        return counters.dropped / counters.scheduled if counters.scheduled else None
    if name == "wait_mean":
        return wait.total / wait.count if wait.count else None
    traced = samples.trace.event
    # Event 0 is never dropped: a trace that begins with it shows the first gap.
    gaps = np.flatnonzero(traced != np.arange(traced.size))
    return float(gaps[0]) if gaps.size and traced[0] == 0 else None


def _plain(value: Fraction | float | None) -> str:
    return "none" if value is None else f"{float(value):.10g}"
