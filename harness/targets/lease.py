"""One user at a time: a board is leased while it is used.

The lease is a lock of the kernel's on a file (flock), so that it ends with its holder, however that
ends, and no clock is involved. The file says who holds it and when that was last known to be so. It
excludes users of one machine; on a remote board a second lease lies on the board itself, see
`harness.targets.remote`.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import BoardError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Holder", "Lease", "leases", "quarantine", "quarantined", "release_quarantine"]

_POLL_S: Final = 0.2
_QUARANTINE: Final = ".quarantine"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a board.

    Args:
        resource: Which board, as `TargetSpec.resource`.
        user: Login name.
        host: Machine.
        pid: Process.
        since: Start of the lease, seconds since 1970, by the holder's clock.
        purpose: What for.
    """

    resource: str
    user: str
    host: str
    pid: int
    since: float
    purpose: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        doing = f" for {self.purpose}" if self.purpose else ""
        return f"{self.user}@{self.host}, process {self.pid}, since {began}{doing}"


def folder() -> Path:
    """Return the folder of the leases, made if need be; shared by the users of this machine."""
    chosen = os.environ.get("HARNESS_LEASES")
    path = Path(chosen) if chosen else Path("/tmp/harness-leases")  # noqa: S108 (all users meet here)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not chosen:
            with suppress(PermissionError):  # somebody else made it
                path.chmod(0o1777)
    except OSError as error:
        raise InfrastructureError(
            "cannot be made", where=str(path), why=error.strerror or str(error),
            hint="set HARNESS_LEASES to a folder that can be written",
        ) from error  # fmt: skip
    return path


class Lease:
    """The right to use a board. Use as a context manager; `release` may be called twice.

    Args:
        resource: Which board.
        purpose: What for, for those who wait.
        wait_s: How long to wait for another holder.
        progress: Told who is waited for.

    Raises:
        BoardError: Somebody else has it, or it is quarantined.
    """

    def __init__(
        self,
        resource: str,
        purpose: str = "",
        wait_s: float = 0.0,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path = folder() / _file_name(resource)
        self._resource = resource
        _check_quarantine(resource)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with suppress(PermissionError):
            os.fchmod(self._file, 0o666)
        try:
            self._lock(wait_s, progress)
            self._write(purpose)
        except BaseException:
            os.close(self._file)
            raise
        self._open = True

    def _lock(self, wait_s: float, progress: Callable[[str], None]) -> None:
        until = time.monotonic() + wait_s
        told = False
        while True:
            if _try_lock(self._file, fcntl.LOCK_EX):
                return
            holder = _read(self._path)
            if time.monotonic() >= until:
                raise BoardError(
                    "the board is in use",
                    where=self._resource,
                    why=f"held by {holder or 'somebody who has not said who'}",
                    hint="wait with --wait SECONDS, or ask them",
                )
            if not told:
                progress(f"waiting for {holder or 'another user'}")
                told = True
            time.sleep(_POLL_S)

    def _write(self, purpose: str) -> None:
        holder = Holder(
            self._resource,
            getpass.getuser(),
            socket.gethostname(),
            os.getpid(),
            time.time(),
            purpose,
        )
        content = json.dumps(asdict(holder)).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)

    def release(self) -> None:
        """Give the board back."""
        if self._open:
            self._open = False
            os.ftruncate(self._file, 0)
            os.close(self._file)  # and with it the lock

    def quarantine(self, reason: str) -> None:
        """Let nobody have the board until a person has looked after it."""
        quarantine(self._resource, reason)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def leases() -> list[tuple[Holder, bool]]:
    """Return all that is leased or left behind, and whether it is held now."""
    found = []
    for path in sorted(folder().glob("*.lease")):
        holder = _read(path)
        if holder is None:
            continue
        with path.open("rb") as file:
            found.append((holder, not _try_lock(file.fileno(), fcntl.LOCK_SH)))
    return found


def quarantine(resource: str, reason: str) -> None:
    """Mark a board as broken: nobody gets a lease until a person releases it."""
    mark = _mark(resource)
    content = {"resource": resource, "reason": reason, "since": time.time()}
    part = mark.with_name(f".{mark.name}.{os.getpid()}")
    part.write_text(json.dumps(content))
    part.replace(mark)


def quarantined() -> dict[str, str]:
    """Return why each board is quarantined, by resource."""
    found = {}
    for mark in sorted(folder().glob(f"*{_QUARANTINE}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(mark.read_text())
            found[str(content["resource"])] = str(content["reason"])
    return found


def release_quarantine(resource: str) -> bool:
    """Take the mark away; whether there was one."""
    mark = _mark(resource)
    existed = mark.exists()
    mark.unlink(missing_ok=True)
    return existed


def _try_lock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_quarantine(resource: str) -> None:
    mark = _mark(resource)
    try:
        reason = json.loads(mark.read_text())["reason"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        reason = f"unreadable, see {mark}"
    raise BoardError(
        "the board is quarantined",
        where=resource,
        why=str(reason),
        hint=f"power-cycle it, then: harness board release {resource}",
    )


def _mark(resource: str) -> Path:
    return (folder() / _file_name(resource)).with_suffix(_QUARANTINE)


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _file_name(resource: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "_", resource)[:200] + ".lease"
