"""A note on a remote board that says who uses it, for users of other machines.

Times are the board's own uptime, so that no clock of any host matters. A note that was not renewed
for `EXPIRY_S` counts for nothing; nor does one from before the board's last boot, nor one of a
process of this machine: there the lock of `harness.targets.lease` decides.

The protocol offers no atomic creation: two hosts that look at the same moment both write, and both
read back after `SETTLE_S` whose note has stayed. A writer that is slower than that can go unnoticed
until the other's next renewal, which then finds a foreign note and ends that run.
"""

from __future__ import annotations

import getpass
import json
import secrets
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from harness.errors import BoardError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BoardLease"]

PATH: Final = "/tmp/harness-lease.json"  # noqa: S108 (on the board)
EXPIRY_S: Final = 60.0
RENEW_S: Final = 15.0
SETTLE_S: Final = 0.1


class BoardLease:
    """The note of one user; renewed by `beat`, taken away by `release`.

    Args:
        read: Reads a file of the board; raises HarnessError if it is not there.
        write: Writes a file of the board.
        where: For messages.
        purpose: What for, for others.

    Raises:
        BoardError: Somebody on another machine uses the board.
    """

    def __init__(
        self,
        read: Callable[[str], bytes],
        write: Callable[[str, bytes], None],
        where: str,
        purpose: str,
    ) -> None:
        self._read, self._write, self._where = read, write, where
        self._token = secrets.token_hex(8)
        self._purpose = purpose
        self._host = socket.gethostname()
        self._boot = self._text("/proc/sys/kernel/random/boot_id")
        found = self._note()
        if found and self._is_alive(found):
            raise self._taken(found)
        self._put()
        if found:  # nobody was there before: then nobody is likely to come at the same moment
            time.sleep(SETTLE_S)
            self._check()
        self._renewed = time.monotonic()

    def beat(self) -> None:
        """Renew the note if it is time.

        Raises:
            BoardError: Somebody else's note is there.
        """
        if time.monotonic() - self._renewed > RENEW_S:
            self._check()
            self._put()
            self._renewed = time.monotonic()

    def release(self) -> None:
        """Take the note away, unless the board is gone or the note another's."""
        with suppress(HarnessError):
            found = self._note()
            if found and found.get("token") == self._token:
                self._write(PATH, b"{}")

    def _is_alive(self, note: dict[str, Any]) -> bool:
        if note.get("boot") != self._boot or note.get("host") == self._host:
            return False
        age = self._uptime() - float(note.get("beat", 0.0))
        return 0 <= age < EXPIRY_S

    def _check(self) -> None:
        found = self._note()
        if found and found.get("token") not in {None, self._token}:
            raise self._taken(found)

    def _taken(self, note: dict[str, Any]) -> BoardError:
        doing = f" for {note['purpose']}" if note.get("purpose") else ""
        return BoardError(
            "the board is in use",
            where=self._where,
            why=f"held by {note.get('user')}@{note.get('host')}{doing}",
            hint=f"ask them, or wait: their note expires {EXPIRY_S:g} s after its last renewal",
        )

    def _put(self) -> None:
        note = {
            "token": self._token,
            "user": getpass.getuser(),
            "host": self._host,
            "purpose": self._purpose,
            "boot": self._boot,
            "beat": self._uptime(),
        }
        self._write(PATH, json.dumps(note).encode())

    def _note(self) -> dict[str, Any]:
        try:
            found = json.loads(self._read(PATH))
        except (BoardError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

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
