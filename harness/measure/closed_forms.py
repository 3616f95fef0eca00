"""What textbook queues say of a run, and how far a run of its length may stray from that.

A closed form is about infinitely many events. A periodic schedule strays from it by a few events,
exactly bounded. A random one strays by chance: the standard error comes from batch means over the
series of that very run, never from the formula for independent events, since waits are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from harness.measure.batch_means import (
    LEAST_BATCHES,
    TAUS_PER_BATCH,
    batch_means,
    queue_batch,
)
from harness.measure.prediction import load_of
from harness.measure.queueing import drop_fraction, first_drop, geod1_mean_wait, md1_mean_wait
from harness.measure.queueing_theory import MOST_PLACES, geod1k_loss, md1k_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from harness.measure.prediction import Prediction
    from harness.traffic import Schedule

SIGMAS: Final = 5.0
_HIGHEST_LOAD: Final = 0.999
_SHORT: Final = (
    f"too few events for {LEAST_BATCHES} batches of {TAUS_PER_BATCH} autocorrelation times"
)


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """One quantity in closed form.

    Args:
        name: `drop_fraction`, `first_drop` or `wait_mean`.
        model: Whose formula it is.
        value: What it says: a share, the number of an event, or cycles.
        low: Least value that a run of this length may show; None where nothing bounds it.
        high: Largest value.
        reason: Why it bounds nothing; empty otherwise.
    """

    name: str
    model: str
    value: float
    low: float | None = None
    high: float | None = None
    reason: str = ""


def closed_forms(schedule: Schedule, prediction: Prediction) -> tuple[ClosedForm, ...]:
    """Return every closed form that exists for a run; none for trains and tables of gaps.

    None either where each event takes its own time.
    """
    timing = prediction.timing
    if schedule.gaps is not None or timing is None:
        return ()
    if schedule.bernoulli_threshold is not None:
        return tuple(_random(schedule, prediction, timing.interval_cycles))
    return tuple(_periodic(schedule, prediction, timing.interval_cycles))


def _periodic(schedule: Schedule, prediction: Prediction, interval: int) -> Iterator[ClosedForm]:
    period = Fraction(schedule.interval_q32, 1 << 32)
    places = prediction.depth + 1
    share = drop_fraction(period, interval, places)
    # The server is busy from the first event on; only what is in the system at the end is open.
    slack = Fraction(places + 1, prediction.events) if share else Fraction(0)
    low, high = float(max(Fraction(0), share - slack)), float(share + slack)
    yield ClosedForm("drop_fraction", "D/D/1/K", float(share), low, high)
    first = first_drop(period, interval, places)
    if first is not None and first < prediction.events:
        yield ClosedForm("first_drop", "D/D/1/K", first, first, first)
    if first is None:
        # Less than a cycle is lost to the rounding of due cycles, so nobody waits for long.
        rounding = 0.0 if period.denominator == 1 else 1.0
        yield ClosedForm("wait_mean", "D/D/1/K", 0.0, 0.0, rounding)


def _random(schedule: Schedule, prediction: Prediction, interval: int) -> Iterator[ClosedForm]:
    probability = schedule.mean_rate_per_cycle
    places = prediction.depth + 1
    load = float(load_of(schedule, interval))
    if places <= MOST_PLACES:
        loss = geod1k_loss(probability, interval, places)
        dropped = prediction.departures.dropped
        yield _bounded("drop_fraction", "Geo/D/1/K", loss, dropped, min(load, 1 / load))
        loss = md1k_loss(load, places)
        why = "for comparison: Poisson arrivals, not those of a clocked schedule"
        yield ClosedForm("drop_fraction", "M/D/1/K", loss, reason=why)
    if load < _HIGHEST_LOAD:
        wait = geod1_mean_wait(probability, interval)
        if prediction.dropped:
            why = "for comparison: a queue without limit, but events were dropped"
            yield ClosedForm("wait_mean", "Geo/D/1", wait, reason=why)
        else:
            yield _bounded("wait_mean", "Geo/D/1", wait, prediction.wait, load)
        why = "for comparison: Poisson arrivals, not those of a clocked schedule"
        yield ClosedForm("wait_mean", "M/D/1", md1_mean_wait(load, interval), reason=why)


def _bounded(
    name: str,
    model: str,
    value: float,
    series: NDArray[np.int64] | NDArray[np.bool_],
    load: float,
) -> ClosedForm:
    """Return a closed form with `SIGMAS` standard errors around it, if the series can give them."""
    batch = queue_batch(series.size, load) if load < _HIGHEST_LOAD else None
    if batch is None:
        return ClosedForm(name, model, value, reason=_SHORT)
    found = batch_means(series, batch)
    # What one event more or less makes of a mean is no disagreement.
    slack = SIGMAS * found.error + (1 + float(series.max(initial=0))) / series.size
    return ClosedForm(name, model, value, max(0.0, value - slack), value + slack)
