"""Mann and Whitney's U test for a handful of runs, exact also with ties, and its effect size.

Counted cycles tie often, so the distribution of the rank sum is that of all ways to deal the
observed values, ties included, into two groups. Where there are too many ways, the normal
approximation has a continuity correction and the tie-corrected variance
n1 n2 / 12 ((N + 1) - sum(t^3 - t) / (N (N - 1))). Values that all tie tell nothing: p is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_EXACT: Final = 100
"""Values in both groups together up to which p is exact, in some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class RankTest:
    """What the ranks of two groups say.

    Args:
        p: Two-sided p-value: twice the smaller tail, at most 1.
        a12: Vargha and Delaney's effect size: the probability that a value of the second group is
            the larger one of a pair, ties counting half. 0.5 is no effect.
        exact: Whether p is exact rather than approximate.
    """

    p: float
    a12: float
    exact: bool


def mann_whitney(before: Sequence[float], after: Sequence[float]) -> RankTest:
    """Test whether two groups of values come from one distribution.

    Raises:
        InputError: A group is empty or holds a value that is not a finite number.
    """
    first, second = len(before), len(after)
    values = np.asarray([*before, *after], dtype=np.float64)
    if not first or not second or not bool(np.isfinite(values).all()):
        raise InputError(
            "a rank test needs finite values on both sides", why=f"got {first} and {second} values"
        )
    ranks, ties = _doubled_midranks(values)
    doubled_sum = int(ranks[first:].sum())
    u = Fraction(doubled_sum, 2) - Fraction(second * (second + 1), 2)
    exact = first + second <= MOST_EXACT
    p = _exact_p(ties, second, doubled_sum) if exact else _normal_p(u, first, second, ties)
    return RankTest(p, float(u / (first * second)), exact)


def smallest_p(first: int, second: int) -> float:
    """Return the least p that groups of these sizes can give, however far apart they are."""
    return min(1.0, float(Fraction(2, math.comb(first + second, first))))


def runs_needed(alpha: float) -> int:
    """Return the least size of two equal groups whose p can be as small as `alpha`, above 0."""
    size = 1
    while smallest_p(size, size) > alpha:
        size += 1
    return size


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that one false alarm among all is as rare as it is for one test.

    Holm's step-down: valid whatever the dependence between the tests.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - position) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _doubled_midranks(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Return twice the midrank of each value, which is whole, and the sizes of the tied groups."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return _midranks(counts)[places], tuple(counts.tolist())


def _midranks(ties: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return twice the midrank that each group of tied values shares."""
    return np.asarray(2 * np.cumsum(ties) - ties + 1, dtype=np.int64)


def _exact_p(ties: tuple[int, ...], chosen: int, observed: int) -> float:
    dealt = _rank_sums(ties, chosen)
    tail = min(float(dealt[: observed + 1].sum()), float(dealt[observed:].sum()))
    return min(1.0, 2 * int(tail) / math.comb(sum(ties), chosen))


@lru_cache(maxsize=64)
def _rank_sums(ties: tuple[int, ...], chosen: int) -> NDArray[np.float64]:
    """Return in how many ways so many values can be chosen, by twice the sum of their ranks.

    Counts are sums of whole numbers without a sign: exact below 2^53, and above it as good as their
    16 digits.
    """
    ranks = np.repeat(_midranks(np.asarray(ties, dtype=np.int64)), ties)
    most = int(ranks.sum())
    ways = np.zeros((chosen + 1, most + 1))
    ways[0, 0] = 1
    for rank in ranks:
        # The copy on the right is of the ways without this rank: each is used once.
        ways[1:, rank:] += ways[:-1, : most + 1 - rank].copy()
    dealt: NDArray[np.float64] = ways[chosen].copy()
    return dealt


def _normal_p(u: Fraction, first: int, second: int, ties: tuple[int, ...]) -> float:
    both = first + second
    excess = Fraction(sum(tied**3 - tied for tied in ties), both * (both - 1))
    variance = Fraction(first * second, 12) * (both + 1 - excess)
    if variance == 0:
        return 1.0
    distance = max(Fraction(0), abs(u - Fraction(first * second, 2)) - Fraction(1, 2))
    return math.erfc(float(distance) / math.sqrt(2 * variance))
