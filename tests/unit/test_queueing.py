from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.measure import queueing

DUES = st.lists(st.integers(0, 9), max_size=80).map(lambda gaps: np.cumsum(gaps, dtype=np.int64))


def simulate(
    due: np.ndarray[tuple[int], np.dtype[np.int64]], ii: int, latency: int, depth: int | None
) -> list[tuple[int, int] | None]:
    """Step through cycles as the gateware does: arrive, accept, then drop what is too much."""
    outcome: list[tuple[int, int] | None] = [None] * due.size
    waiting: list[int] = []
    free = 0
    arrivals = list(enumerate(due.tolist()))
    cycle = 0
    while arrivals or waiting:
        # Several events in one cycle come one after the other; only the last sees all of them.
        while True:
            newcomer = bool(arrivals) and arrivals[0][1] == cycle
            if newcomer:
                waiting.append(arrivals.pop(0)[0])
            if waiting and cycle >= free:
                outcome[waiting.pop(0)] = (cycle, cycle + latency)
                free = cycle + ii
            if newcomer and depth is not None and len(waiting) > depth:
                waiting.pop()
            if not (arrivals and arrivals[0][1] == cycle):
                break
        cycle += 1
    return outcome


@given(DUES, st.integers(1, 12), st.integers(0, 40))
def test_lindley_is_the_simulation(due: np.ndarray, ii: int, latency: int) -> None:  # type: ignore[type-arg]
    accepted, done = queueing.lindley(due, ii, latency)
    wanted = simulate(due, ii, latency, None)
    assert [tuple(pair) for pair in np.stack([accepted, done], 1).tolist()] == wanted


@given(DUES, st.integers(1, 12), st.integers(0, 40), st.integers(0, 6))
def test_the_finite_queue_is_the_simulation(
    due: np.ndarray,  # type: ignore[type-arg]
    ii: int,
    latency: int,
    depth: int,
) -> None:
    found = queueing.finite_queue(due, ii, latency, depth)
    wanted = simulate(due, ii, latency, depth)
    assert found.dropped.tolist() == [pair is None for pair in wanted]
    assert found.accepted.tolist() == [-1 if pair is None else pair[0] for pair in wanted]
    assert found.done.tolist() == [-1 if pair is None else pair[1] for pair in wanted]


@pytest.mark.parametrize("period", range(1, 12))
def test_periodic_overload(period: int) -> None:
    for ii in range(1, 16):
        for places in range(1, 9):
            due = np.arange(600, dtype=np.int64) * period
            found = queueing.finite_queue(due, ii, ii + 3, places - 1)
            first = queueing.first_drop(period, ii, places)
            drops = np.flatnonzero(found.dropped)
            assert (int(drops[0]) if drops.size else None) == first
            if first is None:
                assert ii <= period
                continue
            assert first == min(n for n in range(600) if n - min(n, n * period // ii) >= places)
            # No kept event waits for more than K intervals.
            kept = ~found.dropped
            assert (found.done - due)[kept].max() <= places * ii + 3


@pytest.mark.parametrize(
    ("period", "ii", "places"), [(3, 7, 1), (4, 12, 1), (2, 3, 2), (5, 7, 4), (1, 15, 8), (9, 9, 1)]
)
def test_the_long_run_drop_fraction(period: int, ii: int, places: int) -> None:
    # A whole number of the pattern's repetitions, after the queue has filled.
    start, length = 20 * ii, 40 * ii
    due = np.arange(start + length, dtype=np.int64) * period
    dropped = queueing.finite_queue(due, ii, ii, places - 1).dropped[start:]
    wanted = queueing.drop_fraction(period, ii, places)
    assert abs(Fraction(int(dropped.sum()), length) - wanted) <= Fraction(1, length)


def test_known_fractions() -> None:
    assert queueing.drop_fraction(10, 10, 1) == 0
    assert queueing.drop_fraction(3, 7, 1) == Fraction(2, 3)
    assert queueing.drop_fraction(3, 7, 2) == Fraction(4, 7)


def test_lindley_of_a_periodic_stream() -> None:
    due = np.arange(100, dtype=np.int64) * 7
    _, done = queueing.lindley(due, 7, 26)
    assert set((done - due).tolist()) == {26}
    _, done = queueing.lindley(due, 9, 26)
    assert (done - due).tolist() == [26 + 2 * n for n in range(100)]


def test_trains_wait_as_predicted() -> None:
    # Trains of 12 events, 5 cycles apart, on an accelerator that takes one every 8.
    train = np.arange(12, dtype=np.int64) * 5
    due = np.concatenate([train + 12 * 8 * k for k in range(30)])
    accepted, _ = queueing.lindley(due, 8, 0)
    waits = (accepted - due).reshape(30, 12)
    assert (waits == np.arange(12) * 3).all()


def test_littles_law_is_exact() -> None:
    due = np.sort(np.random.default_rng(3).integers(0, 5000, 700)).astype(np.int64)
    found = queueing.finite_queue(due, 6, 31, 5)
    kept = ~found.dropped
    assert 0 < kept.sum() < 700
    cycles = np.arange(6000)[:, None]
    inside = (due[kept] <= cycles) & (cycles < found.done[kept])
    assert inside.sum() == (found.done - due)[kept].sum()


@pytest.mark.parametrize(("p", "service", "wait"), [(0.05, 10, 4.5), (0.08, 10, 18), (0.2, 4, 6)])
def test_random_arrivals_wait_as_predicted(p: float, service: int, wait: float) -> None:
    assert queueing.geod1_mean_wait(p, service) == pytest.approx(wait)
    due = np.cumsum(np.random.default_rng(1).geometric(p, 2_000_000), dtype=np.int64)
    accepted, _ = queueing.lindley(due, service, service)
    # Waits are correlated over tens of events; 3 % is still five standard errors.
    assert (accepted - due).mean() == pytest.approx(wait, rel=0.03)


@pytest.mark.parametrize(("load", "wait"), [(0, 0), (0.5, 0.5), (0.8, 2), (0.9, 4.5)])
def test_poisson_arrivals(load: float, wait: float) -> None:
    assert queueing.md1_mean_wait(load, 1) == pytest.approx(wait)
    assert queueing.md1_mean_wait(load, 10) == pytest.approx(10 * wait)


def test_a_million_dropping_events_are_quick() -> None:
    due = np.arange(1_000_000, dtype=np.int64) * 3
    start = time.monotonic()
    found = queueing.finite_queue(due, 7, 7, 64)
    assert time.monotonic() - start < 5
    assert found.dropped.mean() == pytest.approx(4 / 7, abs=1e-3)


def test_stamps_beyond_32_bits() -> None:
    due = np.arange(10, dtype=np.int64) + 2**62
    accepted, done = queueing.lindley(due, 3, 5)
    assert accepted.tolist() == [2**62 + 3 * n for n in range(10)]
    assert (done - accepted == 5).all()


def test_no_events() -> None:
    found = queueing.finite_queue(np.zeros(0, dtype=np.int64), 1, 1, 1)
    assert found.dropped.size == found.accepted.size == found.done.size == 0


def test_nonsense_is_refused() -> None:
    backwards = np.array([3, 2], dtype=np.int64)
    fine = np.array([2, 3], dtype=np.int64)
    for call in (
        lambda: queueing.lindley(backwards, 1, 1),
        lambda: queueing.lindley(fine.reshape(1, 2), 1, 1),
        lambda: queueing.lindley(fine, 0, 1),
        lambda: queueing.lindley(fine, 1, -1),
        lambda: queueing.finite_queue(fine, 1, 1, -1),
        lambda: queueing.first_drop(0, 1, 1),
        lambda: queueing.drop_fraction(1, 1, 0),
        lambda: queueing.md1_mean_wait(1.0, 1),
        lambda: queueing.md1_mean_wait(float("nan"), 1),
        lambda: queueing.md1_mean_wait(0.5, 0),
        lambda: queueing.geod1_mean_wait(0.1, 10),
        lambda: queueing.geod1_mean_wait(0.1, 0),
    ):
        with pytest.raises(InputError):
            call()
