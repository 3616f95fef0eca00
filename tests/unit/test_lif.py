"""Spiking neurons: as Python integers make them, their timing, wrong files, digits read."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import tomlfile
from harness.accelerators import classify, load_model, parse_model
from harness.accelerators.layers.lif import Lif
from harness.errors import OverlayError
from harness.traffic import detector

OVERLAY = Path(__file__).parents[2] / "overlays" / "spiking_digits"


def content(steps: int, inputs: int, outputs: int, rng: random.Random, /, **changed: Any) -> Any:
    """Return a model of one layer of spiking neurons."""
    layer = {
        "kind": "lif",
        "inputs": inputs,
        "outputs": outputs,
        "parallel": rng.randint(1, inputs),
        "weight_bits": 6,
        "weights": [[rng.randint(-32, 31) for _ in range(inputs)] for _ in range(outputs)],
        "thresholds": [rng.randint(1, 40) for _ in range(outputs)],
        "leak": rng.randint(0, 4),
        "reset": rng.choice(("subtract", "zero")),
        "potential_bits": rng.choice((7, 12)),
        "output": rng.choice(("spikes", "counts")),
    }
    return {
        "schema": 2,
        "name": "toy",
        "input": {
            "values": steps * inputs,
            "lanes": inputs,
            "format": {"width": 1, "integer": 1, "signed": False},
        },
        "layers": [layer | changed],
        "output": {"kind": "values"},
    }


def naive(layer: dict[str, Any], event: list[list[int]]) -> list[int]:
    """Spikes, step by step, or counts."""
    limit = 1 << (layer["potential_bits"] - 1)
    potentials = [0] * layer["outputs"]
    spikes = []
    for step in event:
        fired = []
        for neuron, weights in enumerate(layer["weights"]):
            potential = potentials[neuron]
            if layer["leak"]:
                potential -= potential >> layer["leak"]
            potential += sum(weight for weight, spike in zip(weights, step, strict=True) if spike)
            potential = max(-limit, min(limit - 1, potential))
            threshold = layer["thresholds"][neuron]
            fired.append(int(potential >= threshold))
            if fired[-1]:
                potential = potential - threshold if layer["reset"] == "subtract" else 0
            potentials[neuron] = potential
        spikes.append(fired)
        if layer["output"] == "counts" and layer.get("margin"):
            best, second = sorted(sum(neuron) for neuron in zip(*spikes, strict=True))[:-3:-1]
            if best - second >= layer["margin"]:
                break
    if layer["output"] == "counts":
        return [sum(neuron) for neuron in zip(*spikes, strict=True)]
    return [spike for fired in spikes for spike in fired]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32))
def test_spikes_are_those_of_integers(steps: int, inputs: int, outputs: int, seed: int) -> None:
    rng = random.Random(seed)
    made = content(steps, inputs, outputs, rng)
    events = [[[rng.randint(0, 1) for _ in range(inputs)] for _ in range(steps)] for _ in range(3)]
    found = parse_model(made).forward(np.array(events).reshape(3, -1))
    assert found.tolist() == [naive(made["layers"][0], event) for event in events]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(2, 6), st.integers(1, 4), st.integers(0, 2**32))
def test_counts_go_out_once_a_neuron_leads(
    steps: int, outputs: int, margin: int, seed: int
) -> None:
    rng = random.Random(seed)
    margin = min(margin, steps)
    made = content(steps, 7, outputs, rng, output="counts", margin=margin)
    events = [[[rng.randint(0, 1) for _ in range(7)] for _ in range(steps)] for _ in range(5)]
    model = parse_model(made)
    raw = np.array(events).reshape(5, -1)
    assert model.forward(raw).tolist() == [naive(made["layers"][0], event) for event in events]
    (layer,) = model.layers
    assert isinstance(layer, Lif)
    # The step it says is the one after which the counts are these.
    counts, ends = layer.follow(raw)
    whole = {name: value for name, value in made["layers"][0].items() if name != "margin"}
    until = [naive(whole, event[: end + 1]) for event, end in zip(events, ends, strict=True)]
    assert counts.tolist() == until


def layer_of(steps: int, inputs: int, **changed: Any) -> Lif:
    (layer,) = parse_model(content(steps, inputs, 1, random.Random(1), **changed)).layers
    assert isinstance(layer, Lif)
    return layer


def test_a_step_takes_as_long_as_its_fullest_group_has_spikes() -> None:
    layer = layer_of(4, 5, parallel=2)
    event = [[0, 0, 0, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 1, 0], [0, 1, 0, 0, 0]]
    assert layer.steps_cycles(np.array(event).reshape(1, -1)).tolist() == [[1, 3, 2, 1]]


def test_no_event_takes_longer_than_the_worst_case() -> None:
    layer = layer_of(3, 8, parallel=3, output="spikes")
    assert layer.steps_cycles(np.ones((1, 24), dtype=np.int64)).tolist() == [[3, 3, 3]]
    assert layer.departures([1, 2, 3]) == [7, 10, 13]
    assert layer.departures([1, 9, 10]) == [7, 15, 18]
    rng = random.Random(1)
    (early,) = parse_model(content(3, 8, 2, rng, parallel=3, output="counts", margin=1)).layers
    assert early.departures([1, 2, 3]) == [14]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": [[0, 0, 32]]}, "weights[0][2]"),
        ({"thresholds": [0]}, "thresholds[0]"),
        ({"inputs": 6}, "6 inputs, but steps of 3 values arrive"),
        ({"parallel": 4}, "4 is not an integer in 1..3"),
        ({"reset": "none"}, "is not one of subtract, zero"),
        ({"potential_bits": 29}, "potential_bits"),
        ({"margin": 1, "output": "counts"}, "margin is one of counts, between neurons"),
        ({"margin": 0}, "0 is not an integer in 1..2"),
        ({"margin": 3}, "3 is not an integer in 1..2"),
    ],
    ids=str,
)
def test_a_wrong_layer_says_where(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(OverlayError) as caught:
        parse_model(content(2, 3, 1, random.Random(0), **changed))
    assert message in str(caught.value)


def test_values_that_are_no_spikes_are_refused() -> None:
    made = content(2, 3, 1, random.Random(0))
    made["input"]["format"] = {"width": 2, "integer": 2, "signed": False}
    with pytest.raises(OverlayError, match="spikes are single bits"):
        parse_model(made)


def test_the_digits_are_read_as_stated() -> None:
    stated = tomlfile.read(OVERLAY / "training.toml", OverlayError)["held_out"]
    model = load_model(OVERLAY / "model.json")
    events = detector("digit_spikes").generate(stated["events"], stated["events_seed"])
    assert events.sha256 == stated["events_sha256"]
    accuracy = float((classify(model.forward(events.raw)) == events.truth).mean())
    assert round(accuracy, 6) == float(stated["quantised_accuracy"])
    assert accuracy > 0.95
    # The margin costs less than a point, and saves more than half of the steps.
    assert float(stated["all_steps_accuracy"]) - accuracy < 0.01
    last = model.layers[-1]
    assert isinstance(last, Lif)
    assert last.margin
    hidden = model.layers[0].apply(events.raw)
    _, ends = last.follow(hidden)
    assert round(float(ends.mean()) + 1, 3) == float(stated["mean_steps"]) < 8
    whole = dataclasses.replace(last, margin=0).apply(hidden)
    assert round(float((classify(whole) == events.truth).mean()), 6) == float(
        stated["all_steps_accuracy"]
    )
