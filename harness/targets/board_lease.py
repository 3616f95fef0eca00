"""A note on a remote board that says who uses it, for users of other machines.

Times are the board's own uptime, so that no clock of any host matters. A thread renews the note
every `RENEW_S`. One that was not renewed for `EXPIRY_S` counts for nothing; nor does one from
before the board's last boot, nor one of this machine whose process has ended.

The protocol offers no atomic creation: two hosts that look at the same moment both write, and both
read back after `SETTLE_S` whose note has stayed. A writer that is slower than that can go unnoticed
until the other's next renewal, which then finds a foreign note and ends that run.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from harness.errors import BoardError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BoardLease"]

PATH: Final = "/tmp/harness-lease.json"  # noqa: S108 (on the board)
EXPIRY_S: Final = 60.0
RENEW_S: Final = 15.0
SETTLE_S: Final = 0.1
POLL_S: Final = 1.0
_MOST_TEXT: Final = 200


@dataclass(frozen=True, slots=True)
class _Note:
    """What a note says, whoever wrote it."""

    token: str
    user: str
    host: str
    pid: int
    purpose: str
    boot: str
    beat: float

    @classmethod
    def parse(cls, content: bytes) -> _Note | None:
        """Return a note, or none: a file on a shared board may hold anything."""
        try:
            found = json.loads(content)
            values = {item.name: found[item.name] for item in fields(cls)}
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        beat, pid = values["beat"], values["pid"]
        if not isinstance(beat, float | int) or not isinstance(pid, int) or not 0 < pid < 1 << 31:
            return None
        texts = {
            key: "".join(c for c in str(value)[:_MOST_TEXT] if c.isprintable())
            for key, value in values.items()
            if key not in {"beat", "pid"}
        }
        return cls(**texts, beat=float(beat), pid=pid)

    def __str__(self) -> str:
        """Return who it is, for people."""
        doing = f" for {self.purpose}" if self.purpose else ""
        return f"{self.user}@{self.host}, process {self.pid}{doing}"


class BoardLease:
    """The note of one user; renewed until `release` takes it away.

    Args:
        read: Reads a file of the board; raises HarnessError if it is not there.
        write: Writes a file of the board.
        where: For messages.
        purpose: What for, for others.
        wait_s: How long to wait for another holder.
        progress: Told who is waited for.
        lost: Told, in another thread, that the note could not be renewed.

    Raises:
        BoardError: Somebody else uses the board.
    """

    def __init__(
        self,
        read: Callable[[str], bytes],
        write: Callable[[str, bytes], None],
        where: str,
        purpose: str = "",
        wait_s: float = 0.0,
        progress: Callable[[str], None] = lambda _: None,
        lost: Callable[[HarnessError], None] = lambda _: None,
    ) -> None:
        self._read, self._write, self._where = read, write, where
        self._token = secrets.token_hex(8)
        self._purpose = purpose
        self._host = socket.gethostname()
        self._boot = self._text("/proc/sys/kernel/random/boot_id")
        self._lost = lost
        self._claim(time.monotonic() + wait_s, progress)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="harness lease", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Renew the note.

        Raises:
            BoardError: Somebody else's note is there.
        """
        found = self._note()
        if found is not None and found.token != self._token:
            raise self._taken(found)
        self._put()

    def release(self) -> None:
        """Take the note away, unless the board is gone or the note another's."""
        self._ended.set()
        self._thread.join()  # each of its calls has a deadline
        with suppress(HarnessError):
            found = self._note()
            if found is not None and found.token == self._token:
                self._write(PATH, b"{}")

    def _claim(self, until: float, progress: Callable[[str], None]) -> None:
        told = False
        while (found := self._holder()) is not None:
            if time.monotonic() >= until:
                raise self._taken(found)
            if not told:
                progress(f"waiting for {found}")
                told = True
            time.sleep(POLL_S)

    def _holder(self) -> _Note | None:
        """Return whose the board is; none once it is ours."""
        found = self._note()
        if found is not None and self._is_alive(found):
            return found
        self._put()
        time.sleep(SETTLE_S)
        found = self._note()
        return found if found is not None and found.token != self._token else None

    def _is_alive(self, note: _Note) -> bool:
        if note.boot != self._boot:
            return False
        if note.host == self._host and (note.pid == os.getpid() or not _runs(note.pid)):
            return False  # within this machine the lock of `harness.targets.lease` decides
        return 0 <= self._uptime() - note.beat < EXPIRY_S

    def _renew(self) -> None:
        try:
            while not self._ended.wait(RENEW_S):
                self.beat()
        except HarnessError as error:
            self._lost(error)

    def _taken(self, note: _Note) -> BoardError:
        return BoardError(
            "the board is in use",
            where=self._where,
            why=f"held by {note}",
            hint="wait with --wait SECONDS, or ask them: their note expires "
            f"{EXPIRY_S:g} s after its last renewal",
        )

    def _put(self) -> None:
        note = _Note(
            token=self._token,
            user=getpass.getuser(),
            host=self._host,
            pid=os.getpid(),
            purpose=self._purpose,
            boot=self._boot,
            beat=self._uptime(),
        )
        self._write(PATH, json.dumps(asdict(note)).encode())

    def _note(self) -> _Note | None:
        try:
            return _Note.parse(self._read(PATH))
        except BoardError:
            return None  # there is no such file

    def _uptime(self) -> float:
        try:
            return float(self._text("/proc/uptime").split()[0])
        except (ValueError, IndexError):
            return 0.0

    def _text(self, path: str) -> str:
        try:
            return self._read(path).decode("utf-8", "replace").strip()
        except BoardError:
            return ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
