"""Queueing oracles: what an ideal accelerator behind a derandomiser must do, event by event.

The accelerator takes an event at most every `interval_cycles` (its initiation interval) and answers
`latency_cycles` after taking it. It is a queue with one server and deterministic service. Given the
cycles in which events are due, the stamps of every event follow exactly: Lindley's recursion,
accepted[n] = max(due[n], accepted[n-1] + interval). A fabric that disagrees in one cycle is wrong.
`serve` follows a server that takes as long as each event needs.

K counts places in the system, the event in service included: K = D + 1 for a derandomiser of depth
D.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """Stamps of all events of a schedule behind a finite queue.

    Args:
        dropped: bool, shape (n,): the event found the queue full.
        accepted: int64, shape (n,): cycle of acceptance, -1 for dropped events.
        done: int64, shape (n,): cycle of the last output beat, -1 for dropped events.
    """

    dropped: NDArray[np.bool_]
    accepted: NDArray[np.int64]
    done: NDArray[np.int64]


def lindley(
    due: NDArray[np.int64], interval_cycles: int, latency_cycles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cycles in which events are accepted and done, without a limit on the queue.

    Args:
        due: int64, shape (n,): scheduled cycles, never decreasing.
        interval_cycles: Initiation interval, at least 1.
        latency_cycles: From acceptance to the last output beat, at least 0.

    Returns:
        `accepted` and `done`, int64, shape (n,), in cycles.

    Raises:
        InputError: The schedule goes back in time, or an argument is out of range.
    """
    cycles = _checked(due, interval_cycles, latency_cycles)
    # accepted[n] - n * interval is the running maximum of due[k] - k * interval.
    lag = np.arange(cycles.size, dtype=np.int64) * interval_cycles
    accepted = np.maximum.accumulate(cycles - lag) + lag
    return accepted, accepted + latency_cycles


def finite_queue(
    due: NDArray[np.int64], interval_cycles: int, latency_cycles: int, depth: int
) -> Departures:
    """Return the stamps of all events behind a derandomiser that holds `depth` waiting events.

    An event is dropped if, after the acceptance of its own cycle, more than `depth` events would
    wait. While any wait, the accelerator takes one every interval, so that is so exactly when the
    event itself would have to wait for more than `depth` intervals.

    Only which events are dropped takes a plain loop, from the first one on: 0.2 us an event.
    The rest is NumPy.

    Args:
        due: int64, shape (n,): scheduled cycles, never decreasing.
        interval_cycles: Initiation interval, at least 1.
        latency_cycles: From acceptance to the last output beat, at least 0.
        depth: Events that may wait; 0 is a server without a queue.

    Raises:
        InputError: The schedule goes back in time, or an argument is out of range.
    """
    if depth < 0:
        raise InputError("a queue cannot have a negative depth", why=f"depth = {depth}")
    cycles = _checked(due, interval_cycles, latency_cycles)
    longest = depth * interval_cycles
    accepted, _ = lindley(cycles, interval_cycles, latency_cycles)
    late = accepted - cycles > longest
    dropped = np.zeros(cycles.size, dtype=np.bool_)
    if late.any():
        first = int(np.argmax(late))
        # The first event to be dropped is not the first of all: that one never waits.
        free = int(accepted[first - 1]) + interval_cycles
        drops = []
        for number, cycle in enumerate(cycles[first:].tolist(), start=first):
            wait = free - cycle
            if wait > longest:
                drops.append(number)
            elif wait > 0:
                free += interval_cycles
            else:
                free = cycle + interval_cycles
        dropped[drops] = True
        accepted = np.full(cycles.size, -1, dtype=np.int64)
        accepted[~dropped], _ = lindley(cycles[~dropped], interval_cycles, latency_cycles)
    return Departures(dropped, accepted, np.where(dropped, -1, accepted + latency_cycles))


class Server(Protocol):
    """Who takes events one by one, each in its own time."""

    @property
    def ready(self) -> int:
        """Cycle from which on the next event can be accepted."""

    def take(self, number: int, due: int) -> tuple[int, int]:
        """Accept the next event, and return when that is, and when it is done.

        Args:
            number: Of the event in the schedule, dropped ones counted.
            due: Scheduled cycle.
        """


def serve(due: NDArray[np.int64], server: Server, depth: int) -> Departures:
    """Return the stamps of all events behind a derandomiser, whatever time each one takes: G/G/1/K.

    An event is dropped, as in `finite_queue`, if more than `depth` events would wait after the
    acceptance of its own cycle: if the one `depth` places before it is not accepted by then.

    Each event takes a step of a plain loop, since the next one's fate depends on it.

    Args:
        due: int64, shape (n,): scheduled cycles, never decreasing.
        server: Idle, before its first event.
        depth: Events that may wait; 0 is a server without a queue.

    Raises:
        InputError: The schedule goes back in time, or the depth is negative.
    """
    if depth < 0:
        raise InputError("a queue cannot have a negative depth", why=f"depth = {depth}")
    cycles = _checked(due, 1, 0)
    accepted = np.full(cycles.size, -1, dtype=np.int64)
    done = accepted.copy()
    ahead: deque[int] = deque([-1] * depth, maxlen=depth)
    for number, cycle in enumerate(cycles.tolist()):
        if (ahead[0] if depth else server.ready) > cycle:
            continue
        accepted[number], done[number] = lived = server.take(number, cycle)
        ahead.append(lived[0])
    return Departures(accepted < 0, accepted, done)


def deepest(due: NDArray[np.int64], accepted: NDArray[np.int64]) -> int:
    """Return the most events that waited at the end of a cycle.

    Args:
        due: int64, shape (n,): scheduled cycles of the events kept, never decreasing.
        accepted: int64, shape (n,): cycles in which they were accepted, likewise.
    """
    # A queue grows only when an event comes: those up to it, less those accepted by then.
    gone = np.searchsorted(accepted, due, side="right")
    return int((np.arange(1, due.size + 1) - gone).max(initial=0))


def first_drop(period_cycles: int | Fraction, interval_cycles: int, places: int) -> int | None:
    """Return the number, from 0, of the first event that D/D/1/K drops; None if it never does.

    Event n finds n - floor(n T / II) events before it in the system (ceil(n (II - T) / II) while it
    overloads), and is dropped once that is K. A period that is no whole number of cycles, event n
    being due in cycle floor(n T), changes nothing.

    Raises:
        InputError: An argument is below 1.
    """
    _at_least_one(period=period_cycles, interval=interval_cycles, places=places)
    excess = interval_cycles - period_cycles
    return None if excess <= 0 else (places - 1) * interval_cycles // excess + 1


def drop_fraction(period_cycles: int | Fraction, interval_cycles: int, places: int) -> Fraction:
    """Return the long-run share of events that D/D/1/K drops.

    The period may be a fraction for K >= 2: the server is then never idle while it overloads.

    Raises:
        InputError: An argument is below 1, or the period is a fraction and K is 1.
    """
    _at_least_one(period=period_cycles, interval=interval_cycles, places=places)
    if period_cycles >= interval_cycles:
        return Fraction(0)
    if places == 1:
        if Fraction(period_cycles).denominator != 1:
            raise InputError("one place and a period of no whole cycles have no closed form")
        return 1 - Fraction(1, -(-interval_cycles // period_cycles))
    return 1 - Fraction(period_cycles, interval_cycles)


def md1_mean_wait(load: float, service: float) -> float:
    """Return the mean wait of M/D/1, in the unit of `service`: load * service / (2 (1 - load)).

    Raises:
        InputError: The load is not in [0, 1), or the service time is not positive and finite.
    """
    _check_load(load)
    if not 0 < service < math.inf:
        raise InputError("a service time is positive and finite", why=f"service = {service}")
    return load * service / (2 * (1 - load))


def geod1_mean_wait(probability: float, service_cycles: int) -> float:
    """Return the mean wait in cycles of Geo/D/1: in each cycle an event is due with `probability`.

    It is load * (service - 1) / (2 (1 - load)) with load = probability * service. That is less than
    M/D/1, because no two events are due in one cycle.

    Raises:
        InputError: The load is not in [0, 1), or the service is shorter than a cycle.
    """
    _at_least_one(service=service_cycles)
    load = probability * service_cycles
    _check_load(load)
    return load * (service_cycles - 1) / (2 * (1 - load))


def _checked(due: NDArray[np.int64], interval: int, latency: int) -> NDArray[np.int64]:
    _at_least_one(interval=interval)
    if latency < 0:
        raise InputError("a latency cannot be negative", why=f"latency = {latency}")
    cycles = np.asarray(due, dtype=np.int64)
    if cycles.ndim != 1 or (cycles.size > 1 and bool((np.diff(cycles) < 0).any())):
        raise InputError("a schedule is one row of cycles that never decrease")
    return cycles


def _at_least_one(**values: int | Fraction) -> None:
    for name, value in values.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1", why=f"{name} = {value}")


def _check_load(load: float) -> None:
    if not 0 <= load < 1:
        raise InputError("a queue settles only with a load in [0, 1)", why=f"load = {load}")
