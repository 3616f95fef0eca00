"""A board behind PYNQ.remote, in a process of its own, and what happens to networks."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness import session
from harness.cli import main
from harness.errors import BoardError, BusError, DeadlineError, HarnessError
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.registers import REGISTER
from harness.report import host_store, store
from harness.session import Session
from harness.targets import channel, open_target
from harness.targets.remote import FIRMWARE, RemoteTarget
from tests.board_process import BoardProcess

pytestmark = pytest.mark.xdist_group("remote")

ZCU104 = BOARDS["zcu104"]
OVERLAY = find_overlay("dial")
IMAGE = OVERLAY.image("zcu104")
SCRATCH = REGISTER["SCRATCH"].offset
ROWS = np.zeros((OVERLAY.bench.event_rows, OVERLAY.input.beat_bytes), np.uint8)
QUICK = ["--set", "run.events=2000", "--set", "traffic.distinct=64"]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    folder = tmp_path_factory.mktemp("board")
    with BoardProcess("--overlay", "dial", "--overlay", "jet_tagger", folder=folder) as process:
        yield process


def opened(board: BoardProcess, call_s: float = channel.CALL_S) -> RemoteTarget:
    return RemoteTarget("127.0.0.1", board.port, ZCU104, call_s=call_s)


def loaded(target: RemoteTarget) -> Session:
    return session.start(target, OVERLAY, IMAGE, float(OVERLAY.clock_hz))


def run(board: BoardProcess, out: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["run", "smoke/dial", "--target", board.target, "--out", str(out), *arguments])
    [folder] = store.list_runs(out)
    return status, json.loads((folder / "result.json").read_text())


def works(board: BoardProcess, out: Path) -> None:
    """Whatever happened before: the next run is as any."""
    status, _ = run(board, out, *QUICK)
    assert status == 0


# ---------------------------------------------------------------------- counts and times


@pytest.mark.parametrize("benchmark", ["smoke/dial", "smoke/jet_tagger"])
def test_the_same_as_in_process_to_the_last_count(
    board: BoardProcess, tmp_path: Path, benchmark: str
) -> None:
    found = {}
    for name, target in (("remote", board.target), ("virtual", "virtual")):
        out = tmp_path / name
        assert main(["run", benchmark, "--target", target, "--out", str(out)]) == 0
        [folder] = store.list_runs(out)
        stored = store.load(folder)
        result: dict[str, Any] = dict(stored.result)
        assert stored.trace is not None
        found[name] = (
            {key: result[key] for key in ("events", "latency", "output", "queue", "theory")},
            {kind: item.counts.tolist() for kind, item in stored.histograms.items()},
            stored.trace.scheduled.tolist(),
            stored.trace.done.tolist(),
        )
        if name == "remote":
            assert int(result["facts"]["target"]["remote_calls"]) <= 500
            assert result["time_base"] == "simulated fabric"
    assert found["remote"] == found["virtual"]


def test_a_million_events_cost_no_more_calls(board: BoardProcess, tmp_path: Path) -> None:
    _, result = run(board, tmp_path, "--set", "run.events=1000000", "--set", "run.trace=0")
    assert result["verdict"] == "pass"
    calls = result["facts"]["target"]["remote_calls"]
    assert 100 < int(calls) <= 500


def test_an_inference_costs_at_most_twelve_calls_and_pynqs_own_thirty(
    board: BoardProcess, tmp_path: Path
) -> None:
    arguments = ["--link", "dma", "--rate", "5 Hz", "--events", "20", "--target", board.target]
    status = main(["host", "smoke/jet_tagger", *arguments, "--out", str(tmp_path)])
    assert status == 0
    [folder] = (tmp_path / "host").iterdir() if (tmp_path / "host").is_dir() else tmp_path.iterdir()
    facts = host_store.load(folder).result["link_facts"]
    assert facts["mismatches"] == 0
    assert facts["compared"] == 20
    assert 5 < facts["messages_per_event"] <= 12
    stock = facts["stock_driver"]
    assert stock["mismatches"] == 0
    assert stock["messages_per_event"] >= 28
    assert stock["median_ns"] > 0


def test_large_values_cross_either_wire_type(board: BoardProcess) -> None:
    with opened(board) as target:
        base = loaded(target).ranges["stream_bench_0"].base
        for value in (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF):
            target.write(base + SCRATCH, np.array([value], np.uint32))
            assert target.read(base + SCRATCH, 1).tolist() == [value]


def test_the_clock_is_known_with_its_uncertainty(board: BoardProcess) -> None:
    with opened(board) as target:
        clock = loaded(target).clock
    assert 0 < clock.uncertainty_hz <= session.CLOCK_PRECISION * clock.measured_hz
    assert abs(clock.measured_hz - clock.set_hz) <= clock.uncertainty_hz


# ---------------------------------------------------------------------- images


def test_a_stale_file_of_the_same_name_is_never_run(board: BoardProcess) -> None:
    """Whatever lies on the board under the name we would use, our bytes are what is configured."""
    with opened(board) as target:
        loaded(target)
        content = target._read_file(f"{FIRMWARE}{_firmware_name(target)}")
        target._write_file(f"{FIRMWARE}{_firmware_name(target)}", content[: len(content) // 2])
        assert loaded(target).identity.digest == OVERLAY.digest
        assert target._read_file(f"{FIRMWARE}{_firmware_name(target)}") == content
        stem = IMAGE.bit.stem
        target._write_file(f"{FIRMWARE}{stem}.bin", b"somebody's old image")
        assert loaded(target).identity.digest == OVERLAY.digest


def _firmware_name(target: RemoteTarget) -> str:
    return target._read_file("/sys/class/fpga_manager/fpga0/firmware").decode().strip()


def test_an_upload_that_does_not_arrive_whole_is_noticed(
    board: BoardProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(board) as target:
        loaded(target)
        target._write_file(f"{FIRMWARE}{_firmware_name(target)}", b"cut")
        write = target._device.write_file
        monkeypatch.setattr(
            target._device,
            "write_file",
            lambda path, data: write(path, data[:100] if path.startswith(FIRMWARE) else data),
        )
        with pytest.raises(BoardError, match=r"not what was sent.*disk full"):
            target.load(IMAGE)


def test_another_kind_of_board_is_refused(board: BoardProcess) -> None:
    with pytest.raises(BoardError, match=r"is a 'zcu104', not a 'kv260'.*--board zcu104"):
        RemoteTarget("127.0.0.1", board.port, BOARDS["kv260"])


def test_no_memory_is_an_error_at_once(board: BoardProcess) -> None:
    with opened(board) as target:
        loaded(target)
        with pytest.raises(BoardError, match="allocation of 1073741824 bytes"):
            target.allocate(1 << 30)
        target.allocate(1 << 20).close()


def test_an_address_outside_the_design_is_refused_before_it_is_sent(board: BoardProcess) -> None:
    with opened(board) as target:
        loaded(target)
        before = target.messages
        for address in (0x1000_0000, 0xFF5E_0000, 0):
            with pytest.raises(BusError, match="outside the design"):
                target.read(address, 1)
        assert target.messages == before


# ---------------------------------------------------------------------- faults


def within(seconds: float) -> float:
    return time.monotonic() + seconds


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        until = within(channel.CONNECT_S + 2)
        with pytest.raises(BoardError, match="nobody answers"):
            RemoteTarget("127.0.0.1", taken.getsockname()[1], ZCU104)
        assert time.monotonic() < until


def test_somebody_who_accepts_and_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        until = within(channel.CONNECT_S + 2)
        with pytest.raises(BoardError, match="nobody answers"):
            RemoteTarget("127.0.0.1", silent.getsockname()[1], ZCU104)
        assert time.monotonic() < until


class Forwarder:
    """Passes bytes on to a board until the cable is cut: then nobody is told."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._cut = threading.Event()
        threading.Thread(target=self._accept, args=(port,), daemon=True).start()

    def _accept(self, port: int) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        self._ends += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not self._cut.is_set():
                    sink.sendall(data)

    def cut(self) -> None:
        """The board's end is gone; this one stays open, and what is sent vanishes."""
        self._cut.set()
        self._ends[1].close()

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            end.close()


def test_a_connection_of_which_only_one_end_is_left(board: BoardProcess, tmp_path: Path) -> None:
    forwarder = Forwarder(board.port)
    try:
        with RemoteTarget("127.0.0.1", forwarder.port, ZCU104, call_s=1.0) as target:
            bench = loaded(target).bench
            forwarder.cut()
            until = within(5)
            with pytest.raises(DeadlineError, match="stopped answering at writing 0xa0"):
                bench.snapshot()
            with pytest.raises(BoardError, match="was lost"):
                bench.snapshot()
            assert time.monotonic() < until
    finally:
        forwarder.close()
    works(board, tmp_path)


@pytest.mark.parametrize("moment", ["upload", "registers", "dma"])
def test_a_board_that_dies_is_named_and_works_again_after_a_restart(
    board: BoardProcess, tmp_path: Path, moment: str
) -> None:
    """Its ids would name other things now, so nothing of the old connection is used again."""
    with opened(board) as target:
        if moment == "upload":
            threading.Timer(0.2, board.kill).start()
            until = within(30)
            with pytest.raises(
                BoardError, match=r"connection to the board was lost.*writing /tmp/"
            ):
                for number in range(10_000):
                    target._write_file(f"/tmp/{number % 8}", bytes(1 << 20))  # noqa: S108
        else:
            bench = loaded(target).bench
            threading.Timer(0.2, board.kill).start()
            until = within(30)
            with pytest.raises(BoardError, match="connection to the board was lost"):
                while True:
                    if moment == "registers":
                        bench.snapshot()
                    else:
                        bench.load_events(ROWS)
        assert time.monotonic() < until
        board.restart()
        with pytest.raises(BoardError, match="its ids may name other things now"):
            target.now_ns()
    works(board, tmp_path)


def test_a_board_that_stops_answering_is_given_up_in_time(
    board: BoardProcess, tmp_path: Path
) -> None:
    with opened(board, call_s=1.0) as target:
        bench = loaded(target).bench
        board.signal(signal.SIGSTOP)
        try:
            until = within(5)
            with pytest.raises(DeadlineError, match="stopped answering at writing 0xa0"):
                while True:  # the signal may take a moment to arrive
                    bench.snapshot()
            assert time.monotonic() < until
            with pytest.raises(BoardError, match="was lost"):
                bench.snapshot()
        finally:
            board.signal(signal.SIGCONT)
    works(board, tmp_path)


def test_a_slow_board_is_slow_and_right(board: BoardProcess, tmp_path: Path) -> None:
    ended = threading.Event()

    def stutter() -> None:
        while not ended.wait(0.05):
            board.signal(signal.SIGSTOP)
            time.sleep(0.1)
            board.signal(signal.SIGCONT)

    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        works(board, tmp_path)
    finally:
        ended.set()
        thread.join()


def test_a_killed_harness_leaves_the_board_to_the_next(board: BoardProcess, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "run", "smoke/dial", "--target", board.target]
    process = subprocess.Popen(
        [
            *command,
            "--set",
            "run.events=20000000",
            "--set",
            "run.trace=0",
            "--out",
            str(tmp_path / "a"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stderr is not None
    while "playing" not in process.stderr.readline():
        assert process.poll() is None
    with pytest.raises(BoardError, match=f"in use.*process {process.pid}.*for smoke_dial"):
        open_target(board.target, ZCU104)
    process.kill()
    process.wait()
    process.stderr.close()
    works(board, tmp_path / "b")
    until = within(10)
    while _free(board) < 128 << 20 and time.monotonic() < until:
        time.sleep(0.2)
    assert _free(board) == 128 << 20


def _free(board: BoardProcess) -> int:
    """Return the board's free memory, as a client that holds none of it sees it."""
    from pynq.remote import remote_device_pb2, remote_device_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{board.port}") as line:
        stub = remote_device_pb2_grpc.RemoteDeviceStub(line)
        request = remote_device_pb2.ReadFileRequest(file_path="/proc/meminfo")
        text = b"".join(piece.data for piece in stub.readfile(request, timeout=5)).decode()
    [line_] = [item for item in text.splitlines() if item.startswith("CmaFree")]
    return int(line_.split()[1]) << 10


def test_one_board_by_two_names_has_one_user(board: BoardProcess, tmp_path: Path) -> None:
    """The lock of this machine goes by name; the note on the board does not."""
    command = [sys.executable, "-c", HOLD, f"pynq://localhost:{board.port}"]
    other = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    with pytest.raises(BoardError, match=f"in use; held by .*process {other.pid} for holding"):
        open_target(board.target, ZCU104)
    other.kill()
    other.wait()
    other.stdout.close()
    works(board, tmp_path)  # no note of a process that has ended counts, expired or not


HOLD = """
import sys, time
from harness.inventory import BOARDS
from harness.targets import open_target
with open_target(sys.argv[1], BOARDS["zcu104"], purpose="holding"):
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_sweep_on_a_board_takes_one_point_after_the_other(
    board: BoardProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--rates", "4 MHz:8 MHz:3", "--jobs", "3", "--target", board.target, *QUICK]
    assert main(["sweep", "smoke/dial", *arguments, "--out", str(tmp_path / "s"), "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["verdict"] for point in points] == ["pass"] * 3


def test_a_machine_that_is_no_board_says_so_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    until = within(10)
    assert main(["run", "smoke/dial", "--target", "local"]) == 4
    assert time.monotonic() < until
    error = capsys.readouterr().err
    assert "pynq finds no board here" in error
    assert "run this on the board" in error


def test_a_second_user_waits_for_the_first(board: BoardProcess, tmp_path: Path) -> None:
    first = open_target(board.target, ZCU104)

    def leave() -> None:
        first.__exit__(None, None, None)

    threading.Timer(1.0, leave).start()
    status, _ = run(board, tmp_path, *QUICK, "--wait", "20")
    assert status == 0
    with pytest.raises(HarnessError):
        first.now_ns()
