"""Layers of bits: sums of signs as Python integers make them, files that are wrong, digits read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import tomlfile
from harness.accelerators import classify, load_model, parse_model
from harness.architecture.network import of_model
from harness.errors import OverlayError
from harness.traffic import detector

OVERLAY = Path(__file__).parents[2] / "overlays" / "binary_digits"


def content(inputs: int, outputs: int, rng: random.Random, /, **changed: Any) -> dict[str, Any]:
    """Return a model of one layer that gives the sums themselves."""
    digits = -(-inputs // 4)

    def bits() -> list[str]:
        return [f"{rng.getrandbits(inputs):0{digits}x}" for _ in range(outputs)]

    layer = {
        "kind": "xnor_dense",
        "inputs": inputs,
        "outputs": outputs,
        "weights": bits(),
        "mask": bits(),
        "bias": [rng.randint(-inputs, inputs) for _ in range(outputs)],
        "shift": 0,
        "rounding": "floor",
        "overflow": "saturate",
        "activation": "none",
        "output_format": {"width": 10, "integer": 10, "signed": True},
    }
    return {
        "schema": 2,
        "name": "toy",
        "input": {"values": inputs, "format": {"width": 1, "integer": 1, "signed": False}},
        "layers": [layer | changed],
        "output": {"kind": "values"},
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 130), st.integers(1, 5), st.integers(0, 2**32))
def test_sums_are_those_of_signs(inputs: int, outputs: int, seed: int) -> None:
    rng = random.Random(seed)
    made = content(inputs, outputs, rng)
    layer = made["layers"][0]
    events = np.array([[rng.randint(0, 1) for _ in range(inputs)] for _ in range(4)])
    found = parse_model(made).forward(events)
    for event, row in zip(events.tolist(), found.tolist(), strict=True):
        for output, total in enumerate(row):
            weights, mask = int(layer["weights"][output], 16), int(layer["mask"][output], 16)
            products = [
                (2 * bit - 1) * (1 if weights >> place & 1 else -1)
                for place, bit in enumerate(event)
                if mask >> place & 1
            ]
            assert total == layer["bias"][output] + sum(products)


def test_a_threshold_is_reached_where_the_sum_equals_it() -> None:
    one = {"width": 1, "integer": 1, "signed": False}
    for threshold, fires in ((3, True), (4, False)):
        made = content(
            *(3, 1, random.Random(0)),
            weights=["7"],
            mask=["7"],
            bias=[1 - threshold],
            activation="relu",
            output_format=one,
        )
        assert parse_model(made).forward(np.ones((1, 3), dtype=np.int64)).item() == fires


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": ["20"]}, "weights[0]: a bit is set above the 5 bits"),
        ({"mask": ["1g"]}, "expected 2 hexadecimal digits"),
        ({"weights": [31]}, "expected 2 hexadecimal digits"),
        ({"weights": ["-1"]}, "expected 2 hexadecimal digits"),
        ({"mask": ["00", "00"]}, "2 elements where 1 are expected"),
        ({"bias": [1 << 23]}, "is not an integer in"),
        ({"inputs": 6}, "6 inputs, but 5 values arrive"),
        ({"shift": 1}, "the binary points differ"),
    ],
    ids=str,
)
def test_a_wrong_layer_says_where(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(OverlayError) as caught:
        parse_model(content(5, 1, random.Random(0), **changed))
    assert message in str(caught.value)


def test_inputs_of_more_bits_are_refused() -> None:
    made = content(2, 1, random.Random(0))
    made["input"]["format"] = {"width": 2, "integer": 2, "signed": False}
    with pytest.raises(OverlayError, match="takes single bits"):
        parse_model(made)


def test_the_digits_are_read_as_stated() -> None:
    stated = tomlfile.read(OVERLAY / "training.toml", OverlayError)
    model = load_model(OVERLAY / "model.json")
    events = detector("digit_bits").generate(stated["held_out"]["events"], 1)
    assert events.sha256 == stated["held_out"]["events_sha256"]
    accuracy = float((classify(model.forward(events.raw)) == events.truth).mean())
    assert round(accuracy, 6) == float(stated["held_out"]["quantised_accuracy"])
    assert accuracy > 0.9


def test_sparsity_and_bits_per_weight_are_as_stated() -> None:
    stated = tomlfile.read(OVERLAY / "training.toml", OverlayError)["weights"]
    network = of_model(load_model(OVERLAY / "model.json"))
    assert network.nonzero == stated["connections"]
    assert network.bits_per_weight == pytest.approx(float(stated["bits_per_weight"]), abs=1e-4)
    # Half of the first two layers: a bit for the weight, two for the place.
    assert [layer.stored_bits for layer in network.layers] == [12288, 12288, 640]
