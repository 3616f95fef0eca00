"""When events fall due, as benchmark files say it, and the schedule that this comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from harness.errors import BenchmarkError, InputError
from harness.quantity import Span, shorten
from harness.tomlfile import KEY
from harness.traffic import tables, trace
from harness.traffic.schedule import DEFAULT_GAP_ENTRIES, MAX_GAP_TICKS, Schedule

MOST_SEED: Final = 2**63 - 1
MOST_TOGETHER: Final = 2**16 - 1

Process = Literal[
    "lhc",
    "periodic",
    "bernoulli",
    "poisson",
    "continuous",
    "gaps",
    "frames",
    "spills",
    "shots",
    "trace",
]
Unit = Literal["s", "ms", "us", "ns"]
# Keys that a process needs, and those it may have.
_KEYS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "lhc": (frozenset({"rate_hz", "filling"}), frozenset()),
    "periodic": (frozenset({"rate_hz"}), frozenset({"jitter", "seed"})),
    "bernoulli": (frozenset({"rate_hz", "seed"}), frozenset()),
    "poisson": (frozenset({"rate_hz", "seed"}), frozenset()),
    "continuous": (frozenset({"rate_hz"}), frozenset()),
    "gaps": (frozenset({"gaps_cycles"}), frozenset()),
    "frames": (frozenset({"rate_hz", "mean", "seed"}), frozenset({"window"})),
    "spills": (frozenset({"rate_hz", "on", "off"}), frozenset({"seed"})),
    "shots": (frozenset({"rate_hz", "shots", "idle"}), frozenset()),
    "trace": (frozenset({"file"}), frozenset({"column", "unit", "sha256"})),
}
_EXAMPLES: Final[Mapping[str, str]] = {
    "rate_hz": 'rate = "40.079 MHz"',
    "filling": 'filling = "25ns_2744b_bcms"',
    "seed": "seed = 1",
    "gaps_cycles": "gaps_cycles = [5, 5, 40]",
    "jitter": 'jitter = "100 ns"',
    "mean": "mean = 12",
    "window": 'window = "1 ms"',
    "on": 'on = "10 us"',
    "off": 'off = "90 us"',
    "shots": "shots = 100",
    "idle": 'idle = "200 us"',
    "file": 'file = "times.parquet"',
    "column": 'column = "time_ns"',
    "unit": 'unit = "ns"',
    "sha256": 'sha256 = "..."',
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """When events fall due.

    Args:
        process: `lhc` (filled bunches of an orbit), `periodic`, `bernoulli` (in each cycle with a
            fixed probability), `poisson` (the same: what a clocked fabric can do of it),
            `continuous` (every slot of a machine that never pauses), `gaps` (a table of gaps,
            looped), `frames` (a Poisson number at random places in each), `spills` (on and off),
            `shots` (back to back, then idle) or `trace` (recorded times).
        rate_hz: Crossings per second for `lhc`, frames for `frames`, events while the beam is on
            for `spills`, and while shots are taken for `shots`; mean events per second otherwise.
        filling: Name of the filling scheme.
        seed: Of what is random; not zero. `spills` are equidistant within without one.
        gaps_cycles: Cycles from one event to the next.
        jitter: By how much an event is early or late at most.
        mean: Events in a frame, on average.
        window: In which they come, from the frame's beginning; None for all of it.
        on: How long a spill lasts.
        off: How long there is none.
        shots: How many follow each other.
        idle: How long until the next.
        file: Recorded times; relative to the benchmark file.
        column: Which of its columns; None for the only one named as a time.
        unit: Of the times; None for what the column's name ends in.
        sha256: Of the file, in hex; what is given must be true.
    """

    process: Process
    rate_hz: Fraction | None = field(default=None, metadata={KEY: "rate"})
    filling: str | None = None
    seed: int | None = None
    gaps_cycles: tuple[int, ...] | None = None
    jitter: Span | None = None
    mean: Decimal | None = None
    window: Span | None = None
    on: Span | None = None
    off: Span | None = None
    shots: int | None = None
    idle: Span | None = None
    file: str | None = None
    column: str | None = None
    unit: Unit | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        needed, allowed = _KEYS[self.process]
        if self.jitter is not None:
            needed |= {"seed"}
        for name, example in _EXAMPLES.items():
            key = example.partition(" ")[0]
            given = getattr(self, name) is not None
            if given and name not in needed | allowed:
                raise InputError(
                    f"has no meaning for process {self.process!r}", where=key, hint="remove it"
                )
            if name in needed and not given:
                raise InputError(
                    f"is needed by process {self.process!r}", where=key, hint=f"such as {example}"
                )
        if self.process == "periodic" and self.seed is not None and self.jitter is None:
            raise InputError("has no meaning without jitter", where="seed", hint="remove it")
        self._check_ranges()

    def _check_ranges(self) -> None:
        if self.seed is not None:
            _check_range("seed", self.seed, 1, MOST_SEED)
        if self.shots is not None:
            _check_range("shots", self.shots, 1, MOST_TOGETHER)
        if self.mean is not None and not (self.mean.is_finite() and 0 < self.mean <= 10**6):
            raise InputError(
                "must be above 0 and at most 1000000", where="mean", why=f"got {shorten(self.mean)}"
            )
        if self.gaps_cycles is not None:
            if not self.gaps_cycles:
                raise InputError("has no gap", where="gaps_cycles", hint="such as [5, 5, 40]")
            for gap in self.gaps_cycles:
                _check_range("gaps_cycles", gap, 1, MAX_GAP_TICKS)

    @property
    def random(self) -> bool:
        """Whether the fabric itself draws when events are due."""
        return self.process in {"bernoulli", "poisson"}

    @property
    def least_hz(self) -> Fraction | None:
        """A rate below which the mean of events cannot be, for an estimate; None if not known."""
        rate = self.rate_hz
        if rate is None:
            return None
        if self.mean is not None:
            return rate * Fraction(self.mean)
        spans = [span for span in (self.on, self.off, self.idle) if span is not None]
        if any(span.unit != "s" for span in spans):
            return None
        if self.on is not None and self.off is not None:
            return rate * self.on.amount / (self.on.amount + self.off.amount) / 2
        if self.shots is not None and self.idle is not None:
            return self.shots / (self.shots / rate + self.idle.amount)
        return rate


def make(
    arrival: Arrival, events: int, clock_hz: Fraction, gap_entries: int = DEFAULT_GAP_ENTRIES
) -> Schedule:
    """Return the schedule of events for a given fabric clock.

    Args:
        arrival: The process.
        events: How many.
        clock_hz: Clock of the fabric.
        gap_entries: Entries of the fabric's gap table.

    Raises:
        BenchmarkError: The fabric cannot schedule that, or a file of times is wrong.
    """
    if arrival.process == "gaps":
        return Schedule.gaps_in_cycles(arrival.gaps_cycles or (), events, gap_entries=gap_entries)
    if arrival.file is not None:
        seconds = trace.read_times(
            Path(arrival.file), min(events, gap_entries + 1), arrival.column, arrival.unit
        )
        cycles = [time * clock_hz for time in seconds]
        return tables.replay(cycles, events, gap_entries=gap_entries)
    rate_hz, seed = arrival.rate_hz or clock_hz, arrival.seed or 1
    if arrival.filling is not None:
        return Schedule.lhc(rate_hz, clock_hz, arrival.filling, events, gap_entries=gap_entries)
    if arrival.random:
        return Schedule.bernoulli(rate_hz, clock_hz, seed, events)
    if arrival.process in {"periodic", "continuous"} and arrival.jitter is None:
        return Schedule.periodic(rate_hz, clock_hz, events)
    return _grouped(arrival, events, clock_hz, gap_entries)


def _grouped(arrival: Arrival, events: int, clock_hz: Fraction, gap_entries: int) -> Schedule:
    """Do the same for processes that are laid out in a table."""

    def cycles(span: Span | None) -> Fraction:
        return Fraction(0) if span is None else span.in_cycles(clock_hz)

    rate_hz, seed = arrival.rate_hz or clock_hz, arrival.seed or 1
    period, on, off = clock_hz / rate_hz, cycles(arrival.on), cycles(arrival.off)
    if arrival.process == "periodic":
        return tables.jittered(
            period, cycles(arrival.jitter), seed, events, gap_entries=gap_entries
        )
    if arrival.process == "frames":
        window = period if arrival.window is None else cycles(arrival.window)
        mean = Fraction(arrival.mean or 1)
        return tables.frames(period, window, mean, seed, events, "frame", gap_entries=gap_entries)
    if arrival.process == "shots":
        count, idle = arrival.shots or 1, cycles(arrival.idle)
        return tables.trains(
            period, count, idle, events, "sequence", "shot", gap_entries=gap_entries
        )
    if on < period:
        raise BenchmarkError(
            "a spill is too short for one event",
            why=f"it lasts {float(on):,.6g} clock cycles, events come every {float(period):,.6g}",
        )
    if arrival.seed is not None:
        return tables.frames(
            on + off, on, on / period, seed, events, "spill", gap_entries=gap_entries
        )
    count = int(on / period)
    idle = on + off - count * period
    return tables.trains(period, count, idle, events, "spill", "event", gap_entries=gap_entries)


def _check_range(key: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise InputError(
            "is out of range", where=key, why=f"got {shorten(value)}", hint=f"{lowest} to {highest}"
        )
