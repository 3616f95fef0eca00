"""When the host is to send each event, drawn in whole nanoseconds before the clock starts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.quantity import shorten

Process = Literal["periodic", "poisson"]
PROCESSES: Final[tuple[Process, ...]] = get_args(Process)
MOST_EVENTS: Final = 10_000_000
"""Stamps are kept one by one: 16 bytes an event, and as much again while they are stored."""
MOST_HZ: Final = 1_000_000
LONGEST_S: Final = 86_400
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class HostSchedule:
    """The instants of one run.

    Args:
        due_ns: int64, shape (events,), not decreasing: ns from the start of the run.
        rate_hz: Mean rate that was asked for.
        process: How the instants were drawn.
        seed: Of the draw; of no effect on a periodic one.
    """

    due_ns: NDArray[np.int64]
    rate_hz: Fraction
    process: Process
    seed: int

    @property
    def events(self) -> int:
        """Number of events."""
        return self.due_ns.size

    @property
    def interval_ns(self) -> Fraction:
        """Mean gap that was asked for."""
        return _NS / self.rate_hz

    @property
    def horizon_ns(self) -> int:
        """How long the schedule lasts: to the last event, and the mean gap after it."""
        return int(self.due_ns[-1]) + int(self.interval_ns)

    @property
    def target_hz(self) -> Fraction:
        """Mean rate of the events as drawn."""
        return Fraction(self.events * _NS, max(1, self.horizon_ns))


def draw(rate_hz: Fraction, events: int, process: Process, seed: int) -> HostSchedule:
    """Draw a schedule.

    Args:
        rate_hz: Mean events per second.
        events: How many.
        process: `periodic` (instants of i / rate, rounded down) or `poisson`.
        seed: Of the Poisson process; used for nothing else.

    Raises:
        InputError: Out of range, or more than a day long.
    """
    if not 1 <= events <= MOST_EVENTS:
        raise InputError(
            "is out of range",
            where="--events",
            why=f"got {shorten(events)}",
            hint=f"1 to {MOST_EVENTS}: the host keeps every stamp",
        )
    if not 0 < rate_hz <= MOST_HZ:
        raise InputError(
            "is no rate for a host to keep",
            where="--rate",
            why=f"got {float(rate_hz):g} Hz",
            hint=f"at most {MOST_HZ / 1e6:g} MHz; what is faster the fabric paces: harness run",
        )
    if events / rate_hz > LONGEST_S:
        raise InputError(
            "the run would take longer than a day",
            where="--events",
            why=f"{events} events at {float(rate_hz):g} Hz",
            hint="fewer events or a higher rate",
        )
    if seed < 0:
        raise InputError("must not be negative", where="--seed", why=f"got {shorten(seed)}")
    if process == "periodic":
        step = _NS / rate_hz
        due = [i * step.numerator // step.denominator for i in range(events)]
        return HostSchedule(np.array(due, np.int64), rate_hz, process, seed)
    gaps = np.random.default_rng(seed).exponential(float(_NS / rate_hz), events)
    return HostSchedule(np.cumsum(gaps).astype(np.int64), rate_hz, process, seed)
