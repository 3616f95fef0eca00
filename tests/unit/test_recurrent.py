"""Recurrent layers against the definition, one event and one channel at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accelerators import Model, NumberFormat, golden_rows, parse_model
from harness.errors import OverlayError


def model(**changes: Any) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "kind": "recurrent",
        "channels": 2,
        "inputs": 1,
        "units": 2,
        "input_weight_format": {"width": 8, "integer": 4, "signed": True},
        "input_weights": [[16], [-20]],
        "state_weight_format": {"width": 6, "integer": 2, "signed": True},
        "state_weights": [[9, -3], [5, 12]],
        "bias": [7, -1],
        "shift": 4,
        "rounding": "half_up",
        "overflow": "saturate",
        "activation": "relu",
        "output_format": {"width": 9, "integer": 9, "signed": False},
        **changes,
    }
    return {
        "schema": 2,
        "name": "cell",
        "input": {"values": 3, "format": {"width": 8, "integer": 8, "signed": True}},
        "layers": [cell],
        "output": {"kind": "values"},
    }


def parsed(**changes: Any) -> Model:
    return parse_model(model(**changes))


def naive(cell: dict[str, Any], events: list[list[int]]) -> list[list[int]]:
    """The layer as its documentation words it, in Python integers."""
    units, inputs, form = cell["units"], cell["inputs"], NumberFormat(**cell["output_format"])
    states = [[0] * units for _ in range(cell["channels"])]
    found = []
    for event in events:
        if event[-1]:
            states = [[0] * units for _ in states]
        for channel, old in enumerate(states):
            taken, new = event[channel * inputs : (channel + 1) * inputs], []
            for unit in range(units):
                acc = cell["bias"][unit]
                acc += sum(map(int.__mul__, cell["input_weights"][unit], taken))
                acc += sum(map(int.__mul__, cell["state_weights"][unit], old))
                if cell["rounding"] == "half_up" and cell["shift"]:
                    acc += 1 << (cell["shift"] - 1)
                acc >>= cell["shift"]
                acc = max(acc, 0) if cell["activation"] == "relu" else acc
                if cell["overflow"] == "wrap":
                    acc = int(form.fit(np.array([acc]), "wrap")[0])
                new.append(max(form.minimum, min(form.maximum, acc)))
            states[channel] = new
        found.append([value for state in states for value in state])
    return found


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(
        st.tuples(
            st.integers(-128, 127), st.integers(-128, 127), st.sampled_from((0, 0, 0, 1, -5))
        ),
        min_size=1,
        max_size=40,
    ),
    rounding=st.sampled_from(("floor", "half_up")),
    overflow=st.sampled_from(("saturate", "wrap")),
    activation=st.sampled_from(("relu", "none")),
    signed=st.booleans(),
)
def test_states_are_those_of_the_definition(
    events: list[tuple[int, int, int]], rounding: str, overflow: str, activation: str, signed: bool
) -> None:
    form = {"width": 9, "integer": 9, "signed": signed}
    changes = {"rounding": rounding, "overflow": overflow, "activation": activation}
    content = model(**changes, output_format=form)
    found = parse_model(content).forward(np.array(events, dtype=np.int16))
    assert found.tolist() == naive(content["layers"][0], [list(event) for event in events])


def test_several_inputs_a_channel_and_large_sums() -> None:
    rng = np.random.default_rng(5)
    cell: dict[str, Any] = {
        "channels": 3,
        "inputs": 2,
        "units": 4,
        "steps": 3,
        "input_weight_format": {"width": 16, "integer": 16, "signed": True},
        "input_weights": rng.integers(-(1 << 15), 1 << 15, (4, 2)).tolist(),
        "state_weight_format": {"width": 16, "integer": -16, "signed": True},
        "state_weights": rng.integers(-(1 << 15), 1 << 15, (4, 4)).tolist(),
        "bias": rng.integers(-(1 << 50), 1 << 50, 4).tolist(),
        "shift": 32,
        "output_format": {"width": 32, "integer": 64, "signed": True},
    }
    content = model(**cell)
    content["input"] = {"values": 7, "format": {"width": 16, "integer": 16, "signed": True}}
    raw = rng.integers(-(1 << 15), 1 << 15, (300, 7))
    raw[:, -1] = rng.random(300) < 0.05
    found = parse_model(content).forward(raw)
    assert found.tolist() == naive(content["layers"][0], raw.tolist())


def test_a_beat_a_step() -> None:
    one, two = parsed(), parsed(steps=2)
    assert (one.output.beats, one.output.lanes) == (1, 4)
    assert (two.output.beats, two.output.lanes) == (2, 2)
    assert one.interval_cycles(32, 64) == two.interval_cycles(32, 64) == 3


def test_a_loop_of_events_needs_a_reset_at_its_beginning() -> None:
    raw = np.array([[100, -100, 1], [3, 4, 0], [90, 5, 0]])
    assert len(golden_rows(parsed(), raw, 64)) == 3
    raw[0, -1] = 0
    with pytest.raises(OverlayError, match="another result in the second round"):
        golden_rows(parsed(), raw, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 3}, "4 values in one beat, but 3 values"),
        ({"steps": 3}, "3"),
        ({"shift": 5}, "binary points differ"),
        (
            {"state_weight_format": {"width": 6, "integer": 3, "signed": True}},
            "binary points differ",
        ),
        ({"state_weights": [[9, -3]]}, "state_weights"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(OverlayError, match=message):
        parsed(**changes)


def test_steps_that_do_not_divide_the_channels_are_refused() -> None:
    content = model(channels=4, steps=3)
    content["input"]["values"] = 5
    with pytest.raises(OverlayError, match="3 steps do not divide 4 channels"):
        parse_model(content)


def test_dense_per_beat_is_dense_on_each_beat() -> None:
    rng = np.random.default_rng(3)
    form = {"width": 8, "integer": 8, "signed": True}
    layer = {
        "kind": "dense",
        "inputs": 4,
        "outputs": 3,
        "weight_format": {"width": 4, "integer": 4, "signed": True},
        "weights": rng.integers(-8, 8, (3, 4)).tolist(),
        "bias": [5, -6, 7],
        "shift": 0,
        "rounding": "floor",
        "overflow": "saturate",
        "activation": "none",
        "output_format": {"width": 12, "integer": 12, "signed": True},
    }
    content = {
        "schema": 2,
        "name": "beats",
        "input": {"values": 12, "format": form, "lanes": 4},
        "layers": [{**layer, "kind": "dense_per_beat"}],
        "output": {"kind": "values"},
    }
    raw = rng.integers(-128, 128, (50, 12))
    found = parse_model(content).forward(raw)
    content["input"], content["layers"] = {"values": 4, "format": form}, [layer]
    expected = parse_model(content).forward(raw.reshape(-1, 4)).reshape(50, 9)
    np.testing.assert_array_equal(found, expected)
