"""The verdict on a run: pass, fail or invalid, and why.

Invalid beats fail: a run whose bookkeeping does not add up has not shown that a requirement fails,
or holds. `harness.measure.validity` looks for that; this module compares with what is required.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from harness.measure.confidence import QUANTILES
from harness.measure.evidence import Effect, Evidence, Reason
from harness.measure.quality.assess import unmet
from harness.measure.statistics import IN_OVERFLOW, Estimate, percentile
from harness.measure.theory import disagreement
from harness.measure.validity import doubts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.fabric.samples import LatencyHistogram, Samples
    from harness.measure.quality.assess import Quality
    from harness.measure.theory import Theory
    from harness.quantity import Span

Outcome = Literal["pass", "fail", "invalid", "interrupted"]

_MORE_BINS: Final = "lower the load, or give the overlay more histogram_bins"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to think of a run.

    Args:
        outcome: `pass`, `fail` (a requirement does not hold), `invalid` (the numbers must not be
            believed) or `interrupted` (nobody let it finish).
        reasons: What was found, the gravest first; notes may stand beside a pass.
    """

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()


def judge(
    evidence: Evidence, theory: Theory | None = None, quality: Quality | None = None
) -> Verdict:
    """Return the verdict on a run that ended.

    Args:
        evidence: What was asked for and what was found.
        theory: What theory says of the run, where it was asked; to contradict it is worth a note.
        quality: What the network decided, where that was asked.
    """
    if evidence.samples is None:
        return interrupted("the fabric was not read")
    reasons = [*doubts(evidence, evidence.samples), *_unmet(evidence, evidence.samples)]
    reasons += unmet(evidence.benchmark.require.quality, quality)
    if theory is not None and (note := disagreement(theory)):
        reasons.append(note)
    order: tuple[Effect, ...] = ("interrupted", "invalid", "fail", "note")
    reasons.sort(key=lambda reason: order.index(reason.effect))
    for outcome in ("invalid", "fail"):
        if any(reason.effect == outcome for reason in reasons):
            return Verdict(outcome, tuple(reasons))
    return Verdict("pass", tuple(reasons))


def interrupted(evidence: str) -> Verdict:
    """Return the verdict on a run that was stopped from outside.

    Args:
        evidence: What stopped it.
    """
    reason = Reason("interrupted", "the run did not finish", evidence, "run it again")
    return Verdict("interrupted", (reason,))


def _unmet(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    yield from _counts(evidence, samples)
    yield from _outputs(evidence, samples)
    yield from _rate(evidence)
    for name, limit in evidence.benchmark.require.latencies():
        kind, _, statistic = name.partition("_")
        histogram = {"wait": samples.wait, "service": samples.service}.get(kind, samples.total)
        yield from _latency(name, limit, _statistic(histogram, statistic), evidence)


def _counts(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    require, counters = evidence.benchmark.require, samples.counters
    for what, count, most, advice in (
        (
            "events were dropped",
            counters.dropped,
            require.drops,
            "lower the rate, or raise run.derandomiser if only bursts overflow it",
        ),
        (
            "events missed the deadline",
            counters.deadline_misses,
            require.deadline_misses,
            "see whether wait or service takes the time",
        ),
        (
            "events queued too deep",
            counters.max_depth,
            require.max_depth,
            "lower the rate or shorten the initiation interval",
        ),
    ):
        if most is not None and count > most:
            yield Reason("fail", what, f"{count}, at most {most} allowed", advice)


def _outputs(evidence: Evidence, samples: Samples) -> Iterator[Reason]:
    required = evidence.benchmark.require.bit_exact is True
    exact, counters = evidence.bit_exact, samples.counters
    if exact is None and required:
        yield Reason(
            "invalid",
            "outputs were not compared",
            "no golden outputs and no expected CRC",
            "give the overlay a model, or take require.bit_exact out",
        )
    if exact is False:
        first = counters.first_mismatch
        place = "" if first is None else f", first in event {first}"
        crc = evidence.crc_expected
        wanted = "" if crc is None else f"; CRC {counters.crc:#010x}, expected {crc:#010x}"
        yield Reason(
            "fail" if required else "note",
            "outputs are not those of the golden model",
            f"{counters.mismatches} of {counters.output_beats} beats differ{place}{wanted}",
            "compare the deployed model file with the overlay's; then the first wrong event",
        )


def _rate(evidence: Evidence) -> Iterator[Reason]:
    least, achieved = evidence.benchmark.require.min_rate_ratio, evidence.achieved_hz
    if least is None or achieved is None:
        return
    ratio = achieved / evidence.target_hz
    if ratio < Fraction(least):
        yield Reason(
            "fail",
            "the accelerator did not keep up",
            f"{float(achieved):.6g} of {float(evidence.target_hz):.6g} events/s completed, "
            f"{float(ratio):.4f} of the asked rate, at least {least} required",
            "lower the rate or shorten the initiation interval",
        )


def _statistic(histogram: LatencyHistogram, name: str) -> Estimate:
    if name in QUANTILES:
        return percentile(histogram, QUANTILES[name])
    if histogram.maximum is None:
        return Estimate(None, "no events")
    return Estimate(Fraction(histogram.maximum))


def _latency(name: str, limit: Span, found: Estimate, evidence: Evidence) -> Iterator[Reason]:
    if found.cycles is None:
        yield Reason(
            "invalid",
            f"{name} cannot be stated, so it cannot be required",
            found.reason,
            _MORE_BINS if found.reason.startswith(IN_OVERFLOW) else "raise run.events",
        )
        return
    clock_hz = Fraction(evidence.clock.measured_hz)
    if found.cycles > limit.in_cycles(clock_hz):
        took_ns = float(found.cycles / clock_hz * 10**9)
        most_ns = float(limit.in_cycles(clock_hz) / clock_hz * 10**9)
        yield Reason(
            "fail",
            f"{name} is above its limit",
            f"{found.cycles} cycles, {took_ns:.6g} ns; at most {most_ns:.6g} ns allowed",
            "see whether wait or service takes the time",
        )
