"""The blocks of overlay weight_streaming by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.overlay import find_overlay
from tests.gateware.rtl import TOPS, Design, check, library, simulate
from tests.gateware.test_lint import lint

RTL = find_overlay("weight_streaming").folder / "rtl"
FETCH = Design(
    "fetch_top", (RTL / "weight_fetch.sv", RTL / "weight_unpack.sv", TOPS / "fetch_top.sv")
)
EDGES = [
    ("weight_fetch", {"DataWidth": 64, "Beats": 2, "Burst": 1, "Depth": 2}),
    ("weight_fetch", {"DataWidth": 64, "Beats": 100_000, "Burst": 16, "Depth": 1024}),
    ("weight_fetch", {"DataWidth": 512, "Beats": 51, "AddrWidth": 64}),
    ("weight_unpack", {"Unit": 1, "BeatUnits": 1, "RowUnits": 1}),
    ("weight_unpack", {"Unit": 8, "BeatUnits": 1, "RowUnits": 9}),
    ("weight_unpack", {"Unit": 8, "BeatUnits": 9, "RowUnits": 1}),
    ("weight_source", {"Width": 32, "Rows": 2}),
    ("weight_source", {"Width": 1024, "Rows": 1000}),
]
REFUSED = [
    ({"Burst": 17}, "Burst must be at most 16"),
    ({"Burst": 8, "Depth": 4}, "at most Depth"),
    ({"Depth": 48}, "a power of two"),
    ({"Beats": 1}, "Beats at least 2"),
]


def test_the_fetcher(tmp_path: Path) -> None:
    check(simulate(FETCH, "fetch", tmp_path))


@pytest.mark.parametrize(("module", "parameters"), EDGES, ids=str)
def test_block_at_the_edges(module: str, parameters: dict[str, int], tmp_path: Path) -> None:
    sources = (*library("ram_1r1w"), RTL / f"{module}.sv")
    sources = sources if module == "weight_source" else sources[-1:]
    assert lint(Design(module, sources, {}, parameters), tmp_path) == ""


def test_the_whole_without_a_warning(tmp_path: Path) -> None:
    overlay = find_overlay("weight_streaming")
    sources = (*overlay.waivers, *overlay.rtl_sources())
    assert lint(Design("fabric_top", sources), tmp_path) == ""


@pytest.mark.parametrize(("parameters", "message"), REFUSED, ids=str)
def test_impossible_parameters_are_refused(
    parameters: dict[str, int], message: str, tmp_path: Path
) -> None:
    design = Design("weight_fetch", (RTL / "weight_fetch.sv",), {}, parameters)
    assert message in lint(design, tmp_path)
