"""Sweeps as their user makes them, on the dial, where every answer is known beforehand."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.measure.queueing import finite_queue
from harness.report import store
from harness.sweep.journal import NAME, encode
from harness.traffic import Schedule

pytestmark = pytest.mark.xdist_group("sweep")

ROOT = Path(__file__).parents[2]
CLOCK_HZ = 200_000_000
INTERVAL = 10

PERIODIC = """
schema = 1
name = "sweep_periodic"
summary = "An event every so often"
overlay = "dial"
[traffic]
source = "noise"
distinct = 64
[arrival]
process = "periodic"
rate = "10 MHz"
[run]
events = 20_000
clock = "200 MHz"
derandomiser = 2
deadline = "40 cycles"
trace = 64
[accelerator]
INITIATION_INTERVAL = 10
DELAY = 20
"""
LHC = PERIODIC.replace('process = "periodic"\nrate = "10 MHz"', (
    'process = "lhc"\nrate = "40.079 MHz"\nfilling = "25ns_2744b_bcms"'
)).replace("INTERVAL = 10", "INTERVAL = 6").replace("20_000", "4000")  # fmt: skip


@pytest.fixture
def periodic(tmp_path: Path) -> str:
    path = tmp_path / "periodic.toml"
    path.write_text(PERIODIC)
    return str(path)


def sweep(
    capsys: pytest.CaptureFixture[str], out: Path, *arguments: str
) -> tuple[int, dict[str, Any]]:
    status = main(["sweep", *arguments, "--out", str(out), "--json"])
    return status, json.loads(capsys.readouterr().out)


def without_facts(folder: Path) -> dict[str, Any]:
    """Return the results in a sweep folder by their digest, without what differs by nature."""
    found = {}
    for run in store.list_runs(folder):
        result: dict[str, Any] = dict(store.load(run).result)
        del result["facts"]
        assert result["benchmark"]["digest"] not in found, "a point was run twice"
        found[result["benchmark"]["digest"]] = result
    return found


def test_a_matrix_is_a_folder_of_ordinary_runs_that_are_as_predicted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    out = tmp_path / "out"
    status, found = sweep(
        capsys, out, periodic, "--rates", "10 MHz:40 MHz:3", "--depths", "1,8",
        "--set", "run.events=2000", "--jobs", "2",
    )  # fmt: skip
    assert status == 0
    assert [tuple(row["values"].values()) for row in found["points"]] == [
        (f"{rate} Hz", depth)
        for rate in (10_000_000, 25_000_000, 40_000_000)
        for depth in ("1", "8")
    ]
    assert len(without_facts(out)) == 6
    for row in found["points"]:
        assert store.load(out / row["folder"]).result["verdict"] == row["verdict"] == "pass"
        assert row["theory"] is True
        rate = float(row["values"]["arrival.rate"].split()[0])
        assert row["load"] == pytest.approx(rate * INTERVAL / CLOCK_HZ, rel=1e-3)
        assert (row["dropped"] > 0) == (row["load"] > 1)


def test_the_knee_is_where_the_interval_puts_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    """Two events more than it can take is what 20 000 events must show to lose any."""
    status, found = sweep(
        capsys, tmp_path / "out", periodic, "--find", "zero-loss",
        "--rates", "15 MHz:25 MHz", "--resolution", "10 kHz",
    )  # fmt: skip
    assert status == 0
    (finding,) = found["findings"]
    assert finding["violations"] == []
    assert finding["bracket"] == [15_000_000, 25_000_000]
    assert finding["beyond"] - finding["value"] <= finding["resolution"] == 10_000
    assert finding["value"] == pytest.approx(CLOCK_HZ / INTERVAL, abs=20_000)
    assert len(found["points"]) <= 5 + 8
    status, found = sweep(
        capsys, tmp_path / "late", periodic, "--find", "deadline",
        "--rates", "19 MHz:21 MHz", "--resolution", "100 kHz",
    )  # fmt: skip
    # Two may wait, and 20 cycles of slack are as much: what comes too fast is dropped, not late.
    assert found["findings"][0]["value"] == pytest.approx(CLOCK_HZ / INTERVAL, abs=110_000)


@pytest.mark.parametrize("depth", [2, 500])
def test_the_knee_does_not_depend_on_the_queue(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str, depth: int
) -> None:
    """1 - T / II of the events pile up at the queue's end, or are dropped: 1 % of them at 1.01."""
    status, found = sweep(
        capsys, tmp_path / "out", periodic, "--find", "knee", "--rates", "19 MHz:22 MHz:3",
        "--resolution", "25 kHz", "--set", f"run.derandomiser={depth}",
    )  # fmt: skip
    assert status == 0
    (finding,) = found["findings"]
    assert finding["value"] == pytest.approx(CLOCK_HZ / INTERVAL / 0.99, abs=40_000)


def test_the_smallest_derandomiser_is_the_one_that_theory_computes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "lhc.toml"
    path.write_text(LHC)
    due = Schedule.lhc(40_079_000, CLOCK_HZ, "25ns_2744b_bcms", 4000).cycles(0, 4000)
    wanted = next(d for d in range(1, 511) if not finite_queue(due, 6, 20, d).dropped.any())
    assert wanted > 1
    status, found = sweep(capsys, tmp_path / "out", str(path), "--find", "depth")
    assert status == 0
    (finding,) = found["findings"]
    assert (finding["value"], finding["beyond"]) == (wanted, wanted - 1)
    assert finding["unit"] == "events"


def test_what_is_nowhere_in_the_bracket_is_not_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    short = ("--set", "run.events=2000", "--jobs", "2")
    arguments = (periodic, "--find", "knee", "--rates", "30 MHz:40 MHz:2", *short)
    status, found = sweep(capsys, tmp_path / "high", *arguments)
    assert status == 1
    assert (found["findings"][0]["value"], len(found["points"])) == (None, 2)
    arguments = (periodic, "--find", "knee", "--rates", "1 MHz:2 MHz:2", *short)
    status, found = sweep(capsys, tmp_path / "low", *arguments)
    assert status == 0
    assert found["findings"][0]["value"] == 2_000_000
    assert "the highest of the bracket" in found["findings"][0]["why"]


def test_a_point_that_fails_stops_no_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    out = tmp_path / "out"
    arguments = (periodic, "--detectors", "jets,noise", "--set", "run.events=500")
    status, found = sweep(capsys, out, *arguments)
    assert status == 0
    assert [row["verdict"] for row in found["points"]] == ["skipped", "pass"]
    assert "jets are 16 values" in found["points"][0]["why"]
    page = tmp_path / "report.html"
    assert main(["report", str(out), "-o", str(page)]) == 0
    assert "traffic.source=jets: skipped: jets are 16 values" in capsys.readouterr().err
    assert "traffic.source=jets" in page.read_text()


def test_where_nothing_goes_together_nothing_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    status, found = sweep(capsys, tmp_path / "out", periodic, "--detectors", "jets")
    assert status == 2
    assert [row["verdict"] for row in found["points"]] == ["skipped"]


def test_an_unknown_detector_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    out = tmp_path / "out"
    assert main(["sweep", periodic, "--detectors", "noise,nosie", "--out", str(out)]) == 2
    assert "unknown event source 'nosie'; known: jets, " in capsys.readouterr().err
    assert not out.exists()


def test_what_failed_is_tried_again_only_when_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    out = tmp_path / "out"
    arguments = (periodic, "--depths", "1,2", "--set", "run.events=500")
    assert sweep(capsys, out, *arguments)[0] == 0
    plan, first, second = (out / "points.jsonl").read_bytes().splitlines(keepends=True)
    row = json.loads(first)["record"]
    broken = {**row, "verdict": "error", "why": "the cable was out", "folder": None}
    (out / "points.jsonl").write_bytes(plan + encode(broken) + second)
    shutil.rmtree(out / row["folder"])
    for more, status, verdict in (((), 4, "error"), (("--retry",), 0, "pass"), ((), 0, "pass")):
        assert main(["sweep", "--resume", str(out), *more, "--json"]) == status
        found = json.loads(capsys.readouterr().out)
        assert [each["verdict"] for each in found["points"]] == [verdict, "pass"]
    assert len(without_facts(out)) == 2


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "sweep", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def kill_in_the_middle(out: Path, arguments: tuple[str, ...]) -> int:
    """Kill a sweep once it has some records; return how many of its runs were finished."""
    process = start(out, *arguments)
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up and process.poll() is None:
        journal = out / NAME
        if journal.exists() and journal.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)  # its workers follow it
    return len(store.list_runs(out))


def test_a_killed_sweep_goes_on_where_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    arguments = (periodic, "--depths", "1,2,3,4,5,6,7,8", "--set", "run.events=60000")
    out = tmp_path / "killed"
    finished = kill_in_the_middle(out, (*arguments, "--jobs", "2", "--out", str(out)))
    assert 3 <= finished < 8
    before = {folder.name for folder in store.list_runs(out)}

    assert main(["sweep", "--resume", str(out), "--json"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert before < {row["folder"] for row in resumed["points"]}
    status, whole = sweep(capsys, tmp_path / "whole", *arguments)
    assert status == 0
    assert without_facts(out) == without_facts(tmp_path / "whole")
    for row in (*resumed["points"], *whole["points"]):
        del row["folder"]
    assert resumed["points"] == whole["points"]

    # What is complete runs nothing more, even where the last record was torn.
    journal = out / NAME
    journal.write_bytes(journal.read_bytes()[:-7])
    runs = store.list_runs(out)
    assert main(["sweep", "--resume", str(out), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["points"]) == 8
    assert store.list_runs(out) == runs


def test_a_benchmark_that_changed_is_not_mixed_with_what_was_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    out = tmp_path / "out"
    sweep(capsys, out, periodic, "--depths", "1,2", "--set", "run.events=500")
    Path(periodic).write_text(PERIODIC.replace("DELAY = 20", "DELAY = 21"))
    assert main(["sweep", "--resume", str(out)]) == 2
    assert "has changed since" in capsys.readouterr().err
    assert main(["sweep", periodic, "--depths", "1,2", "--out", str(out)]) == 2
    assert "--resume" in capsys.readouterr().err


def test_the_table_for_people(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, periodic: str
) -> None:
    arguments = ["sweep", periodic, "--rates", "10 MHz:30 MHz:2", "--set", "run.events=500"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "total latency in cycles over load" in text
    assert re.search(r"1\.(49|50)\d", text)
