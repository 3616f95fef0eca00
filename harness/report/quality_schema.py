"""The part of `result.json` about what the network decided."""

from __future__ import annotations

from typing import TypedDict


class MetricItem(TypedDict):
    """One number; see `harness.measure.quality.metric.Metric`.

    `trained_float` and `trained_quantised` are what training found on held-out events.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    events: int
    method: str
    reason: str
    trained_float: float | None
    trained_quantised: float | None


class QualityEvents(TypedDict):
    """What the numbers rest on, and what was played: the different events again and again.

    Intervals are those of `independent` events. The outputs of all that were `compared` are the
    reference's, beat for beat; it is from these that the numbers were computed.
    """

    distinct: int
    independent: int
    compared: int | None
    dropped: int | None


class Quality(TypedDict):
    """What the network decided, against the truth; `metrics` is null where `reason` says why."""

    kind: str | None
    level: float
    metrics: list[MetricItem] | None
    events: QualityEvents
    reason: str
