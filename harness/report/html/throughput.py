"""Runs whose weights come from external memory, and what its figures allow them to be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from harness.errors import InputError
from harness.memories import MEMORIES, Bound, bound
from harness.overlay import Overlay, find_overlay
from harness.report.html.series import BELIEVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.html.series import Run
    from harness.report.schema import Memory, Result

AGREES: Final = 0.1
"""A measurement that is further from the bound than this is said to differ."""
OWN: Final = "the board's own"


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A run, and the bound of its memory with the share of the weights that it kept on chip.

    Args:
        run: It.
        bound: None where the overlay or the memory is not known here.
    """

    run: Run
    bound: Bound | None

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self.memory["model"] or OWN

    @property
    def memory(self) -> Memory:
        """What it took from memory."""
        return self.run.result["memory"]

    @property
    def share(self) -> float:
        """Share of the weights on chip."""
        return self.memory["resident_share"]

    @property
    def offered_hz(self) -> float:
        """Rate asked for."""
        return self.run.result["rate"]["target_hz"]

    @property
    def completed_hz(self) -> float | None:
        """Rate at which events were completed, None if none was."""
        return self.run.result["rate"]["achieved_hz"] or None

    @property
    def bound_hz(self) -> float | None:
        """The most that memory and multipliers allow."""
        clock_hz = self.run.result["clock"]["measured_hz"]
        return None if self.bound is None else clock_hz / self.bound.interval

    @property
    def ratio(self) -> float | None:
        """Completed rate over the lower of bound and rate asked for."""
        if self.bound_hz is None or self.completed_hz is None:
            return None
        return self.completed_hz / min(self.bound_hz, self.offered_hz)


@dataclass(frozen=True, slots=True, eq=False)
class Knee:
    """Where events begin to be lost.

    Args:
        below: Run with the highest rate of those below the first loss.
        above: Run with the lowest rate at which events were lost.
    """

    below: Point
    above: Point

    @property
    def agrees(self) -> bool | None:
        """Whether some rate between the two is within 10 % of the bound; None without one."""
        most = self.below.bound_hz
        if most is None:
            return None
        high, low = self.above.offered_hz, self.below.offered_hz
        return high >= (1 - AGREES) * most and low <= (1 + AGREES) * most


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One memory.

    Args:
        memory: Its name.
        points: Its runs, by share and rate.
        bound: Share of the weights on chip and rate in Hz; empty where nothing is known.
    """

    memory: str
    points: Sequence[Point]
    bound: Sequence[tuple[float, float]]

    @property
    def knees(self) -> list[Knee]:
        """Those that the rates enclose, by share."""
        found = []
        for share in dict.fromkeys(point.share for point in self.points):
            ladder = [point for point in self.points if point.share == share]
            lost = [bool(point.run.result["events"]["dropped"]) for point in ladder]
            first = lost.index(True) if True in lost else 0
            if first:
                found.append(Knee(ladder[first - 1], ladder[first]))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Throughput:
    """Runs of one overlay at one clock that differ in memory, resident share and rate.

    Args:
        curves: By memory.
        left_out: How many more there are that must not be believed.
    """

    curves: Sequence[Curve]
    left_out: int

    @property
    def points(self) -> list[Point]:
        """All of them."""
        return [point for curve in self.curves for point in curve.points]


def collect(runs: Sequence[Run]) -> list[Throughput]:
    """Return the runs of one time base with weights in memory, where there is more than one case.

    A case is a memory, a share of the weights on chip and a rate.
    """
    groups: dict[object, list[Run]] = {}
    for run in runs:
        found = run.result.get("memory")
        if found is not None and 0 <= found["resident_share"] <= 1:
            groups.setdefault(_alike(run.result, found), []).append(run)
    collected = []
    for members in groups.values():
        believed = [run for run in members if run.result["verdict"] in BELIEVED]
        points = [Point(run, _bound(run.result, run.result["memory"])) for run in believed]
        if len({(point.name, point.share, point.offered_hz) for point in points}) > 1:
            names = sorted({point.name for point in points}, key=_rank)
            curves = [_curve(name, [one for one in points if one.name == name]) for name in names]
            collected.append(Throughput(curves, len(members) - len(believed)))
    return collected


def _rank(name: str) -> tuple[int, str]:
    known = list(MEMORIES)
    return (known.index(name) if name in known else len(known), name)


def _alike(result: Result, found: Memory) -> tuple[object, ...]:
    return (
        result["overlay"]["name"],
        result["overlay"]["digest"],
        result["target"],
        round(result["clock"]["set_hz"] / 1e4),
        found["outstanding"],
    )


def _curve(name: str, points: Sequence[Point]) -> Curve:
    ordered = sorted(points, key=lambda point: (point.share, point.offered_hz))
    result = ordered[0].run.result
    overlay = _overlay(result["overlay"]["name"], result["overlay"]["digest"])
    laid = None if overlay is None else overlay.streamed
    rows = 1 if laid is None else laid.rows
    drawn = []
    for kept in range(0, rows + 1, 1 if laid is None else laid.group_rows):
        share = kept / rows
        limit = _bound(result, {**result["memory"], "resident_share": share})
        if limit is not None:
            drawn.append((share, result["clock"]["measured_hz"] / limit.interval))
    return Curve(name, ordered, drawn)


def _bound(result: Result, found: Memory) -> Bound | None:
    overlay = _overlay(result["overlay"]["name"], result["overlay"]["digest"])
    memory = MEMORIES.get(found["model"] or "")
    if overlay is None or memory is None or found["outstanding"] < 1:
        return None
    laid, port = overlay.streamed, overlay.memory
    if laid is None or port is None:
        return None
    rows = round(found["resident_share"] * laid.rows)
    clock_hz = result["clock"]["measured_hz"]
    return bound(laid, port, memory, clock_hz, rows, found["outstanding"])


@lru_cache(maxsize=16)
def _overlay(name: str, digest: str) -> Overlay | None:
    """Return the overlay as it ran, None if it is not here any more."""
    try:
        overlay = find_overlay(name)
        same = overlay.digest == digest
    except InputError:
        return None
    return overlay if same else None
