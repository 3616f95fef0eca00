"""`harness validate` on a served board: what it loads, and what it only looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness import session
from harness.cli import main
from harness.emulation.server.board import ServedBoard
from harness.emulation.server.server import BoardServer
from harness.fabric.plan import RunPlan
from harness.fabric.samples import Samples
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.registers import Control
from harness.session import Session
from harness.targets import Target, open_target
from harness.targets.sensors import temperatures
from harness.targets.serve import serve
from harness.traffic import Schedule
from harness.validate import board as steps
from harness.validate.step import Skip

pytestmark = [
    pytest.mark.xdist_group("served"),
    pytest.mark.filterwarnings("ignore::UserWarning:pynq"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LOOPBACK = find_overlay("loopback")
EVENTS = 300_000
SCHEDULE = Schedule.bernoulli(40e6, 200e6, 7, EVENTS)
ROWS = np.arange(512, dtype=np.uint8).reshape(64, 8)
IIO = "/sys/bus/iio/devices/iio:device0/"


@pytest.fixture(scope="module")
def server() -> Iterator[BoardServer]:
    with serve(BOARDS["zcu104"], ["loopback", "dial"], port=0) as started:
        yield started


@pytest.fixture
def served(server: BoardServer) -> ServedBoard:
    return server._board


def opened(server: BoardServer) -> Target:
    return open_target(f"pynq://127.0.0.1:{server.port}", BOARDS["zcu104"], purpose="a soak")


def ran(
    capsys: pytest.CaptureFixture[str], server: BoardServer, *arguments: str
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    capsys.readouterr()
    target = ["--target", f"pynq://127.0.0.1:{server.port}"]
    status = main(["validate", *arguments, *target, "--soak", "100 us", "--json"])
    certificate = json.loads(capsys.readouterr().out)
    return status, certificate, {step["name"]: step for step in certificate["steps"]}


def outcomes(found: dict[str, Any], kind: str) -> set[str]:
    return {name for name, step in found.items() if step["outcome"] == kind}


def started(target: Target) -> Session:
    """Start a soak and let it run for a third of its time."""
    made = session.start(target, LOOPBACK, LOOPBACK.image("zcu104"), 200e6)
    bench = made.bench
    bench.reset()
    bench.load_events(ROWS)
    bench.load_golden(ROWS)
    bench.arm(RunPlan(SCHEDULE, len(ROWS), 1, 1, 64, 10))
    bench._set("CONTROL", Control.START)
    target.elapse(int(SCHEDULE.expected_cycles() * 5) // 3)
    bench.snapshot()
    return made


def finished(made: Session) -> Samples:
    made.target.elapse(int(SCHEDULE.expected_cycles() * 5))
    return made.bench.read_out(1024)


def told(samples: Samples) -> list[Any]:
    return [
        samples.counters,
        *(item.counts.tolist() for item in samples.histograms().values()),
        samples.trace.done.tolist(),
    ]


def test_a_running_soak_is_looked_at_and_left_as_it_is(
    capsys: pytest.CaptureFixture[str],
    server: BoardServer,
    served: ServedBoard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody else holds the board and their soak runs: not one write, and not one count moves."""
    with opened(server) as target:
        undisturbed = told(finished(started(target)))
    with opened(server) as target:
        made = started(target)
        loads, writes = served.virtual.loads, []
        for place, name in ((served.virtual, "write"), (served.files, "write")):
            monkeypatch.setattr(place, name, lambda *args: writes.append(args))
        status, certificate, found = ran(capsys, server, "loopback", "--no-load")
        monkeypatch.undo()
        assert writes == []
        assert served.virtual.loads == loads
        assert told(finished(made)) == undisturbed
    assert status == 0, found
    assert certificate["loaded"] is False
    seen = {"identity", "board.state", "counters", "registers.read", "hwh.design", "load"}
    assert seen <= outcomes(found, "pass")
    assert "running; by the last snapshot" in found["counters"]["summary"]
    assert found["counters"]["numbers"]["completed"]["value"] > EVENTS / 4
    for name in outcomes(found, "skipped"):
        assert found[name]["reason"], name
    assert found["rate"]["reason"] == "--no-load: it writes to the fabric"
    assert "simulated time" in found["clock"]["reason"]


def test_another_overlay_that_runs_is_named(
    capsys: pytest.CaptureFixture[str], server: BoardServer
) -> None:
    with opened(server) as target:
        target.load(LOOPBACK.image("zcu104"))
    status, _, found = ran(capsys, server, "dial", "--no-load")
    assert status == 1
    assert outcomes(found, "fail") == {"identity"}
    assert LOOPBACK.digest in json.dumps(found["identity"])


def test_a_served_board_passes_over_the_network(
    capsys: pytest.CaptureFixture[str], server: BoardServer
) -> None:
    status, certificate, found = ran(capsys, server, "loopback")
    assert status == 0, [found[name] for name in outcomes(found, "fail") | outcomes(found, "error")]
    assert len(outcomes(found, "pass")) == 20
    assert certificate["facts"]["target"]["kernel"].startswith("Linux version")


@pytest.mark.parametrize(("raw", "outcome"), [("2000", "pass"), ("2600", "fail")])
def test_the_temperature_of_the_die(
    capsys: pytest.CaptureFixture[str],
    server: BoardServer,
    served: ServedBoard,
    monkeypatch: pytest.MonkeyPatch,
    raw: str,
    outcome: str,
) -> None:
    files = {
        "name": "ams",
        **{
            f"in_temp0_ps_temp_{k}": v
            for k, v in (("raw", raw), ("offset", "-700"), ("scale", "60.0"))
        },
    }
    sensor = {IIO + name: f"{text}\n".encode() for name, text in files.items()}
    read, exists = served.files.read, served.files.exists
    monkeypatch.setattr(served.files, "exists", lambda path: path in sensor or exists(path))
    monkeypatch.setattr(served.files, "read", lambda path: sensor.get(path) or read(path))
    status, _, found = ran(capsys, server, "loopback", "--no-load")
    assert found["temperature"]["outcome"] == outcome
    assert status == (0 if outcome == "pass" else 1)
    value = (int(raw) - 700) * 60 / 1000
    assert found["temperature"]["numbers"]["ams_in_temp0_ps_temp_celsius"]["value"] == value


def test_a_board_that_is_in_use_is_not_loaded(
    capsys: pytest.CaptureFixture[str], server: BoardServer, served: ServedBoard
) -> None:
    with opened(server):
        loads = served.virtual.loads
        status, _, found = ran(capsys, server, "loopback")
        assert (status, outcomes(found, "error")) == (4, {"load"})
        assert "the board is in use" in found["load"]["reason"]
        assert served.virtual.loads == loads


# ---------------------------------------------------------------------- without a board


class Overheard:
    """A fabric of 200 MHz whose owner takes a snapshot now and then, seen by somebody else.

    Looks take 50 us each, so that nothing depends on how busy this machine is.
    """

    name = "made up"
    time_base = "fabric"

    def __init__(self, every_ns: int) -> None:
        self._every_ns = every_ns
        self._now_ns = 12_345_678

    def now_ns(self) -> int:
        self._now_ns += 1_000
        return self._now_ns

    def snapshot_cycle(self) -> int:
        self._now_ns += 50_000
        return self._now_ns // self._every_ns * self._every_ns // 5

    def monotonic(self) -> float:
        return self._now_ns / 1e9

    def sleep(self, seconds: float) -> None:
        self._now_ns += int(seconds * 1e9)


@pytest.mark.parametrize("every_ns", [70_000, 1_000_000, 20_000_000])
def test_a_clock_is_measured_by_somebody_elses_snapshots(
    monkeypatch: pytest.MonkeyPatch, every_ns: int
) -> None:
    owner: Any = Overheard(every_ns)
    monkeypatch.setattr(steps, "time", owner)
    hz, uncertainty_hz = steps._overheard(owner, owner)
    assert abs(hz - 200e6) <= uncertainty_hz
    assert uncertainty_hz < 200e6 * 2e-4


def test_nobody_to_listen_to_is_a_reason_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody: Any = Overheard(10**15)
    monkeypatch.setattr(steps, "time", nobody)
    with pytest.raises(Skip, match="taking one is a write"):
        steps._overheard(nobody, nobody)


def test_temperatures_of_a_zynq_7000() -> None:
    files = {
        "name": "xadc",
        "in_temp0_raw": "2600",
        "in_temp0_offset": "-2219",
        "in_temp0_scale": "123.04",
    }
    found = temperatures(lambda path: files.get(path.removeprefix(IIO)))
    assert found == {"xadc in_temp0": pytest.approx(46.88, abs=0.01)}
    assert temperatures(lambda _: None) == {}
    assert temperatures(lambda path: "xadc" if path.endswith("name") else "nonsense") == {}
