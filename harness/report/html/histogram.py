"""The distribution of wait, service and total: three panels on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from harness.fabric.samples import KINDS
from harness.report import text
from harness.report.html.axes import (
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    Linear,
    Log,
    chart,
    clipped,
    frame,
    label,
    left_axis,
    levels,
    pin,
    staircase,
    time_axes,
)
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Latency, Result, Value

MEANINGS: Final[Mapping[Kind, str]] = {
    "wait": "due until accepted",
    "service": "accepted until done",
    "total": "due until done",
}
_MARKS: Final[Mapping[str, str]] = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
_MOST_BARS: Final = 440
_FLOOR: Final = 0.7
_ROW: Final = 14.0
_TITLE: Final = 20.0
_HEIGHTS: Final[Mapping[Kind, float]] = {"wait": 96.0, "service": 96.0, "total": 150.0}


def figure(result: Result, histograms: Mapping[Kind, LatencyHistogram], name: str) -> Html | None:
    """Return the chart, None when no event was measured.

    Args:
        result: Content of `result.json`.
        histograms: By kind.
        name: Unique on the page.
    """
    if not any(histogram.counts.any() for histogram in histograms.values()):
        return None
    low, high = limits(result, histograms)
    scale = Linear(low, high, LEFT, WIDTH - RIGHT)
    step = -(-int(high - low) // _MOST_BARS)
    y, panels = 0.0, []
    area = frame(0, 0)
    for kind in KINDS:
        marks = _marks(result, kind, scale)
        y += _TITLE + _ROW * (1 + max((row for row, *_ in marks), default=0)) + 4
        area = frame(y, _HEIGHTS[kind])
        panels.append(_panel(kind, histograms.get(kind), area, scale, step, marks, name))
        y = area.bottom + 12
    ns = ns_per_cycle(result)
    bars = "one cycle" if step == 1 else f"{step} cycles"
    note = f"latency in cycles; one bar is {bars}, {text.nanoseconds(step * ns)}"
    return chart(
        area.bottom + 84,
        name,
        "Latency distribution",
        _described(result),
        *panels,
        time_axes(area, scale, ns, note),
        x0=scale.start,
        x1=scale.end,
        lo=scale.low,
        hi=scale.high,
        ns=ns,
    )


def limits(result: Result, histograms: Mapping[Kind, LatencyHistogram]) -> tuple[float, float]:
    """Return the range of the time axis in cycles: all bars, and the deadline unless far off."""
    filled = [np.flatnonzero(histogram.counts) for histogram in histograms.values()]
    last = max((int(bins[-1]) for bins in filled if bins.size), default=1)
    deadline = result["deadline"]["cycles"]
    if deadline is not None and deadline < 3 * last:
        last = max(last, deadline)
    span = max(last, 10)
    return -0.5 - 0.01 * span, span * 1.02 + 0.5


def ns_per_cycle(result: Result) -> float:
    """Return the length of a cycle of the measured clock."""
    return 1e9 / result["clock"]["measured_hz"]


def value_of(latency: Latency, name: str) -> Value | None:
    """Return a statistic by name."""
    return cast("Value | None", cast("dict[str, Any]", latency)[name])


Mark = tuple[int, str, float, str, str]
"""Row of the label, its anchor, cycles, text, and class of the line."""


def _marks(result: Result, kind: Kind, scale: Linear) -> list[Mark]:
    named: dict[float, list[str]] = {}
    for key, title in _MARKS.items():
        value = value_of(result["latency"][kind], key)
        if value is not None and value["cycles"] <= scale.high:
            named.setdefault(value["cycles"], []).append(title)
    ns = ns_per_cycle(result)
    found = [
        (at, f"{' = '.join(titles)}  {text.nanoseconds(at * ns)}", f"mark {_class(titles[0])}")
        for at, titles in named.items()
    ]
    deadline = result["deadline"]["cycles"]
    if kind == "total" and deadline is not None and deadline <= scale.high:
        words = f"deadline  {text.nanoseconds(deadline * ns)}"
        found.append((deadline, words, "mark deadline"))
    found.sort(key=lambda mark: mark[0])
    places = levels([(scale(at), words) for at, words, _ in found], WIDTH)
    return [(row, anchor, *mark) for (row, anchor), mark in zip(places, found, strict=True)]


def _class(title: str) -> str:
    return title.replace(".", "")


def _panel(
    kind: Kind,
    histogram: LatencyHistogram | None,
    area: Frame,
    scale: Linear,
    step: int,
    marks: list[Mark],
    name: str,
) -> Html:
    rows = 1 + max((row for row, *_ in marks), default=0)
    top = area.top - 4 - rows * _ROW
    title = tag(
        "g",
        tag("rect", x=area.left, y=top - 13, width=10, height=10, class_=f"fill {kind}"),
        tag(
            "text",
            tag("tspan", kind, class_="strong"),
            tag("tspan", f" {MEANINGS[kind]}", class_="soft"),
            x=area.left + 16,
            y=top - 4,
        ),
    )
    pins = [
        pin(area, scale, at, style, _flag(area, row, words, anchor, style))
        for row, anchor, at, words, style in marks
    ]
    if histogram is None or not histogram.counts.any():
        empty = label(area.left + area.width / 2, area.top + area.height / 2, "no events", "middle")
        return tag("g", title, empty)
    first, counts = _bars(histogram, step)
    values = Log(_FLOOR, max(2.0, counts.max() * 1.6), area.bottom, area.top)
    edges = [scale(first - 0.5 + step * k) for k in range(counts.size + 1)]
    shape = staircase(edges, [values(max(count, _FLOOR)) for count in counts.tolist()], area.bottom)
    return tag(
        "g",
        title,
        left_axis(area, values, "events", 5),
        clipped(f"{name}-{kind}", area, tag("path", d=shape, class_=f"fill outlined {kind}")),
        *pins,
        _beyond(histogram, area),
        tag("line", x1=area.left, y1=area.bottom, x2=area.right, y2=area.bottom, class_="axis"),
        class_="panel",
        data_kind=kind,
        data_top=area.top,
        data_bottom=area.bottom,
        data_first=first,
        data_step=step,
        data_count=histogram.count,
        data_counts=Html(" ".join(map(str, counts.tolist()))),
    )


def _flag(area: Frame, row: int, words: str, anchor: str, style: str) -> Html:
    y = area.top - 6 - row * _ROW
    shift = 4 if anchor == "start" else -4
    return tag(
        "g",
        tag("line", x1=0, y1=y - 9, x2=0, y2=area.top, class_=f"{style} stem"),
        label(shift, y, words, anchor, f"flag {style.removeprefix('mark ')}"),
    )


def _beyond(histogram: LatencyHistogram, area: Frame) -> Html | None:
    if not histogram.overflow:
        return None
    words = (
        f"{text.count(histogram.overflow)} events of {histogram.counts.size:,} cycles or more, "
        f"up to {text.count(histogram.maximum)} →"
    )
    return label(area.right - 4, area.top + 14, words, "end", "warn")


def _bars(histogram: LatencyHistogram, step: int) -> tuple[int, NDArray[np.int64]]:
    """Return the first cycle and the events of bars that are `step` cycles wide each."""
    filled = np.flatnonzero(histogram.counts)
    first, last = int(filled[0]), int(filled[-1])
    size = -(-(last - first + 1) // step)
    padded = np.zeros(size * step, dtype=np.int64)
    padded[: last - first + 1] = histogram.counts[first : last + 1]
    counts: NDArray[np.int64] = padded.reshape(size, step).sum(axis=1)
    return first, counts


def _described(result: Result) -> str:
    parts = []
    for kind in KINDS:
        latency = result["latency"][kind]
        numbers = [
            f"{title} {text.cycles_of(value_of(latency, key))} cycles"
            for key, title in _MARKS.items()
            if value_of(latency, key) is not None
        ]
        parts.append(f"{kind}: {', '.join(numbers) or 'nothing that can be stated'}")
    return "; ".join(parts)
