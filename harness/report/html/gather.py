"""From what a user names to runs, and from a report to a file."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from harness.errors import InputError, StorageError
from harness.fabric.samples import KINDS
from harness.report import plots, sealed, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.report.schema import Result
    from harness.report.store import Stored

_LARGEST: Final = 2.0**64
_STAMPS: Final = ("event", "scheduled", "accepted", "done")


def gather(paths: Sequence[Path]) -> tuple[list[Stored], dict[Path, str]]:
    """Read runs.

    Args:
        paths: Folders of runs, or folders that hold such.

    Returns:
        The runs, each once, and the folders inside the others that could not be read, with why.

    Raises:
        InputError: There is no run.
        StorageError: A run that was named itself is damaged.
    """
    found: dict[Path, Stored] = {}
    unreadable: dict[Path, str] = {}
    for path in paths:
        if (path / sealed.MANIFEST).is_file():
            found.setdefault(path.resolve(), _load(path))
            continue
        if not path.is_dir():
            raise InputError("is no folder", where=str(path), hint="give the folder of a run")
        for folder in store.list_runs(path):
            if folder.resolve() in found:
                continue
            try:
                found[folder.resolve()] = _load(folder)
            except StorageError as error:
                # One damaged run must not hide all the others, nor vanish.
                unreadable[folder] = str(error)
    if not found:
        where = ", ".join(map(str, paths))
        why = "; ".join(unreadable.values()) or "no folder there has a manifest of a finished run"
        raise InputError("there is no run to report", where=where, why=why)
    return list(found.values()), unreadable


def _load(folder: Path) -> Stored:
    """Read a run whose numbers can be drawn.

    Raises:
        StorageError: It is damaged, or holds numbers that no run has.
    """
    stored = store.load(folder)
    result, trace = stored.result, stored.trace
    wrong = ""
    if not _drawable(result):
        wrong = "a number in it is not finite, or too large"
    elif min(result["clock"]["measured_hz"], result["rate"]["target_hz"]) <= 0:
        wrong = "a clock or a rate is not positive"
    elif min(_counted(result)) < 0:
        wrong = "a count or a time is negative"
    elif stored.histograms and set(stored.histograms) != set(KINDS):
        wrong = "a histogram is missing"
    elif trace is not None and len({getattr(trace, name).size for name in _STAMPS}) > 1:
        wrong = "the columns of its trace differ in length"
    if wrong:
        raise StorageError("holds what cannot be", where=str(folder), why=wrong)
    return stored


def _drawable(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_drawable, value.values()))
    if isinstance(value, list):
        return all(map(_drawable, value))
    return not isinstance(value, int | float) or abs(value) < _LARGEST


def _counted(result: Result) -> Iterator[float]:
    yield from (value for value in result["events"].values() if isinstance(value, int))
    yield result["queue"]["limit"]
    for kind in KINDS:
        for value in result["latency"][kind].values():
            if isinstance(value, dict) and "cycles" in value:
                yield min(value["cycles"], value["ns"])


def write(path: Path, content: str) -> None:
    """Write a file whole or not at all; one that was there is replaced.

    Raises:
        StorageError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            partial.write_text(content, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise StorageError("the report cannot be written", where=str(path), why=why) from cause


def plot(runs: Sequence[Stored], folder: Path) -> Iterator[Path]:
    """Draw the latency histograms of each run, and yield the figures as they are written.

    Args:
        runs: Whose.
        folder: That receives them, under the names of the runs; made if it is not there.

    Raises:
        InfrastructureError: matplotlib is not installed.
        StorageError: A figure cannot be written.
    """
    plots.check_available()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise StorageError("the folder cannot be made", where=str(folder), why=why) from cause
    for run in runs:
        for suffix in ("png", "svg"):
            path = folder / f"{run.folder.resolve().name}.{suffix}"
            plots.latency_plot(run.result, run.histograms, path)
            yield path
