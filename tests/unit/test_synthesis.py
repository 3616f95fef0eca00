"""Estimates: what cells count as, what is refused, and that the stored ones are current."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.architecture.devices import device_table
from harness.errors import OverlayError, ToolchainError
from harness.overlay import find_overlay, list_overlays
from harness.report import resources
from harness.synthesis import record
from harness.synthesis.cells import Resources, count
from harness.synthesis.record import SCHEMA, Estimate, Parts


def stat(**cells: int) -> str:
    return json.dumps({"design": {"num_cells_by_type": cells}})


def test_cells_count_as_the_data_sheet_counts_them() -> None:
    found = count(
        stat(LUT2=3, LUT6=4, RAM64M8=2, SRLC32E=1, FDRE=7, FDSE=2, RAMB18E2=3, RAMB36E2=2, INV=9)
    )
    assert found == Resources(lut=3 + 4 + 16 + 1, ff=9, dsp=0, bram=3.5, uram=0)


def test_a_cell_that_nobody_knows_is_no_cell_that_costs_nothing() -> None:
    with pytest.raises(ToolchainError, match="NOVEL_CELL"):
        count(stat(LUT2=1, NOVEL_CELL=1))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"design": 1}', '{"design": {}}'])
def test_what_yosys_does_not_print_is_refused(text: str) -> None:
    with pytest.raises(ToolchainError):
        count(text)


@pytest.mark.parametrize("name", list_overlays())
def test_an_overlay_says_what_it_takes_of_its_boards_or_why_not(name: str) -> None:
    overlay = find_overlay(name)
    found, rows = record.read(overlay), resources.rows(overlay)
    if found is None:
        assert [row["overlay"] for row in rows] == [name]
        assert f"harness estimate {name} --synthesise" in rows[0]["why"]
        return
    assert set(found.families) == {record.family_of(board) for board in overlay.boards}
    assert {row["board"] for row in rows} == set(overlay.boards)
    for row in rows:
        device = device_table().devices[row["board"]]
        assert row["used"]["lut"] > 0
        assert row["share"]["lut"] == row["used"]["lut"] / float(device.lut or 0)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    copy = tmp_path / "overlays"
    source = find_overlay("loopback")
    shutil.copytree(source.folder, copy / "loopback")
    (copy / "lib").symlink_to(source.root / "overlays" / "lib")
    overlay = find_overlay("loopback", tmp_path)
    parts = Parts(Resources(1, 2, 3, 4.5, 5), Resources(10, 20, 30, 40.5, 50))
    made = Estimate(SCHEMA, "0" * 32, "Yosys 9", "harness estimate loopback", {"xc7": parts})
    assert record.write(overlay, made) == record.path_of(overlay)
    assert record.read(overlay) == made
    assert parts.rows()["total"] == Resources(11, 22, 33, 45, 55)


def test_a_damaged_estimate_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "overlays"
    source = find_overlay("loopback")
    shutil.copytree(source.folder, copy / "loopback")
    (copy / "lib").symlink_to(source.root / "overlays" / "lib")
    overlay = find_overlay("loopback", tmp_path)
    path = record.path_of(overlay)
    path.write_text(path.read_text().replace("lut = ", "luts = "))
    with pytest.raises(OverlayError, match=r"resources\.toml"):
        record.read(overlay)
