"""What a verdict rests on, and the reasons it gives."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.benchmark import Benchmark
    from harness.fabric.samples import Samples
    from harness.session import Clock

Effect = Literal["fail", "invalid", "interrupted", "note"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was found.

    Args:
        effect: What it makes of the run; a note changes nothing.
        what: What was found, one clause.
        evidence: The numbers.
        recommendation: What to do about it.
    """

    effect: Effect
    what: str
    evidence: str
    recommendation: str


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a verdict rests on.

    Args:
        benchmark: What was asked for.
        samples: What the fabric counted; None if the run ended before it was read.
        clock: Fabric clock, as asked, set and measured.
        schedule_cycles: Cycles from run cycle 0 through the last event's own (the mean, if random).
        deadline_cycles: Largest total in time, as written to the fabric; None for no deadline.
        queue_limit: Events that may wait, as written to the fabric.
        compared: Whether the fabric compared outputs with the golden ones.
        crc_expected: CRC-32 of all golden output beats in order; None if it cannot be known, as
            with dropped events.
    """

    benchmark: Benchmark
    samples: Samples | None
    clock: Clock
    schedule_cycles: int
    deadline_cycles: int | None
    queue_limit: int
    compared: bool
    crc_expected: int | None

    @property
    def target_hz(self) -> Fraction:
        """Mean rate of the schedule at the clock that was asked for."""
        return Fraction(self.benchmark.run.events, self.schedule_cycles) * Fraction(
            self.clock.asked_hz
        )

    @property
    def achieved_hz(self) -> Fraction | None:
        """Completed events over the time of the schedule, at the measured clock.

        The time that the last events take to drain is not charged. A run that stopped before its
        schedule ended is charged for as long as it lasted.
        """
        if self.samples is None:
            return None
        counters = self.samples.counters
        whole = counters.scheduled == self.benchmark.run.events
        cycles = self.schedule_cycles if whole else max(1, counters.run_cycles)
        return Fraction(counters.completed, cycles) * Fraction(self.clock.measured_hz)

    @property
    def bit_exact(self) -> bool | None:
        """Whether every output beat is the golden one; None if nothing can tell."""
        if self.samples is None or not (self.compared or self.crc_expected is not None):
            return None
        counters = self.samples.counters
        equal = self.crc_expected is None or self.crc_expected == counters.crc
        return equal and (not self.compared or counters.mismatches == 0)
