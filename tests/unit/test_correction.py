"""HdrHistogram's correction against its own test set, and bins and counts against brute force."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.errors import InputError
from harness.measure import correction
from harness.measure.correction import BINS, bin_of, corrected, lower_edges, omitted, record

MS = 1_000_000
S = 1_000 * MS
TEST_SET: NDArray[np.int64] = np.array([MS] * 10_000 + [100 * S], np.int64)


def test_the_test_set_of_hdrhistogram() -> None:
    raw = record(TEST_SET)
    assert raw.total == 10_001
    assert raw.at_or_below(MS) == 10_000
    whole = corrected(TEST_SET, 10 * MS)
    assert whole.total == 20_000
    assert omitted(TEST_SET, 10 * MS) == 9_999
    assert whole.at_or_below(MS) == 10_000  # 50 % at most 1 ms
    median = whole.quantile(Fraction(1, 2))
    assert median is not None
    assert MS <= median < MS * (1 + 2**-10)
    # The added values are 10 ms, 20 ms, ... 99.99 s: 1 in each second-wide hundredth.
    for second in (10, 50, 90):
        assert abs(whole.at_or_below(second * S) - 10_000 - second * 100) <= second


def brute(values: list[int], interval: int) -> list[int]:
    found = []
    for value in values:
        found.append(value)
        missing = value - interval
        while missing >= interval:
            found.append(missing)
            missing -= interval
    return found


@given(st.lists(st.integers(0, 20_000), max_size=40), st.integers(1, 3_000))
def test_added_values_are_those_of_the_definition(values: list[int], interval: int) -> None:
    array = np.array(values, np.int64)
    expected = np.array(brute(values, interval), np.int64)
    found = corrected(array, interval)
    np.testing.assert_array_equal(found.counts, record(expected).counts)
    assert omitted(array, interval) == len(expected) - len(values)


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).integers(0, 10**6, 500)
    whole = corrected(values, 1_000)
    monkeypatch.setattr(correction, "_CHUNK", 700)
    np.testing.assert_array_equal(corrected(values, 1_000).counts, whole.counts)


def test_no_correction_without_omission() -> None:
    values = np.array([5, 9, 10, 19], np.int64)
    np.testing.assert_array_equal(corrected(values, 10).counts, record(values).counts)
    assert omitted(np.array([20, 30], np.int64), 10) == 3  # 10; 20, 10


@given(st.integers(0, 2**53 - 1))
def test_a_bin_holds_its_value_and_is_as_narrow_as_promised(value: int) -> None:
    (index,) = bin_of(np.array([value], np.int64))
    low, next_low = lower_edges(np.array([index, index + 1], np.int64)).tolist()
    assert 0 <= index < BINS
    assert low <= value < next_low
    width = 2 ** max(0, value.bit_length() - 1 - 10)
    assert next_low - low == width
    assert width == 1 or width <= value * 2**-10


@pytest.mark.parametrize("value", [-1, 2**53, 2**62])
def test_what_is_out_of_range_is_not_clipped(value: int) -> None:
    with pytest.raises(InputError, match="out of the histogram's range"):
        record(np.array([3, value], np.int64))


def test_too_many_omissions_are_refused_not_computed() -> None:
    with pytest.raises(InputError, match="too many omitted requests"):
        corrected(np.full(1_000, 10**12, np.int64), 1_000)
    with pytest.raises(InputError, match="must be positive"):
        corrected(np.array([1], np.int64), 0)


def test_quantiles_of_nothing_and_of_one() -> None:
    assert record(np.zeros(0, np.int64)).quantile(Fraction(1, 2)) is None
    assert record(np.array([2047], np.int64)).quantile(Fraction(1, 2)) == 2047
