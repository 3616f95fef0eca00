"""What the stamps of a run tell about it, without a look at the benchmark file.

A result folder explains itself: the process of arrivals, the filling scheme, lost events and the
initiation interval follow from the cycles in which events were due and taken. Only what fits every
traced event is stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.errors import HarnessError
from harness.measure.queueing import lindley
from harness.overlay import find_overlay
from harness.traffic.filling import FILLING_NAMES, Filling, filling, gaps
from harness.traffic.groups import Groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.fabric.samples import Trace
    from harness.report.schema import Result

Process = Literal["lhc", "periodic", "bernoulli", "frames", "spills", "shots", "trace", "unknown"]
_MODELS: Final[Mapping[str, Process]] = {
    "D/D/1/K": "periodic",
    "D/G/1/K": "periodic",
    "Geo/D/1/K": "bernoulli",
    "Geo/G/1/K": "bernoulli",
}

_RECORDED: Final[Mapping[str, Process]] = {
    "bernoulli": "bernoulli",
    "poisson": "bernoulli",
    "continuous": "periodic",
    "frames": "frames",
    "spills": "spills",
    "shots": "shots",
    "trace": "trace",
}
"""What a run recorded of its arrivals, where that is more than its stamps tell."""
_MOST_PLACES: Final = 1 << 16
_WIDEST: Final = 1 << 24
"""Event numbers that a trace may span; a wider one is not to be believed."""
_FEWEST: Final = 8
"""Observations from which a rule is stated."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The initiation interval of an accelerator.

    Args:
        cycles: Between the first beats of two events, at least.
        source: How it is known: from what the run recorded, from the overlay's manifest, or from
            the stamps.
    """

    cycles: int
    source: Literal["record", "contract", "trace"]


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """The filling scheme that a schedule follows.

    Args:
        filling: The scheme.
        slot: Slot of each traced event, int64 [events].
        bunch: Place in its train of each traced event, from 0; int64 [events].
        crossing_hz: Rate of slots, from the stamps and the measured clock.
    """

    filling: Filling
    slot: NDArray[np.int64]
    bunch: NDArray[np.int64]
    crossing_hz: float


@dataclass(frozen=True, slots=True, eq=False)
class Deduced:
    """What is known of a run beyond its numbers.

    Args:
        process: How events arrive.
        orbit: For `lhc`, the scheme.
        groups: The trains, frames or the like that events come in, None if in none.
        missing: Numbers of events between the first and the last traced one that were dropped;
            int64, rising.
        missing_due: When each of them was due, to a cycle; None where arrivals are random or of a
            kind that is not known.
        interval: Of the accelerator, None if nothing tells.
        agreeing: Traced events whose acceptance Lindley's recursion gives to the cycle, and how
            many it was tried on; None without an interval.
    """

    process: Process
    orbit: Orbit | None
    groups: Groups | None
    missing: NDArray[np.int64]
    missing_due: NDArray[np.float64] | None
    interval: Interval | None
    agreeing: tuple[int, int] | None


def deduce(result: Result, trace: Trace | None) -> Deduced:
    """Return what a result and its stamps tell."""
    interval = recorded(result) or contract(result) or (None if trace is None else _interval(trace))
    process = _recorded_process(result)
    if trace is None or not _in_order(trace):
        return Deduced(process, None, None, np.zeros(0, np.int64), None, interval, None)
    orbit = None
    if process == "unknown":
        process = _regular(trace)
    if process == "unknown":
        orbit = find_orbit(trace, result["clock"]["measured_hz"])
        process = "unknown" if orbit is None else "lhc"
    missing = _missing(trace)
    agreeing = None if interval is None else _agreeing(trace, interval.cycles)
    due = None
    if process == "periodic":
        due = np.interp(missing, trace.event, trace.scheduled)
    elif orbit is not None:
        ticks = crossings(orbit.filling, trace.event)
        due = np.interp(crossings(orbit.filling, missing), ticks, trace.scheduled)
    groups = _recorded_groups(result) if orbit is None else orbit.filling.trains
    return Deduced(process, orbit, groups, missing, due, interval, agreeing)


def recorded(result: Result) -> Interval | None:
    """Return the interval that the run recorded when it was held to theory."""
    theory = result.get("theory")
    cycles = None if theory is None else theory["interval_cycles"]
    return None if cycles is None else Interval(cycles, "record")


def contract(result: Result) -> Interval | None:
    """Return the interval that the manifest promises, if the overlay is still the one of then."""
    try:
        overlay = find_overlay(result["overlay"]["name"])
        if overlay.digest != result["overlay"]["digest"]:
            return None
    except HarnessError:
        # The project may have moved on; a result stays readable without its overlay.
        return None
    cycles = overlay.accelerator.initiation_interval_cycles
    return None if cycles is None else Interval(cycles, "contract")


def find_orbit(trace: Trace, clock_hz: float) -> Orbit | None:
    """Return the filling scheme that all traced events follow, None if there is none.

    Args:
        trace: Stamps of at least a few events from more than one train.
        clock_hz: Measured clock.
    """
    for name in FILLING_NAMES:
        scheme = filling(name)
        ticks = crossings(scheme, trace.event)
        steps = np.diff(ticks)
        # Within one train every scheme looks like every other, and like a periodic schedule.
        if steps.size < _FEWEST or np.unique(steps).size < 2:
            continue
        per_tick = Fraction(
            int(trace.scheduled[-1] - trace.scheduled[0]), int(ticks[-1] - ticks[0])
        )
        wanted = trace.scheduled[0] + (ticks - ticks[0]) * float(per_tick)
        # Both ends of the fit are rounded down to a cycle, and so is each event.
        if per_tick and float(np.abs(trace.scheduled - wanted).max()) <= 2:
            slot = scheme.slots[trace.event % scheme.slots.size]
            bunch = scheme.bunch[slot].astype(np.int64)
            return Orbit(scheme, slot, bunch, clock_hz / float(per_tick))
    return None


def crossings(scheme: Filling, events: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the crossings from the beginning of a run to its events, int64."""
    table = gaps(scheme).astype(np.int64)
    turn, place = np.divmod(events, table.size)
    ticks: NDArray[np.int64] = turn * int(table.sum()) + np.cumsum(table)[place]
    return ticks


def _recorded_groups(result: Result) -> Groups | None:
    """Return the groups that a run recorded, if they can be believed."""
    arrival = result.get("arrival")
    groups = None if arrival is None else arrival["groups"]
    sizes = () if groups is None else tuple(groups["sizes"])
    if groups is None or not sizes or min(sizes) < 1 or max(sizes) > _MOST_PLACES:
        return None
    return Groups(groups["name"], groups["item"], sizes)


def _recorded_process(result: Result) -> Process:
    arrival = result.get("arrival")
    if arrival is not None and arrival["process"] in _RECORDED:
        return _RECORDED[arrival["process"]]
    # Only what the fabric draws itself has a seed of this name.
    if "arrival" in result["seeds"]:
        return "bernoulli"
    theory = result.get("theory")
    return _MODELS.get((theory and theory["model"]) or "", "unknown")


def _in_order(trace: Trace) -> bool:
    """Return whether there are events, and they are in order; else nothing follows."""
    steps, due = np.diff(trace.event), np.diff(trace.scheduled)
    return bool(trace.event.size and (steps > 0).all() and (due >= 0).all())


def _missing(trace: Trace) -> NDArray[np.int64]:
    first, last = int(trace.event[0]), int(trace.event[-1])
    if last - first > _WIDEST:
        return np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(first, last + 1, dtype=np.int64), trace.event)


def _regular(trace: Trace) -> Process:
    """Return whether events are due at a fixed interval, to the cycle."""
    span = int(trace.event[-1] - trace.event[0])
    if trace.event.size < _FEWEST or not span:
        return "unknown"
    step = float(trace.scheduled[-1] - trace.scheduled[0]) / span
    wanted = trace.scheduled[0] + (trace.event - trace.event[0]) * step
    return "periodic" if float(np.abs(trace.scheduled - wanted).max()) <= 2 else "unknown"


def _interval(trace: Trace) -> Interval | None:
    """Return the interval at which waiting events were taken, if it was always the same."""
    steps = np.diff(trace.accepted)[trace.accepted[1:] > trace.scheduled[1:]]
    if steps.size < _FEWEST or steps.min() != steps.max() or steps.min() < 1:
        return None
    return Interval(int(steps.min()), "trace")


def _agreeing(trace: Trace, interval_cycles: int) -> tuple[int, int]:
    # The recursion begins with an event that found the accelerator free.
    free = np.flatnonzero(trace.accepted == trace.scheduled)
    first = int(free[0]) if free.size else 0
    due = trace.scheduled[first:]
    if not free.size:
        return 0, 0
    accepted, _ = lindley(due, interval_cycles, 0)
    return int((accepted == trace.accepted[first:]).sum()), due.size
