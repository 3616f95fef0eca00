"""The committed qubit readout is as good as its training says."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from harness.accelerators import load_model
from harness.traffic.iq_windows import IqWindows

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parents[2] / "overlays" / "qubit_readout"
TRAINING = tomllib.loads((FOLDER / "training.toml").read_text(encoding="utf-8"))


def test_the_model_is_the_one_that_was_trained() -> None:
    found = hashlib.sha256((FOLDER / "model.json").read_bytes()).hexdigest()
    assert found == TRAINING["model_sha256"]


def test_weights_are_ternary() -> None:
    model = load_model(FOLDER / "model.json")
    assert (model.inputs, model.outputs) == (800, 1)
    assert [layer.work.weights for layer in model.layers if layer.work] == [3200, 4]
    for layer in model.layers:
        values = np.unique(getattr(layer, "weights"))  # noqa: B009
        assert set(values.tolist()) <= {-1, 0, 1}


def test_fidelity_on_other_shots_is_the_stated_one() -> None:
    events = IqWindows().generate(6000, seed=71)
    states = load_model(FOLDER / "model.json").forward(events.raw)[:, 0] > 0
    found = np.mean([np.mean(states[events.truth == state] == state) for state in (0, 1)])
    stated = TRAINING["held_out"]["quantised_fidelity"]
    # Four standard deviations of 6000 shots; a network that knows nothing is at a half.
    assert abs(found - stated) < 4 * np.sqrt(stated * (1 - stated) / 6000)
    assert TRAINING["held_out"]["float_fidelity"] - stated < 0.002
