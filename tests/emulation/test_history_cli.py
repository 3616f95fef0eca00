"""Runs of the virtual board listed, shown, compared and accepted through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import harness
from harness.cli import main
from harness.report import store

pytestmark = pytest.mark.xdist_group("run")

SHORT = ("--set", "run.events=2000")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two alike, and one whose accelerator takes a cycle more."""
    folder = tmp_path_factory.mktemp("results")
    for more in ((), (), ("--set", "accelerator.DELAY=21")):
        assert main(["run", "smoke/dial", *SHORT, *more, "--out", str(folder), "--json"]) == 0
    return folder


@pytest.fixture
def runs(out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    return harness.load_results(out).run.tolist()


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(list(arguments))
    captured = capsys.readouterr()
    assert captured.err.startswith("harness: error: ")
    assert captured.err.count("\n") == 1
    return status, captured.err


def test_history_lists_the_newest_last(
    out: Path, runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--out", str(out))
    status, rows = told(capsys, "history", *where, "--benchmark", "smoke/dial")
    assert status == 0
    assert [row["run"] for row in rows] == runs
    assert {row["verdict"] for row in rows} == {"pass"}
    assert rows[2]["total_max_cycles"] == rows[1]["total_max_cycles"] + 1
    assert told(capsys, "history", *where, "--last", "1")[1] == rows[-1:]
    assert told(capsys, "history", *where, "--rebuild", "--last", "9")[1] == rows
    assert told(capsys, "history", *where, "--benchmark", "other")[1] == []
    assert main(["history", *where]) == 0
    assert capsys.readouterr().out.count("simulated") == 3
    for wrong in ("0", "-1", "x"):
        with pytest.raises(SystemExit, match="2"):
            main(["history", "--last", wrong])
    capsys.readouterr()
    assert refused(capsys, "history", "--out", str(out / "none"))[0] == 2


def test_show_finds_a_run_by_any_of_its_names(
    out: Path, runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--out", str(out))
    wanted = store.load(out / runs[-1]).result
    for name in ("last", runs[-1], runs[-1][:-2], str(out / runs[-1])):
        assert told(capsys, "show", name, *where) == (0, wanted)
    assert main(["show", "last", *where]) == 0
    text = capsys.readouterr().out
    assert "PASS" in text
    assert "stored in" in text
    status, line = refused(capsys, "show", runs[0][:2], *where)
    assert status == 2
    assert "3 runs begin so" in line


def test_compare_says_what_changed(
    out: Path, runs: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ("--out", str(out))
    status, found = told(capsys, "compare", runs[0], runs[1], *where)
    assert status == 0
    assert [each["finding"] for each in found["comparisons"]] == ["same"]
    status, line = refused(capsys, "compare", runs[0], "last", *where)
    assert status == 2
    assert "--allow benchmark" in line
    xml = tmp_path / "junit.xml"
    arguments = ("benchmark:smoke_dial", "--allow", "benchmark", "--junit", str(xml), *where)
    status, found = told(capsys, "compare", *arguments)
    assert status == 1
    assert [each["finding"] for each in found["comparisons"]] == ["same", "changed"]
    (service,) = [
        quantity
        for quantity in found["comparisons"][1]["quantities"]
        if quantity["name"] == "service.histogram"
    ]
    assert service["numbers"]["bins_differ"] == 2
    assert service["numbers"]["events_moved"] == 2000
    assert service["numbers"]["p99_shift_cycles"] == 1
    root = ET.parse(xml).getroot()  # noqa: S314
    assert [suite.get("failures") for suite in root] == ["0", "3"]
    assert main(["compare", *arguments]) == 1
    assert "first differs in event 0: done 20 -> 21 cycles" in " ".join(
        capsys.readouterr().out.split()
    )


def test_accepted_runs_outlive_their_folders(
    out: Path, runs: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results, file = tmp_path / "results", tmp_path / "baselines.json"
    shutil.copytree(out, results)
    where = ("--out", str(results), "--file", str(file))
    status, line = refused(capsys, "compare", "last", "--baseline", *where)
    assert status == 2
    assert f"harness baseline accept RUN --file {file}" in line
    assert main(["baseline", "accept", runs[0], *where]) == 0
    assert "zcu104, simulated fabric" in capsys.readouterr().out
    shutil.rmtree(results / runs[0])
    status, found = told(capsys, "compare", runs[1], "--baseline", *where)
    assert (status, found["comparisons"][0]["before"]) == (0, [runs[0]])
    status, found = told(capsys, "compare", "last", "--baseline", "--allow", "benchmark", *where)
    assert status == 1
    status, kept = told(capsys, "baseline", "list", "--file", str(file))
    assert status == 0
    assert kept == json.loads(file.read_text())
    assert main(["baseline", "list", "--file", str(file)]) == 0
    assert "smoke_dial" in capsys.readouterr().out


def test_a_trace_in_a_frame_is_what_the_fabric_stamped(out: Path, runs: list[str]) -> None:
    trace = harness.load_trace(runs[0], out)
    assert len(trace) == 2000
    service = trace.done_cycles - trace.accepted_cycles
    assert service.unique().tolist() == [20]
    assert harness.load_results(out).service_p99_cycles.tolist() == [20, 20, 21]
