"""The network library: one build of many random networks, the overlays, odd parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.accelerators.layers import KINDS
from harness.errors import OverlayError
from harness.generate.accelerator import network_top, register_bases
from harness.overlay import find_overlay, list_overlays
from tests.gateware import masked
from tests.gateware.networks import DESIGN, MAKERS, NETWORKS, NN, SOURCES
from tests.gateware.rtl import Design, check, simulate, verilate
from tests.gateware.test_lint import lint

LIBRARY = pytest.mark.xdist_group("gateware-nn-chains")
# Those whose top is generated: one that fetches its weights has a top of its own, and own tests.
OVERLAYS = [name for name in list_overlays() if len(find_overlay(name).network_sources) == 2]


def network_of(name: str, parameters: dict[str, int] | None = None) -> Design:
    """Return the accelerator of an overlay that has a model."""
    overlay = find_overlay(name)
    sources = (*SOURCES, *(overlay.folder / path for path in overlay.network_sources))
    return Design(overlay.accelerator.module, sources, {}, parameters or {}, closed=True)


@LIBRARY
def test_networks(tmp_path: Path) -> None:
    check(simulate(DESIGN, "nn", tmp_path))


def test_every_kind_of_layer_is_in_a_random_network() -> None:
    assert set(MAKERS) == set(KINDS)
    found = {type(layer) for item in NETWORKS for layer in item.model.layers}
    assert len(found) == len(KINDS)


def test_networks_without_a_warning(tmp_path: Path) -> None:
    assert lint(DESIGN, tmp_path) == ""


@LIBRARY
def test_results_do_not_depend_on_the_state_at_power_up(tmp_path: Path) -> None:
    found: list[Any] = []
    for seed in (2, 3):
        file = tmp_path / f"{seed}.json"
        test, env = "values_are_exact_under_any_stalls", {"COMPARISON": str(file)}
        check(simulate(DESIGN, "nn", tmp_path, test=test, seed=seed, env=env))
        found.append(json.loads(file.read_text()))
    assert found[0] == found[1]


@LIBRARY
def test_registers_of_layers(tmp_path: Path) -> None:
    assert lint(masked.DESIGN, tmp_path) == ""
    check(simulate(masked.DESIGN, "nn_registers", tmp_path))


def test_registers_lie_apart_and_must_fit_the_window() -> None:
    bases = register_bases([block for _, block in masked.masked(5, 100).blocks()])
    assert list(bases.values()) == [0, 128]
    with pytest.raises(OverlayError, match="window holds 16384"):
        network_top(masked.masked(1 << 14, 1), masked.BITS, masked.BITS)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.xdist_group(f"gateware-{n}")) for n in OVERLAYS]
)
def test_overlay(name: str, tmp_path: Path) -> None:
    check(simulate(network_of(name), "overlay_network", tmp_path, env={"OVERLAY": name}))


@pytest.mark.xdist_group("gateware-spiking_digits")
def test_spiking_digits(tmp_path: Path) -> None:
    check(simulate(network_of("spiking_digits"), "spiking_digits", tmp_path))


EDGES = [
    ("nn_dense", {}),
    ("nn_dense", {"InLanes": 3, "Outputs": 5, "Reuse": 7, "InSigned": 1, "InWidth": 1}),
    ("nn_dense", {"InLanes": 64, "Outputs": 32, "AccWidth": 63, "WeightWidth": 1, "Reuse": 4}),
    ("nn_dense", {"InBeats": 5, "InLanes": 3, "Outputs": 2, "Reuse": 2}),
    ("nn_dense_loadable", {}),
    ("nn_dense_loadable", {"InBeats": 4, "InLanes": 32, "Outputs": 16, "WeightWidth": 6}),
    ("nn_dense_loadable", {"Groups": 4, "InLanes": 27, "Outputs": 8, "InSigned": 1}),
    ("nn_dense_loadable", {"Groups": 3, "AccWidth": 63, "WeightWidth": 32, "BiasWidth": 32}),
    ("nn_window", {}),
    ("nn_window", {"Rows": 1, "Columns": 1, "KernelRows": 1, "KernelColumns": 1}),
    ("nn_window", {"Rows": 9, "Columns": 1, "KernelRows": 5, "KernelColumns": 1, "PadTop": 2}),
    ("nn_window", {"Columns": 5, "KernelRows": 1, "PadLeft": 1, "Channels": 3, "StrideColumns": 2}),
    (
        "nn_window",
        {"KernelColumns": 3, "PadBottom": 1, "PadLeft": 1, "PadRight": 1, "RowAtOnce": 1},
    ),
    ("nn_requantise", {}),
    ("nn_requantise", {"InWidth": 2, "OutWidth": 1, "Shift": 1, "HalfUp": 1}),
    ("nn_requantise", {"InWidth": 31, "OutWidth": 31, "OutSigned": 1, "Relu": 0}),
    ("nn_requantise", {"InWidth": 63, "OutWidth": 32, "Shift": 62, "Saturate": 0, "Values": 5}),
    ("nn_recurrent", {}),
    ("nn_recurrent", {"Channels": 1, "InWidth": 1, "OutWidth": 1, "OutSigned": 1}),
    ("nn_recurrent", {"Channels": 6, "Steps": 3, "Inputs": 2, "Units": 5, "InSigned": 1}),
    ("nn_recurrent", {"Channels": 5, "Steps": 5, "AccWidth": 63, "OutWidth": 32, "Shift": 62}),
    ("nn_argmax", {"Values": 1, "Width": 1}),
    ("nn_argmax", {"Values": 2}),
    ("nn_argmax", {"Values": 33, "Width": 64}),
    ("nn_sum_of_squares", {}),
    ("nn_sum_of_squares", {"Values": 1, "Width": 1, "Signed": 0, "ScoreWidth": 1}),
    ("nn_sum_of_squares", {"Values": 9, "Width": 12}),
    ("nn_gearbox", {}),
    ("nn_gearbox", {"InBits": 8, "InBeats": 5, "OutBits": 12, "OutBeats": 3}),
    ("nn_gearbox", {"InBits": 7, "InBeats": 1, "OutBits": 8, "OutBeats": 1}),
    ("nn_gearbox", {"InBits": 1024, "InBeats": 2, "OutBits": 1, "OutBeats": 1025}),
    ("nn_unpack", {}),
    ("nn_unpack", {"StreamWidth": 64, "StreamBeats": 2, "Width": 9, "Beats": 3, "Lanes": 4}),
    ("nn_pack", {}),
    ("nn_pack", {"InBits": 9, "InBeats": 8, "StreamBeats": 3}),
    ("nn_regroup", {}),
    ("nn_regroup", {"InBeats": 3, "InLanes": 4, "OutBeats": 2, "OutLanes": 6}),
    ("nn_lif", {}),
    ("nn_lif", {"InBeats": 3, "InLanes": 7, "Outputs": 2, "Parallel": 3, "Leak": 2}),
    ("nn_lif", {"InBeats": 4, "InLanes": 64, "Counts": 1, "OutWidth": 4, "ResetToZero": 1}),
    ("nn_lif", {"InLanes": 5, "Parallel": 5, "CurrentWidth": 28, "PotentialWidth": 28}),
    ("nn_lif", {"Outputs": 2, "Counts": 1, "Margin": 1, "OutWidth": 2}),
    ("nn_lif", {"InBeats": 7, "InLanes": 9, "Outputs": 3, "Counts": 1, "Margin": 2, "OutWidth": 4}),
    ("nn_xnor_dense", {}),
    ("nn_xnor_dense", {"InLanes": 3, "Outputs": 5, "Reuse": 7}),
    ("nn_xnor_dense", {"InLanes": 129, "Outputs": 2, "AccWidth": 9}),
    ("nn_xnor_dense", {"InBeats": 5, "InLanes": 7, "Outputs": 2, "Reuse": 2}),
]
NEEDED = {
    "nn_pack": ("nn_gearbox",),
    "nn_recurrent": ("nn_requantise",),
    "nn_regroup": ("nn_gearbox",),
    "nn_unpack": ("nn_gearbox",),
}


def block(module: str, parameters: dict[str, int]) -> Design:
    """Return a block of the library as a top."""
    names = (*NEEDED.get(module, ()), module)
    return Design(module, tuple(NN / f"{name}.sv" for name in names), {}, parameters)


@pytest.mark.parametrize(("module", "parameters"), EDGES, ids=str)
def test_block_at_the_edges(module: str, parameters: dict[str, int], tmp_path: Path) -> None:
    assert lint(block(module, parameters), tmp_path) == ""


def test_every_block_is_listed() -> None:
    assert {path.stem for path in SOURCES} == {module for module, _ in EDGES}


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlay_without_a_warning(name: str, tmp_path: Path) -> None:
    assert lint(network_of(name), tmp_path) == ""


REFUSED = [
    ("nn_dense", {"InLanes": 0}, "must be positive"),
    ("nn_dense", {"Outputs": 0}, "must be positive"),
    ("nn_dense", {"Reuse": 0}, "must be at least 1"),
    ("nn_xnor_dense", {"Outputs": 0}, "must be positive"),
    ("nn_recurrent", {"Channels": 6, "Steps": 4}, "Steps must divide Channels"),
    ("nn_recurrent", {"Units": 0}, "must be positive"),
    ("nn_lif", {"InBeats": 0}, "must be at least 1"),
    ("nn_lif", {"PotentialWidth": 29}, "must be at most 28"),
    ("nn_dense_loadable", {"Groups": 0}, "must be positive"),
    ("nn_dense_loadable", {"WeightWidth": 33}, "must fit a register"),
    ("nn_window", {"PadTop": 1, "PadBottom": 1}, "must be fewer than the kernel's"),
    ("nn_window", {"KernelRows": 4}, "must fit into the image"),
    ("nn_requantise", {"InWidth": 8, "Shift": 8}, "Shift must be below InWidth"),
    ("nn_requantise", {"OutWidth": 33}, "OutWidth at most 32"),
    ("nn_gearbox", {"InBeats": 2, "OutBits": 4}, "last input beat would be empty"),
    ("nn_regroup", {"InLanes": 2}, "as many values must go out"),
]


@pytest.mark.parametrize(("module", "parameters", "message"), REFUSED, ids=str)
def test_impossible_parameters_are_refused(
    module: str, parameters: dict[str, int], message: str, tmp_path: Path
) -> None:
    done = verilate(block(module, parameters), ("--lint-only",), tmp_path)
    assert done.returncode != 0
    assert message in done.stdout


def test_a_network_refuses_other_streams(tmp_path: Path) -> None:
    assert "streams do not fit" in lint(network_of("jet_tagger", {"InWidth": 512}), tmp_path)
