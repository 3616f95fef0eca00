"""One user at a time, whatever happens to the one before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import BoardError, HarnessError
from harness.targets.board_lease import EXPIRY_S, PATH, BoardLease
from harness.targets.lease import Lease, leases

HOLD = """
import sys, time
from harness.targets.lease import Lease
with Lease("pynq://lab:7967", "somebody's benchmark"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_LEASES", str(tmp_path / "leases"))
    return tmp_path / "leases"


def another_process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_it_and_a_killed_holder_holds_nothing() -> None:
    holder = another_process()
    try:
        with pytest.raises(BoardError, match=rf"process {holder.pid}.*for somebody's benchmark"):
            Lease("pynq://lab:7967")
        [(found, held)] = leases()
        assert (found.pid, held) == (holder.pid, True)
        Lease("pynq://other:7967").release()  # another board is another matter
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
    started = time.monotonic()
    with Lease("pynq://lab:7967", "mine") as lease:
        assert time.monotonic() - started < 1
        [(found, held)] = leases()
        assert (found.pid, found.purpose, held) == (os.getpid(), "mine", True)
        lease.release()
        assert leases() == []


def test_the_second_waits_and_gets_it() -> None:
    first = Lease("local")
    told: list[str] = []
    threading.Timer(0.5, first.release).start()
    with Lease("local", wait_s=10, progress=told.append):
        assert len(told) == 1
        assert f"process {os.getpid()}" in told[0]


def test_a_quarantined_board_is_refused_until_released(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boards = tmp_path / "boards.toml"
    boards.write_text('[boards.lab]\ntarget = "pynq://192.168.2.99"\nboard = "kv260"\n')
    monkeypatch.setenv("HARNESS_BOARDS", str(boards))
    with Lease("pynq://192.168.2.99:7967") as lease:
        lease.quarantine("its DMA did not come out of reset")
    with pytest.raises(BoardError, match=r"did not come out of reset.*board release pynq://192"):
        Lease("pynq://192.168.2.99:7967")
    with Lease("local", "another matter"):
        assert main(["board", "list", "--json"]) == 0
    lab, local = json.loads(capsys.readouterr().out)
    assert lab["name"] == "lab"
    assert lab["state"] == "quarantined: its DMA did not come out of reset"
    assert f"process {os.getpid()}" in local["state"]
    assert main(["board", "list"]) == 0
    assert "did not come out" in " ".join(capsys.readouterr().out.split())
    assert main(["board", "release", "lab"]) == 0
    assert main(["board", "release", "lab"]) == 2
    assert "is not quarantined" in capsys.readouterr().err
    Lease("pynq://192.168.2.99:7967").release()


def test_a_mark_that_cannot_be_read_still_keeps_everybody_out(folder: Path) -> None:
    Lease("local").release()
    (folder / "local.quarantine").write_text("{")
    with pytest.raises(BoardError, match="quarantined; unreadable"):
        Lease("local")


class Remote:
    """The files of a board, with an uptime that a test sets."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/proc/sys/kernel/random/boot_id": b"first\n"}
        self.uptime = 1000.0
        self.lost: list[HarnessError] = []

    def read(self, path: str) -> bytes:
        if path == "/proc/uptime":
            return f"{self.uptime:.2f} 0.00\n".encode()
        if path not in self.files:
            raise BoardError("not found")
        return self.files[path]

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def foreign(self, **changes: object) -> None:
        note = {
            "token": "x", "user": "eve", "host": "elsewhere", "pid": 7, "purpose": "p",
            "boot": "first", "beat": self.uptime,
        }  # fmt: skip
        self.files[PATH] = json.dumps(note | changes).encode()

    def lease(self, wait_s: float = 0.0) -> BoardLease:
        return BoardLease(
            self.read, self.write, "pynq://lab", "mine", wait_s, lost=self.lost.append
        )


def test_a_note_on_the_board_keeps_another_host_out() -> None:
    board = Remote()
    board.foreign(beat=board.uptime - EXPIRY_S + 1)
    with pytest.raises(BoardError, match="held by eve@elsewhere, process 7 for p"):
        board.lease()


def test_a_note_of_a_process_here_that_still_runs_counts() -> None:
    """One board may go by two names, of which each has a lock of its own."""
    board = Remote()
    board.foreign(host=os.uname().nodename, pid=os.getppid())
    with pytest.raises(BoardError, match=f"process {os.getppid()}"):
        board.lease()


def test_another_host_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.board_lease.POLL_S", 0.05)
    board = Remote()
    board.foreign()
    threading.Timer(0.3, board.files.pop, [PATH]).start()
    board.lease(wait_s=20).release()


@pytest.mark.parametrize(
    "why", ["expired", "booted", "ended", "torn", "empty", "future", "hostile", "deep"]
)
def test_a_note_that_counts_for_nothing(why: str) -> None:
    board = Remote()
    board.foreign()
    if why == "expired":
        board.uptime += EXPIRY_S + 1
    elif why == "booted":
        board.files["/proc/sys/kernel/random/boot_id"] = b"second\n"
    elif why == "ended":
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        board.foreign(host=os.uname().nodename, pid=ended.pid)
    elif why == "torn":
        board.files[PATH] = board.files[PATH][:20]
    elif why == "empty":
        board.files[PATH] = b"{}"
    elif why == "hostile":
        board.foreign(beat=[], pid="-1")
    elif why == "deep":
        board.files[PATH] = b"[" * 100_000
    else:
        board.uptime -= 500  # a clock that went back, or a note from another boot
    lease = board.lease()
    assert json.loads(board.files[PATH])["purpose"] == "mine"
    lease.release()
    assert json.loads(board.files[PATH]) == {}


def test_what_a_note_says_cannot_move_the_cursor() -> None:
    board = Remote()
    board.foreign(user="\x1b[2Jeve")
    with pytest.raises(BoardError) as caught:
        board.lease()
    assert "\x1b" not in str(caught.value)


def test_a_lease_is_renewed_while_its_holder_is_busy_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.targets.board_lease.RENEW_S", 0.05)
    board = Remote()
    lease = board.lease()
    board.uptime += 30
    until = time.monotonic() + 10
    while json.loads(board.files[PATH])["beat"] != board.uptime and time.monotonic() < until:
        time.sleep(0.02)
    assert json.loads(board.files[PATH])["beat"] == board.uptime
    lease.release()
    assert board.lost == []


def test_a_run_ends_when_its_note_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.targets.board_lease.RENEW_S", 0.05)
    board = Remote()
    lease = board.lease()
    board.foreign()
    until = time.monotonic() + 10
    while not board.lost and time.monotonic() < until:
        time.sleep(0.02)
    assert "eve@elsewhere" in str(board.lost)
    lease.release()
    assert json.loads(board.files[PATH])["user"] == "eve", "another's note is left alone"
