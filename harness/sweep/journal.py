"""What a sweep has done so far: one line a record, appended and synced, each with its checksum.

    {"sum": "9ae0daaf", "record": {"kind": "plan", ...}}
    {"sum": "1c291ca3", "record": {"kind": "point", ...}}

A process that is killed while it writes leaves a last line without its end, which counts as not
written. Any other damage is not repaired but reported.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from typing import TYPE_CHECKING, Any, Final

from harness.errors import InputError, StorageError

if TYPE_CHECKING:
    from io import BufferedRandom
    from pathlib import Path
    from types import TracebackType

NAME: Final = "points.jsonl"
SCHEMA: Final = 1


class Journal:
    """An open journal, locked against a second sweep in the same folder.

    Args:
        folder: Of the sweep; must exist.
        new: Whether a journal is begun or must be there.

    Raises:
        InputError: There is one already, or none, or another sweep is writing it.
        StorageError: It is damaged, or cannot be opened.
    """

    def __init__(self, folder: Path, *, new: bool) -> None:
        self.path = folder / NAME
        self._file = self._open(new=new)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.records = self._read()
        except BlockingIOError as cause:
            self._file.close()
            raise InputError(
                "another sweep is writing here", where=str(folder), hint="wait for its end"
            ) from cause
        except StorageError:
            self._file.close()
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Add a record; when this returns it survives a crash.

        Raises:
            StorageError: It cannot be written.
        """
        try:
            self._file.write(encode(record))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as cause:
            why = cause.strerror or str(cause)
            raise StorageError("cannot be written", where=str(self.path), why=why) from cause
        self.records.append(record)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _open(self, *, new: bool) -> BufferedRandom:
        try:
            return self.path.open("x+b" if new else "r+b")
        except FileExistsError as cause:
            raise InputError(
                "holds a sweep already",
                where=str(self.path.parent),
                hint="go on with --resume, or choose another --out",
            ) from cause
        except FileNotFoundError as cause:
            raise InputError(
                "holds no sweep", where=str(self.path.parent), hint="give the folder of one"
            ) from cause
        except OSError as cause:
            why = cause.strerror or str(cause)
            raise StorageError("cannot be opened", where=str(self.path), why=why) from cause

    def _read(self) -> list[dict[str, Any]]:
        content = self._file.read()
        records, whole = decode(content, str(self.path))
        if whole < len(content):
            # What comes next must not be glued to half a line.
            self._file.truncate(whole)
        self._file.seek(whole)
        return records


def unmeasured(folder: Path) -> dict[Path, str]:
    """Return the points of a sweep that have no run, and why; none for other folders.

    Raises:
        StorageError: The journal is damaged, or cannot be read.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise StorageError("cannot be read", where=str(path), why=why) from cause
    records, _ = decode(content, str(path))
    rows = {row["digest"]: row for row in records if row.get("kind") == "point"}
    found = {}
    for row in rows.values():
        if row["folder"] is None:
            named = " ".join(f"{key}={value}" for key, value in row["values"].items())
            found[folder / (named or row["benchmark"])] = f"{row['verdict']}: {row['why']}"
    return found


def encode(record: dict[str, Any]) -> bytes:
    """Return one line."""
    text = _canonical(record)
    return b'{"sum": "%08x", "record": %s}\n' % (zlib.crc32(text), text)


def decode(content: bytes, where: str) -> tuple[list[dict[str, Any]], int]:
    """Return the records of a journal and the length of what holds them, a torn last line left out.

    Raises:
        StorageError: A line that has its end is damaged.
    """
    records: list[dict[str, Any]] = []
    *lines, torn = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        record = _checked(line)
        if record is None:
            raise StorageError("is damaged", where=f"{where}: line {number}", why="checksum")
        records.append(record)
    return records, len(content) - len(torn)


def _checked(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
        record = content["record"]
        return record if content["sum"] == f"{zlib.crc32(_canonical(record)):08x}" else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, allow_nan=False).encode()
