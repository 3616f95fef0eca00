"""The committed energy reconstruction is as good as its training says."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.accelerators import Model, golden_rows, load_model
from harness.traffic import SLOTS
from harness.traffic.lar_samples import COUNTS_PER_GEV, LAR_CHANNELS, LarSamples

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parents[2] / "overlays" / "lar_energy"
TRAINING = tomllib.loads((FOLDER / "training.toml").read_text(encoding="utf-8"))
STATED = TRAINING["held_out"]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(FOLDER / "model.json")


def energies(model: Model, raw: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    return model.output_format.to_float(model.forward(raw)) / COUNTS_PER_GEV


def test_the_model_is_the_one_that_was_trained() -> None:
    found = hashlib.sha256((FOLDER / "model.json").read_bytes()).hexdigest()
    assert found == TRAINING["model_sha256"]


def test_resolution_on_other_orbits_is_the_stated_one(model: Model) -> None:
    events, delay = (
        LarSamples().generate(4 * SLOTS, seed=77),
        TRAINING["training"]["delay_crossings"],
    )
    found = energies(model, events.raw).reshape(4, SLOTS, LAR_CHANNELS)[:, delay:]
    truth = events.truth.reshape(4, SLOTS, LAR_CHANNELS)[:, :-delay]
    errors = found - truth
    half = np.quantile(np.abs(errors[truth > 1]), 0.68)
    assert half == pytest.approx(STATED["quantised_large_half_width_gev"], rel=0.15)
    assert abs(np.median(errors[truth > 1])) < 0.05
    rms = np.sqrt((errors**2).mean())
    assert rms == pytest.approx(STATED["quantised_rms_gev"], rel=0.1)
    # A network that finds nothing has the deposits themselves as its errors.
    assert rms < 0.25 * np.sqrt((truth.astype(np.float64) ** 2).mean())
    assert abs(STATED["loss"]) < 0.02


def test_an_orbit_may_be_played_in_a_loop(model: Model) -> None:
    events = LarSamples().generate(SLOTS, seed=3)
    assert golden_rows(model, events.raw).shape == (SLOTS, 16)


def test_channels_do_not_talk_to_each_other(model: Model) -> None:
    raw = LarSamples().generate(300, seed=5).raw
    changed = raw.copy()
    changed[:, 5] = 1000
    same = np.flatnonzero((energies(model, raw) == energies(model, changed)).all(axis=0))
    assert same.tolist() == [0, 1, 2, 3, 4, 6, 7]
