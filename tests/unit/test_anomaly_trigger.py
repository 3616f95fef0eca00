"""The anomaly trigger keeps what its training file promises, and the budget of its trigger."""

from __future__ import annotations

import hashlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.accelerators import Dense, Model, sum_of_squares
from harness.benchmark import load as load_benchmark
from harness.overlay import find_overlay
from harness.report.html import published
from harness.traffic import open_source
from harness.traffic.l1_objects import L1_FORMAT, L1_LABELS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "overlays" / "anomaly_trigger"
RECORD: dict[str, Any] = tomllib.loads((FOLDER / "training.toml").read_text())
HELD_OUT: dict[str, Any] = RECORD["held_out"]
QUANTISED: dict[str, Any] = HELD_OUT["quantised"]


@pytest.fixture(scope="module")
def model() -> Model:
    found = find_overlay("anomaly_trigger").model
    assert found is not None
    return found


def test_it_is_the_network_it_claims_to_be(model: Model) -> None:
    digest = hashlib.sha256((FOLDER / "model.json").read_bytes()).hexdigest()
    assert RECORD["model_sha256"] == digest
    layers = [layer for layer in model.layers if isinstance(layer, Dense)]
    assert [(layer.input.values, layer.output.values) for layer in layers] == [
        (57, 28), (28, 15), (15, 8),
    ]  # fmt: skip
    assert all(layer.weight_format.width == 6 for layer in layers)
    assert model.output_kind == "sum_of_squares"


@pytest.mark.parametrize("path", ["detectors/anomaly_trigger", "smoke/anomaly_trigger"])
def test_the_budget_is_that_of_the_global_trigger(path: str) -> None:
    overlay = find_overlay("anomaly_trigger")
    benchmark = load_benchmark(ROOT / "benchmarks" / f"{path}.toml")
    timing = overlay.accelerator
    assert timing.latency_cycles is not None
    assert timing.initiation_interval_cycles is not None
    assert timing.latency_cycles / overlay.clock_hz <= 50e-9
    assert timing.initiation_interval_cycles / overlay.clock_hz <= 25e-9
    assert benchmark.run.deadline is not None
    assert benchmark.run.deadline.whole_cycles(Fraction(overlay.clock_hz)) == timing.latency_cycles


def test_published_figures_are_readable_and_say_what_compares() -> None:
    found = published.find("anomaly_trigger")
    assert found is not None
    assert {int(figure.latency_ns or 0) for figure in found.figure} == {50, 80, 25}
    assert all(figure.comparable for figure in found.figure)


def test_rare_events_are_found_as_often_as_recorded(model: Model) -> None:
    source = open_source(HELD_OUT["rare_source"], L1_FORMAT, 57)
    events = source.generate(HELD_OUT["rare_events"], HELD_OUT["rare_seed"])
    assert events.sha256 == HELD_OUT["rare_sha256"]
    scores = sum_of_squares(model.forward(events.raw))
    usual = np.sort(scores[events.truth == 0])
    for label, name in enumerate(L1_LABELS[1:], 1):
        signal, figures = scores[events.truth == label], QUANTISED[name]
        found = np.mean(signal > QUANTISED["threshold"])
        assert figures["true_positive_rate"] == pytest.approx(found, abs=5e-7)
        area = np.searchsorted(usual, signal).mean() / len(usual)
        assert figures["auc"] == pytest.approx(area, abs=0.01)  # here on fewer background events
        assert abs(figures["auc"] - HELD_OUT["float"][name]["auc"]) < 0.02


def test_the_background_triggers_as_rarely_as_recorded(model: Model) -> None:
    source = open_source(RECORD["training"]["source"], L1_FORMAT, 57)
    events = source.generate(HELD_OUT["background_events"], HELD_OUT["background_seed"])
    assert events.sha256 == HELD_OUT["background_sha256"]
    above = 0
    for start in range(0, len(events.raw), 1 << 17):
        scores = sum_of_squares(model.forward(events.raw[start : start + (1 << 17)]))
        above += np.count_nonzero(scores > QUANTISED["threshold"])
    assert above == QUANTISED["background_above"]
    rate = above / len(events.raw) * HELD_OUT["event_rate_hz"]
    assert QUANTISED["trigger_rate_hz"] == pytest.approx(rate, abs=0.05)
    assert rate <= 1000
