"""From a plan to its rows: build once, run what is missing, keep what was done.

    plan -> points -> journal (what is done already) -> workers -> rows -> searches

A sweep that is killed goes on where it was: a finished run without a record is found by its
benchmark's digest and recorded, everything else that is missing is run.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError, InputError, OverlayError, RunInvalidError
from harness.overlay import find_overlay
from harness.quantity import LOWEST_HZ
from harness.report import store
from harness.sweep import matrix
from harness.sweep.journal import SCHEMA, Journal
from harness.sweep.rows import ERROR, SKIPPED, failed, is_measured, row_of
from harness.sweep.search import boundary
from harness.sweep.workers import Workers
from harness.targets import resolve
from harness.targets.virtual import build_fabric

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.run import Progress
    from harness.sweep.matrix import Plan, Point, Search

KNEE_SHARE: Final = Fraction(1, 100)
INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a sweep.

    Args:
        rows: Of every point, in the order of the plan; of a search in the order it asked.
        findings: Of every search, JSON-ready; see `_finding`.
        exit_status: 0 all measured or skipped, 1 a search found nothing, 2 all skipped, 3 a run is
            invalid, 4 a point failed.
    """

    rows: tuple[dict[str, Any], ...]
    findings: tuple[dict[str, Any], ...]
    exit_status: int


def begin(folder: Path, plan: Plan, jobs: int, progress: Progress) -> Outcome:
    """Make a sweep in a new folder.

    Raises:
        InputError: The plan or the target is wrong, or the folder holds a sweep already.
        InfrastructureError: The folder cannot be written.
    """
    found = matrix.points(plan)
    _check_search(plan, found)
    resolve(plan.target)  # that there is such a way, before anything is made
    folder = store.prepare(folder)
    with Journal(folder, new=True) as journal:
        journal.append(
            {"kind": "plan", "schema": SCHEMA, "plan": plan.to_json(), "state": _state(found)}
        )
        return _Sweep(folder, plan, journal, progress).all(found, jobs)


def resume(folder: Path, jobs: int, progress: Progress, *, retry: bool = False) -> Outcome:
    """Go on with a sweep that did not end; one that did only tells its rows again.

    Args:
        folder: Of the sweep.
        jobs: Points side by side.
        progress: Told how far it has come.
        retry: Whether points that failed are run again.

    Raises:
        InputError: There is no sweep, or what it measures has changed since.
        InfrastructureError: Its journal is damaged, or the folder cannot be written.
    """
    with Journal(folder.absolute(), new=False) as journal:
        head = journal.records[0] if journal.records else {}
        if head.get("kind") != "plan" or head.get("schema") != SCHEMA:
            raise InputError(
                "holds no plan of a sweep", where=str(journal.path), hint="begin a new one"
            )
        plan = matrix.Plan.from_json(head["plan"])
        found = matrix.points(plan)
        if head.get("state") != _state(found):
            raise InputError(
                "the benchmark or its overlay has changed since the sweep began",
                where=str(folder),
                hint="begin a new sweep, or restore the files",
            )
        sweep = _Sweep(store.prepare(folder), plan, journal, progress, retry=retry)
        return sweep.all(found, jobs)


class _Sweep:
    def __init__(
        self, folder: Path, plan: Plan, journal: Journal, progress: Progress, *, retry: bool = False
    ) -> None:
        self._folder, self._plan = folder, plan
        self._journal, self._progress = journal, progress
        # Of a point that was tried again the last row counts.
        self._rows = {row["digest"]: row for row in journal.records if row["kind"] == "point"}
        if retry:
            self._rows = {key: row for key, row in self._rows.items() if row["verdict"] != ERROR}
        self._unrecorded = self._find_unrecorded()
        self._broken: dict[str, str] = {}
        self._asked: list[str] = []

    def all(self, found: Sequence[Point], jobs: int) -> Outcome:
        """Measure everything that is missing and return what the sweep shows."""
        self._build({item.overlay for item in found})
        findings: list[dict[str, Any]] = []
        # A board has one user at a time: points side by side would keep each other out.
        alone = bool(resolve(self._plan.target)[0].resource)
        with Workers(1 if alone else jobs, self._plan.target, self._folder) as workers:
            if self._plan.search is None:
                self._measure(found, workers)
            else:
                findings = [self._find(self._plan.search, item, workers) for item in found]
        rows = tuple(self._rows[digest] for digest in dict.fromkeys(self._asked))
        return Outcome(rows, tuple(findings), _exit_status(rows, findings))

    def _find_unrecorded(self) -> dict[str, store.Stored]:
        """Return finished runs that a killed sweep had no time to record, by their digest."""
        recorded = {row["folder"] for row in self._rows.values()}
        found = {}
        for folder in store.list_runs(self._folder):
            if folder.name not in recorded:
                stored = store.load(folder)
                if stored.result["verdict"] != INTERRUPTED:
                    found[stored.result["benchmark"]["digest"]] = stored
        return found

    def _build(self, overlays: set[str]) -> None:
        """Compile every overlay once, before its points do so side by side."""
        for name in sorted(overlays) if self._plan.target == "virtual" else ():
            why = self._build_error(name)
            if why:
                self._broken[name] = why

    def _build_error(self, name: str) -> str:
        try:
            build_fabric(find_overlay(name), self._progress.stage)
        except HarnessError as error:
            return str(error)
        return ""

    def _measure(self, asked: Sequence[Point], workers: Workers) -> list[dict[str, Any]]:
        """Return the rows of points, running those that have none."""
        self._asked += [item.digest for item in asked]
        missing = []
        for item in asked:
            if item.digest in self._rows:
                continue
            if item.digest in self._unrecorded:
                self._keep(item, row_of(item, self._unrecorded.pop(item.digest)))
            elif item.overlay in self._broken:
                self._keep(item, failed(item, self._broken[item.overlay]))
            else:
                missing.append(item)
        done = len(self._rows)
        of = done + len(missing)
        self._progress.stage(f"{len(missing)} points to run, {done} done")
        self._progress.events(done, of)
        started_s = time.monotonic()

        def ended(item: Point, row: dict[str, Any]) -> None:
            self._keep(item, row)
            told = " ".join(f"{key}={value}" for key, value in item.values) or item.benchmark
            now = len(self._rows)
            left_s = (time.monotonic() - started_s) / (now - done) * (of - now)
            left = f", about {left_s:.0f} s left" if now < of else ""
            self._progress.stage(f"{told}: {row['verdict']} ({now} of {of}{left})")
            self._progress.events(now, of)

        workers.run(missing, ended)
        return [self._rows[item.digest] for item in asked]

    def _keep(self, item: Point, row: dict[str, Any]) -> None:
        self._journal.append(row)
        self._rows[item.digest] = row

    def _find(self, search: Search, base: Point, workers: Workers) -> dict[str, Any]:
        """Search at one point of the matrix."""
        unit = Fraction(1) if search.find == "depth" else LOWEST_HZ
        places = matrix.grid(search.low, search.high, search.steps, unit)
        values = [value for _, value in base.values]
        make = partial(matrix.point, self._plan, base.benchmark, values)

        def ask(where: Sequence[Fraction]) -> list[bool]:
            asked = [make((search.key, search.value(place))) for place in where]
            rows = self._measure(asked, workers)
            bad = next((row for row in rows if not is_measured(row)), None)
            if bad is not None:
                raise RunInvalidError(f"{bad['values']} is {bad['verdict']}", why=bad["why"])
            return [_holds(search, row) for row in rows]

        head = _head(search, base)
        try:
            found = boundary(ask, places, search.resolution, unit)
        except RunInvalidError as error:
            return {**head, "value": None, "why": f"cannot be decided: {error}", "violations": []}
        # Below the boundary a derandomiser loses events, a rate does not.
        value = found.first if search.find == "depth" else found.last
        other = found.last if search.find == "depth" else found.first
        why = "" if value is not None else "nowhere in the bracket"
        if value is not None and other is None:
            end = "the least of" if search.find == "depth" else "the highest of"
            why = f"{end} the bracket, whose other places do as well"
        return {
            **head,
            "value": None if value is None else _plain(value),
            "beyond": None if other is None else _plain(other),
            "why": why,
            "violations": [[_plain(low), _plain(high)] for low, high in found.violations],
        }


def _holds(search: Search, row: dict[str, Any]) -> bool:
    """Return whether what lies below the boundary of a search holds in a run."""
    if search.find == "knee":
        # What an overload cannot place piles up, in the queue first: counting only drops would make
        # a short run before a deep queue look faster than the accelerator is.
        return bool(row["dropped"] + row["max_depth"] <= KNEE_SHARE * row["scheduled"])
    if search.find == "zero-loss":
        return bool(row["dropped"] == 0)
    if search.find == "deadline":
        # What was dropped is not in time either.
        return bool(row["late"] + row["dropped"] <= search.late)
    return bool(row["dropped"] > 0)


def _head(search: Search, base: Point) -> dict[str, Any]:
    return {
        "find": search.find,
        "meaning": matrix.FINDS[search.find],
        "benchmark": base.benchmark,
        "values": dict(base.values),
        "unit": "events" if search.find == "depth" else "Hz",
        "bracket": [_plain(search.low), _plain(search.high)],
        "resolution": _plain(search.resolution),
        "allowed": search.late,
    }


def _check_search(plan: Plan, found: Sequence[Point]) -> None:
    """Refuse a search that the benchmarks give no ground for, before anything runs."""
    if plan.search is None:
        return
    for item in found:
        values = [value for _, value in item.values]
        for end in (plan.search.low, plan.search.high):
            place = (plan.search.key, plan.search.value(end))
            matrix.point(plan, item.benchmark, values, *_late(plan.search), place)


def _late(search: Search) -> tuple[tuple[str, str], ...]:
    """Return what makes a benchmark without a deadline be refused where one is needed."""
    return (("require.deadline_misses", "0"),) if search.find == "deadline" else ()


def _state(found: Sequence[Point]) -> str:
    """Return a digest of everything that the rows depend on."""
    digests = [item.digest for item in found]
    digests += [_digest(name) for name in sorted({item.overlay for item in found})]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _digest(overlay: str) -> str:
    """Return the digest of an overlay, or what is wrong with it: its points will say so too."""
    try:
        return find_overlay(overlay).digest
    except OverlayError as error:
        return str(error)


def _exit_status(rows: Sequence[dict[str, Any]], findings: Sequence[dict[str, Any]]) -> int:
    if any(row["verdict"] == ERROR for row in rows):
        return 4
    tried = [row for row in rows if row["verdict"] != SKIPPED]
    if rows and not tried:
        return 2
    if not all(is_measured(row) for row in tried):
        return 3
    return 1 if any(finding["value"] is None for finding in findings) else 0


def _plain(value: Fraction) -> float:
    return int(value) if value.denominator == 1 else float(value)
