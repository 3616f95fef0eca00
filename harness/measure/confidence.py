"""How far the percentiles of a run may be off, although its events are not independent.

The interval between two order statistics covers a quantile whatever the distribution, if events are
independent (`statistics.confidence_ranks`). Waits in a queue remember each other, so that n events
tell no more than n / tau independent ones. tau comes from batch means over latencies in the order
of their events, and the ranks of n / tau events are taken at the same shares of all n.

A histogram has lost that order. It is known of every event where theory predicts a run exactly, and
of a stretch where there is a trace; where neither is long enough for tau, there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from harness.measure.batch_means import LEAST_BATCHES, settled_tau
from harness.measure.statistics import (
    ALPHA,
    IN_OVERFLOW,
    P50,
    P99,
    P999,
    confidence_ranks,
    minimum_count,
    rank,
    value_at_rank,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from numpy.typing import NDArray

    from harness.fabric.samples import Kind, LatencyHistogram, Samples

_Ranked: TypeAlias = Callable[[int], "int | None"]
_MOST_EVENTS: Final = 1 << 20
"""As many tell a memory well enough; more only take longer."""
QUANTILES: Final[Mapping[str, Fraction]] = {"p50": P50, "p99": P99, "p999": P999}


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a percentile.

    Args:
        low: In cycles; None, as for the others, where it cannot be stated.
        high: In cycles.
        tau: Autocorrelation time in events; 1 for independent ones.
        effective: Independent events that the run is worth.
        reason: Why something is None; empty otherwise.
    """

    low: int | None = None
    high: int | None = None
    tau: float | None = None
    effective: int | None = None
    reason: str = ""


def in_order(samples: Samples, waits: NDArray[np.int64] | None) -> Mapping[Kind, NDArray[np.int64]]:
    """Return the latencies of consecutive completed events, in cycles.

    Args:
        samples: Of the run.
        waits: Of its first completed events, where they are known exactly; None to go by the trace.
    """
    trace = samples.trace
    service = trace.done - trace.accepted
    constant = samples.service.minimum
    if waits is None or constant is None or constant != samples.service.maximum:
        waits, total = trace.accepted - trace.scheduled, trace.done - trace.scheduled
    else:
        total = waits + constant
    return {"wait": waits, "service": service, "total": total}


def intervals(
    histogram: LatencyHistogram, series: NDArray[np.int64], alpha: float = ALPHA
) -> dict[str, Interval]:
    """Return an interval of each of `QUANTILES`, covering it with at least 1 - alpha.

    Args:
        histogram: Of all events.
        series: Latencies of consecutive events of the run, shape (n,), as many as are known.
        alpha: Probability of an interval that misses.
    """
    constant = histogram.count > 0 and histogram.minimum == histogram.maximum
    return _intervals(histogram.count, partial(value_at_rank, histogram), constant, series, alpha)


def intervals_of_values(values: NDArray[np.int64], alpha: float = ALPHA) -> dict[str, Interval]:
    """Return the same of values that are all known, in the order of their events; shape (n,)."""
    ordered = np.sort(values)

    def ranked(position: int) -> int | None:
        return int(ordered[position - 1]) if position <= ordered.size else None

    constant = ordered.size > 0 and ordered[0] == ordered[-1]
    return _intervals(ordered.size, ranked, bool(constant), values, alpha)


def _intervals(
    count: int, ranked: _Ranked, constant: bool, series: NDArray[np.int64], alpha: float
) -> dict[str, Interval]:
    series = series[:_MOST_EVENTS]
    # What is the same for every event has no order.
    whole = None if constant else settled_tau(series)
    found = {}
    for name, q in QUANTILES.items():
        tau = 1.0 if constant else _tau(series, ranked(rank(count, q)), whole)
        found[name] = _interval(count, ranked, q, tau, alpha, series.size)
    return found


def _interval(
    count: int, ranked: _Ranked, q: Fraction, tau: float | None, alpha: float, known: int
) -> Interval:
    needed = minimum_count(q, alpha)
    if count < needed:
        return Interval(reason=f"not resolvable: {count} events, needs {needed}")
    if tau is None:
        return Interval(
            reason=f"the order of {known} events is known: too few for {LEAST_BATCHES} "
            "batches that are long against their correlation"
        )
    effective = int(count / tau)
    ranks = confidence_ranks(effective, q, alpha) if effective >= needed else None
    if ranks is None:
        why = f"correlated events: {count} are worth {effective}, needs {needed}"
        return Interval(None, None, tau, effective, why)
    # The same shares of all events, rounded outwards.
    lower = (ranks[0] - 1) * count // effective + 1
    upper = min(count, -(-ranks[1] * count // effective))
    low, high = (ranked(position) for position in (lower, upper))
    if low is None or high is None:
        return Interval(low, None, tau, effective, f"{IN_OVERFLOW} ends above it")
    return Interval(low, high, tau, effective)


def _tau(series: NDArray[np.int64], middle: int | None, whole: float | None) -> float | None:
    """Return the longest memory that matters for a quantile, None if it is not known.

    That of being at most the quantile, and of being below it; and that of the latency itself, since
    a few rare events far out in the tail cannot show how they cluster.
    """
    if middle is None or whole is None:
        return whole
    found = [settled_tau(series <= middle), settled_tau(series < middle)]
    return None if None in found else max(whole, *(tau for tau in found if tau is not None))
