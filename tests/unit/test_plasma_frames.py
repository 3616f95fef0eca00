from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.traffic import Events, plasma_frames
from harness.traffic.plasma_frames import FRAME_SIDE, PlasmaFrames


@pytest.fixture(scope="module")
def batch() -> Events:
    return PlasmaFrames().generate(6000, 42)


def turns(batch: Events) -> NDArray[np.float64]:
    """Return the phase in turns, without jumps."""
    phase = np.unwrap(np.arctan2(batch.truth[:, 0], batch.truth[:, 1]).astype(np.float64))
    unwrapped: NDArray[np.float64] = phase / (2 * np.pi)
    return unwrapped


@pytest.mark.parametrize("seed", range(6))
def test_the_mode_turns_steadily_from_frame_to_frame(seed: int) -> None:
    """Blocks of frames join without a seam: no step is out of line."""
    step = np.diff(turns(PlasmaFrames().generate(3000, seed)))
    assert step.min() > 1 / 33
    assert step.max() < 1 / 6
    assert np.abs(np.diff(step)).max() < 0.01


def test_amplitude_drifts_and_stays_in_range(batch: Events) -> None:
    amplitude = np.hypot(batch.truth[:, 0], batch.truth[:, 1])
    assert amplitude.min() > 0.2
    assert amplitude.max() <= 1
    assert amplitude.std() > 0.05
    assert np.abs(np.diff(amplitude)).max() < 0.05


def test_the_bright_side_is_where_the_phase_says(batch: Events) -> None:
    y, x = np.mgrid[:FRAME_SIDE, :FRAME_SIDE] - np.array([16.5, 14.5])[:, None, None]
    light = batch.raw.reshape(-1, FRAME_SIDE, FRAME_SIDE) - batch.raw.mean(axis=0).reshape(
        FRAME_SIDE, FRAME_SIDE
    )
    seen = np.stack([(light * y).sum(axis=(1, 2)), (light * x).sum(axis=(1, 2))], axis=1)
    for part in range(2):
        assert np.corrcoef(seen[:, part], batch.truth[:, part])[0, 1] > 0.995


def test_noise_goes_with_the_square_root_of_the_light(batch: Events) -> None:
    parts = np.concatenate([batch.truth, np.ones((len(batch.truth), 1))], axis=1)
    clean = parts @ plasma_frames._patterns()
    residual = batch.raw - clean + 0.5  # the camera rounds down
    for low, high in ((20, 40), (60, 90), (110, 160)):
        here = residual[(clean > low) & (clean < high)]
        wanted = np.sqrt(0.25 * clean[(clean > low) & (clean < high)].mean() + 1 / 12)
        assert here.std() == pytest.approx(wanted, rel=0.03)
        assert abs(here.mean()) < 0.05


def test_light_is_never_negative_before_noise() -> None:
    """A square root of it follows."""
    sine, cosine, light = plasma_frames._patterns()
    assert (light - np.hypot(sine, cosine)).min() > 0
    assert light.max() + np.hypot(sine, cosine).max() < 4096
