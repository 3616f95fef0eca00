"""Coordinated omission, and HdrHistogram's correction for it.

A sender that waits for an answer before it sends again omits just those requests that a stall would
have delayed. HdrHistogram's patch (`recordValueWithExpectedInterval`) adds to each latency V above
the interval I that was to be kept the values V - I, V - 2 I, ... down to I: what the omitted
requests would have seen. Measuring from the scheduled instant is the cure and needs no patch; both
are reported, so that one can be compared with numbers from elsewhere.

Bins are HdrHistogram's with three significant digits: exact below 2048, then 1024 to each doubling,
so that a bin is never wider than 2^-10 of its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import InputError
from harness.measure.statistics import rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUB_BUCKETS: Final = 2048
MOST_ADDED: Final = 100_000_000
_HALF: Final = SUB_BUCKETS // 2
_HALF_BITS: Final = 10
_CHUNK: Final = 1 << 20
_WIDEST: Final = 52
BINS: Final = SUB_BUCKETS + (_WIDEST - _HALF_BITS) * _HALF


@dataclass(frozen=True, slots=True, eq=False)
class HdrHistogram:
    """Counts of values of 0 to 2^53 - 1 in bins of at most 2^-10 relative width.

    Args:
        counts: int64, shape (BINS,).
    """

    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def at_or_below(self, value: int) -> int:
        """Return how many values are at most `value`, or in its bin."""
        return int(self.counts[: int(bin_of(np.array([value]))[0]) + 1].sum())

    def quantile(self, q: Fraction) -> int | None:
        """Return the largest value of the bin of the nearest rank, as HdrHistogram does.

        None for an empty histogram.
        """
        total = self.total
        if total == 0:
            return None
        index = int(np.searchsorted(np.cumsum(self.counts), rank(total, q)))
        return int(lower_edges(np.array([index + 1]))[0]) - 1


def bin_of(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bin of each value, int64 of the same shape.

    Raises:
        InputError: A value is negative or 2^53 or more (104 days in ns): none is clipped.
    """
    if values.size and (values.min() < 0 or values.max() >= 1 << (_WIDEST + 1)):
        raise InputError(
            "a latency is out of the histogram's range",
            why=f"{values.min()} to {values.max()}, allowed: 0 to 2^53 - 1",
        )
    # Exact in doubles below 2^53: frexp gives the position of the leading bit.
    exponent = np.frexp(np.maximum(values, 1).astype(np.float64))[1].astype(np.int64) - 1
    shift = np.maximum(exponent - _HALF_BITS, 0)
    return np.asarray(shift * _HALF + (values >> shift), np.int64)


def lower_edges(bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the least value of each bin, int64 of the same shape."""
    shift = np.maximum(bins // _HALF - 1, 0)
    return np.asarray((bins - shift * _HALF) << shift, np.int64)


def record(values: NDArray[np.int64]) -> HdrHistogram:
    """Return the histogram of values, int64 of any shape.

    Raises:
        InputError: As `bin_of`.
    """
    return HdrHistogram(np.bincount(bin_of(values.ravel()), minlength=BINS).astype(np.int64))


def omitted(values: NDArray[np.int64], interval: int) -> int:
    """Return how many values the correction adds: max(0, floor(V / I) - 1) for each V."""
    return int(np.maximum(values // interval - 1, 0).sum())


def corrected(values: NDArray[np.int64], interval: int) -> HdrHistogram:
    """Return the histogram of values and of those that were omitted.

    Args:
        values: int64, shape (n,): latencies of a sender that waited for its answers.
        interval: Between two requests as intended, in the same unit.

    Raises:
        InputError: The interval is not positive, more than `MOST_ADDED` values would be added, or
            as `bin_of`.
    """
    if interval <= 0:
        raise InputError("an interval must be positive", why=f"got {interval}")
    counts = record(values).counts.copy()
    steps = values // interval - 1
    long, steps = values[steps > 0], steps[steps > 0]
    if int(steps.sum()) > MOST_ADDED:
        raise InputError(
            "too many omitted requests to correct for",
            why=f"{int(steps.sum())} would be added, at most {MOST_ADDED} are",
            hint="the link is far slower than the rate: lower the rate",
        )
    # Value by value would be slow for many, all at once would not fit: chunks of added values.
    ends = np.cumsum(steps)
    begin = 0
    while begin < long.size:
        base = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, base + _CHUNK, side="right")))
        each = steps[begin:end]
        first = np.repeat(ends[begin:end] - each - base, each)
        number = np.arange(first.size) - first + 1
        added = np.repeat(long[begin:end], each) - number * interval
        counts += np.bincount(bin_of(added), minlength=BINS)
        begin = end
    return HdrHistogram(counts)
