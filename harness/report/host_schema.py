"""The schema of `host.json`, the result of a host-paced run."""

from __future__ import annotations

from typing import Any, Final, TypedDict, cast

from harness.errors import StorageError
from harness.report.schema import Named, ReasonItem, mistake

SCHEMA: Final = 1
KIND: Final = "host"


class Spread(TypedDict):
    """A confidence interval in ns; see `harness.measure.confidence.Interval`."""

    low: int | None
    high: int | None
    tau: float | None
    effective_events: int | None
    reason: str


class HostConfidence(TypedDict):
    """Intervals of the percentiles, each covering the true one with probability `level`."""

    level: float
    p50: Spread
    p99: Spread
    p999: Spread


class LaterTimes(TypedDict, total=False):
    """Keys that results of schema 1 have had only since some time: readers do without them."""

    confidence: HostConfidence


class Times(LaterTimes):
    """Order statistics in ns of the host's clock; `reasons` says why a value is null."""

    count: int
    min: int | None
    mean: float | None
    p50: int | None
    p99: int | None
    p999: int | None
    max: int | None
    reasons: dict[str, str]


class Omission(TypedDict):
    """The link's latency with HdrHistogram's correction; null where it cannot be stated."""

    interval_ns: int
    added: int | None
    p50: int | None
    p99: int | None
    p999: int | None
    reason: str


class Played(TypedDict):
    """What became of a schedule on one link.

    `issue_lag_ns` is sent - scheduled, `response_ns` answered - scheduled, `link_ns` answered -
    sent.
    """

    sent: int
    answered: int
    target_hz: float
    achieved_hz: float
    achieved_ratio: float
    issue_lag_ns: Times
    response_ns: Times
    link_ns: Times
    omission: Omission


class Drawn(TypedDict):
    """How the schedule was drawn."""

    process: str
    rate_hz: float
    events: int
    horizon_ns: int


class Later(TypedDict, total=False):
    """Keys that results of schema 1 have had only since some time: readers do without them."""

    benchmark: Named | None
    overlay: Named | None


class HostResult(Later):
    """Content of `host.json`, schema 1."""

    kind: str
    schema: int
    time_base: str
    verdict: str
    reasons: list[ReasonItem]
    name: str
    link: str
    target: str | None
    schedule: Drawn
    measured: Played
    null: Played
    link_facts: dict[str, Any]
    conditions: dict[str, Any]
    seeds: dict[str, int]
    facts: dict[str, Any]


def check(content: object, where: str) -> HostResult:
    """Return parsed JSON as a result, if it is one.

    Raises:
        StorageError: It is something else, or of a newer schema.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    schema = content.get("schema") if isinstance(content, dict) else None
    if kind == KIND and isinstance(schema, int) and schema > SCHEMA:
        raise StorageError(
            f"was written by a newer harness, in schema {schema}",
            where=where,
            why=f"this one reads up to {SCHEMA}",
            hint="update the harness",
        )
    wrong = mistake(content, HostResult)
    if wrong or kind != KIND or schema != SCHEMA:
        raise StorageError("is not a host-paced result", where=where, why=wrong or f"kind {kind!r}")
    return cast("HostResult", content)
