from __future__ import annotations

import numpy as np
import pytest

from harness.traffic import Events, deviates, trigger_cells
from harness.traffic.trigger_cells import TriggerCells


@pytest.fixture(scope="module")
def batch() -> Events:
    return TriggerCells().generate(40_000, 42)


def test_values_are_shares_of_the_charge(batch: Events) -> None:
    """What flooring takes away is below one LSB a cell."""
    total = batch.raw.sum(axis=1, dtype=np.int64)
    empty = batch.truth[:, 0] == 0
    assert not total[empty].any()
    assert total[~empty].max() <= 256
    assert total[~empty].min() > 256 - 48
    assert np.array_equal(batch.truth, np.rint(batch.truth))


def test_many_modules_see_little_and_few_see_much(batch: Events) -> None:
    charge = batch.truth[:, 0]
    assert 0.15 < (charge == 0).mean() < 0.35
    assert np.median(charge) < 20
    assert np.percentile(charge, 99) > 500


def test_showers_are_blobs() -> None:
    """A cell's charge goes with its neighbours' and not with that of the far side of the module."""
    fields = trigger_cells._positions(0.5, 0.5)
    raw = TriggerCells().generate(40_000, 3)
    cells = raw.raw[raw.truth[:, 0] > 50].astype(float)
    correlation = np.corrcoef(cells.T)
    away = np.hypot(*(fields[:, None] - fields).transpose(2, 0, 1))
    near = (away > 0) & (away < 1.01)
    assert near.sum(axis=1).min() >= 2
    assert near.sum(axis=1).max() == 6  # a hexagonal packing
    assert correlation[near].mean() > 0.1
    assert correlation[away > 4].mean() < 0


def test_cells_are_equivalent_in_the_long_run(batch: Events) -> None:
    rhombi = batch.raw.reshape(-1, 16, 3).mean(axis=(0, 1))
    assert rhombi.max() / rhombi.min() < 1.1


def test_charges_are_exact_in_float32() -> None:
    largest = int(deviates.exponential(trigger_cells._MEAN_CHARGE).max()) * 1024
    assert largest < 1 << 24
    profiles = trigger_cells._profiles() * 1024
    assert np.array_equal(profiles, np.rint(profiles))
    assert profiles.sum(axis=1).max() <= 1024 + 24  # rounded up in every cell at most
