from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.errors import InputError
from harness.measure import batch_means as batches
from harness.measure import queueing_theory as theory
from harness.measure.queueing import finite_queue, lindley, md1_mean_wait


@pytest.mark.parametrize(
    ("load", "q", "wait"),
    [
        (0.5, 0.5, 0.0), (0.5, 0.9, 1.516), (0.5, 0.99, 3.336),
        (0.8, 0.5, 1.276), (0.8, 0.9, 5.012), (0.8, 0.99, 10.356),
        (0.9, 0.5, 3.013), (0.9, 0.9, 10.783), (0.9, 0.99, 21.898),
    ],
)  # fmt: skip
def test_quantiles_of_md1(load: float, q: float, wait: float) -> None:
    assert theory.md1_wait_quantile(load, q) == pytest.approx(wait, abs=6e-4)


@pytest.mark.parametrize(
    ("wait", "share"), [(0.5, 0.2984), (1, 0.4451), (2.3, 0.6782), (5, 0.8995)]
)
def test_distribution_of_md1(wait: float, share: float) -> None:
    assert theory.md1_wait_cdf(0.8, wait) == pytest.approx(share, abs=6e-5)


def test_the_distribution_has_its_edges() -> None:
    assert theory.md1_wait_cdf(0.8, -1e-9) == 0
    assert theory.md1_wait_cdf(0.8, 0) == pytest.approx(0.2)
    assert theory.md1_wait_cdf(0, 0) == 1
    # Doubles lose all digits here; P(W > t) falls by the same factor in each service.
    tail = [1 - theory.md1_wait_cdf(0.9, wait) for wait in (60, 61, 62)]
    assert tail[1] / tail[0] == pytest.approx(tail[2] / tail[1], rel=1e-6)
    assert 0 < tail[2] < tail[1] < tail[0] < 1e-4


def test_the_digits_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = (0.3, 7.7, 99.5, 420.25)
    found = [theory.md1_wait_cdf(0.95, wait) for wait in waits]
    monkeypatch.setattr(theory, "_DIGITS", 600)
    assert found == [theory.md1_wait_cdf(0.95, wait) for wait in waits]


def test_moments_follow_from_the_distribution() -> None:
    """E[W] and E[W^2] as integrals of the tail, on a grid: two ways to the same numbers."""
    step = 1 / 64
    tail = np.array([1 - theory.md1_wait_cdf(0.6, step * k) for k in range(20 * 64)])
    grid = step * np.arange(tail.size)
    assert np.trapz(tail, dx=step) == pytest.approx(md1_mean_wait(0.6, 1), rel=1e-3)
    second = np.trapz(2 * grid * tail, dx=step)
    assert second == pytest.approx(theory.md1_wait_second_moment(0.6), rel=1e-3)


@pytest.mark.parametrize(
    ("load", "moment"), [(0.3, 0.2347), (0.6, 1.625), (0.8, 9.333), (0.9, 43.5)]
)
def test_second_moment_of_md1(load: float, moment: float) -> None:
    assert theory.md1_wait_second_moment(load) == pytest.approx(moment, rel=3e-4)


@pytest.mark.parametrize(
    ("load", "places", "loss"),
    [(0.5, 2, 0.09627), (0.8, 4, 0.05876), (0.9, 8, 0.02726), (1.1, 5, 0.14968)],
)
def test_loss_of_md1k(load: float, places: int, loss: float) -> None:
    assert theory.md1k_loss(load, places) == pytest.approx(loss, abs=6e-6)


@pytest.mark.parametrize("load", [0.1, 0.9, 1.5, 40, 900])
def test_one_place_is_dead_time(load: float) -> None:
    assert theory.md1k_loss(load, 1) == pytest.approx(load / (1 + load))


def test_losses_at_the_edges() -> None:
    assert theory.md1k_loss(0.3, 512) == pytest.approx(0, abs=1e-12)
    assert theory.md1k_loss(3, 512) == pytest.approx(2 / 3)
    assert theory.md1k_loss(2000, 64) == pytest.approx(1 - 1 / 2000)
    assert theory.geod1k_loss(0.5, 1, 2) == 0  # one event a cycle at most, and one leaves
    assert theory.geod1k_loss(0.999, 1000, 8) == pytest.approx(1 - 1 / 999)


def chain_loss(p: float, service: int, places: int) -> float:
    """Solve the whole Markov chain of (in system, cycles left of service) exactly."""
    states = [(0, 0)] + [(n, left) for n in range(1, places + 1) for left in range(1, service + 1)]
    index = {state: number for number, state in enumerate(states)}
    step = np.zeros((len(states), len(states)))
    loss = np.zeros(len(states))
    for (n, left), number in index.items():
        # The cycle begins: what is over leaves, the next one starts, then an event may come due.
        if n and left == 1:
            n, left = n - 1, service if n > 1 else 0  # noqa: PLW2901
        elif n:
            left -= 1  # noqa: PLW2901
        stay = (n, left)
        full = n >= places
        join = stay if full else (n + 1, left if n else service)
        step[number, index[stay]] += 1 - p
        step[number, index[join]] += p
        loss[number] = p * full
    # The law that a step leaves as it is, and whose shares add up to 1.
    balance = np.vstack([step.T - np.eye(len(states)), np.ones(len(states))])
    law = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return float(law @ loss) / p


@pytest.mark.parametrize(
    ("p", "service", "places"), [(0.08, 10, 3), (0.2, 10, 2), (0.3, 3, 4), (0.9, 3, 3), (0.2, 7, 1)]
)
def test_loss_of_geod1k_is_that_of_the_whole_chain(p: float, service: int, places: int) -> None:
    assert theory.geod1k_loss(p, service, places) == pytest.approx(
        chain_loss(p, service, places), rel=1e-9
    )


def test_geod1k_with_short_cycles_is_md1k() -> None:
    fine = theory.geod1k_loss(0.9 / 100_000, 100_000, 8)
    assert fine == pytest.approx(theory.md1k_loss(0.9, 8), rel=1e-4)


def test_losses_are_those_of_the_recursion() -> None:
    due = np.cumsum(np.random.default_rng(4).geometric(0.08, 400_000), dtype=np.int64)
    series = finite_queue(due, 10, 10, 3).dropped
    found = batches.batch_means(series, 2000)
    assert abs(found.mean - theory.geod1k_loss(0.08, 10, 4)) < 5 * found.error


def test_nonsense_is_refused() -> None:
    for call in (
        lambda: theory.md1_wait_cdf(1.0, 1),
        lambda: theory.md1_wait_cdf(0.5, math.nan),
        lambda: theory.md1_wait_cdf(0.5, 1e6),
        lambda: theory.md1_wait_quantile(0.5, 1.0),
        lambda: theory.md1_wait_quantile(math.nan, 0.5),
        lambda: theory.md1_wait_quantile(0.9999, 0.99),
        lambda: theory.md1_wait_second_moment(1.0),
        lambda: theory.md1k_loss(0, 3),
        lambda: theory.md1k_loss(math.inf, 3),
        lambda: theory.md1k_loss(0.5, 0),
        lambda: theory.md1k_loss(0.5, 1 << 20),
        lambda: theory.geod1k_loss(1.0, 3, 3),
        lambda: theory.geod1k_loss(0.1, 0, 3),
        lambda: batches.batch_means(np.arange(10), 6),
        lambda: batches.batch_means(np.arange(10), 0),
        lambda: batches.queue_tau(1.0),
    ):
        with pytest.raises(InputError):
            call()


def test_decimals_of_the_caller_are_left_alone() -> None:
    with localcontext() as context:
        context.prec = 5
        theory.md1_wait_cdf(0.8, 3)
        assert Decimal(1) / Decimal(3) == Decimal("0.33333")


# Batch means


def waits(load: float, events: int, seed: int) -> NDArray[np.int64]:
    service = 100_000
    gaps = np.random.default_rng(seed).exponential(service / load, events)
    due = np.cumsum(gaps).astype(np.int64)
    accepted, _ = lindley(due, service, 0)
    return np.asarray(accepted - due)


@pytest.mark.parametrize(("load", "tau", "within"), [(0.5, 5.714, 0.1), (0.8, 43.75, 0.15)])
def test_the_memory_of_waits(load: float, tau: float, within: float) -> None:
    found = [batches.batch_means(waits(load, 500_000, seed), 1000).tau for seed in range(4)]
    assert np.mean(found) == pytest.approx(tau, rel=within)
    assert batches.queue_tau(load) > 0.9 * float(np.mean(found))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_the_memory_of_a_first_order_process_is_exact(correlation: float) -> None:
    noise = np.random.default_rng(8).normal(size=600_000)
    series = np.empty_like(noise)
    last = 0.0
    for index, step in enumerate(noise.tolist()):
        last = correlation * last + step
        series[index] = last
    found = batches.batch_means(series, 1000)
    assert found.tau == pytest.approx((1 + correlation) / (1 - correlation), rel=0.2)


def test_the_error_covers_the_mean_as_often_as_it_says() -> None:
    """The formula for independent events would cover it in a fifth of the runs."""
    true = 2 * 100_000
    inside = 0
    for seed in range(60):
        found = batches.batch_means(waits(0.8, 60_000, 1000 + seed), 1500)
        inside += abs(found.mean - true) < 2 * found.error
    assert 50 <= inside <= 60


def test_a_batch_is_long_against_the_memory() -> None:
    assert batches.queue_batch(1000, 0.8) is None
    assert batches.queue_batch(9100, 0.8) is not None
    batch = batches.queue_batch(10_000_000, 0.8)
    assert batch == 25_000
    assert batches.batch_means(np.ones(100), 10).tau == 1
