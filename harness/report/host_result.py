"""From the stamps of a host-paced run to the content of its `host.json`.

Another kind of result than a fabric's, in a file of another name: its numbers are ns of the host's
clock, and nothing that reads fabric results takes them for cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InputError
from harness.measure import correction
from harness.measure.confidence import QUANTILES, intervals_of_values
from harness.measure.evidence import Reason
from harness.measure.statistics import ALPHA, P50, P99, P999, minimum_count, rank
from harness.report.host_schema import (
    KIND,
    SCHEMA,
    HostConfidence,
    HostResult,
    Omission,
    Played,
    Spread,
    Times,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.hostpaced.pacing import Stamps
    from harness.hostpaced.schedule import HostSchedule
    from harness.report.schema import Named

LEAST_RATIO: Final = Fraction(99, 100)
SIMULATED: Final = (
    "the board is virtual: these are times of this host and of the simulator, not of any board"
)


@dataclass(frozen=True, slots=True, eq=False)
class HostRecord:
    """Everything a host-paced result is made of.

    Args:
        name: Short name of the run, such as that of its benchmark.
        link: Name of the link.
        target: How the board was reached; None for a link without one.
        simulated: Whether what answers is simulated on this very host.
        schedule: When events were to be sent.
        stamps: What became of them.
        null_schedule: The same, as played to the null link; the whole schedule or its beginning.
        null_stamps: What became of those.
        broken_off: What ended the run before its end; None if nothing did.
        link_facts: What the link found.
        conditions: How still the process was.
        seeds: Every seed by what it was for.
        facts: Versions, machine, source tree and times.
        benchmark: Whose events were sent; None for none.
        overlay: What they were sent to; None for none.
    """

    name: str
    link: str
    target: str | None
    simulated: bool
    schedule: HostSchedule
    stamps: Stamps
    null_schedule: HostSchedule
    null_stamps: Stamps
    broken_off: str | None
    link_facts: Mapping[str, Any]
    conditions: Mapping[str, Any]
    seeds: Mapping[str, int]
    facts: Mapping[str, Any]
    benchmark: Named | None = None
    overlay: Named | None = None


def build(record: HostRecord) -> HostResult:
    """Return the content of `host.json`."""
    link = _played(record.schedule, record.stamps)
    null = _played(record.null_schedule, record.null_stamps)
    reasons = list(_doubts(record, link))
    if record.simulated:
        advice = "run on a board for times of a board"
        reasons.append(Reason("note", "simulated", SIMULATED, advice))
    effects = {reason.effect for reason in reasons}
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "time_base": "host",
        "verdict": next((effect for effect in ("invalid", "fail") if effect in effects), "pass"),
        "reasons": [
            {
                "effect": reason.effect,
                "what": reason.what,
                "evidence": reason.evidence,
                "recommendation": reason.recommendation,
            }
            for reason in reasons
        ],
        "name": record.name,
        "benchmark": record.benchmark,
        "overlay": record.overlay,
        "link": record.link,
        "target": record.target,
        "schedule": {
            "process": record.schedule.process,
            "rate_hz": float(record.schedule.rate_hz),
            "events": record.schedule.events,
            "horizon_ns": record.schedule.horizon_ns,
        },
        "measured": link,
        "null": null,
        "link_facts": dict(record.link_facts),
        "conditions": dict(record.conditions),
        "seeds": dict(record.seeds),
        "facts": dict(record.facts),
    }


def times(values: NDArray[np.int64]) -> Times:
    """Return order statistics of ns, nearest rank, with the reason where one is not resolvable.

    Args:
        values: int64, in the order of their events.
    """
    ordered = np.sort(values)
    found: dict[str, int | None] = {}
    reasons: dict[str, str] = {}
    for name, q in QUANTILES.items():
        needed = minimum_count(q)
        resolved = ordered.size >= needed
        found[name] = int(ordered[rank(ordered.size, q) - 1]) if resolved else None
        if not resolved:
            reasons[name] = f"not resolvable: {ordered.size} events, needs {needed}"
    if not ordered.size:
        reasons["min"] = reasons["max"] = reasons["mean"] = "no events"
    return {
        "count": int(ordered.size),
        "min": int(ordered[0]) if ordered.size else None,
        "mean": float(ordered.mean()) if ordered.size else None,
        "p50": found["p50"],
        "p99": found["p99"],
        "p999": found["p999"],
        "max": int(ordered[-1]) if ordered.size else None,
        "reasons": reasons,
        "confidence": _confidence(values),
    }


def _confidence(values: NDArray[np.int64]) -> HostConfidence:
    found = intervals_of_values(values)

    def item(name: str) -> Spread:
        each = found[name]
        return {
            "low": each.low,
            "high": each.high,
            "tau": each.tau,
            "effective_events": each.effective,
            "reason": each.reason,
        }

    return {"level": 1 - ALPHA, "p50": item("p50"), "p99": item("p99"), "p999": item("p999")}


def _played(schedule: HostSchedule, stamps: Stamps) -> Played:
    answered = int(stamps.answered.sum())
    # A run that lasted longer than its schedule is charged for as long as it lasted.
    lasted_ns = max(schedule.horizon_ns, int(stamps.done.max(initial=0)), 1)
    target_hz = schedule.target_hz
    achieved_hz = Fraction(answered * 10**9, lasted_ns)
    return {
        "sent": int(stamps.lag_ns.size),
        "answered": answered,
        "target_hz": float(target_hz),
        "achieved_hz": float(achieved_hz),
        "achieved_ratio": float(achieved_hz / target_hz),
        "issue_lag_ns": times(stamps.lag_ns),
        "response_ns": times(stamps.response_ns),
        "link_ns": times(stamps.link_ns),
        "omission": _omission(stamps.link_ns, int(schedule.interval_ns)),
    }


def _omission(link_ns: NDArray[np.int64], interval_ns: int) -> Omission:
    try:
        histogram = correction.corrected(link_ns, max(1, interval_ns))
    except InputError as error:
        return {
            "interval_ns": interval_ns, "added": None, "p50": None, "p99": None, "p999": None,
            "reason": str(error),
        }  # fmt: skip
    return {
        "interval_ns": interval_ns,
        "added": histogram.total - int(link_ns.size),
        "p50": _resolved(histogram, P50),
        "p99": _resolved(histogram, P99),
        "p999": _resolved(histogram, P999),
        "reason": "",
    }


def _resolved(histogram: correction.HdrHistogram, q: Fraction) -> int | None:
    return histogram.quantile(q) if histogram.total >= minimum_count(q) else None


def _doubts(record: HostRecord, link: Played) -> list[Reason]:
    found: list[Reason] = []
    events = record.schedule.events
    if record.broken_off is not None:
        found.append(
            Reason("invalid", "the run was broken off", record.broken_off, "repair it and repeat")
        )
    if link["answered"] < events:
        found.append(
            Reason(
                "invalid",
                "events were not answered",
                f"{events - link['answered']} of {events}, {link['sent']} were sent",
                "look at the link first: no latency of a lost event is known",
            )
        )
    if link["achieved_ratio"] < LEAST_RATIO:
        lag = link["issue_lag_ns"]["max"]
        found.append(
            Reason(
                "invalid",
                "the rate was not kept",
                f"{link['achieved_ratio']:.4f} of it, at least {float(LEAST_RATIO)} is needed; "
                f"issue lag up to {lag} ns",
                "lower the rate: the link or this host is slower than it",
            )
        )
    wrong = record.link_facts.get("mismatches", 0)
    if wrong:
        found.append(
            Reason(
                "fail",
                "outputs are not those of the golden model",
                f"{wrong} of {record.link_facts['compared']} answers differ, the first is of event "
                f"{record.link_facts['first_mismatch']}",
                "compare the deployed model file with the one of the overlay",
            )
        )
    return found
