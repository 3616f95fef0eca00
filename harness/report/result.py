"""From what was measured to the content of `result.json`.

A result is plain JSON with a schema number. Every latency is given in cycles, which were counted,
and in ns: cycles over the measured clock. `time_base` says whose cycles they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.measure.confidence import Interval, in_order, intervals
from harness.measure.decision import decision
from harness.measure.statistics import ALPHA, Estimate, LatencySummary, summarise
from harness.memories import memory_of_board
from harness.report import quality as qualities
from harness.report import theory as theories
from harness.report.schema import (
    SCHEMA,
    Confidence,
    Events,
    IntervalItem,
    Latencies,
    Latency,
    Memory,
    Output,
    ReasonItem,
    Result,
    TimeBase,
    Value,
    Weights,
)
from harness.report.schema import Decision as DecisionItem
from harness.report.schema import Groups as GroupsItem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from harness.architecture.residency import Residency
    from harness.fabric.samples import Counters, Kind, LatencyHistogram, Samples
    from harness.fabric.weights import OffChip
    from harness.measure.decision import Decision
    from harness.measure.evidence import Evidence, Reason
    from harness.measure.quality.assess import Quality
    from harness.measure.theory import Theory
    from harness.measure.verdict import Verdict
    from harness.traffic.groups import Groups

_NOT_READ: Final = Estimate(None, "the fabric was not read")


@dataclass(frozen=True, slots=True, eq=False)
class RunRecord:
    """Everything a result is made of.

    Args:
        evidence: What was asked for and what the fabric counted.
        verdict: What to think of it.
        time_base: Whose cycles were counted.
        target: How the fabric was reached, as the user wrote it, and which board it is.
        overlay_name: Name of the overlay.
        overlay_digest: Its digest, as the fabric told it.
        distinct: Different events in the event memory; a shorter run does not play them all.
        seeds: Every seed by what it was for.
        facts: Versions, machine, source tree and times, as `harness.report.facts` collects them.
        theory: What theory says of it; None if it was not asked.
        residency: Where the weights lived; None if nobody looked.
        off_chip: What it took from external memory; None for an overlay without a port to one.
        groups: How its events belong together, as the schedule knows; None if they do not.
        input_beats: Of an event.
        quality: What the network decided; None if nobody asked.
    """

    evidence: Evidence
    verdict: Verdict
    time_base: TimeBase
    target: str
    overlay_name: str
    overlay_digest: str
    distinct: int
    seeds: Mapping[str, int]
    facts: Mapping[str, Any]
    theory: Theory | None = None
    residency: Residency | None = None
    off_chip: OffChip | None = None
    groups: Groups | None = None
    input_beats: int = 1
    quality: Quality | None = None


def build(record: RunRecord) -> Result:
    """Return the content of `result.json`."""
    evidence, clock = record.evidence, record.evidence.clock
    counters = evidence.samples.counters if evidence.samples is not None else None
    result: Result = {
        "schema": SCHEMA,
        "verdict": record.verdict.outcome,
        "reasons": [_reason(reason) for reason in record.verdict.reasons],
        "time_base": record.time_base,
        "target": record.target,
        "overlay": {"name": record.overlay_name, "digest": record.overlay_digest},
        "benchmark": {"name": evidence.benchmark.name, "digest": evidence.benchmark.digest},
        "arrival": {
            "process": evidence.benchmark.arrival.process,
            "groups": None if record.groups is None else _groups(record.groups),
        },
        "seeds": dict(record.seeds),
        "clock": {
            "nominal_hz": _number(clock.nominal_hz),
            "set_hz": _number(clock.set_hz),
            "measured_hz": _number(clock.measured_hz),
            "asked_hz": _number(clock.asked_hz),
            "uncertainty_hz": _number(clock.uncertainty_hz),
        },
        "events": _events(counters, min(record.distinct, evidence.benchmark.run.events)),
        "rate": {
            "target_hz": _number(evidence.target_hz),
            "achieved_hz": None if evidence.achieved_hz is None else _number(evidence.achieved_hz),
        },
        "latency": latencies(
            evidence.samples,
            Fraction(clock.measured_hz),
            None if record.theory is None else record.theory.waits,
        ),
        "deadline": {
            "cycles": evidence.deadline_cycles,
            "misses": None
            if counters is None or evidence.deadline_cycles is None
            else counters.deadline_misses,
        },
        "queue": {
            "max_depth": None if counters is None else counters.max_depth,
            "limit": evidence.queue_limit,
        },
        "output": _output(evidence, counters),
        "theory": None if record.theory is None else theories.build(record.theory),
        "weights": None if record.residency is None else weights_of(record.residency),
        "facts": dict(record.facts),
    }
    chosen = evidence.benchmark.weights
    if chosen is not None:
        result["runtime_weights"] = {"file": Path(chosen.file).name, "sha256": str(chosen.sha256)}
    if record.quality is not None:
        result["quality"] = qualities.build(record.quality, counters)
    if record.off_chip is not None:
        result["memory"] = _memory(record, record.off_chip, counters)
    if record.input_beats > 1:
        result["decision"] = _decision(
            decision(evidence.samples, record.input_beats),
            record.input_beats,
            Fraction(clock.measured_hz),
        )
    return result


def _decision(found: Decision, beats: int, clock_hz: Fraction) -> DecisionItem:
    return {
        "input_beats": beats,
        "min": _value(found.minimum, clock_hz),
        "p99": _value(found.p99, clock_hz),
        "max": _value(found.maximum, clock_hz),
        "reason": found.minimum.reason or found.maximum.reason or found.p99.reason,
    }


def _memory(record: RunRecord, off_chip: OffChip, counters: Counters | None) -> Memory:
    chosen = record.evidence.benchmark.memory
    own = memory_of_board(record.facts.get("target", {}).get("board", ""))
    model = own.name if own is not None else None
    if chosen is not None:
        model = chosen.model
    completed = counters.completed if counters is not None else 0
    used = off_chip.used_bytes
    return {
        "model": model,
        "outstanding": off_chip.outstanding,
        "bytes_fetched": off_chip.fetched_bytes,
        "bytes_used": used,
        "bytes_per_inference": _number(Fraction(used, completed)) if completed else None,
        "bytes_per_inference_expected": off_chip.event_bytes,
        "resident_share": off_chip.resident_rows / off_chip.rows,
        "stalled_cycles": off_chip.stalled_cycles,
    }


def _groups(groups: Groups) -> GroupsItem:
    return {"name": groups.name, "item": groups.item, "sizes": list(groups.sizes)}


def _reason(reason: Reason) -> ReasonItem:
    return {
        "effect": reason.effect,
        "what": reason.what,
        "evidence": reason.evidence,
        "recommendation": reason.recommendation,
    }


def weights_of(found: Residency) -> Weights:
    """Return where weights were, as plain JSON."""
    return {
        "residency": found.weights,
        "bytes": found.bytes,
        "off_chip_bytes_per_inference": found.off_chip_bytes,
        "basis": found.basis,
    }


def _events(counters: Counters | None, distinct: int) -> Events:
    if counters is None:
        return {
            "scheduled": None,
            "completed": None,
            "dropped": None,
            "in_flight": None,
            "distinct": distinct,
        }
    return {
        "scheduled": counters.scheduled,
        "completed": counters.completed,
        "dropped": counters.dropped,
        "in_flight": counters.in_flight,
        "distinct": distinct,
    }


def _output(evidence: Evidence, counters: Counters | None) -> Output:
    compared = counters if evidence.compared else None
    return {
        "crc": None if counters is None else counters.crc,
        "crc_expected": evidence.crc_expected,
        "bit_exact": evidence.bit_exact,
        "mismatches": None if compared is None else compared.mismatches,
        "first_mismatch": None if compared is None else compared.first_mismatch,
        "beats": None if counters is None else counters.output_beats,
    }


def latencies(
    samples: Samples | None, clock_hz: Fraction, waits: NDArray[np.int64] | None = None
) -> Latencies:
    """Return the three latencies in cycles and, at the measured clock, in ns.

    Args:
        samples: What was counted; None if nothing could be read.
        clock_hz: The measured clock.
        waits: Predicted waits in the order of the events, int64 [events], where they are known.
    """
    if samples is None:
        nothing = _latency(LatencySummary(0, 0, *[_NOT_READ] * 6), clock_hz)
        return {"wait": nothing, "service": nothing, "total": nothing}
    ordered = in_order(samples, waits)

    def of(kind: Kind, histogram: LatencyHistogram) -> Latency:
        found = intervals(histogram, ordered[kind])
        return {
            **_latency(summarise(histogram), clock_hz),
            "confidence": _confidence(found, clock_hz),
        }

    return {
        "wait": of("wait", samples.wait),
        "service": of("service", samples.service),
        "total": of("total", samples.total),
    }


def _confidence(found: Mapping[str, Interval], clock_hz: Fraction) -> Confidence:
    def item(name: str) -> IntervalItem:
        interval = found[name]
        low, high = (
            None if end is None else _value(Estimate(Fraction(end)), clock_hz)
            for end in (interval.low, interval.high)
        )
        return {
            "low": low,
            "high": high,
            "tau": interval.tau,
            "effective_events": interval.effective,
            "reason": interval.reason,
        }

    return {"level": 1 - ALPHA, "p50": item("p50"), "p99": item("p99"), "p999": item("p999")}


def _latency(summary: LatencySummary, clock_hz: Fraction) -> Latency:
    estimates = {
        "min": summary.minimum,
        "max": summary.maximum,
        "mean": summary.mean,
        "p50": summary.p50,
        "p99": summary.p99,
        "p999": summary.p999,
    }
    return {
        "count": summary.count,
        "overflow": summary.overflow,
        "min": _value(summary.minimum, clock_hz),
        "max": _value(summary.maximum, clock_hz),
        "mean": _value(summary.mean, clock_hz),
        "p50": _value(summary.p50, clock_hz),
        "p99": _value(summary.p99, clock_hz),
        "p999": _value(summary.p999, clock_hz),
        "reasons": {
            name: estimate.reason for name, estimate in estimates.items() if estimate.cycles is None
        },
    }


def _value(estimate: Estimate, clock_hz: Fraction) -> Value | None:
    if estimate.cycles is None:
        return None
    return {
        "cycles": _number(estimate.cycles),
        "ns": _number(estimate.cycles * 10**9 / clock_hz),
    }


def _number(value: Fraction | float) -> float:
    """Return a whole value as an integer, so that JSON keeps all its digits."""
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else float(exact)
