from __future__ import annotations

import math
from fractions import Fraction
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import NumpyVersion

from harness.errors import InputError
from harness.fabric.samples import LatencyHistogram
from harness.measure import statistics
from harness.measure.statistics import P50, P99, P999

if TYPE_CHECKING:
    from tests.unit.conftest import Synthetic

BINS = 64


def histogram(values: list[int], bins: int = BINS) -> LatencyHistogram:
    array = np.array(values, dtype=np.int64)
    return LatencyHistogram(
        counts=np.bincount(array[array < bins], minlength=bins).astype(np.int64),
        overflow=int((array >= bins).sum()),
        count=len(values),
        minimum=min(values, default=None),
        maximum=max(values, default=None),
        total=sum(values),
    )


@pytest.mark.parametrize(
    ("q", "alpha", "needed"),
    [
        (P99, 0.05, 299),
        (P99, 0.01, 459),
        (P999, 0.05, 2995),
        (P999, 0.01, 4603),
        (Fraction(9999, 10_000), 0.05, 29_956),
        (Fraction(9999, 10_000), 0.01, 46_050),
        (P50, 0.05, 5),
        (P50, 0.25, 2),
        (P50, 0.5, 1),
        (Fraction(1, 4), 0.0625, 2),
        (Fraction(1, 3), 0.037037037037037035, 4),  # a little less than 1/27
    ],
)
def test_the_least_number_of_events(q: Fraction, alpha: float, needed: int) -> None:
    assert statistics.minimum_count(q, alpha) == needed


@given(st.integers(1, 999), st.integers(1, 999))
def test_the_least_number_is_least(numerator: int, thousandth: int) -> None:
    q, alpha = Fraction(numerator, 1000), Fraction(thousandth, 1000)
    needed = statistics.minimum_count(q, float(alpha))
    assert q**needed <= alpha
    assert needed == 1 or q ** (needed - 1) > alpha


@pytest.mark.skipif(
    NumpyVersion(np.__version__) < "1.22.0", reason="numpy.quantile has no methods before 1.22"
)
@given(st.lists(st.integers(0, BINS - 1), min_size=5, max_size=400), st.integers(1, 1023))
def test_percentiles_are_numpys_inverted_cdf(values: list[int], numerator: int) -> None:
    q = Fraction(numerator, 1024)  # a binary fraction: exact for NumPy too
    found = statistics.value_at_rank(histogram(values), statistics.rank(len(values), q))
    assert found == np.quantile(values, float(q), method="inverted_cdf")


def test_ranks_are_not_rounded_in_binary() -> None:
    # 0.07 * 100 is 7.000000000000001 in floating point: rank 8, one too many.
    assert statistics.rank(100, Fraction(7, 100)) == 7
    assert math.ceil(0.07 * 100) == 8
    assert statistics.rank(2**32 - 1, P999) == -(-999 * (2**32 - 1) // 1000)
    assert statistics.rank(1, Fraction(1, 1000)) == 1


def test_too_few_events_give_a_reason_instead_of_a_number() -> None:
    short = statistics.percentile(histogram([7] * 298), P99)
    assert short.cycles is None
    assert short.reason == "not resolvable: 298 events, needs 299"
    assert statistics.percentile(histogram([7] * 299), P99).cycles == 7


def test_a_rank_in_the_overflow_bin_gives_a_reason() -> None:
    values = [3] * 990 + [BINS] * 10
    assert statistics.percentile(histogram(values), P99).cycles == 3
    beyond = statistics.percentile(histogram([3] * 989 + [BINS] * 11), P99)
    assert beyond.cycles is None
    assert beyond.reason == "in the overflow bin: 64 cycles or more"


def test_an_empty_histogram_has_no_numbers() -> None:
    empty = statistics.summarise(histogram([]))
    assert empty.count == 0
    assert empty.mean.reason == empty.minimum.reason == empty.maximum.reason == "no events"
    assert empty.p50.cycles is None


def test_the_mean_counts_what_overflows() -> None:
    found = statistics.summarise(histogram([1, 2, 1000]))
    assert found.mean.cycles == Fraction(1003, 3)
    assert found.minimum.cycles == 1
    assert found.maximum.cycles == 1000
    assert found.overflow == 1


@given(st.lists(st.integers(0, 2 * BINS)), st.lists(st.integers(0, 2 * BINS)))
def test_merging_equals_counting_together(first: list[int], second: list[int]) -> None:
    merged = statistics.merge(histogram(first), histogram(second))
    whole = histogram(first + second)
    assert np.array_equal(merged.counts, whole.counts)
    for name in ("overflow", "count", "minimum", "maximum", "total"):
        assert getattr(merged, name) == getattr(whole, name)


def test_unlike_histograms_are_not_merged() -> None:
    with pytest.raises(InputError, match="64 and 65 bins"):
        statistics.merge(histogram([1]), histogram([1], bins=65))


# Confidence


def coverage(count: int, q: Fraction, low: int, high: int) -> float:
    terms = (comb(count, k) * q**k * (1 - q) ** (count - k) for k in range(low, high))
    return float(sum(terms))


def test_the_known_interval() -> None:
    assert statistics.confidence_ranks(1000, P99) == (983, 996)
    assert coverage(1000, P99, 983, 996) == pytest.approx(0.9575, abs=5e-5)


@given(st.integers(2, 120), st.integers(1, 49), st.sampled_from([0.01, 0.05, 0.2]))
def test_intervals_cover_and_exist_when_they_can(count: int, n50: int, alpha: float) -> None:
    q = Fraction(n50, 50)
    ranks = statistics.confidence_ranks(count, q, alpha)
    widest = coverage(count, q, 1, count)
    if ranks is None:
        assert widest < 1 - alpha + 1e-9
        return
    low, high = ranks
    assert 1 <= low < high <= count
    assert coverage(count, q, low, high) >= 1 - alpha - 1e-9
    # As narrow at the top as it can be, unless it reaches the largest value.
    if high < count and high - 1 > low:
        assert coverage(count, q, low, high - 1) < 1 - alpha + 1e-9


@pytest.mark.parametrize(("q", "needed"), [(P99, 299), (P999, 2995)])
def test_an_interval_exists_from_the_least_number_on(q: Fraction, needed: int) -> None:
    assert statistics.confidence_ranks(needed - 1, q) is None
    ranks = statistics.confidence_ranks(needed, q)
    assert ranks is not None
    assert ranks[1] == needed


def test_large_counts_agree_with_the_normal_limit() -> None:
    count = 2**32 - 1
    ranks = statistics.confidence_ranks(count, P999)
    assert ranks is not None
    centre, sigma = 0.999 * count, math.sqrt(count * 0.999 * 0.001)
    assert (ranks[0] - centre) / sigma == pytest.approx(-1.95996, abs=2e-3)
    assert (ranks[1] - centre) / sigma == pytest.approx(1.95996, abs=2e-3)


def test_intervals_of_independent_samples_cover_the_quantile() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        values = generator.integers(0, 50, 300)
        interval = statistics.confidence_interval(histogram(values.tolist()), P50)
        assert interval is not None
        hits += interval[0] <= 24 <= interval[1]
    assert hits >= 380  # 95 % of 400; discrete values only widen the coverage


def test_intervals_need_values() -> None:
    assert statistics.confidence_interval(histogram([1]), P50) is None
    assert statistics.confidence_interval(histogram([1] * 10 + [BINS] * 10), P50) is None
    assert statistics.confidence_interval(histogram([1, 2, 3, 4, 5, 6]), P50) == (1, 6)


@pytest.mark.parametrize(("q", "alpha"), [(0, 0.05), (1, 0.05), (2, 0.05), (P50, 0.0), (P50, 1.0)])
def test_probabilities_are_probabilities(q: Fraction | int, alpha: float) -> None:
    for function in (statistics.minimum_count, lambda q, a: statistics.confidence_ranks(9, q, a)):
        with pytest.raises(InputError, match="strictly between"):
            function(Fraction(q), alpha)


def test_the_synthetic_run_is_summarised(synthetic: Synthetic) -> None:
    samples = synthetic.evidence().samples
    assert samples is not None
    found = statistics.summarise(samples.total)
    assert [found.minimum.cycles, found.p50.cycles, found.p999.cycles, found.mean.cycles] == [
        26
    ] * 4
