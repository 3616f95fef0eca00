from __future__ import annotations

import copy
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.accelerators import (
    Dense,
    Model,
    NumberFormat,
    Requantise,
    Tensor,
    classify,
    load_model,
    parse_model,
)
from harness.errors import OverlayError
from harness.traffic import JET_LABELS, Jets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TAGGER = Path(__file__).parents[2] / "overlays" / "jet_tagger"


def fit(raw: int, number_format: NumberFormat, overflow: str) -> int:
    if overflow == "saturate":
        return max(number_format.minimum, min(number_format.maximum, raw))
    raw &= (1 << number_format.width) - 1
    return raw - (1 << number_format.width) if raw > number_format.maximum else raw


def naive_dense(layer: dict[str, Any], values: list[int]) -> list[int]:
    """A layer as the specification of `model.json` words it, in Python integers."""
    out = []
    for row, bias in zip(layer["weights"], layer["bias"], strict=True):
        acc = bias + sum(weight * value for weight, value in zip(row, values, strict=True))
        shift = layer["shift"]
        if layer["rounding"] == "half_up" and shift:
            acc += 1 << (shift - 1)
        acc >>= shift
        if layer["activation"] == "relu":
            acc = max(0, acc)
        out.append(fit(acc, NumberFormat(**layer["output_format"]), layer["overflow"]))
    return out


def naive_forward(content: dict[str, Any], event: list[int]) -> list[int]:
    for layer in content["layers"]:
        event = naive_dense(layer, event)
    return event


def a_format(width: int, integer: int, signed: bool) -> dict[str, Any]:
    return {"width": width, "integer": integer, "signed": signed}


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Small networks with formats that need float32, float64 and int64."""
    widths = st.sampled_from([1, 4, 6, 8, 16, 24, 30])
    inputs = draw(st.integers(1, 5))
    arriving = NumberFormat(draw(widths), draw(st.integers(-3, 8)), draw(st.booleans()))
    source = {
        "values": inputs,
        "format": a_format(arriving.width, arriving.integer, arriving.signed),
    }
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        outputs = draw(st.integers(1, 4))
        weight = NumberFormat(draw(widths), draw(st.integers(-2, 4)), draw(st.booleans()))
        shift = draw(st.integers(0, 20))
        leaving_width = draw(widths)
        fraction = arriving.fraction + weight.fraction - shift
        leaving = NumberFormat(leaving_width, leaving_width - fraction, draw(st.booleans()))
        # Both ends often, for the worst cases of the accumulator.
        raw = st.sampled_from([weight.minimum, weight.maximum]) | st.integers(
            weight.minimum, weight.maximum
        )
        row = st.lists(raw, min_size=inputs, max_size=inputs)
        bias = st.integers(-(1 << 40), 1 << 40) | st.integers(-999, 999)
        layers.append(
            {
                "kind": "dense",
                "inputs": inputs,
                "outputs": outputs,
                "weight_format": a_format(weight.width, weight.integer, weight.signed),
                "weights": draw(st.lists(row, min_size=outputs, max_size=outputs)),
                "bias": draw(st.lists(bias, min_size=outputs, max_size=outputs)),
                "shift": shift,
                "rounding": draw(st.sampled_from(["floor", "half_up"])),
                "overflow": draw(st.sampled_from(["saturate", "wrap"])),
                "activation": draw(st.sampled_from(["relu", "none"])),
                "output_format": a_format(leaving.width, leaving.integer, leaving.signed),
            }
        )
        inputs, arriving = outputs, leaving
    return {
        "schema": 2,
        "name": "toy",
        "input": source,
        "layers": layers,
        "output": {"kind": "values"},
    }


@settings(max_examples=150, deadline=None)
@given(contents(), st.data())
def test_forward_agrees_with_big_integers(content: dict[str, Any], data: st.DataObject) -> None:
    model = parse_model(content)
    limits = model.input_format.minimum, model.input_format.maximum
    value = st.sampled_from(limits) | st.integers(*limits)
    event = st.lists(value, min_size=model.inputs, max_size=model.inputs)
    events = data.draw(st.lists(event, min_size=1, max_size=8))
    got = model.forward(np.array(events, dtype=np.int64))
    assert got.dtype == np.int64
    assert got.tolist() == [naive_forward(content, event) for event in events]


@settings(max_examples=100, deadline=None)
@given(contents())
def test_the_accumulator_is_as_wide_as_the_worst_event_needs(content: dict[str, Any]) -> None:
    for layer in parse_model(content).layers:
        assert isinstance(layer, Dense)
        low, high = layer.input.format.minimum, layer.input.format.maximum
        sums = [0]
        for row, bias in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True):
            sums.append(bias + sum(min(w * low, w * high) for w in row))
            sums.append(bias + sum(max(w * low, w * high) for w in row) + layer.requantise.half)
        bits = layer.accumulator_bits
        assert all(-(1 << (bits - 1)) <= total < 1 << (bits - 1) for total in sums)
        if bits > layer.requantise.shift + 1:
            assert not all(-(1 << (bits - 2)) <= total < 1 << (bits - 2) for total in sums)


def dense(weight: int, bias: int, input_width: int) -> Dense:
    return Dense(
        input=Tensor(1, 4, NumberFormat(input_width, input_width, signed=True)),
        weights=np.full((1, 4), weight, dtype=np.int64),
        bias=np.array([bias], dtype=np.int64),
        weight_format=NumberFormat(32, 32, signed=True),
        requantise=Requantise(0, "floor", "saturate", "none", NumberFormat(16, 16, signed=True)),
    )


def test_the_arithmetic_widens_exactly_where_floats_cease_to_be_exact() -> None:
    assert dense(512, 0, 14).arithmetic is np.float32  # 4 * 2**9 * 2**13 = 2**24
    assert dense(512, 1, 14).arithmetic is np.float64
    assert dense(1 << 30, 0, 22).arithmetic is np.float64  # 4 * 2**30 * 2**21 = 2**53
    assert dense(1 << 30, 1, 22).arithmetic is np.int64


def test_chunks_do_not_show() -> None:
    model = load_model(TAGGER / "model.json")
    events = Jets().generate(20_000, 5).raw
    parts = [model.forward(events[start : start + 777]) for start in range(0, 20_000, 777)]
    assert np.array_equal(model.forward(events), np.concatenate(parts))
    assert model.forward(events[:0]).shape == (0, 5)


@pytest.fixture(scope="module")
def tagger() -> tuple[Model, dict[str, Any]]:
    content: dict[str, Any] = json.loads((TAGGER / "model.json").read_text())
    return load_model(TAGGER / "model.json"), content


def test_the_tagger_is_the_network_it_claims_to_be(tagger: tuple[Model, dict[str, Any]]) -> None:
    model, _ = tagger
    layers = [layer for layer in model.layers if isinstance(layer, Dense)]
    assert len(layers) == len(model.layers)
    shapes = [(layer.input.values, layer.output.values) for layer in layers]
    assert shapes == [(16, 64), (64, 32), (32, 32), (32, 5)]
    assert all(layer.weight_format.width == 6 for layer in layers)
    assert all(not layer.output.format.signed for layer in layers[:-1])
    assert all(layer.output.format.width <= 8 for layer in layers[:-1])
    assert (model.output_format.width, model.output_format.signed) == (16, True)
    assert layers[-1].requantise.activation == "none"
    assert not layers[0].weights.flags.writeable


def test_the_tagger_agrees_with_big_integers(tagger: tuple[Model, dict[str, Any]]) -> None:
    model, content = tagger
    events = Jets().generate(40, 11).raw.tolist()
    rng = np.random.Generator(np.random.PCG64(1))
    events += rng.integers(-32768, 32768, (40, 16)).tolist()  # far outside the training
    events += [[-32768] * 16, [32767] * 16]
    got = model.forward(np.array(events)).tolist()
    assert got == [naive_forward(content, event) for event in events]


def test_the_recorded_accuracy_is_what_the_model_reaches(
    tagger: tuple[Model, dict[str, Any]],
) -> None:
    model, _ = tagger
    record = tomllib.loads((TAGGER / "training.toml").read_text())
    digest = hashlib.sha256((TAGGER / "model.json").read_bytes()).hexdigest()
    assert record["model_sha256"] == digest
    held_out = record["held_out"]
    assert held_out["events"] >= 100_000
    assert held_out["events_seed"] != record["training"]["events_seed"]
    assert held_out["classes"] == list(JET_LABELS)
    events = Jets().generate(held_out["events"], held_out["events_seed"])
    assert events.sha256 == held_out["events_sha256"]
    confusion = np.zeros((5, 5), dtype=np.int64)
    np.add.at(confusion, (events.truth, classify(model.forward(events.raw))), 1)
    assert confusion.tolist() == held_out["confusion"]
    accuracy = float(np.trace(confusion)) / held_out["events"]
    assert held_out["quantised_accuracy"] == pytest.approx(accuracy, abs=5e-7)
    assert 0.73 < accuracy < 0.78  # the range of published networks of this size


def good() -> dict[str, Any]:
    return {
        "schema": 2,
        "name": "toy",
        "input": {"values": 2, "format": a_format(8, 4, True)},
        "layers": [
            {
                "kind": "dense",
                "inputs": 2,
                "outputs": 1,
                "weight_format": a_format(4, 1, True),
                "weights": [[1, -2]],
                "bias": [3],
                "shift": 3,
                "rounding": "floor",
                "overflow": "saturate",
                "activation": "none",
                "output_format": a_format(8, 4, True),
            }
        ],
        "output": {"kind": "logits_argmax"},
    }


def test_the_example_is_accepted() -> None:
    assert parse_model(good()).forward(np.array([[8, -8]])).tolist() == [[(3 + 8 + 16) >> 3]]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema",), 1, "model.schema: schema 1 is not 2"),
        (("name",), "", "model.name"),
        (("input", "values"), 0, "model.input.values: 0 is not an integer"),
        (("input", "format", "width"), 99, "model.input.format: width 99"),
        (("input", "format", "widht"), 8, "model.input.format: keys: unknown widht"),
        (("layers",), [], "model.layers: 0 elements"),
        (("layers", 0), 7, r"model.layers\[0\]: expected an object"),
        (
            ("layers", 0, "kind"),
            "conv",
            r"model.layers\[0\].kind: 'conv' is not one of conv2d, dense, ",
        ),
        (("layers", 0, "inputs"), 3, r"model.layers\[0\].inputs: 3 inputs, but 2 values arrive"),
        (("layers", 0, "weights", 0), [1], r"model.layers\[0\].weights\[0\]: 1 elements where 2"),
        (("layers", 0, "weights", 0, 1), 8, r"model.layers\[0\].weights\[0\]\[1\]: 8 is not"),
        (("layers", 0, "weights", 0, 1), True, r"weights\[0\]\[1\]: True is not"),
        (("layers", 0, "weights", 0, 1), 1.0, r"weights\[0\]\[1\]: 1.0 is not"),
        (("layers", 0, "bias"), [1, 2], r"model.layers\[0\].bias: 2 elements where 1"),
        (("layers", 0, "bias", 0), 1 << 62, r"model.layers\[0\].bias\[0\]"),
        (("layers", 0, "shift"), 2, r"model.layers\[0\]: shift is 2, .* differ by 3"),
        (("layers", 0, "shift"), -1, r"model.layers\[0\].shift: -1"),
        (("layers", 0, "rounding"), "even", r"model.layers\[0\].rounding: 'even'"),
        (("layers", 0, "overflow"), [], r"model.layers\[0\].overflow: \[\]"),
        (("layers", 0, "activation"), "tanh", r"model.layers\[0\].activation: 'tanh'"),
        (("output", "kind"), "softmax", "model.output.kind: 'softmax' is not one of"),
        (("extra",), 1, "model: keys: unknown extra; expected"),
    ],
)
def test_a_wrong_model_is_refused_by_layer_and_key(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    content = copy.deepcopy(good())
    place: Any = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(OverlayError, match=message):
        parse_model(content)


def wide() -> dict[str, Any]:
    """Four values in beats of two, gathered into one."""
    source = {"values": 4, "lanes": 2, "format": a_format(8, 4, True)}
    regroup = {"kind": "regroup", "lanes": 4}
    content = {"schema": 2, "name": "wide", "input": source, "layers": [regroup]}
    return {**content, "output": {"kind": "sum_of_squares"}}


def test_regrouping_keeps_the_values() -> None:
    model = parse_model(wide())
    events = np.array([[1, -2, 3, -4]])
    assert (model.input.beats, model.output.beats) == (2, 1)
    assert model.forward(events).tolist() == events.tolist()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("input", "lanes"), 3, r"model.input.lanes: 4 values do not fill beats of 3 lanes"),
        (("layers", 0, "lanes"), 3, r"layers\[0\].lanes: 4 values do not fill beats of 3"),
        (("layers", 0, "lanes"), 2, r"model.output: sum_of_squares needs its values in one beat"),
        (("layers", 0, "lanes"), 0, r"layers\[0\].lanes: 0 is not an integer"),
        (("input", "format", "width"), 17, r"model.output: the score needs 35 bits"),
        (("layers", 0, "kind"), [], r"layers\[0\].kind: \[\] is not one of"),
        (("layers", 0), {"lanes": 4}, r"layers\[0\]: expected an object with the key kind"),
    ],
)
def test_what_does_not_fit_a_layer_or_the_output_is_refused(
    path: tuple[str | int, ...], value: object, message: str
) -> None:
    content: Any = wide()
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(OverlayError, match=message):
        parse_model(content)


def test_logits_without_a_sign_are_refused() -> None:
    content = wide()
    content["input"]["format"]["signed"] = False
    content["output"]["kind"] = "logits_argmax"
    with pytest.raises(OverlayError, match=r"model.output: logits have no sign"):
        parse_model(content)


def test_a_missing_key_is_named() -> None:
    content = good()
    del content["layers"][0]["bias"]
    with pytest.raises(OverlayError, match=r"model.layers\[0\]: keys: missing bias"):
        parse_model(content)


def test_an_accumulator_beyond_63_bits_is_refused() -> None:
    content = good()
    content["input"]["format"] = a_format(60, 60, True)
    content["layers"][0] |= {"weight_format": a_format(4, 4, True), "shift": 0}
    content["layers"][0] |= {"output_format": a_format(8, 8, True), "weights": [[7, 7]]}
    with pytest.raises(OverlayError, match=r"layers\[0\]: the accumulator needs 64 bits"):
        parse_model(content)


def test_unreadable_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match="cannot read the model"):
        load_model(tmp_path / "model.json")
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(OverlayError, match="cannot read the model"):
        load_model(tmp_path / "model.json")


@pytest.mark.parametrize(
    "events", [np.zeros((3, 1), np.int64), np.zeros(2, np.int64), np.array([[0, 128]])]
)
def test_events_that_do_not_fit_are_refused(events: NDArray[np.int64]) -> None:
    with pytest.raises(OverlayError):
        parse_model(good()).forward(events)
