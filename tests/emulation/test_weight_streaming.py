"""The jet tagger with its weights in memory: exact, counted, as fast as the memory allows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from harness import session as sessions
from harness.cli import main
from harness.errors import BoardError, InputError
from harness.fabric.weights import Weights
from harness.inventory import BOARDS
from harness.measure.queueing import finite_queue
from harness.memories import bound, find_memory
from harness.overlay import find_overlay
from harness.report import store
from harness.targets import open_target
from harness.targets.base import DeviceMemory
from harness.traffic import Schedule

pytestmark = pytest.mark.xdist_group("weight-streaming")

OVERLAY = find_overlay("weight_streaming")
assert OVERLAY.memory is not None
assert OVERLAY.streamed is not None
PORT = OVERLAY.memory
LAID = OVERLAY.streamed
CLOCK_HZ = 200e6
INTERVAL, LATENCY = 77, 82
AHEAD_BYTES = (PORT.prefetch_beats + 2) * LAID.beat_bytes


def run(
    capsys: pytest.CaptureFixture[str], out: Path, benchmark: str, *settings: str
) -> tuple[int, dict[str, Any]]:
    options = [word for setting in settings for word in ("--set", setting)]
    status = main(["run", benchmark, "--out", str(out), "--json", *options])
    text = capsys.readouterr().out
    return status, json.loads(text) if text else {}


def settings(memory: str, rows: int, outstanding: int) -> tuple[str, ...]:
    return (
        f"memory.model={memory}",
        f"accelerator.RESIDENT_ROWS={rows}",
        f"accelerator.OUTSTANDING={outstanding}",
    )


POINTS = [
    ("ddr3-pynq-z2", 0, 4), ("ddr3-pynq-z2", 44, 4), ("ddr4-zcu104", 0, 1), ("ddr4-zcu104", 24, 4),
    ("hbm2-u55c-1pc", 0, 4), ("hbm2-u55c", 32, 1), ("hbm2-u55c", 0, 4),
]  # fmt: skip


@pytest.mark.parametrize(("memory", "rows", "outstanding"), POINTS)
def test_a_memory_sets_the_pace_that_its_figures_say(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, memory: str, rows: int, outstanding: int
) -> None:
    """Overloaded: every output right, every byte accounted for, and the rate within 10 %."""
    chosen = settings(memory, rows, outstanding)
    _, result = run(capsys, tmp_path, "memory/saturated", *chosen, "run.events=4000")
    assert result["verdict"] == "pass"
    assert result["output"]["bit_exact"] is True
    assert result["events"]["dropped"] > 0
    off_chip, completed = result["memory"], result["events"]["completed"]
    event_bytes = LAID.streamed_beats(rows) * LAID.beat_bytes
    assert off_chip["bytes_per_inference"] == event_bytes
    assert off_chip["bytes_per_inference_expected"] == event_bytes
    assert off_chip["bytes_used"] == completed * event_bytes
    assert 0 < off_chip["bytes_fetched"] - off_chip["bytes_used"] <= AHEAD_BYTES
    assert off_chip["resident_share"] == rows / LAID.rows
    limit = bound(LAID, PORT, find_memory(memory), CLOCK_HZ, rows, outstanding)
    measured = CLOCK_HZ / result["rate"]["achieved_hz"]
    assert measured == pytest.approx(limit.interval, rel=0.1)
    assert memory in result["facts"]["target"]["memory"]


def test_all_resident_it_keeps_interval_and_latency(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As the manifest states them, event by event, and without touching the memory."""
    gaps = [1, 2, 250, INTERVAL, 76, 10]
    text = (Path(__file__).parents[2] / "benchmarks" / "memory" / "saturated.toml").read_text()
    head, rest = text.split("[arrival]")
    file = tmp_path / "gaps.toml"
    arrival = f'[arrival]\nprocess = "gaps"\ngaps_cycles = {gaps}\n\n'
    file.write_text(head + arrival + rest[rest.index("[run]") :])
    chosen = ("accelerator.RESIDENT_ROWS=68", "run.events=1500", "run.trace=1500")
    _, result = run(capsys, tmp_path, str(file), *chosen)
    assert result["memory"]["bytes_fetched"] == 0
    assert result["memory"]["stalled_cycles"] == 0
    (folder,) = store.list_runs(tmp_path)
    trace = store.load(folder).trace
    assert trace is not None
    due = Schedule.gaps_in_cycles(gaps, 1500).cycles(0, 1500)
    theory = finite_queue(due, INTERVAL, LATENCY, 4)
    kept = ~theory.dropped
    assert 0 < kept.sum() < 1500
    assert trace.accepted.tolist() == theory.accepted[kept].tolist()
    assert trace.done.tolist() == theory.done[kept].tolist()


def test_a_slow_instrument_loses_nothing_with_all_weights_in_ddr3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, result = run(capsys, tmp_path, "memory/slow_instrument", "run.events=60")
    assert status == 0
    assert result["events"]["dropped"] == 0
    assert result["deadline"]["misses"] == 0
    assert result["memory"]["bytes_per_inference"] == 3264
    assert "ddr3-pynq-z2" in result["facts"]["target"]["memory"]


def test_the_same_run_gives_the_same_result(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    chosen = (*settings("ddr4-zcu104", 8, 2), "run.events=500")
    found = [run(capsys, tmp_path, "memory/saturated", *chosen)[1] for _ in range(2)]
    for result in found:
        del result["facts"]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("benchmark", "setting", "message"),
    [
        ("memory/saturated", "memory.model=ddr5", "unknown memory 'ddr5'"),
        ("smoke/dial", "memory.model=ddr4-zcu104", "has no port to external memory"),
        ("memory/saturated", "accelerator.RESIDENT_ROWS=69", "the register keeps 0..68"),
        ("memory/saturated", "accelerator.OUTSTANDING=0", "the register keeps 1..4"),
        ("memory/saturated", "accelerator.LOAD=1", "has no register 'LOAD' to write"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, benchmark: str, setting: str, message: str
) -> None:
    status = main(["run", benchmark, "--out", str(tmp_path), "--set", setting])
    assert status == 2
    assert message in capsys.readouterr().err


@dataclasses.dataclass
class Faulty:
    """Memory that is not what the host believes.

    Args:
        memory: What it is.
        flipped: Byte that changes on its way to memory.
        moved: Bytes by which its address is wrong.
    """

    memory: DeviceMemory
    flipped: int | None = None
    moved: int = 0

    @property
    def address(self) -> int:
        return self.memory.address + self.moved

    @property
    def data(self) -> Any:
        return self.memory.data

    def flush(self) -> None:
        if self.flipped is not None:
            skip = -self.memory.address % 4096
            self.memory.data[skip + self.flipped] ^= 0x10
        self.memory.flush()

    def invalidate(self) -> None:
        self.memory.invalidate()

    def close(self) -> None:
        self.memory.close()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"flipped": 0}, "reads other weights than were written"),
        ({"flipped": 3263}, "reads other weights than were written"),
        ({"moved": 1 << 28}, "the memory answered the fabric with an error"),
    ],
)
def test_weights_that_do_not_arrive_are_found_before_the_run(
    monkeypatch: pytest.MonkeyPatch, fault: dict[str, int], message: str
) -> None:
    with open_target("virtual", BOARDS["zcu104"]) as target:
        session = sessions.start(target, OVERLAY, OVERLAY.image("zcu104"), CLOCK_HZ)
        session.bench.reset()
        weights = Weights(target, session.bench, OVERLAY)
        allocate = target.allocate
        with monkeypatch.context() as patch:
            patch.setattr(target, "allocate", lambda size: Faulty(allocate(size), **fault))
            with pytest.raises(BoardError, match=message):
                weights.load()
        weights = Weights(target, session.bench, OVERLAY)
        weights.load()  # and what was wrong leaves no trace
        assert weights.off_chip().fetched_bytes > 0


def test_loading_again_while_bursts_are_under_way_starts_clean() -> None:
    """An abort at any cycle: what was asked for still comes, and must not be taken for weights."""
    with open_target("virtual", BOARDS["zcu104"]) as target:
        target.use_memory("ddr3-pynq-z2")
        session = sessions.start(target, OVERLAY, OVERLAY.image("zcu104"), CLOCK_HZ)
        weights = Weights(target, session.bench, OVERLAY)
        offsets = {item.name: item.offset for item in OVERLAY.accelerator.registers}
        for wait in range(0, 2000, 155):
            session.bench.reset()
            weights.load()
            session.bench.set_accelerator(offsets["LOAD"], 1)
            target.elapse(wait)
            session.bench.stop()
        weights.load()


def test_a_board_keeps_the_memory_it_has() -> None:
    from harness.targets.uart import UartTarget

    target = UartTarget.__new__(UartTarget)
    target.name = "uart"
    with pytest.raises(InputError, match="the external memory cannot be chosen"):
        target.use_memory("ddr4-zcu104")
