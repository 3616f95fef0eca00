"""What the network decided, as `result.json` holds it and as people read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.measure.statistics import ALPHA
from harness.report import text
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.fabric.samples import Counters
    from harness.measure.quality.assess import Quality as Assessed
    from harness.report.quality_schema import MetricItem, Quality
    from harness.report.schema import Result

TITLES: Final = ("decided", "value", "95 % interval", "events", "float", "quantised")
BESIDE: Final = "float, quantised: what training found on held-out events"
PREFIX: Final = "quality_"


def build(found: Assessed, counters: Counters | None) -> Quality:
    """Return the `quality` object of a result."""
    metrics: list[MetricItem] = [
        {
            "name": item.name,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "unit": item.unit,
            "events": item.count,
            "method": item.method,
            "reason": item.reason,
            "trained_float": item.floating,
            "trained_quantised": item.quantised,
        }
        for item in found.metrics
    ]
    return {
        "kind": found.kind,
        "level": 1 - ALPHA,
        "metrics": metrics or None,
        "events": {
            "distinct": found.distinct,
            "independent": found.independent,
            "compared": None if counters is None else counters.completed,
            "dropped": None if counters is None else counters.dropped,
        },
        "reason": found.reason,
    }


def line(result: Result) -> str:
    """Return what the numbers rest on, or why there are none; empty for older results."""
    found = result.get("quality")
    if found is None:
        return ""
    if not found["metrics"]:
        return f"not stated: {found['reason']}"
    events = found["events"]
    fewer = ""
    if events["independent"] < events["distinct"]:
        fewer = f", {text.count(events['independent'])} independent"
    lost = ""
    if events["dropped"]:
        lost = f"; {text.count(events['dropped'])} were dropped and decide nothing"
    return (
        f"{found['kind']} of {text.count(events['distinct'])} different events{fewer}; "
        f"the outputs of all {text.count(events['compared'])} played are bit-exact{lost}"
    )


class Row(NamedTuple):
    """A metric as people read it; cells in the order of `TITLES`."""

    name: str
    value: str
    interval: str
    events: str
    floating: str
    quantised: str


def rows(result: Result) -> Iterator[Row]:
    """Yield the metrics of a result, none if it has none."""
    found = result.get("quality")
    for item in (found["metrics"] or []) if found is not None else []:
        value = item["value"]
        yield Row(
            clean(words(item["name"], item["unit"])),
            clean(item["reason"]) if value is None else _said(value),
            _interval(item),
            text.count(item["events"]),
            _said(item["trained_float"]),
            _said(item["trained_quantised"]),
        )


def words(name: str, unit: str) -> str:
    """Return a metric's name as words, its unit after a comma."""
    plain = name.removesuffix(f"_{unit.lower()}") if unit else name
    return plain.replace("_", " ") + (f", {unit}" if unit else "")


def columns(result: Result) -> dict[str, float | None]:
    """Return the numbers by name, such as `quality_accuracy` and `quality_accuracy_low`."""
    found = result.get("quality")
    flat: dict[str, float | None] = {}
    for item in (found["metrics"] or []) if found is not None else []:
        name = f"{PREFIX}{item['name']}"
        flat[name], flat[f"{name}_low"] = item["value"], item["low"]
        flat[f"{name}_high"] = item["high"]
    return flat


def _interval(item: MetricItem) -> str:
    low, high = item["low"], item["high"]
    if low is None or high is None:
        return text.NOTHING
    places = _places(high - low, 2)
    return f"{_number(low, places)} to {_number(high, places)}"


def _said(value: float | None) -> str:
    return text.NOTHING if value is None else _number(value, _places(value, 4))


def _places(size: float, digits: int) -> int:
    """Return the decimal places that show a number of this size with so many digits."""
    if not size or not math.isfinite(size):
        return 0
    return min(9, max(0, digits - 1 - math.floor(math.log10(abs(size)))))


def _number(value: float, places: int) -> str:
    return f"{value:,.{places}f}"
