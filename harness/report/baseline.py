"""Accepted runs, kept in a file that belongs under version control.

    {"schema": 1, "entries": [{"accepted_utc": ..., "accepted_by": ..., "runs": [...]}, ...]}

There is one entry for each benchmark, overlay, board and time base. It holds what a comparison
needs of its runs, hashes instead of histograms, so that a run can be compared long after the
accepted one was deleted. Entries are sorted and indented: a diff shows what was accepted anew.
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.errors import InputError, StorageError
from harness.measure.compare import SIMULATED, check_alike, compare
from harness.measure.exact import compare_exactly
from harness.measure.summary import Run, Summary
from harness.tomlfile import structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.measure.compare import Rules
    from harness.measure.findings import Comparison
    from harness.measure.summary import Identity

SCHEMA: Final = 1


class Key(NamedTuple):
    """What there is one entry for."""

    benchmark: str
    overlay: str
    board: str
    time_base: str

    def __str__(self) -> str:
        return f"{self.benchmark} on {self.overlay}, {self.board}, {self.time_base}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted of one kind.

    Args:
        accepted_utc: When, ISO 8601.
        accepted_by: Login name of who accepted it.
        runs: One simulated run; or the replicates of hardware.
    """

    accepted_utc: str
    accepted_by: str
    runs: tuple[Summary, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise InputError("holds no run", where="runs", hint="take the entry out")
        check_alike(self.runs)

    @property
    def key(self) -> Key:
        """What the entry is for."""
        return key_of(self.runs[0].identity)


@dataclass(frozen=True, slots=True)
class Baselines:
    """Content of the file."""

    schema: int
    entries: tuple[Accepted, ...] = ()

    def __post_init__(self) -> None:
        keys = [entry.key for entry in self.entries]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise InputError(f"{twice}: is there twice", where="entries", hint="keep one")


def key_of(identity: Identity) -> Key:
    """Return what an entry with such runs is for."""
    board = identity.board or "unknown board"
    return Key(identity.benchmark, identity.overlay, board, identity.time_base)


def read(path: Path) -> Baselines:
    """Return the content of a file of accepted runs; nothing if there is no such file.

    Raises:
        InputError: It is not one, or a newer harness wrote it.
        StorageError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Baselines(SCHEMA)
    except UnicodeDecodeError as cause:
        raise InputError("is not UTF-8", where=str(path), why=str(cause)) from cause
    except OSError as cause:
        raise StorageError("cannot be read", where=str(path), why=str(cause.strerror)) from cause
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as cause:
        raise InputError(
            "is not JSON",
            where=str(path),
            why=str(cause),
            hint="take an older version of the file, or resolve its merge conflict",
        ) from cause
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        raise InputError(
            "is not a file of accepted runs that this harness reads",
            where=str(path),
            why=f"schema is {schema!r}, it reads {SCHEMA}",
            hint="update the harness" if newer else "",
        )
    return structure(content, Baselines, str(path), InputError)


def accept(runs: Sequence[Run], path: Path) -> list[Accepted]:
    """Put runs in the place of what was accepted of their kind, and return the new entries.

    Raises:
        InputError: Runs of one kind are unlike; or simulated and not the same; or the file is none
            of ours.
        StorageError: The file cannot be written.
    """
    old = read(path)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    new = [
        Accepted(now, _user(), tuple(run.summary for run in _representatives(key, group)))
        for key, group in _by_key(runs).items()
    ]
    entries = {entry.key: entry for entry in (*old.entries, *new)}
    _write(path, Baselines(SCHEMA, tuple(entries[key] for key in sorted(entries))))
    return new


def compare_with_accepted(
    runs: Iterable[Run], accepted: Baselines, rules: Rules, path: Path
) -> list[Comparison]:
    """Compare runs with the entries of their kind.

    Args:
        runs: Runs of one or more kinds.
        accepted: What `read` returned.
        rules: How to compare. A board or time base that may differ may also be that of the entry.
        path: The file, for errors.

    Raises:
        InputError: Nothing of their kind was accepted, or they are unlike or invalid.
    """
    found = []
    for key, group in _by_key(runs).items():
        entry = _entry(key, accepted, rules, path)
        found += compare([[Run(summary, {}) for summary in entry.runs], group], rules)
    return found


def document(accepted: Baselines) -> dict[str, Any]:
    """Return the content of the file, JSON-ready."""
    return dataclasses.asdict(accepted)


def _by_key(runs: Iterable[Run]) -> dict[Key, list[Run]]:
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault(key_of(run.summary.identity), []).append(run)
    return groups


def _representatives(key: Key, runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs to keep: all replicates, or one of simulated runs, which are all the same."""
    check_alike([run.summary for run in runs])
    if key.time_base != SIMULATED:
        return runs
    for other in runs[1:]:
        changed = [q.name for q in compare_exactly(runs[0], other) if q.finding == "changed"]
        if changed:
            raise InputError(
                "simulated runs that are not the same cannot be accepted together",
                where=f"{runs[0].summary.run} and {other.summary.run}",
                why=f"they differ in {', '.join(changed)}",
                hint="name the one that is right",
            )
    return runs[-1:]


def _entry(key: Key, accepted: Baselines, rules: Rules, path: Path) -> Accepted:
    for entry in accepted.entries:
        if entry.key == key:
            return entry
    near = [entry for entry in accepted.entries if _may_stand_in(entry.key, key, rules)]
    if len(near) == 1:
        return near[0]
    known = [str(entry.key) for entry in accepted.entries]
    raise InputError(
        f"no run of {key} was accepted",
        where=str(path),
        why=f"there are entries for {'; '.join(known)}" if known else "it has no entries",
        hint=f"harness baseline accept RUN --file {path}",
    )


def _may_stand_in(entry: Key, wanted: Key, rules: Rules) -> bool:
    board = "board" in rules.allow or entry.board == wanted.board
    time_base = "time-base" in rules.allow or entry.time_base == wanted.time_base
    return entry[:2] == wanted[:2] and board and time_base


def _write(path: Path, content: Baselines) -> None:
    # A link stays one: what it points to is replaced.
    final = path.resolve()
    partial = final.with_name(f".{final.name}.{secrets.token_hex(8)}.partial")
    text = json.dumps(document(content), indent=2, allow_nan=False) + "\n"
    try:
        try:
            with partial.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(final)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as cause:
        raise StorageError(
            "cannot be written",
            where=str(path),
            why=cause.strerror or str(cause),
            hint="choose another file with --file",
        ) from cause


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"  # a container may run as a user without a name


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")
