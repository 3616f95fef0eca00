"""A benchmark as its user runs it: through the command line, on the virtual board."""

from __future__ import annotations

import copy
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

import pandas as pd
import pytest

from harness.cli import main
from harness.emulation import build as builder
from harness.measure.queueing import finite_queue
from harness.overlay import Overlay, find_overlay, project_root
from harness.report import store
from harness.targets import virtual
from harness.traffic import Schedule

pytestmark = pytest.mark.xdist_group("run")

ROOT = Path(__file__).parents[2]
SHORT = ("--set", "run.events=2000")


def run(
    capsys: pytest.CaptureFixture[str], out: Path, benchmark: str, *more: str
) -> tuple[int, dict[str, Any]]:
    status = main(["run", benchmark, "--out", str(out), "--json", *more])
    text = capsys.readouterr().out
    return status, json.loads(text) if text else {}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run something that must fail; return exit status and the one line it says."""
    status = main(list(arguments))
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("harness: error: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return status, lines[0]


def test_the_result_holds_what_the_schema_promises(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, result = run(capsys, tmp_path, "smoke/jet_tagger")
    assert status == 0
    assert result["verdict"] == "pass"
    assert result["reasons"] == []
    assert result["time_base"] == "simulated fabric"
    assert result["overlay"]["name"] == "jet_tagger"
    assert result["seeds"] == {"traffic": 1}
    events = result["events"]
    assert (events["scheduled"], events["completed"]) == (20_000, 20_000)
    assert (events["dropped"], events["in_flight"], events["distinct"]) == (0, 0, 1024)
    assert abs(result["clock"]["measured_hz"] / 200e6 - 1) < 1e-5
    assert abs(result["rate"]["achieved_hz"] / result["rate"]["target_hz"] - 1) < 1e-5
    assert result["deadline"] == {"cycles": 200, "misses": 0}
    assert result["output"]["bit_exact"] is True
    assert result["output"]["crc"] == result["output"]["crc_expected"]
    for kind in ("wait", "service", "total"):
        latency = result["latency"][kind]
        assert latency["count"] == 20_000
        order = [latency[name]["cycles"] for name in ("min", "p50", "p99", "p999", "max")]
        assert order == sorted(order)

    (folder,) = store.list_runs(tmp_path)
    bins = pd.read_parquet(folder / "histograms.parquet")
    assert list(bins.columns) == ["kind", "cycles", "count"]
    assert bins.groupby("kind")["count"].sum().tolist() == [20_000] * 3
    trace = pd.read_parquet(folder / "trace.parquet")
    assert list(trace.columns) == ["event", "scheduled", "accepted", "done"]
    assert len(trace) == 4096


def test_the_overlay_keeps_its_contract(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Initiation interval and latency of the manifest are those of the RTL, event by event."""
    contract = find_overlay("jet_tagger").accelerator
    interval, latency = contract.initiation_interval_cycles, contract.latency_cycles
    assert interval is not None
    assert latency is not None
    text = (ROOT / "benchmarks" / "smoke" / "jet_tagger.toml").read_text()
    head, rest = text.split("[arrival]")
    overload = tmp_path / "overload.toml"
    # Now and then faster than the interval allows, so that it is the interval that decides.
    overload.write_text(
        f'{head}[arrival]\nprocess = "gaps"\ngaps_cycles = [1, 2, 30, {interval}, 3, 1]\n\n'
        f"{rest[rest.index('[run]') :]}"
    )
    run(capsys, tmp_path, str(overload), "--set", "run.events=4096", "--set", "run.derandomiser=2")
    (folder,) = store.list_runs(tmp_path)
    trace = store.load(folder).trace
    assert trace is not None
    due = Schedule.gaps_in_cycles([1, 2, 30, interval, 3, 1], 4096).cycles(0, 4096)
    theory = finite_queue(due, interval, latency, 2)
    kept = ~theory.dropped
    assert 0 < kept.sum() < 4096
    assert trace.scheduled.tolist() == due[kept].tolist()
    assert trace.accepted.tolist() == theory.accepted[kept].tolist()
    assert trace.done.tolist() == theory.done[kept].tolist()


@pytest.mark.parametrize("process", ["poisson", "gaps"])
def test_a_queue_of_events_that_each_take_their_own_time_is_as_predicted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, process: str
) -> None:
    """Where service follows the data too: waits, drops, depth and stamps, cycle by cycle."""
    text = (ROOT / "benchmarks" / "smoke" / "spiking_digits.toml").read_text()
    head, rest = text.split("[arrival]")
    overload = tmp_path / "overload.toml"
    arrival = {
        "poisson": 'process = "poisson"\nrate = "2.1 MHz"\nseed = 3',
        "gaps": 'process = "gaps"\ngaps_cycles = [1, 60, 200, 30, 90, 140]',
    }
    overload.write_text(f"{head}[arrival]\n{arrival[process]}\n\n{rest[rest.index('[run]') :]}")
    _, result = run(capsys, tmp_path, str(overload), "--set", "run.derandomiser=3")
    theory = result["theory"]
    assert theory["model"] == {"poisson": "Geo/G/1/K", "gaps": "G/G/1/K"}[process]
    assert (theory["interval_cycles"], theory["latency_cycles"]) == (None, None)
    assert (theory["events"], theory["whole"], theory["agrees"]) == (3000, True, True)
    assert all(item["agrees"] for item in theory["exact"])
    told = {item["name"]: item["predicted"] for item in theory["exact"]}
    assert told["drops"] == result["events"]["dropped"] > 50
    assert told["max_depth"] == result["queue"]["max_depth"] == 3
    assert told["traced_differences"] == 0
    assert result["latency"]["service"]["min"] != result["latency"]["service"]["max"]
    assert result["output"]["mismatches"] == 0


def test_the_same_seed_gives_the_same_result_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, first = run(capsys, tmp_path, "smoke/dial", *SHORT)
    _, second = run(capsys, tmp_path, "smoke/dial", *SHORT)
    for result in (first, second):
        del result["facts"]
    assert first == second
    _, other = run(capsys, tmp_path, "smoke/dial", *SHORT, "--set", "arrival.seed=8")
    assert other["latency"] != first["latency"]


@pytest.mark.parametrize("board", ["zcu104", "kv260", "pynq-z2"])
def test_every_board_gives_the_same_cycles(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, board: str
) -> None:
    status, result = run(capsys, tmp_path, "smoke/dial", *SHORT, "--board", board)
    assert status == 0
    assert result["facts"]["target"]["board"] == board
    _, reference = run(capsys, tmp_path, "smoke/dial", *SHORT)
    assert result["output"] == reference["output"]
    cycles = [
        {kind: latency[kind]["mean"]["cycles"] for kind in ("wait", "service", "total")}
        for latency in (result["latency"], reference["latency"])
    ]
    assert cycles[0] == cycles[1]


def test_a_requirement_that_does_not_hold_fails_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, result = run(
        capsys, tmp_path, "smoke/dial", *SHORT, "--set", "run.derandomiser=1",
        "--set", 'run.deadline="21 cycles"',
    )  # fmt: skip
    assert status == 1
    assert result["verdict"] == "fail"
    said = {reason["what"] for reason in result["reasons"]}
    assert said == {"events were dropped", "events missed the deadline"}
    assert result["events"]["dropped"] > 0
    assert result["output"]["crc_expected"] is None  # which outputs are sent depends on the drops
    assert result["output"]["bit_exact"] is True  # but each that is sent is compared


def test_a_flipped_weight_behind_the_right_digest_is_caught(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firmware that says it is the right one and computes something else."""

    def with_one_wrong_weight(overlay: Overlay, progress: object = None) -> Path:
        sources = []
        for source in (*overlay.waivers, *overlay.rtl_sources()):
            if source.name == "jet_tagger_weights_pkg.sv":
                changed = tmp_path / source.name
                changed.write_text(flip_one_weight(source.read_text()))
                sources.append(changed)
            else:
                sources.append(source)
        return builder.build(
            builder.Recipe(
                overlay.name, tuple(sources), overlay.input.beat_bytes, overlay.output.beat_bytes
            )
        )

    monkeypatch.setattr(virtual, "build_fabric", with_one_wrong_weight)
    status, result = run(capsys, tmp_path, "smoke/jet_tagger", *SHORT)
    assert status == 1
    assert result["verdict"] == "fail"
    assert result["output"]["bit_exact"] is False
    assert result["output"]["mismatches"] > 0
    assert result["output"]["first_mismatch"] is not None
    assert result["output"]["crc"] != result["output"]["crc_expected"]
    # What the reference would have decided is not what this firmware did.
    assert result["quality"]["metrics"] is None
    assert result["quality"]["reason"] == "outputs are not those of the reference"


def flip_one_weight(package: str) -> str:
    """Change the sign bit of the first weight of the first layer."""
    head, tail = re.split(r"(?<=L0_WEIGHTS \[16\]\[64\] =)", package)
    first = re.search(r"6'h([0-9a-f]+)", tail)
    assert first is not None
    return f"{head}{tail[: first.start()]}6'h{int(first[1], 16) ^ 0x20:x}{tail[first.end() :]}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("smoke/dail",), "smoke/dial"),
        (("smoke/dial", "--set", "overlay=dail"), "dial"),
        (("smoke/dial", "--set", "run.evnts=5"), "did you mean 'events'"),
        (("smoke/dial", "--set", "run.clock=200"), "MHz"),
        (("smoke/dial", "--set", 'run.deadline="3 parsec"'), "us"),
        (("smoke/dial", "--set", "run.events=nan"), "run.events"),
        (("smoke/dial", "--set", "run.events=0"), "run.events"),
        (("smoke/dial", "--set", "run.events=4294967296"), "run.events"),
        (("smoke/dial", "--set", 'arrival.rate="300 MHz"'), "arrival.rate"),
        (("smoke/dial", "--set", "run.derandomiser=512"), "511"),
        (("smoke/dial", "--set", "traffic.distinct=5000"), "4096"),
        (("smoke/dial", "--set", "traffic.source=jets"), "jets"),
        (("smoke/dial", "--set", "accelerator.DELEY=5"), "DELAY"),
        (("smoke/dial", "--board", "zcu105"), "zcu104"),
        (("smoke/dial", "--target", "warp"), "virtual"),
        (("nowhere.toml",), "nowhere.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_refused_in_one_line_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    out = tmp_path / "out"
    status, line = refused(capsys, "run", *arguments, "--out", str(out))
    assert status == 2
    assert says in line
    assert not list(out.glob("*"))


def test_a_result_folder_that_cannot_be_written_is_found_before_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    started = time.monotonic()
    status, line = refused(capsys, "run", "smoke/dial", "--out", str(tmp_path / "file" / "out"))
    assert status == 4
    assert "file" in line
    assert time.monotonic() - started < 2


@pytest.fixture
def copied_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder that a test may spoil."""
    root = tmp_path / "root"
    for name in ("overlays", "bitstreams", "benchmarks"):
        shutil.copytree(project_root() / name, root / name)
    monkeypatch.setenv("HARNESS_ROOT", str(root))
    return root


def test_an_image_of_other_sources_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, copied_root: Path
) -> None:
    source = copied_root / "overlays" / "dial" / "rtl" / "dial.sv"
    source.write_text(source.read_text() + "// changed\n")
    status, line = refused(capsys, "run", "smoke/dial", "--out", str(tmp_path / "out"))
    assert status == 2
    assert "digest" in line
    assert "harness generate dial" in line


def test_the_hwh_of_another_overlay_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, copied_root: Path
) -> None:
    folder = copied_root / "bitstreams"
    shutil.copy(folder / "loopback" / "zcu104.hwh", folder / "dial" / "zcu104.hwh")
    status, line = refused(capsys, "run", "smoke/dial", "--out", str(tmp_path / "out"))
    assert status == 2
    assert "zcu104.hwh" in line


def test_rtl_that_does_not_compile_says_so_and_leaves_no_cache(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    copied_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    source = copied_root / "overlays" / "dial" / "rtl" / "dial.sv"
    source.write_text(source.read_text().replace("endmodule", "assign nonsense = 1;\nendmodule"))
    assert main(["generate", "dial"]) == 0
    capsys.readouterr()
    status, line = refused(capsys, "run", "smoke/dial", "--out", str(tmp_path / "out"))
    assert status == 4
    assert "verilator" in line
    assert "nonsense" in line
    assert not list((tmp_path / "cache" / "fabric").glob("*/fabric.so"))


@pytest.mark.parametrize("missing", ["g++", "perl"])
def test_a_missing_tool_is_named_with_how_to_get_it(tmp_path: Path, missing: str) -> None:
    """In a process of its own: the PATH has everything but that tool."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("g++", "perl", "git", "make", "env", "sh"):
        found = shutil.which(name)
        if name != missing and found:
            (tools / name).symlink_to(found)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "smoke/dial", "--out", str(tmp_path / "out")],
        env={**os.environ, "PATH": str(tools)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4
    assert f"{missing} is not on the PATH" in done.stderr
    assert "Traceback" not in done.stderr


def playing(out: Path) -> subprocess.Popen[str]:
    """Start a long run, and return when it plays."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "harness", "run", "smoke/dial", "--out", str(out),
            "--set", "run.events=30000000",
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("playing"):
            break
    time.sleep(1)
    return process


def test_ctrl_c_keeps_what_was_counted_and_marks_it(tmp_path: Path) -> None:
    process = playing(tmp_path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 3
    (folder,) = store.list_runs(tmp_path)
    result = copy.deepcopy(store.load(folder).result)
    assert result["verdict"] == "interrupted"
    scheduled = result["events"]["scheduled"]
    assert scheduled is not None
    assert 0 < scheduled < 30_000_000


@pytest.mark.parametrize("between_s", [0.0, 0.02, 0.1])
def test_ctrl_c_twice_ends_at_once_and_leaves_nothing_to_believe(
    tmp_path: Path, between_s: float
) -> None:
    process = playing(tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(between_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "Traceback" not in said
    # The second may come too late to matter; nothing is ever left half.
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    for folder in store.list_runs(tmp_path):
        assert store.load(folder).result["verdict"] == "interrupted"


def test_listing_names_everything_and_is_json_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in found["overlays"]} >= {"dial", "jet_tagger", "loopback"}
    assert {row["name"] for row in found["benchmarks"]} >= {"latency/jet_tagger_lhc", "smoke/dial"}
    assert not [row for rows in found.values() for row in rows if "cannot be read" in str(row)]


def test_a_reader_that_goes_away_is_no_error() -> None:
    listing = subprocess.Popen(
        [sys.executable, "-m", "harness", "list"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    status = listing.wait(timeout=60)
    said = listing.stderr.read()
    listing.stderr.close()
    assert (status, said) == (0, "")
