from __future__ import annotations

import numpy as np
import pytest

from harness.traffic import Events, bragg_patches
from harness.traffic.bragg_patches import PATCH_SIDE, BraggPatches


@pytest.fixture(scope="module")
def batch() -> Events:
    return BraggPatches().generate(30_000, 42)


def test_every_patch_uses_the_whole_range(batch: Events) -> None:
    assert (batch.raw.min(axis=1) == 0).all()
    assert (batch.raw.max(axis=1) == 255).all()


def test_centres_are_evenly_spread_within_a_pixel_of_the_middle(batch: Events) -> None:
    away = batch.truth - PATCH_SIDE // 2
    assert np.abs(away).max() < 1
    for part in away.T:
        counts = np.histogram(part, bins=16, range=(-1, 1))[0]
        expected = len(away) / 16
        assert float(((counts - expected) ** 2 / expected).sum()) < 37.7  # chi2, 15 dof, p = 0.001
    assert abs(float(np.corrcoef(away.T)[0, 1])) < 3.3 / np.sqrt(len(away))


def test_the_peak_is_where_the_truth_says(batch: Events) -> None:
    """The centre of gravity of the bright pixels, the simplest estimate, is right on average."""
    light = np.where(batch.raw > 60, batch.raw, 0).reshape(-1, PATCH_SIDE, PATCH_SIDE)
    pixels = np.arange(PATCH_SIDE)
    total = light.sum(axis=(1, 2))
    row = (light.sum(axis=2) * pixels).sum(axis=1) / total
    column = (light.sum(axis=1) * pixels).sum(axis=1) / total
    off = np.stack([row, column], axis=1) - batch.truth
    assert np.abs(off.mean(axis=0)).max() < 0.005
    assert np.hypot(*off.T).mean() < 0.15


def test_peaks_differ_in_width_along_each_axis(batch: Events) -> None:
    light = batch.raw.reshape(-1, PATCH_SIDE, PATCH_SIDE).astype(float)
    wide = [(light.sum(axis=axis) > 0.5 * light.sum(axis=axis).max(axis=1)[:, None]).sum(axis=1)
            for axis in (1, 2)]  # fmt: skip
    assert np.percentile(wide[0], 95) > np.percentile(wide[0], 5) + 1
    assert abs(float(np.corrcoef(wide)[0, 1])) < 0.3


def test_the_profile_is_half_gaussian_half_lorentzian() -> None:
    profile = bragg_patches._profile()
    assert profile[0] == 1
    half_width = 1 << bragg_patches._NEAR_BITS
    assert profile[half_width] == pytest.approx(0.5, abs=2**-12)
    assert profile[4 * half_width] == pytest.approx(0.5 / 16 + 0.1, abs=2**-12)
    assert (np.diff(profile) <= 0).all()
