"""The schema of `host.json`, the result of a host-paced run."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from harness.report.schema import ReasonItem

SCHEMA: Final = 1
KIND: Final = "host"


class Times(TypedDict):
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


class HostResult(TypedDict):
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
