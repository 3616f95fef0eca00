"""Runs of one benchmark at different rates, and what queueing theory says about them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from harness.measure.queueing import geod1_mean_wait
from harness.measure.queueing_theory import geod1k_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.html.deduced import Deduced, Interval, Process
    from harness.report.schema import Result
    from harness.report.store import Stored

BELIEVED: Final = ("pass", "fail")
"""Verdicts whose numbers may be compared; the others say that they must not be believed."""
_KNEE_SHARE: Final = 0.01
_SAMPLES: Final = 160
_LOSSES: Final = 72


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A stored run, what its stamps tell, and its name on the page."""

    stored: Stored
    deduced: Deduced
    name: str

    @property
    def result(self) -> Result:
        """Content of `result.json`."""
        return self.stored.result


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Runs that differ in their rate alone, as far as a result tells.

    Args:
        runs: By rising rate, at least two rates.
        left_out: How many more there are that must not be believed.
        interval: Initiation interval, None if not known or not the same for all.
        process: How events arrive.
    """

    runs: Sequence[Run]
    left_out: int
    interval: Interval | None
    process: Process

    @property
    def clock_hz(self) -> float:
        """Measured clock; the same for all runs but for what a measurement varies."""
        return self.runs[0].result["clock"]["measured_hz"]

    @property
    def service_cycles(self) -> float | None:
        """Service time, None if it is not one number."""
        ends = {
            value["cycles"]
            for run in self.runs
            for value in (run.result["latency"]["service"][end] for end in ("min", "max"))
            if value is not None
        }
        return ends.pop() if len(ends) == 1 else None

    def place(self, run: Run) -> float:
        """Return where a run lies: its offered load, or its rate in Hz if no interval is known."""
        rate_hz = run.result["rate"]["target_hz"]
        return rate_hz if self.interval is None else rate_hz * self.interval.cycles / self.clock_hz

    def knee(self) -> Run | None:
        """Return the last run, by rate, before one at which events pile up.

        They do where more than 1 % of them wait at once or are dropped. None if no run goes so far,
        or every run does.
        """
        for before, run in pairwise([None, *self.runs]):
            if run is not None and _piles_up(run.result):
                return before
        return None


@dataclass(frozen=True, slots=True)
class Theory:
    """A curve that theory gives.

    Args:
        name: Of the theory.
        points: Offered load and value: mean total in cycles, or share of dropped events.
    """

    name: str
    points: Sequence[tuple[float, float]]


def collect(runs: Sequence[Run]) -> list[Series]:
    """Return all series of at least two rates among runs of one time base, in order of the runs."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault(_alike(run), []).append(run)
    found = []
    for members in groups.values():
        intervals = {run.deduced.interval for run in members if run.deduced.interval is not None}
        cycles = {interval.cycles for interval in intervals}
        believed = [run for run in members if run.result["verdict"] in BELIEVED]
        if len({run.result["rate"]["target_hz"] for run in believed}) < 2:
            continue
        found.append(
            Series(
                sorted(believed, key=lambda run: run.result["rate"]["target_hz"]),
                len(members) - len(believed),
                # A low load leaves no trace of the interval; it is taken from the others.
                sorted(intervals, key=lambda item: item.source)[0] if len(cycles) == 1 else None,
                members[0].deduced.process,
            )
        )
    return found


def mean_total(series: Series, highest: float) -> Theory | None:
    """Return the mean total in cycles that theory gives up to a load, None where there is none.

    Bernoulli arrivals at a deterministic server are Geo/D/1; periodic ones, D/D/1, do not wait.
    Both end at a load of 1, where the wait is what the derandomiser lets it be.
    """
    interval, service = series.interval, series.service_cycles
    if interval is None or service is None:
        return None
    if series.process == "periodic":
        return Theory("D/D/1", [(0.0, service), (min(1.0, highest), service)])
    if series.process != "bernoulli":
        return None
    points = []
    for k in range(_SAMPLES):
        # Closer together where the curve bends.
        load = min(highest, 0.999) * (1 - (1 - k / (_SAMPLES - 1)) ** 2)
        wait = geod1_mean_wait(load / interval.cycles, interval.cycles)
        points.append((load, wait + service))
    return Theory("Geo/D/1", points)


def drop_share(series: Series, highest: float) -> Theory | None:
    """Return the share of events that are dropped in the long run, None where nothing is known.

    Random arrivals are Geo/D/1/K; periodic ones, D/D/1/K with K of at least 2, lose the excess.
    Other processes lose at least that.
    """
    if series.interval is None:
        return None
    places = series.runs[0].result["queue"]["limit"] + 1
    if series.process == "bernoulli":
        most = min(highest, 0.999 * series.interval.cycles)
        loads = [most * k / _LOSSES for k in range(1, _LOSSES + 1)]
        service = series.interval.cycles
        losses = [geod1k_loss(load / service, service, places) for load in loads]
        return Theory("Geo/D/1/K", [(0.0, 0.0), *zip(loads, losses, strict=True)])
    loads = [1 + (highest - 1) * k / _LOSSES for k in range(_LOSSES + 1)] if highest > 1 else [1.0]
    name = "D/D/1/K" if series.process == "periodic" else "at least"
    return Theory(name, [(0.0, 0.0), *((load, 1 - 1 / load) for load in loads)])


def _piles_up(result: Result) -> bool:
    events, deepest = result["events"], result["queue"]["max_depth"]
    many = (events["dropped"] or 0) + (deepest or 0)
    return many > _KNEE_SHARE * (events["scheduled"] or 0)


def board(result: Result) -> str:
    """Return the name of the board, empty if the result does not tell."""
    target = result["facts"].get("target")
    return str(target.get("board") or "") if isinstance(target, dict) else ""


def _alike(run: Run) -> tuple[object, ...]:
    result, interval = run.result, run.deduced.interval
    service, memory = result["latency"]["service"]["min"], result.get("memory")
    return (
        result["benchmark"]["name"],
        result["overlay"]["name"],
        result["overlay"]["digest"],
        result["time_base"],
        result["target"],
        board(result),
        result["queue"]["limit"],
        round(result["clock"]["set_hz"] / 1e4),
        None if service is None else service["cycles"],
        run.deduced.process,
        interval.cycles if interval is not None and interval.source == "contract" else None,
        None if memory is None else (memory["model"], memory["resident_share"]),
    )
