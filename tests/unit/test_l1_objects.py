from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.traffic import Events, deviates, l1_objects
from harness.traffic.l1_objects import BACKGROUND, L1_FORMAT, L1_LABELS, MIXED, L1Objects

# Places of the objects: missing energy, e/g, muons, jets.
MET, EG, MUON, JET = 0, 1, 5, 9


@pytest.fixture(scope="module")
def batch() -> Events:
    return L1Objects().generate(100_000, 42)


@pytest.fixture(scope="module")
def mixed() -> Events:
    return L1Objects("mixed", MIXED).generate(40_000, 42)


def momenta(events: Events) -> NDArray[np.float64]:
    """Return normalised pT by object, [events, 19]."""
    return L1_FORMAT.to_float(events.raw)[:, ::3]


def test_rare_classes_are_rare(batch: Events) -> None:
    counts = np.bincount(batch.truth, minlength=len(L1_LABELS))
    expected = np.array(l1_objects.RARE) / 65536 * len(batch.raw)
    assert float(((counts - expected) ** 2 / expected).sum()) < 16.3  # chi2, 3 dof, p = 0.001
    assert counts[1:].sum() < 0.03 * len(batch.raw)


def test_sets_for_training_are_pure_and_balanced(mixed: Events) -> None:
    background = L1Objects("background", BACKGROUND).generate(20_000, 42)
    assert not background.truth.any()
    counts = np.bincount(mixed.truth)
    assert float(((counts - 10_000) ** 2 / 10_000).sum()) < 16.3


def test_background_is_the_same_whatever_the_share_of_the_rare(batch: Events) -> None:
    pure = L1Objects("background", BACKGROUND).generate(1000, 42)
    common = batch.truth[:1000] == 0
    assert np.array_equal(pure.raw[common], batch.raw[:1000][common])


def test_medians_follow_the_firmwares_offsets(batch: Events) -> None:
    """An offset of the production table is where the middle of the distribution is."""
    values = momenta(batch)[batch.truth == 0]
    median = np.median(values, axis=0)
    assert np.abs(median[[MET, EG, EG + 1, *range(JET, JET + 9)]]).max() <= 1
    assert (values.std(axis=0)[[MET, EG, JET, JET + 1]] > 0.5).all()
    outside = (np.abs(values) >= 7.9).mean()
    assert 1e-4 < outside < 0.02  # saturation is met with, and is rare


def test_objects_come_in_order_of_momentum(batch: Events) -> None:
    objects = l1_objects._objects(*_fields(0))
    for first, count in ((EG, 4), (MUON, 4), (JET, 10)):
        pt = objects[3 * first : 3 * (first + count) : 3]
        assert (np.diff(pt, axis=0) <= 0).all()
        absent = pt == 0
        assert absent.any()
        for other in (1, 2):
            rest = objects[3 * first + other : 3 * (first + count) : 3]
            assert not rest[absent].any()


def _fields(label: int) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
    rng = np.random.default_rng(5)
    fields = rng.integers(0, 65536, (l1_objects._FIELDS, 5000)).astype(np.uint16)
    return fields, np.full(5000, label, dtype=np.int8)


def test_rare_classes_are_what_they_say() -> None:
    jet = 3 * JET
    leptons, dijet, invisible = (l1_objects._objects(*_fields(label)) for label in (1, 2, 3))
    plain = l1_objects._objects(*_fields(0))
    for place in (3 * EG, 3 * EG + 3, 3 * MUON, 3 * MUON + 3):
        assert leptons[place].min() > 0
        assert np.median(leptons[place]) > np.median(plain[place]) + 10
    assert np.median(dijet[jet + 3]) > np.median(plain[jet + 3]) + 80
    assert ((dijet[jet + 2] - dijet[jet + 5]) % 144 == 72).all()
    assert np.median(invisible[0]) > 4 * np.median(plain[0])
    # The missing energy points away from the jet that nothing balances.
    apart = (invisible[2] - invisible[jet + 2]) % 144
    assert np.median(np.abs(apart - 72)) < 12


@pytest.mark.parametrize("label", [1, 2, 3])
def test_rare_classes_can_be_told_but_not_perfectly(mixed: Events, label: int) -> None:
    """By the sum of squares, the simplest anomaly score there is: area under its ROC curve."""
    score = (momenta(mixed) ** 2).sum(axis=1)
    signal, common = score[mixed.truth == label], np.sort(score[mixed.truth == 0])
    area = float(np.searchsorted(common, signal).mean() / len(common))
    assert 0.7 < area < 0.99


def test_directions_are_those_of_the_arc_tangent() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(-(10**6), 10**6, (2, 20_000)).astype(np.int32)
    exact = (np.arctan2(y, x) % (2 * math.pi)) * 144 / (2 * math.pi)
    off = np.abs(l1_objects._direction(x, y) + 0.5 - exact)
    assert np.minimum(off, 144 - off).max() < 0.6


def test_sums_fit_their_type() -> None:
    largest = 10 * 2047 * 1024 + 2047 * 1024 + int(deviates.normal(11 * 1024).max())
    assert largest < 2**31
