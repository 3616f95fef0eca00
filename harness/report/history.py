"""An index of the runs in a folder, so that a thousand of them can be listed at once.

`results/index.sqlite` is a cache and never the truth: every use looks at the run folders, takes over
the rows of those that have not changed, and verifies the others byte by byte. An index that is
missing, damaged or of another version is made anew, silently. It is never changed in place: the new
one is built beside it and renamed, so that whoever reads or is killed sees the old or the new one.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import HarnessError, InputError, StorageError
from harness.report import store
from harness.report.comparable import board_of, started_of
from harness.report.reader import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.report.schema import Result, Value

_LOG = logging.getLogger(__name__)

INDEX: Final = "index.sqlite"
VERSION: Final = 1
DAMAGED: Final = "damaged"
_RUN_NAME: Final = re.compile(r"\d{8}T\d{6}Z_.+_[0-9a-f]{6}")
_STALE_S: Final = 3600.0
_LARGEST: Final = 2**63


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


_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(Entry))
_KINDS: Final[Mapping[str, Literal["TEXT", "INTEGER", "REAL"]]] = {
    field.name: "INTEGER" if "int" in str(field.type) else "REAL" if "float" in str(field.type) else "TEXT"
    for field in dataclasses.fields(Entry)
}
_CREATE: Final = (
    f"CREATE TABLE runs ({', '.join(f'{name} {kind}' for name, kind in _KINDS.items())}, "
    "signature TEXT NOT NULL, PRIMARY KEY (run))"
)
_INSERT: Final = f"INSERT INTO runs VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
