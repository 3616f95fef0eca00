"""Exact order statistics on one-cycle histograms, and when they may be stated at all.

A percentile is the nearest rank: the value of the ceil(q n)-th smallest event, hence always a value
that was observed (NumPy calls it `inverted_cdf`). Nothing is interpolated. Quantiles are exact
fractions, so that ceil(0.99 * 100) is 99 and not what binary rounding makes of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import InputError
from harness.fabric.samples import LatencyHistogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

P50 = Fraction(1, 2)
P99 = Fraction(99, 100)
P999 = Fraction(999, 1000)
ALPHA = 0.05
IN_OVERFLOW = "in the overflow bin"
_SMALL = 1024


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of cycles, or why there is none.

    Args:
        cycles: The value; an integer for an order statistic, an exact fraction for a mean.
        reason: Why `cycles` is None; empty otherwise.
    """

    cycles: Fraction | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """The numbers that describe one latency; see `Estimate` for those that may be missing."""

    count: int
    overflow: int
    minimum: Estimate
    maximum: Estimate
    mean: Estimate
    p50: Estimate
    p99: Estimate
    p999: Estimate


def minimum_count(q: Fraction, alpha: float = ALPHA) -> int:
    """Return the least number of events from which the quantile `q` can be stated.

    With n events the largest one lies above the true quantile with probability 1 - q^n; below
    n = ln(alpha) / ln(q) that is less than 1 - alpha, and no observed value bounds the quantile.

    Raises:
        InputError: `q` or `alpha` is not strictly between 0 and 1.
    """
    _check(q, alpha)
    ratio = math.log(alpha) / math.log(q)
    nearest = round(ratio)
    if abs(ratio - nearest) < 1e-9 * max(1, nearest):
        # Logarithms cannot tell on which side of an integer they are; integers can.
        exact = q**nearest <= Fraction(str(alpha))
        return nearest if exact else nearest + 1
    return math.ceil(ratio)


def rank(count: int, q: Fraction) -> int:
    """Return ceil(q * count), the 1-based nearest rank, at least 1."""
    return max(1, -(-q.numerator * count // q.denominator))


def value_at_rank(histogram: LatencyHistogram, position: int) -> int | None:
    """Return the `position`-th smallest latency in cycles, None when it is in the overflow bin."""
    below = np.cumsum(histogram.counts)
    index = int(np.searchsorted(below, position))
    return index if index < below.size else None


def percentile(histogram: LatencyHistogram, q: Fraction, alpha: float = ALPHA) -> Estimate:
    """Return the nearest-rank quantile in cycles, or why it cannot be stated.

    Raises:
        InputError: `q` or `alpha` is not strictly between 0 and 1.
    """
    needed = minimum_count(q, alpha)
    if histogram.count < needed:
        return Estimate(None, f"not resolvable: {histogram.count} events, needs {needed}")
    value = value_at_rank(histogram, rank(histogram.count, q))
    if value is None:
        bins = histogram.counts.size
        return Estimate(None, f"{IN_OVERFLOW}: {bins} cycles or more")
    return Estimate(Fraction(value))


def mean(histogram: LatencyHistogram) -> Estimate:
    """Return the exact mean in cycles; it includes overflowing events."""
    if histogram.count == 0:
        return Estimate(None, "no events")
    return Estimate(Fraction(histogram.total, histogram.count))


def summarise(histogram: LatencyHistogram) -> LatencySummary:
    """Return all the numbers that a report shows of one latency."""
    return LatencySummary(
        count=histogram.count,
        overflow=histogram.overflow,
        minimum=_extreme(histogram.minimum),
        maximum=_extreme(histogram.maximum),
        mean=mean(histogram),
        p50=percentile(histogram, P50),
        p99=percentile(histogram, P99),
        p999=percentile(histogram, P999),
    )


def merge(first: LatencyHistogram, second: LatencyHistogram) -> LatencyHistogram:
    """Return the histogram of the events of both.

    Raises:
        InputError: They have different numbers of bins, so their overflow bins differ in meaning.
    """
    if first.counts.size != second.counts.size:
        raise InputError(
            "histograms with different numbers of bins cannot be merged",
            why=f"{first.counts.size} and {second.counts.size} bins",
            hint="merge runs of the same overlay only",
        )
    minima = [edge for edge in (first.minimum, second.minimum) if edge is not None]
    maxima = [edge for edge in (first.maximum, second.maximum) if edge is not None]
    return LatencyHistogram(
        counts=first.counts + second.counts,
        overflow=first.overflow + second.overflow,
        count=first.count + second.count,
        minimum=min(minima, default=None),
        maximum=max(maxima, default=None),
        total=first.total + second.total,
    )


def confidence_ranks(count: int, q: Fraction, alpha: float = ALPHA) -> tuple[int, int] | None:
    """Return ranks l < u such that [X_(l), X_(u)] covers the quantile with at least 1 - alpha.

    Distribution-free: the number of events at or below the quantile is binomial (n, q), and the
    interval covers it with probability B(u - 1) - B(l - 1). The lower rank takes at most alpha / 2;
    the upper one is the least that completes the coverage. Where the upper tail is too thin for
    that, the upper rank is n and the lower one is the largest that completes it.

    The events must be independent. Waits in a queue are not (oracle: their autocorrelation time is
    tens of events at 80 % load), so this is an interval for repeated runs or for service times.

    Returns:
        1-based ranks, or None when no pair covers the quantile.

    Raises:
        InputError: `q` or `alpha` is not strictly between 0 and 1.
    """
    _check(q, alpha)
    if count < 2:
        return None
    first, cdf = _binomial_cdf(count, q)

    def below(k: int) -> float:
        """Return P(at most k), k any integer."""
        if k < first:
            return 0.0
        return float(cdf[min(k - first, cdf.size - 1)]) if k < count else 1.0

    lower = max(1, first + int(np.searchsorted(cdf, alpha / 2, side="right")))
    wanted = below(lower - 1) + 1 - alpha
    upper = first + int(np.searchsorted(cdf, wanted)) + 1
    if upper <= count and upper > lower:
        return lower, upper
    lower = min(
        count - 1, first + int(np.searchsorted(cdf, below(count - 1) - (1 - alpha), "right"))
    )
    if lower < 1 or below(count - 1) - below(lower - 1) < 1 - alpha:
        return None
    return lower, count


def confidence_interval(
    histogram: LatencyHistogram, q: Fraction, alpha: float = ALPHA
) -> tuple[int, int] | None:
    """Return the latencies in cycles at `confidence_ranks`, None when either cannot be stated.

    Raises:
        InputError: `q` or `alpha` is not strictly between 0 and 1.
    """
    ranks = confidence_ranks(histogram.count, q, alpha)
    if ranks is None:
        return None
    low, high = (value_at_rank(histogram, position) for position in ranks)
    return None if low is None or high is None else (low, high)


def _binomial_cdf(count: int, q: Fraction) -> tuple[int, NDArray[np.float64]]:
    """Return a first k and P(at most k), P(at most k + 1), ... of the binomial (count, q).

    Small counts are complete. Large ones span 12 standard deviations each side of the mean, beyond
    which less than 1e-30 is lost; the log of neighbours' ratio is summed from there and normalised,
    so that no factorial of a large number (whose logarithm has lost its digits) is needed.
    """
    p = float(q)
    reach = count if count < _SMALL else int(12 * math.sqrt(count * p * (1 - p))) + 60
    first = max(0, int(count * p) - reach)
    last = min(count, int(count * p) + reach)
    k = np.arange(first, last, dtype=np.float64)
    odds = math.log(q.numerator) - math.log(q.denominator - q.numerator)
    steps = np.log((count - k) / (k + 1)) + odds
    logs = np.concatenate(([0.0], np.cumsum(steps)))
    masses = np.exp(logs - logs.max())
    return first, np.cumsum(masses) / masses.sum()


def _extreme(value: int | None) -> Estimate:
    return Estimate(None, "no events") if value is None else Estimate(Fraction(value))


def _check(q: Fraction, alpha: float) -> None:
    if not 0 < q < 1 or not 0 < alpha < 1:
        raise InputError(
            "a quantile and an error probability lie strictly between 0 and 1",
            why=f"q = {q}, alpha = {alpha}",
        )
