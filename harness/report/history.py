"""An index of the runs in a folder, so that a thousand of them can be listed at once.

`results/index.sqlite` is a cache and never the truth: every use looks at the run folders, takes
over the rows of those that have not changed, and verifies the others byte by byte. An index that
is missing, damaged or of another version is made anew, silently. It is never changed in place: the
new one is built beside it and renamed, so that there is always the whole old or the whole new one,
whoever reads it or is killed meanwhile.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import re
import secrets
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError, InputError, StorageError
from harness.report import sealed, store
from harness.report.comparable import board_of, started_of
from harness.report.reader import open_folder
from harness.report.values import plain, real, utc, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.report.schema import Result, Value

_LOG = logging.getLogger(__name__)

INDEX: Final = "index.sqlite"
VERSION: Final = 1
DAMAGED: Final = "damaged"
_RUN_NAME: Final = re.compile(r"\d{8}T\d{6}Z_.+_[0-9a-f]{6}")
_STALE_S: Final = 3600.0
_CREATE: Final = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY, started_utc TEXT, benchmark TEXT, overlay TEXT, overlay_digest TEXT,
    target TEXT, board TEXT, time_base TEXT, verdict TEXT NOT NULL,
    events INTEGER, drops INTEGER, misses INTEGER,
    total_p50_cycles INTEGER, total_p99_cycles INTEGER, total_p999_cycles INTEGER,
    total_max_cycles INTEGER,
    total_p50_ns REAL, total_p99_ns REAL, total_p999_ns REAL, total_max_ns REAL,
    rate_ratio REAL, clock_hz REAL, damage TEXT, signature TEXT NOT NULL
)
"""
_INSERT: Final = """
INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a folder. Of a damaged one only `run`, `verdict` and `damage` are known.

    Args:
        run: Its id, which is the name of its folder.
        started_utc: When it began, ISO 8601.
        benchmark: Name of the benchmark.
        overlay: Name of the overlay.
        overlay_digest: Its digest.
        target: How the fabric was reached.
        board: Name of the board.
        time_base: Whose cycles were counted.
        verdict: The run's verdict, or `damaged`.
        events: Events that were scheduled.
        drops: Those that found the derandomiser full.
        misses: Those later than the deadline; None without one.
        total_p50_cycles: Median of total; None, as for the others, where it could not be stated.
        total_p50_ns: The same at the measured clock; likewise the others.
        rate_ratio: Completed over asked events a second.
        clock_hz: Measured fabric clock.
        damage: Why the run cannot be believed to be what was written; None for a sound one.
    """

    run: str
    started_utc: str | None = None
    benchmark: str | None = None
    overlay: str | None = None
    overlay_digest: str | None = None
    target: str | None = None
    board: str | None = None
    time_base: str | None = None
    verdict: str = DAMAGED
    events: int | None = None
    drops: int | None = None
    misses: int | None = None
    total_p50_cycles: int | None = None
    total_p99_cycles: int | None = None
    total_p999_cycles: int | None = None
    total_max_cycles: int | None = None
    total_p50_ns: float | None = None
    total_p99_ns: float | None = None
    total_p999_ns: float | None = None
    total_max_ns: float | None = None
    rate_ratio: float | None = None
    clock_hz: float | None = None
    damage: str | None = None

    @property
    def order(self) -> tuple[str, str]:
        """What sorts runs by age; the name of a folder stands in for a time that is not known."""
        named = f"{self.run[:4]}-{self.run[4:6]}-{self.run[6:11]}:{self.run[11:13]}:{self.run[13:]}"
        return self.started_utc or (named if _RUN_NAME.fullmatch(self.run) else ""), self.run


_Row = tuple[Any, ...]
_Rows = dict[str, tuple[Entry, str]]
"""Entry and signature of its folder, by run."""


def refresh(out_dir: Path, *, rebuild: bool = False) -> list[Entry]:
    """Return the runs of a folder, oldest first, and bring its index up to date.

    A folder that cannot be written to is listed all the same; its index then stays as it is.

    Args:
        out_dir: Folder of results.
        rebuild: Take nothing over from the index: verify every run again.

    Raises:
        InputError: There is no such folder.
        StorageError: It cannot be read.
    """
    index = out_dir / INDEX
    kept = {} if rebuild else _read(index)
    found: _Rows = {}
    for folder in _candidates(out_dir):
        signature = _signature(folder)
        name = plain(folder.name)
        old = kept.get(name)
        # What was damaged is looked at again: its remedy may lie outside its folder.
        if old is not None and old[1] == signature and old[0].damage is None:
            found[name] = old
        elif (entry := _examine(folder)) is not None:
            found[name] = (entry, signature)
    if found != kept or rebuild:
        try:
            _write(index, [(*dataclasses.astuple(e), sign) for e, sign in found.values()])
        except (OSError, sqlite3.Error) as cause:
            _LOG.debug("the index cannot be kept: %s", cause)
    return sorted((entry for entry, _ in found.values()), key=lambda entry: entry.order)


def _candidates(out_dir: Path) -> list[Path]:
    """Return the folders that are runs, or were once."""
    try:
        folders = [path for path in out_dir.iterdir() if path.name[0] != "." and path.is_dir()]
    except FileNotFoundError as cause:
        raise InputError(
            "there is no such folder of results",
            where=str(out_dir),
            hint="run a benchmark first, or name the folder with --out",
        ) from cause
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise StorageError("cannot be listed", where=str(out_dir), why=why) from cause
    return sorted(
        folder
        for folder in folders
        if _RUN_NAME.fullmatch(folder.name)
        or any((folder / name).exists() for name in (sealed.MANIFEST, store.RESULT))
    )


def _signature(folder: Path) -> str:
    """Return what changes whenever a file in the folder does; its content is not read."""
    try:
        stats = sorted((entry.name, entry.stat()) for entry in os.scandir(folder))
    except OSError:
        return ""
    # The time of the last status change cannot be set back as that of the last write can.
    seen = [(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _examine(folder: Path) -> Entry | None:
    """Return the row of a run; None if what was stored is sound but no run of a fabric."""
    name = plain(folder.name)
    try:
        opened = open_folder(folder)
        opened.verify()
        if opened.digests and store.RESULT not in opened.digests:
            return None
        return _entry(name, opened.result())
    except HarnessError as cause:
        where = cause.where.rpartition("/")[2]
        place = "" if where in {"", folder.name} else f"{where}: "
        why = f"; {cause.why}" if cause.why else ""
        return Entry(run=name, damage=plain(f"{place}{cause.what}{why}"))


def _entry(name: str, result: Result) -> Entry:
    total = result["latency"]["total"]
    latencies: dict[str, Any] = {}
    for statistic in ("p50", "p99", "p999", "max"):
        value: Value | None = total[statistic]
        cycles, ns = (None, None) if value is None else (value["cycles"], value["ns"])
        latencies[f"total_{statistic}_cycles"] = whole(cycles)
        latencies[f"total_{statistic}_ns"] = real(ns)
    board = board_of(result)
    achieved, asked = real(result["rate"]["achieved_hz"]), real(result["rate"]["target_hz"])
    return Entry(
        run=name,
        started_utc=_stamp(started_of(result)),
        benchmark=plain(result["benchmark"]["name"]),
        overlay=plain(result["overlay"]["name"]),
        overlay_digest=plain(result["overlay"]["digest"]),
        target=plain(result["target"]),
        board=None if board is None else plain(board),
        time_base=plain(result["time_base"]),
        verdict=plain(result["verdict"]),
        events=whole(result["events"]["scheduled"]),
        drops=whole(result["events"]["dropped"]),
        misses=whole(result["deadline"]["misses"]),
        **latencies,
        rate_ratio=achieved / asked if achieved is not None and asked else None,
        clock_hz=real(result["clock"]["measured_hz"]),
    )


def _stamp(started: str | None) -> str | None:
    """Return a time in UTC, to the millisecond, so that text sorts as time does."""
    when = utc(started)
    return None if when is None else when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(index: Path) -> _Rows:
    """Return the rows of an index; none if there is no sound one of this version."""
    # Nobody writes to an index once it has its name: no locks, which not all disks have.
    address = f"{index.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            if database.execute("PRAGMA user_version").fetchone() != (VERSION,):
                return {}
            rows = database.execute("SELECT * FROM runs ORDER BY run").fetchall()
            seal = database.execute("SELECT sha256 FROM seal").fetchall()
    except (sqlite3.Error, UnicodeError):
        return {}
    if seal != [(_seal(rows),)]:
        return {}
    return {row[0]: (Entry(*row[:-1]), row[-1]) for row in rows}


def _write(index: Path, rows: Sequence[_Row]) -> None:
    ordered = sorted(rows)
    partial = index.with_name(f".{INDEX}.{secrets.token_hex(8)}.partial")
    _sweep(index.parent)
    try:
        with closing(sqlite3.connect(partial)) as database:
            # A file that is thrown away unless it is finished needs no journal.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute(_CREATE)
            database.execute("CREATE TABLE seal (sha256 TEXT NOT NULL)")
            database.executemany(_INSERT, ordered)
            database.execute("INSERT INTO seal VALUES (?)", (_seal(ordered),))
            database.commit()
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(index)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _seal(rows: Sequence[_Row]) -> str:
    """Return what tells a flipped bit, which SQLite itself would not notice."""
    return hashlib.sha256(json.dumps([list(row) for row in rows]).encode()).hexdigest()


def _sweep(out_dir: Path) -> None:
    """Remove what killed processes have left; a younger one may be at work."""
    for left in out_dir.glob(f".{INDEX}.*.partial"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                left.unlink()
