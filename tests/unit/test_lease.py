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

from harness.errors import BoardError
from harness.targets.board_lease import EXPIRY_S, PATH, BoardLease
from harness.targets.lease import Lease, leases, quarantine, release_quarantine

HOLD = """
import sys, time
from harness.targets.lease import Lease
with Lease("pynq-lab-7967", "somebody's benchmark"):
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
            Lease("pynq-lab-7967")
        [(found, held)] = leases()
        assert (found.pid, held) == (holder.pid, True)
        Lease("pynq-other-7967").release()  # another board is another matter
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
    started = time.monotonic()
    with Lease("pynq-lab-7967", "mine") as lease:
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


def test_a_quarantined_board_is_refused_until_released() -> None:
    quarantine("local", "its DMA did not come out of reset")
    with pytest.raises(BoardError, match=r"did not come out of reset.*--quarantine"):
        Lease("local")
    assert release_quarantine("local")
    assert not release_quarantine("local")
    Lease("local").release()


class Remote:
    """The files of a board, with an uptime that a test sets."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/proc/sys/kernel/random/boot_id": b"first\n"}
        self.uptime = 1000.0

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
            "token": "x", "user": "eve", "host": "elsewhere", "purpose": "p", "boot": "first",
            "beat": self.uptime,
        }  # fmt: skip
        self.files[PATH] = json.dumps(note | changes).encode()

    def lease(self) -> BoardLease:
        return BoardLease(self.read, self.write, "pynq://lab", "mine")


def test_a_note_on_the_board_keeps_another_host_out() -> None:
    board = Remote()
    board.foreign(beat=board.uptime - EXPIRY_S + 1)
    with pytest.raises(BoardError, match="held by eve@elsewhere for p"):
        board.lease()


@pytest.mark.parametrize("why", ["expired", "booted", "same host", "torn", "empty", "future"])
def test_a_note_that_counts_for_nothing(why: str) -> None:
    board = Remote()
    board.foreign()
    if why == "expired":
        board.uptime += EXPIRY_S + 1
    elif why == "booted":
        board.files["/proc/sys/kernel/random/boot_id"] = b"second\n"
    elif why == "same host":
        board.foreign(host=os.uname().nodename)
    elif why == "torn":
        board.files[PATH] = board.files[PATH][:20]
    elif why == "empty":
        board.files[PATH] = b"{}"
    else:
        board.uptime -= 500  # a clock that went back, or a note from another boot
    lease = board.lease()
    assert json.loads(board.files[PATH])["purpose"] == "mine"
    lease.release()
    assert json.loads(board.files[PATH]) == {}


def test_a_run_ends_when_its_note_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Remote()
    lease = board.lease()
    lease.beat()  # not yet due
    board.foreign()
    monkeypatch.setattr("harness.targets.board_lease.RENEW_S", 0.0)
    with pytest.raises(BoardError, match="eve@elsewhere"):
        lease.beat()
    lease.release()
    assert json.loads(board.files[PATH])["user"] == "eve", "another's note is left alone"
