"""Both sides of MLPerf Tiny over a real pty: the wire with everything that happens to wires, and
the virtual board as a device, whose every inference is RTL."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serial import Serial

from harness import benchmark as benchmarks
from harness.board.mlperf_tiny import Pty, Stop, serve
from harness.board.tiny_firmware import Firmware
from harness.cli import main
from harness.errors import BoardError, DeadlineError, HarnessError
from harness.hostpaced import tiny
from harness.overlay import find_overlay
from harness.report import host_store, store, tiny_result
from harness.run import make_payload
from harness.targets.mlperf_tiny import TinyDevice, TinyPort

pytestmark = pytest.mark.xdist_group("mlperf_tiny")

TIOCGEXCL = 0x8004_5440  # Linux: 1 if the terminal is exclusive
ANSWER_NS = 400_000_000
BABBLE_NS = 500_000_000
BOOT_NS = 1_200_000_000
BOOT_LOG = b"\x00\xff\xfe\x80U-Boot 2024.01\r\nDRAM: 512 MiB\r\nm-timestamp-mode-performance\r\n"


class Stopwatch:
    """A model whose clock is told what to say; its output is the first byte of its input."""

    in_bytes = 40

    def __init__(self) -> None:
        self.us = 1_000
        self.each_us = 50_000
        self.first = 0
        self.wrap = 1 << 64

    def now_us(self) -> int:
        return self.us % self.wrap

    def load(self, data: bytes) -> None:
        self.first = data[0]

    def infer(self) -> None:
        self.us += self.each_us

    def results(self) -> Sequence[str]:
        return [f"{self.first}.000", "0.5"]


class Wire:
    """A firmware behind a pty in this process; `on` maps beginnings of lines to what befalls them.

    What befalls a line is a function of the line that returns the bytes to be sent instead.
    """

    def __init__(self) -> None:
        self.model = Stopwatch()
        self.pty = Pty()
        self.port = TinyPort(self.pty.path)
        self.on: dict[bytes, Callable[[bytes], bytes]] = {}
        self.stop = Stop()
        self.firmware = Firmware("bench", "stopwatch", self.model, self.send, self.stop.requested)
        self.thread = threading.Thread(target=serve, args=(self.firmware, self.pty, self.stop))
        self.thread.start()

    def send(self, line: bytes) -> None:
        for start, change in list(self.on.items()):
            if line.startswith(start):
                line = change(line)
        if self.pty.master >= 0:
            self.pty.write(line)

    def unplug(self, _: bytes = b"") -> bytes:
        self.stop.request()
        self.pty.close()
        return b""

    def restart(self, line: bytes) -> bytes:
        self.on.clear()
        self.pty.write(line)
        self.firmware.boot()
        return b""

    def open(self) -> TinyDevice:
        return TinyDevice(self.port, boot_ns=BOOT_NS, answer_ns=ANSWER_NS)

    def close(self) -> None:
        self.stop.request()
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.pty.close()
        self.stop.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def in_time(seconds: float, act: Callable[[], object]) -> HarnessError:
    """Return the error that an action ends with, which must be within some seconds."""
    before = time.monotonic()
    with pytest.raises(HarnessError) as caught:
        act()
    assert time.monotonic() - before < seconds
    return caught.value


# ------------------------------------------------------------------ a wire that works


def test_a_device_is_known_loaded_and_run(wire: Wire) -> None:
    with wire.open() as device:
        assert (device.name, device.model) == ("bench", "stopwatch")
        assert not device.simulated
        assert device.timestamp() == 1_000
        device.load(bytes(range(7, 47)))
        found = device.infer(3, 2, ANSWER_NS)
        assert (found.start_us, found.end_us, found.device_us) == (101_000, 251_000, 150_000)
        assert found.results.values == (7.0, 0.5)
        assert 0 <= found.host_ns < found.command_ns
        assert device.results() == found.results
        assert device.stray == 0


def test_what_a_device_says_while_it_starts_is_no_answer(wire: Wire) -> None:
    wire.pty.write(BOOT_LOG * 20 + b"m-init-done\r\nm-ready\r\nm-re")
    with wire.open() as device:
        assert device.name == "bench"
        assert device.timestamp() == 1_000


def test_a_device_that_starts_late_is_waited_for(wire: Wire) -> None:
    heard: list[bytes] = []

    def deaf(line: bytes) -> bytes:
        heard.append(line)
        return line if len(heard) > 1 else b""

    wire.on[b"m-name"] = deaf
    with TinyDevice(wire.port, boot_ns=8_000_000_000, answer_ns=ANSWER_NS) as device:
        assert device.name == "bench"
    assert len(heard) == 3


def test_chatter_is_counted_and_changes_nothing(wire: Wire) -> None:
    with wire.open() as device:
        device.load(bytes(40))
        wire.on[b"m-lap"] = lambda line: b"inference loop\r\n\xff\x00\r\n" + line
        assert device.infer(1, 0, ANSWER_NS).device_us == 50_000
        assert (device.stray, device.foreign) == (4, "inference loop")


def test_a_clock_of_32_bits_may_begin_again(wire: Wire) -> None:
    wire.model.wrap = 1 << 32
    wire.model.us = (1 << 32) - 60_000
    with wire.open() as device:
        device.load(bytes(40))
        assert device.infer(2, 0, ANSWER_NS).device_us == 100_000


def test_a_clock_that_goes_back_is_named(wire: Wire) -> None:
    wire.model.us = 1 << 40
    wire.model.each_us = -1
    with wire.open() as device:
        device.load(bytes(40))
        error = in_time(2, lambda: device.infer(2, 0, ANSWER_NS))
        assert "its time went from" in str(error)


# ------------------------------------------------------------------ wires that do not


def test_a_second_opener_is_refused_and_the_port_is_given_back(wire: Wire) -> None:
    with wire.open():
        error = in_time(1, wire.open)
        assert isinstance(error, BoardError)
        assert "another program has it" in str(error)
    with wire.open() as device:
        assert device.timestamp() == 1_000


@pytest.mark.parametrize(
    ("kind", "says"),
    [("missing", "no such port"), ("file", "no serial port"), ("folder", "folder")],
)
def test_what_is_no_port_is_named(tmp_path: Path, kind: str, says: str) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.write_text("hello")
    elif kind == "folder":
        path.mkdir()
    error = in_time(1, lambda: TinyDevice(TinyPort(str(path))))
    assert isinstance(error, BoardError)
    assert says in str(error)


class Babbler:
    """The other side of a pty that is no such device: says something, again and again."""

    def __init__(self, says: bytes, every_s: float = 0.02) -> None:
        self.pty = Pty()
        self.stop = Stop()
        self._says, self._every_s = says, every_s
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not select.select([self.stop.reader], [], [], self._every_s)[0]:
            self.pty.read()
            if self._says and select.select([], [self.pty.master], [], 0)[1]:
                os.write(self.pty.master, self._says)

    def complaint(self) -> str:
        port = TinyPort(self.pty.path, 57_600)
        error = in_time(3, lambda: TinyDevice(port, boot_ns=BABBLE_NS))
        self.stop.request()
        self.thread.join(5)
        self.pty.close()
        self.stop.close()
        assert isinstance(error, DeadlineError)
        return str(error)


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        (b"", "not a byte came"),
        (bytes(range(128, 256)) * 8, "another baud rate than 57600"),
        (b"login: \r\n", "another firmware"),
        (b"x" * 2000, "another firmware"),
        (b"m-lap-us-12\r\n", "its last line was 'm-lap-us-12'"),
    ],
)
def test_what_is_no_such_device_is_named(says: bytes, complaint: str) -> None:
    assert complaint in Babbler(says).complaint()


@settings(max_examples=8)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_end_in_a_named_error(says: bytes) -> None:
    assert "no MLPerf Tiny device answered" in Babbler(says, 0.005).complaint()


FAULTS: list[tuple[str, Callable[[Wire], Callable[[bytes], bytes]], type[HarnessError], str]] = [
    ("unplugged", lambda wire: wire.unplug, BoardError, "the port has gone away"),
    ("reset", lambda wire: wire.restart, BoardError, "started anew"),
    ("mute", lambda _: lambda _: b"", DeadlineError, "0.4 s"),
    ("refused", lambda _: lambda line: b"e-[too hot]\r\n" + line, BoardError, "too hot"),
    ("overlong", lambda _: lambda line: b"x" * 70_000 + b"\r\n" + line, BoardError, "65536 bytes"),
    ("nan", lambda _: lambda _: b"m-results-[nan]\r\n", BoardError, "no finite number"),
]


@pytest.mark.parametrize(
    ("fault", "raises", "says"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
@pytest.mark.parametrize("at", [b"m-infer-start", b"m-warmup-done"])
def test_what_happens_in_the_middle_of_a_run_is_named(
    wire: Wire,
    at: bytes,
    fault: Callable[[Wire], Callable[[bytes], bytes]],
    raises: type[HarnessError],
    says: str,
) -> None:
    with wire.open() as device:
        device.load(bytes(40))
        if says == "0.4 s":
            wire.on[b"m-ready"] = lambda _: b""
        wire.on[at] = fault(wire)
        error = in_time(3, lambda: device.infer(2, 1, ANSWER_NS))
        assert isinstance(error, raises)
        assert says in str(error)
        if says != "no finite number":  # after a failed exchange nothing that comes is believed
            assert in_time(0.1, device.timestamp) is error


def test_a_flood_without_an_end_is_cut(wire: Wire) -> None:
    with wire.open() as device:
        wire.on[b"m-lap"] = lambda line: line * 90_000
        error = in_time(10, lambda: device._ask("timestamp", 8_000_000_000))
        assert "bytes without m-ready" in str(error)


def test_a_reset_between_commands_is_seen(wire: Wire) -> None:
    with wire.open() as device:
        device.load(bytes(40))
        wire.firmware.boot()
        time.sleep(0.1)
        error = in_time(2, lambda: device.infer(1, 0, ANSWER_NS))
        assert "started anew" in str(error)


def test_bytes_lost_on_the_way_to_the_device_are_noticed(wire: Wire) -> None:
    with wire.open() as device:
        obey = wire.firmware._obey
        wire.firmware._obey = lambda command: obey(command.replace(b"db 0000", b"db 00"))  # type: ignore[method-assign]
        error = in_time(2, lambda: device.load(bytes(40)))
        assert "no m-load-done after 40 bytes" in str(error)


def test_energy_mode_firmware_is_named(wire: Wire) -> None:
    with wire.open() as device:
        device.load(bytes(40))
        wire.on[b"m-lap"] = lambda _: b""
        assert "energy-mode firmware" in str(in_time(2, lambda: device.infer(1, 0, ANSWER_NS)))


# ------------------------------------------------------------------ the modes


INPUTS = [bytes([i, *range(1, 40)]) for i in range(3)]


def test_a_run_is_as_long_as_asked_by_the_clock_of_the_device(wire: Wire) -> None:
    told: list[tuple[int, int]] = []
    plan = tiny.Plan(runs=5, least_ns=3_000_000_000, least_inferences=10, warmups=1)
    with wire.open() as device:
        found = tiny.performance(device, INPUTS, plan, lambda done, of: told.append((done, of)))
    assert found.broken_off is None
    assert [run.event for run in found.runs] == [0, 1, 2, 0, 1]
    assert [run.inference.results.values[0] for run in found.runs] == [0, 1, 2, 0, 1]
    assert {run.inference.iterations for run in found.runs} == {66}  # 3 s / 50 ms, and a tenth more
    assert {run.inference.device_us for run in found.runs} == {66 * 50_000}
    assert found.resolution_us == 50_000
    assert told == [(i, 5) for i in range(1, 6)]


def test_a_clock_that_stands_still_is_named(wire: Wire) -> None:
    wire.model.each_us = 0
    plan = tiny.Plan(least_inferences=250_000_000, warmups=0)
    wire.firmware._repeat = lambda _: True  # type: ignore
    with wire.open() as device:
        error = in_time(5, lambda: tiny.performance(device, INPUTS, plan, lambda *_: None))
        assert "hardly moves" in str(error)


def test_what_was_measured_before_a_fault_is_kept(wire: Wire) -> None:
    plan = tiny.Plan(runs=5, least_ns=500_000_000, warmups=0)
    runs: list[bytes] = []

    def third(line: bytes) -> bytes:
        runs.append(line)
        return wire.unplug() if len(runs) == 4 else line  # the first one calibrates

    wire.on[b"m-infer-start"] = third
    with wire.open() as device:
        found = tiny.performance(device, INPUTS, plan, lambda *_: None)
    assert len(found.runs) == 2
    assert found.broken_off is not None
    assert "gone away" in found.broken_off


# ------------------------------------------------------------------ the virtual board as a device


class Board:
    """`harness board mlperf-tiny` in a process of its own."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "harness", "board", "mlperf-tiny"),
                *("--overlay", "jet_tagger", "--symlink", str(link), "--json"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.facts: dict[str, Any] = json.loads(line)

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    made = Board(tmp_path_factory.mktemp("device") / "tty")
    yield made
    status, said = made.end(signal.SIGTERM)
    assert (status, said) == (0, "")
    assert not made.link.is_symlink()


def harness(
    capsys: pytest.CaptureFixture[str], board: Board, out: Path, *arguments: str
) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    target = ("--target", f"mlperf://{board.link}", "--out", str(out), "--json")
    status = main(["host", "smoke/jet_tagger", *target, *arguments])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, result


def test_performance_of_the_rtl_is_exact_and_in_board_time(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, result = harness(capsys, board, tmp_path, "--quick")
    assert (status, result["verdict"], result["kind"]) == (0, "pass", "mlperf_tiny")
    assert result["outputs"] == {"compared": 5, "mismatches": 0, "first_mismatch": None}
    device, host = result["device"], result["host"]
    assert (device["time_base"], device["simulated"], host["time_base"]) == ("device", True, "host")
    assert device["resolution_us"] == 1
    assert all(run["device"]["elapsed_us"] >= 1_000 for run in result["runs"])
    # Simulated time repeats itself; the driver's 5 accesses of 32 cycles at 200 MHz are 0.8 us.
    rates = {run["device"]["elapsed_us"] / run["iterations"] for run in result["runs"]}
    assert max(rates) - min(rates) < 0.01
    assert 0.75 < device["inference_us"]["median"] < 10.0
    # The simulator is far from real time, and nobody mistakes one clock for the other.
    assert host["inference_us"]["median"] > 10 * device["inference_us"]["median"]
    assert [reason["effect"] for reason in result["reasons"]] == ["note", "note"]
    (folder,) = store.list_runs(tmp_path)
    assert tiny_result.load(folder) == result


def test_accuracy_is_the_golden_models(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, result = harness(capsys, board, tmp_path, "--mode", "accuracy", "--events", "60")
    assert status == 0
    accuracy = result["accuracy"]
    assert accuracy["inputs"] == sum(map(sum, accuracy["confusion"])) == 60
    assert accuracy["top1"] == accuracy["golden_top1"] == accuracy["correct"] / 60
    assert 0.6 < accuracy["top1"] < 0.9  # 76 % over many jets
    assert result["outputs"] == {"compared": 60, "mismatches": 0, "first_mismatch": None}


def test_a_paced_run_keeps_the_times_of_the_device_apart(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paced = ("--rate", "20 Hz", "--events", "20", "--no-realtime")
    status, result = harness(capsys, board, tmp_path, *paced)
    assert status == (0 if result["verdict"] == "pass" else 3)
    assert (result["link"], result["time_base"]) == ("mlperf", "host")
    facts = result["link_facts"]
    assert (facts["compared"], facts["mismatches"]) == (20, 0)
    assert facts["device"]["time_base"] == "device"
    assert facts["device"]["inference_us"]["max"] < 10
    assert result["measured"]["response_ns"]["min"] > 10_000
    (folder,) = store.list_runs(tmp_path)
    assert host_store.load(folder).result == result


def test_other_events_than_the_devices_are_a_failure_or_refused(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ("--target", f"mlperf://{board.link}", "--out", str(tmp_path))
    assert main(["host", "smoke/dial", "--quick", *target]) == 4
    assert "Input has 4 bytes, expected 32" in capsys.readouterr().err
    assert main(["host", *target]) == 2
    assert main(["host", "smoke/dial", "--mode", "accuracy", *target]) == 2
    assert "labelled" in capsys.readouterr().err
    assert main(["run", "smoke/dial", *target[:2]]) == 2
    assert "harness host BENCHMARK --target" in capsys.readouterr().err
    many = ("--mode", "accuracy", "--events", "9999")
    assert main(["host", "smoke/jet_tagger", *many, *target]) == 2
    assert "traffic.distinct=9999" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--events", "5"), "--events: has no meaning in performance mode"),
        (("--mode", "accuracy", "--quick"), "--quick: has no meaning in accuracy mode"),
        (("--board", "zcu104"), "--board: has no meaning"),
        (("--process", "poisson"), "--process: has no meaning"),
        (("--quick", "--rate", "1 Hz"), "--quick: is of an MLPerf Tiny device"),
        (("--mode", "accuracy", "--link", "null"), "--mode: is of an MLPerf Tiny device"),
    ],
)
def test_no_option_is_taken_and_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    target = ("--target", "mlperf:///dev/null", "--out", str(tmp_path / "out"))
    assert main(["host", "smoke/jet_tagger", *target, *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_device_that_nobody_hears_still_ends_at_once(tmp_path: Path) -> None:
    device = Board(tmp_path / "tty")
    descriptor = os.open(device.facts["port"], os.O_RDWR | os.O_NOCTTY)
    os.write(descriptor, b"help%" * 60)  # more than the pty holds, and never read
    time.sleep(0.5)
    before = time.monotonic()
    assert device.end(signal.SIGTERM) == (0, "")
    assert time.monotonic() - before < 4
    os.close(descriptor)


def test_the_runners_way_of_talking_gets_the_golden_answers(board: Board) -> None:
    """As mlcommons/tiny's runner does it, with its expressions and its 31 bytes a command."""
    bench = benchmarks.load(benchmarks.find("smoke/jet_tagger"), ())
    overlay = find_overlay("jet_tagger")
    payload = make_payload(bench, overlay)
    golden = tiny.golden_values(overlay.output, payload.golden)
    with Serial(board.facts["port"], 115_200, timeout=5.0) as port:

        def ask(command: str) -> list[str]:
            port.write(command.encode() + b"%")
            lines = [port.readline().decode()]
            while "m-ready" not in lines[-1]:
                assert lines[-1].endswith("\n"), f"{command}: {lines}"
                lines.append(port.readline().decode())
            return [line.strip("\n\r\0") for line in lines]

        assert re.match(r"^m-(name)-dut-\[([^]]+)]$", ask("name")[0])
        assert re.match(r"^m-(model|profile)-\[([^]]+)]$", ask("profile")[1])
        for event in range(3):
            data = payload.inputs[event].tobytes()
            ask(f"db load {len(data)}")
            for start in range(0, len(data), 31):
                answer = ask(f"db {data[start : start + 31].hex()}")
            assert "m-load-done" in answer
            said = ask("infer 20 5")
            laps = [m for line in said if (m := re.match(r"^m-lap-us-([0-9]+)$", line))]
            assert int(laps[1].group(1)) - int(laps[0].group(1)) in range(15, 200)
            found = [m for line in said if (m := re.match(r"^m-results-\[([^]]+)\]$", line))]
            values = [float(x) for x in found[0].group(1).split(",") if x.strip()]
            assert values == golden[event]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_device_even_in_the_middle_of_a_run(tmp_path: Path, number: int) -> None:
    device = Board(tmp_path / "tty")
    with Serial(device.facts["port"], 115_200, timeout=5.0) as port:
        port.write(b"db load 32%db " + b"00" * 31 + b"%db 00%infer 100000000 0%")
        while not port.readline().startswith(b"m-infer-start"):
            pass
        status, said = device.end(number)
    assert (status, said) == (0, "")
    assert not (tmp_path / "tty").is_symlink()


def test_the_symlink_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    there = tmp_path / "tty"
    there.write_text("mine")
    with pytest.raises(HarnessError, match="--symlink"):
        Pty(there)
    assert there.read_text() == "mine"


def test_a_lock_that_pyserial_does_not_know_is_kept_too(wire: Wire) -> None:
    """TIOCEXCL keeps out programs without locks, except the superuser's."""
    with wire.open() as device:
        excl = fcntl.ioctl(device._wire._serial.fileno(), TIOCGEXCL, b"\0" * 4)
        assert int.from_bytes(excl, sys.byteorder) == 1
    with Serial(wire.port.path, 9600) as port:
        excl = fcntl.ioctl(port.fileno(), TIOCGEXCL, b"\0" * 4)
        assert int.from_bytes(excl, sys.byteorder) == 0
