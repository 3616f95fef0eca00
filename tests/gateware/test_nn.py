"""The network library: one build of many random networks, and the jet tagger itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.overlay import find_overlay
from tests.gateware.networks import DESIGN, NN, SOURCES
from tests.gateware.rtl import Design, check, simulate, verilate
from tests.gateware.test_lint import lint

LIBRARY = pytest.mark.xdist_group("gateware-nn-chains")
TAGGER = pytest.mark.xdist_group("gateware-jet-tagger")

_overlay = find_overlay("jet_tagger")
JET_TAGGER = Design(
    "jet_tagger",
    (*SOURCES, *(_overlay.folder / path for path in _overlay.accelerator.sources)),
)


@LIBRARY
def test_blocks(tmp_path: Path) -> None:
    check(simulate(DESIGN, "nn", tmp_path))


@LIBRARY
def test_results_do_not_depend_on_the_state_at_power_up(tmp_path: Path) -> None:
    found: list[Any] = []
    for seed in (2, 3):
        file = tmp_path / f"{seed}.json"
        test, env = "values_are_exact_under_any_stalls", {"COMPARISON": str(file)}
        check(simulate(DESIGN, "nn", tmp_path, test=test, seed=seed, env=env))
        found.append(json.loads(file.read_text()))
    assert found[0] == found[1]


@TAGGER
def test_jet_tagger(tmp_path: Path) -> None:
    check(simulate(JET_TAGGER, "jet_tagger", tmp_path))


EDGES = [
    ("nn_dense", {}),
    ("nn_dense", {"Inputs": 3, "Outputs": 5, "Reuse": 7, "InSigned": 1, "InWidth": 1}),
    ("nn_dense", {"Inputs": 64, "Outputs": 32, "AccWidth": 63, "WeightWidth": 1, "Reuse": 4}),
    ("nn_requantise", {}),
    ("nn_requantise", {"InWidth": 2, "OutWidth": 1, "Shift": 1, "HalfUp": 1}),
    ("nn_requantise", {"InWidth": 31, "OutWidth": 31, "OutSigned": 1, "Relu": 0}),
    ("nn_requantise", {"InWidth": 63, "OutWidth": 32, "Shift": 62, "Saturate": 0, "Values": 5}),
    ("nn_argmax", {"Values": 1, "Width": 1}),
    ("nn_argmax", {"Values": 2}),
    ("nn_argmax", {"Values": 33, "Width": 64}),
]


@pytest.mark.parametrize(("module", "parameters"), EDGES, ids=str)
def test_block_at_the_edges(module: str, parameters: dict[str, int], tmp_path: Path) -> None:
    assert lint(Design(module, (NN / f"{module}.sv",), {}, parameters), tmp_path) == ""


def test_jet_tagger_without_a_warning(tmp_path: Path) -> None:
    assert lint(JET_TAGGER, tmp_path) == ""


REFUSED = [
    ("nn_dense", {"Inputs": 0}, "must be positive"),
    ("nn_dense", {"Outputs": 0}, "must be positive"),
    ("nn_dense", {"Reuse": 0}, "must be at least 1"),
    ("nn_requantise", {"InWidth": 8, "Shift": 8}, "Shift must be below InWidth"),
    ("nn_requantise", {"OutWidth": 33}, "OutWidth at most 32"),
]


@pytest.mark.parametrize(("module", "parameters", "message"), REFUSED, ids=str)
def test_impossible_parameters_are_refused(
    module: str, parameters: dict[str, int], message: str, tmp_path: Path
) -> None:
    design = Design(module, (NN / f"{module}.sv",), {}, parameters)
    done = verilate(design, ("--lint-only",), tmp_path)
    assert done.returncode != 0
    assert message in done.stdout


def test_jet_tagger_refuses_other_streams(tmp_path: Path) -> None:
    other = Design("jet_tagger", JET_TAGGER.sources, {}, {"InWidth": 512})
    assert "streams do not fit" in lint(other, tmp_path)
