"""Intervals of percentiles: that they cover what they say, although waits remember each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.measure import batch_means, confidence, statistics
from harness.measure.prediction import histogram_of
from harness.measure.queueing import lindley
from harness.measure.statistics import P99
from harness.measure.theory import Theory
from harness.report import result as results
from tests.unit import markov

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.unit.conftest import Synthetic

SERVICE = 10
BINS = 4096


def waits(load: float, events: int, seed: int) -> NDArray[np.int64]:
    """Return waits of Geo/D/1 once it has settled."""
    settling = 2000
    gaps = np.random.default_rng(seed).geometric(load / SERVICE, events + settling)
    due = np.cumsum(gaps)
    accepted, _ = lindley(due, SERVICE, 0)
    return np.asarray(accepted - due)[settling:]


def test_intervals_cover_the_true_percentile_and_independent_ones_would_not() -> None:
    chain = markov.waits(0.8, SERVICE, 700)
    truth = int(np.searchsorted(np.cumsum(chain.stationary), 0.99))
    inside, naive = 0, 0
    for seed in range(100):
        series = waits(0.8, 50_000, seed)
        histogram = histogram_of(series, BINS)
        found = confidence.intervals(histogram, series)["p99"]
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
        independent = statistics.confidence_interval(histogram, P99)
        assert independent is not None
        naive += independent[0] <= truth <= independent[1]
    assert inside >= 95
    assert naive < 60


def test_independent_events_have_the_interval_of_independent_events() -> None:
    for seed in range(20):
        series = np.random.default_rng(seed).geometric(0.05, 20_000)
        histogram = histogram_of(series, BINS)
        for name, found in confidence.intervals(histogram, series).items():
            assert found.tau is not None
            assert 1 <= found.tau < 1.5
            assert found.low is not None
            assert found.high is not None
            wide = statistics.confidence_interval(histogram, confidence.QUANTILES[name])
            assert wide is not None
            assert found.low <= wide[0]
            assert found.high >= wide[1]


def test_without_memory_the_ranks_are_those_of_all_events() -> None:
    series = np.random.default_rng(3).permutation(np.arange(4000))
    found = confidence.intervals(histogram_of(series, BINS), series[:64])["p99"]
    if found.tau == 1:
        ranks = statistics.confidence_ranks(4000, P99)
        assert ranks is not None
        assert (found.low, found.high) == (ranks[0] - 1, ranks[1] - 1)


def test_what_never_varies_is_known_without_any_order() -> None:
    series = np.full(5000, 26)
    found = confidence.intervals(histogram_of(series, 64), series[:0])
    assert {(each.low, each.high, each.tau) for each in found.values()} == {(26, 26, 1.0)}
    assert found["p999"].effective == 5000


@pytest.mark.parametrize(
    ("series", "known", "reason"),
    [
        (np.arange(50) % 7, 50, "not resolvable: 50 events, needs 299"),
        (np.arange(5000) % 7, 19, "the order of 19 events is known"),
        (np.arange(5000), 5000, "the order of 5000 events is known"),  # an overload: it drifts
        (np.arange(5000) % 7, 0, "the order of 0 events is known"),
    ],
)
def test_what_cannot_be_stated_has_a_reason(
    series: NDArray[np.int64], known: int, reason: str
) -> None:
    found = confidence.intervals(histogram_of(series, 8192), series[:known])["p99"]
    assert (found.low, found.high) == (None, None)
    assert found.reason.startswith(reason)


def test_too_few_independent_events_are_too_few() -> None:
    series = waits(0.8, 50_000, 1)
    found = confidence.intervals(histogram_of(series, BINS), series)["p999"]
    assert found.low is None
    assert found.tau is not None
    assert found.effective == int(50_000 / found.tau)
    assert found.reason == f"correlated events: 50000 are worth {found.effective}, needs 2995"


def test_an_interval_that_ends_in_the_overflow_bin_has_no_upper_end() -> None:
    series = np.random.default_rng(0).integers(0, 1000, 5000)
    found = confidence.intervals(histogram_of(series, 991), series)["p99"]
    assert found.low is not None
    assert found.high is None
    assert "overflow" in found.reason


def test_values_that_are_all_known_have_the_intervals_of_their_histogram() -> None:
    series = waits(0.7, 40_000, 2)
    assert confidence.intervals_of_values(series) == confidence.intervals(
        histogram_of(series, BINS), series
    )
    (reason,) = {each.reason for each in confidence.intervals_of_values(series[:3]).values()} - {
        "not resolvable: 3 events, needs 299",
        "not resolvable: 3 events, needs 2995",
    }
    assert reason == "not resolvable: 3 events, needs 5"
    nothing = confidence.intervals_of_values(series[:0])
    assert all(each.reason.startswith("not resolvable") for each in nothing.values())


# The memory of waits


@pytest.mark.parametrize(("load", "tau"), [(0.3, 2.54), (0.5, 5.71), (0.7, 18.2), (0.8, 43.75)])
def test_the_memory_of_md1_is_the_limit_of_markov_chains(load: float, tau: float) -> None:
    """Geo/D/1 is solved exactly for ever finer cycles, and Richardson's rule takes the limit."""
    fine = (5, 10, 20)
    places = int(36 / (2 * (1 - load)) + 8)
    found = [markov.waits(load, service, places * service) for service in fine]
    ends = [
        np.polyfit([1 / s for s in fine], values, 2)[-1]
        for values in (
            [each.spread_of_mean / each.service**2 for each in found],
            [each.variance / each.service**2 for each in found],
        )
    ]
    exact = batch_means.queue_tau(load)
    assert exact == pytest.approx(ends[0] / ends[1], rel=1e-3)
    assert exact == pytest.approx(tau, rel=2e-3)
    assert all(each.spread_of_mean / each.variance < exact for each in found)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_a_series_alone_tells_its_memory(load: float) -> None:
    chain = markov.waits(load, SERVICE, 600)
    found = [batch_means.settled_tau(waits(load, 300_000, seed)) or 0 for seed in range(4)]
    assert np.mean(found) == pytest.approx(chain.spread_of_mean / chain.variance, rel=0.1)


def test_a_drift_and_a_short_series_have_no_memory_that_can_be_told() -> None:
    assert batch_means.settled_tau(np.arange(100_000)) is None
    assert batch_means.settled_tau(np.arange(19)) is None
    assert batch_means.settled_tau(np.zeros(0)) is None
    assert batch_means.settled_tau(np.ones(10_000)) == 1


# In results


def test_results_take_the_order_from_theory_or_else_from_the_trace(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence()
    assert evidence.samples is not None
    random = waits(0.5, 5000, 4)
    samples = dataclasses.replace(
        evidence.samples,
        wait=histogram_of(random, BINS),
        total=histogram_of(random + 26, BINS),
    )
    evidence = dataclasses.replace(evidence, samples=samples)

    def confidence_of(waits: NDArray[np.int64] | None) -> Any:
        theory = Theory("Geo/D/1/K", 64, None, waits=waits)
        return results.build(synthetic.record(evidence, theory=theory))["latency"]["total"][
            "confidence"
        ]

    # The trace is that of 64 events without a wait.
    assert confidence_of(None)["p50"]["reason"].startswith("the order of 64 events is known")
    known = confidence_of(random)
    assert known["level"] == 0.95
    assert known["p50"]["tau"] > 3
    assert known["p50"]["effective_events"] == int(5000 / known["p50"]["tau"])
    low, high = known["p50"]["low"], known["p50"]["high"]
    assert low["cycles"] <= int(np.median(random)) + 26 <= high["cycles"]
    assert low["ns"] == 5 * low["cycles"]
