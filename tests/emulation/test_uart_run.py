"""A benchmark over a serial line is the benchmark: the same counts, to the last one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.cli import main
from harness.measure.validity import CLOCK_TOLERANCE
from harness.report import store
from tests.emulation.uart_rig import Rig

pytestmark = pytest.mark.xdist_group("uart")

CLOCK = ("--set", "run.clock=100 MHz")
# A load of 1.2 behind four places: events wait, are late, and are dropped.
OVERLOAD = (
    "--set",
    "arrival.rate=12 MHz",
    "--set",
    "run.derandomiser=4",
    "--set",
    "run.events=5000",
)
JITTER = ("--set", "accelerator.JITTER_MASK=7", "--set", "accelerator.SEED=3")
DEADLINE = ("--set", "run.deadline=50 cycles")
CASES = {
    "dial": ("smoke/dial", *OVERLOAD, *JITTER, *DEADLINE),
    "jet_tagger": ("smoke/jet_tagger", "--set", "run.events=5000", "--set", "traffic.distinct=256"),
}
Plug = Callable[[str], Rig]


@pytest.fixture(scope="module")
def plug(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plug]:
    rigs: dict[str, Rig] = {}

    def plugged(overlay: str) -> Rig:
        if overlay not in rigs:
            link = tmp_path_factory.mktemp(overlay) / "ttyARTY"
            rigs[overlay] = Rig(overlay, link).plug()
        return rigs[overlay]

    yield plugged
    for rig in rigs.values():
        rig.close()


def run(capsys: pytest.CaptureFixture[str], out: Path, *arguments: str) -> dict[str, Any]:
    status = main(["run", *arguments, *CLOCK, "--out", str(out), "--json"])
    captured = capsys.readouterr()
    assert status in {0, 1}, captured.err
    found: dict[str, Any] = json.loads(captured.out)
    return found


def in_cycles(found: Any) -> Any:
    """Return a part of a result without its values in ns."""
    if not isinstance(found, dict):
        return found
    return {key: in_cycles(value) for key, value in found.items() if key != "ns"}


@pytest.mark.parametrize("overlay", list(CASES))
def test_in_process_and_over_the_line_agree_to_the_last_count(
    overlay: str, plug: Plug, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    virtual, serial = tmp_path / "virtual", tmp_path / "serial"
    first = run(capsys, virtual, *CASES[overlay])
    target = plug(overlay).target
    second = run(capsys, serial, *CASES[overlay], "--target", target, "--board", "arty-a7")
    assert (first["target"], second["target"]) == ("virtual", target)
    assert first["time_base"] == second["time_base"] == "simulated fabric"
    clock = second["clock"]
    assert [clock[f"{key}_hz"] for key in ("nominal", "asked", "set")] == [1e8] * 3
    assert abs(clock["measured_hz"] - 1e8) <= clock["uncertainty_hz"]
    assert 0 < clock["uncertainty_hz"] < 1e8 * CLOCK_TOLERANCE
    for key in ("verdict", "benchmark", "overlay", "events", "deadline", "queue", "output"):
        assert first[key] == second[key], key
    # In cycles: ns are by the clock as measured, which is only as good as its uncertainty.
    assert in_cycles(first["latency"]) == in_cycles(second["latency"])
    assert first.get("counters") == second.get("counters")
    if overlay == "dial":
        assert first["events"]["dropped"] > 100
        assert first["deadline"]["misses"] > 100
    (one,), (two,) = store.list_runs(virtual), store.list_runs(serial)
    for table in ("histograms.parquet", "trace.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(one / table), pd.read_parquet(two / table))
    assert main(["compare", str(one), str(two), "--allow", "board"]) == 0


def test_a_clock_that_the_board_does_not_have_is_refused(
    plug: Plug, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--board", "arty-a7", "--out", str(tmp_path), "--target", plug("dial").target]
    assert main(["run", "smoke/dial", *arguments]) == 2
    message = capsys.readouterr().err
    assert "run.clock: the clock of board arty-a7 cannot be set" in message
    assert "--set 'run.clock=100 MHz'" in message
    assert store.list_runs(tmp_path) == []


def test_the_clock_of_the_board_is_what_a_benchmark_without_one_gets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, plug: Plug
) -> None:
    arguments = ["run", "smoke/jet_tagger", "--set", "run.events=500", "--json"]
    arguments += ["--set", "traffic.distinct=64"]
    arguments += ["--target", plug("jet_tagger").target, "--board", "arty-a7"]
    assert main([*arguments, "--out", str(tmp_path)]) == 1  # 40 MHz at 100 MHz: too much for it
    result = json.loads(capsys.readouterr().out)
    assert result["clock"]["set_hz"] == 1e8


def test_another_overlay_on_the_board_is_noticed(
    plug: Plug, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["run", "smoke/loopback", *CLOCK, "--set", "arrival.rate=100 MHz"]
    arguments += ["--target", plug("dial").target, "--board", "arty-a7", "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "the fabric is not overlay loopback" in capsys.readouterr().err


def test_events_from_the_host_go_over_the_line_and_come_back(
    plug: Plug, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["host", "smoke/jet_tagger", "--link", "serial", "--events", "30", "--json"]
    arguments += ["--rate", "20 Hz", "--no-realtime", "--out", str(tmp_path)]
    board = ["--target", plug("jet_tagger").target, "--board", "arty-a7"]
    status = main([*arguments, *board])
    result = json.loads(capsys.readouterr().out)
    assert status in {0, 3}, result  # a busy machine may miss the rate
    assert result["time_base"] == "host"
    facts = result["link_facts"]
    assert (facts["compared"], facts["mismatches"]) == (30, 0)
    assert main([*arguments]) == 2
    assert "link serial needs a board behind a serial line" in capsys.readouterr().err
    dma = [*arguments, *board]
    dma[dma.index("serial")] = "dma"
    assert main(dma) == 2
    assert "has no AXI DMA" in capsys.readouterr().err
