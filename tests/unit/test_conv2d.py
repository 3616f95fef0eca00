"""Convolutions against plain integers, and the committed networks that have them against truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accelerators import NumberFormat, parse_model
from harness.errors import OverlayError
from harness.overlay import find_overlay
from harness.traffic import open_source


def a_format(width: int, integer: int, signed: bool) -> dict[str, Any]:
    return {"width": width, "integer": integer, "signed": signed}


def naive(layer: dict[str, Any], values: list[int]) -> list[int]:
    """A layer as the specification words it, pixel by pixel in Python integers."""
    height, width, channels = layer["rows"], layer["columns"], layer["channels"]
    at = {(i // channels // width, i // channels % width, i % channels): v
          for i, v in enumerate(values)}  # fmt: skip
    same, (rows, columns), strides = layer["padding"] == "same", layer["kernel"], layer["stride"]
    before = [(size - 1) // 2 if same else 0 for size in (rows, columns)]
    counts = [
        -(-length // stride) if same else (length - size) // stride + 1
        for length, size, stride in zip((height, width), (rows, columns), strides, strict=True)
    ]
    form, out = NumberFormat(**layer["output_format"]), []
    for r, c, f in np.ndindex(*counts, layer["filters"]):
        acc = layer["bias"][f]
        for i, j, k in np.ndindex(rows, columns, channels):
            place = r * strides[0] + i - before[0], c * strides[1] + j - before[1], k
            acc += layer["weights"][f][i][j][k] * at.get(place, 0)
        if layer["rounding"] == "half_up" and layer["shift"]:
            acc += 1 << (layer["shift"] - 1)
        acc >>= layer["shift"]
        acc = max(acc, 0) if layer["activation"] == "relu" else acc
        out.append(max(form.minimum, min(form.maximum, acc)))
    return out


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Models of one convolution, in float32 as in int64."""
    height, width, channels = (draw(st.integers(1, most)) for most in (5, 5, 3))
    same = draw(st.booleans())
    kernel = [draw(st.integers(1, 3 if same else min(3, size))) for size in (height, width)]
    coming = NumberFormat(draw(st.sampled_from([1, 8, 24])), 3, draw(st.booleans()))
    weight = NumberFormat(draw(st.sampled_from([2, 6, 30])), 1, draw(st.booleans()))
    filters, shift = draw(st.integers(1, 3)), draw(st.integers(0, 20))
    numbers = st.sampled_from([weight.minimum, weight.maximum]) | st.integers(
        weight.minimum, weight.maximum
    )
    count = filters * kernel[0] * kernel[1] * channels
    drawn = draw(st.lists(numbers, min_size=count, max_size=count))
    bias = st.integers(-(1 << 40), 1 << 40) | st.integers(-99, 99)
    leaving = draw(st.sampled_from([1, 8, 30]))
    layer = {
        "kind": "conv2d",
        **{"rows": height, "columns": width, "channels": channels, "filters": filters},
        **{"kernel": kernel, "stride": [draw(st.integers(1, 3)), draw(st.integers(1, 3))]},
        "padding": "same" if same else "valid",
        "weight_format": a_format(weight.width, weight.integer, weight.signed),
        "weights": np.array(drawn).reshape(filters, *kernel, channels).tolist(),
        "bias": draw(st.lists(bias, min_size=filters, max_size=filters)),
        "shift": shift,
        "rounding": draw(st.sampled_from(["floor", "half_up"])),
        "overflow": "saturate",
        "activation": draw(st.sampled_from(["relu", "none"])),
        "output_format": a_format(
            leaving, leaving - (coming.fraction + weight.fraction - shift), draw(st.booleans())
        ),
    }
    source = {
        "values": height * width * channels,
        "format": a_format(coming.width, coming.integer, coming.signed),
        "lanes": channels,
    }
    return {
        **{"schema": 2, "name": "toy", "input": source, "layers": [layer]},
        "output": {"kind": "values"},
    }


@settings(max_examples=100, deadline=None)
@given(contents(), st.integers(0, 1 << 32))
def test_a_convolution_agrees_with_big_integers(content: dict[str, Any], seed: int) -> None:
    model = parse_model(content)
    form = model.input_format
    rng = np.random.default_rng(seed)
    limits = form.minimum, form.maximum
    raw = rng.integers(*limits, (3, model.inputs), np.int64, endpoint=True)
    raw[0] = rng.choice([form.minimum, form.maximum], model.inputs)
    (layer,) = content["layers"]
    assert model.forward(raw).tolist() == [naive(layer, event.tolist()) for event in raw]


def small(**changes: Any) -> dict[str, Any]:
    layer = {
        "kind": "conv2d",
        **{"rows": 2, "columns": 3, "channels": 2, "filters": 1, "kernel": [1, 1]},
        "padding": "valid",
        "weight_format": a_format(4, 2, True),
        "weights": [[[[1, 2]]]],
        "bias": [0],
        **{"shift": 0, "rounding": "floor", "overflow": "wrap", "activation": "none"},
        "output_format": a_format(8, 2, True),
        **changes,
    }
    source = {"values": 12, "format": a_format(4, 0, False), "lanes": 2}
    return {
        **{"schema": 2, "name": "toy", "input": source, "layers": [layer]},
        "output": {"kind": "values"},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 3}, "3 x 3 x 2 values, but 12 arrive"),
        ({"columns": 6, "channels": 1}, "2 values a beat, where a pixel has 1"),
        ({"kernel": [1, 4]}, "4 is more than the image's 3"),
        ({"kernel": [1, 0]}, "0 is not an integer"),
        ({"weights": [[[[1, 9]]]]}, "9 is not an integer in -8..7"),
        ({"padding": "reflect"}, "not one of same, valid"),
        ({"loadable": True, "reuse": 2}, "2 is not an integer in 1..1"),
        ({"loadable": True, "bias": [1 << 23]}, "is not an integer in -8388608"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(changes: dict[str, Any], message: str) -> None:
    parse_model(small())
    with pytest.raises(OverlayError, match=message):
        parse_model(small(**changes))


@pytest.mark.parametrize(
    ("name", "most"),
    # Root mean square errors: of sine and cosine, and in pixels. Training stated them.
    [("tokamak_camera", 0.0115), ("bragg_peaks", 0.05)],
)
def test_the_committed_network_knows_what_its_training_says(name: str, most: float) -> None:
    overlay = find_overlay(name)
    assert overlay.model is not None
    source = {"tokamak_camera": "plasma_frames", "bragg_peaks": "bragg_patches"}[name]
    events = open_source(source, overlay.input.format, overlay.input.values).generate(2000, 77)
    found = overlay.output.format.to_float(overlay.model.forward(events.raw))
    assert np.sqrt(np.square(found - events.truth).mean()) < most


def test_codes_of_the_compressor_tell_modules_apart() -> None:
    overlay = find_overlay("ecal_compressor")
    assert overlay.model is not None
    source = open_source("trigger_cells", overlay.input.format, overlay.input.values)
    known, asked = source.generate(20_000, 77).raw, source.generate(500, 78).raw
    # A decoder that needs no training: the module, of many, whose code is the nearest.
    codes = [overlay.model.forward(cells).astype(np.float32) for cells in (known, asked)]
    nearest = [int(np.square(codes[0] - code).sum(1).argmin()) for code in codes[1]]
    found, true = known[nearest].astype(float), asked.astype(float)
    assert np.square(found - true).sum() / np.square(true).sum() < 0.08
