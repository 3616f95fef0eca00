"""Latency and drops against the offered load, beside what queueing theory says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from harness.report import text
from harness.report.html import series as theory
from harness.report.html.axes import (
    Frame,
    Linear,
    Log,
    bottom_axis,
    chart,
    frame,
    label,
    left_axis,
    legend,
    line,
    path,
)
from harness.report.html.histogram import value_of
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.html.series import Run, Series, Theory

_SHOWN: Final[Mapping[str, str]] = {"mean": "mean", "p50": "p50", "p99": "p99", "max": "max"}


def figure(series: Series, name: str) -> Html:
    """Return the chart: total latency above, the share of dropped events below.

    Args:
        series: Runs at two rates or more.
        name: Unique on the page.
    """
    area = frame(58, 250, right=72)
    drops = frame(area.bottom + 46, 90, right=72)
    per = 1.0 if series.interval is not None else 1e6
    xs = [series.place(run) / per for run in series.runs]
    highest = max(xs) * 1.06
    scale = Linear(0, highest, area.left, area.right)
    mean = theory.mean_total(series, highest)
    lost = theory.drop_share(series, highest)
    title = (
        "rate asked for in MHz"
        if series.interval is None
        else f"offered load: rate asked for, times {series.interval.cycles} cycles per event"
    )
    entries = [(key, f"total {words}", "line") for key, words in _SHOWN.items()]
    if mean or lost:
        entries.append(("theory", f"theory: {mean.name}, mean" if mean else "theory", "line"))
    return chart(
        drops.bottom + 50,
        name,
        "Latency and drops against load",
        _described(series),
        legend(area.left, 14, entries),
        *_latencies(series, area, scale, xs, mean),
        *_drops(series, drops, scale, xs, lost),
        bottom_axis(drops, scale, title, 12),
        *_markers(series, area, drops, scale, per),
        _tips(series, scale, xs, Frame(area.left, area.top, area.width, drops.bottom - area.top)),
    )


def _latencies(
    series: Series, area: Frame, scale: Linear, xs: list[float], mean: Theory | None
) -> list[Html | None]:
    ns = 1e9 / series.clock_hz
    found = {key: _points(series, xs, key) for key in _SHOWN}
    heights = [y for points in found.values() for _, y in points] or [1.0]
    deadline = _deadline(series)
    heights += [deadline] if deadline is not None and deadline < 3 * max(heights) else []
    low, high = max(0.5, min(heights) * 0.75), max(heights) * 1.35
    values = Log(low, high, area.bottom, area.top)
    times = Log(low * ns, high * ns, area.bottom, area.top)
    parts: list[Html | None] = [
        left_axis(area, values, "total latency in cycles", 8),
        *(
            label(area.right + 8, times(tick) + 4, text.nanoseconds(tick))
            for tick in times.ticks(8)
        ),
    ]
    if deadline is not None and deadline <= high:
        y = values(deadline)
        parts.append(line(area.left, y, area.right, y, "mark deadline"))
        parts.append(label(area.left + 6, y - 5, "deadline", kind="flag deadline"))
    if mean is not None:
        curve = [(scale(x), values(y)) for x, y in mean.points if y <= high]
        parts.append(tag("path", d=path(curve), class_="curve theory"))
    for key, points in found.items():
        places = [(scale(x), values(y)) for x, y in points]
        if places:
            parts.append(tag("path", d=path(places), class_=f"curve {key}", data_series=key))
        parts += [tag("circle", cx=x, cy=y, r=3.0, class_=f"dot {key}") for x, y in places]
    return parts


def _drops(
    series: Series, area: Frame, scale: Linear, xs: list[float], lost: Theory | None
) -> list[Html | None]:
    points = [
        (x, 100 * share)
        for x, run in zip(xs, series.runs, strict=True)
        if (share := dropped_share(run)) is not None
    ]
    top = max([1.0, *(y * 1.2 for _, y in points)])
    values = Linear(0, top, area.bottom, area.top)
    parts: list[Html | None] = [
        label(area.left, area.top - 10, "share of events that were dropped", kind="soft"),
        left_axis(area, values, "dropped", 4, whole=False, unit=" %"),
    ]
    if lost is not None:
        curve = [(scale(x), values(100 * y)) for x, y in lost.points if 100 * y <= top]
        parts.append(tag("path", d=path(curve), class_="curve theory"))
    places = [(scale(x), values(y)) for x, y in points]
    if places:
        parts.append(tag("path", d=path(places), class_="curve lost"))
    parts += [tag("circle", cx=x, cy=y, r=3.0, class_="dot lost") for x, y in places]
    return parts


def _markers(
    series: Series, area: Frame, drops: Frame, scale: Linear, per: float
) -> list[Html | None]:
    parts: list[Html | None] = []
    if series.interval is not None and scale.high > 1:
        x = scale(1.0)
        parts.append(line(x, area.top - 6, x, drops.bottom, "mark full"))
        parts.append(label(x, area.top - 10, "load 1", "middle", "flag"))
    knee = series.knee()
    if knee is not None:
        x = scale(series.place(knee) / per)
        parts.append(line(x, area.top - 6, x, drops.bottom, "mark knee"))
        parts.append(label(x, area.top - 26, "knee", "middle", "flag knee"))
    return parts


def _tips(series: Series, scale: Linear, xs: list[float], area: Frame) -> Html:
    columns = []
    edges = [area.left, *(scale((a + b) / 2) for a, b in pairwise(xs)), area.right]
    for run, (left, right) in zip(series.runs, pairwise(edges), strict=True):
        columns.append(
            tag(
                "rect",
                x=left,
                y=area.top,
                width=max(right - left, 0.0),
                height=area.height,
                data_tip=_said(series, run),
            )
        )
    return tag("g", *columns, class_="cover")


def _said(series: Series, run: Run) -> str:
    latency = run.result["latency"]["total"]
    numbers = [
        f"{words} {text.ns_of(value)}"
        for key, words in _SHOWN.items()
        if (value := value_of(latency, key)) is not None
    ]
    share = dropped_share(run)
    lost = "" if share is None else f"; {percent(share)} dropped"
    load = "" if series.interval is None else f"load {series.place(run):.3f}, "
    rate = text.hertz(run.result["rate"]["target_hz"])
    return f"{load}{rate}: total {', '.join(numbers) or 'not known'}{lost}"


def dropped_share(run: Run) -> float | None:
    """Return dropped events over scheduled ones, None where the fabric was not read."""
    scheduled, dropped = run.result["events"]["scheduled"], run.result["events"]["dropped"]
    return None if not scheduled or dropped is None else dropped / scheduled


def percent(share: float) -> str:
    """Return a share in percent; one that is not zero never looks like it."""
    if 0 < share < 1e-4:
        return "< 0.01 %"
    return f"{100 * share:.4g} %"


def _points(series: Series, xs: list[float], key: str) -> list[tuple[float, float]]:
    return [
        (x, value["cycles"])
        for x, run in zip(xs, series.runs, strict=True)
        if (value := value_of(run.result["latency"]["total"], key)) is not None and value["cycles"]
    ]


def _deadline(series: Series) -> int | None:
    found = {run.result["deadline"]["cycles"] for run in series.runs}
    return found.pop() if len(found) == 1 else None


def _described(series: Series) -> str:
    return "; ".join(_said(series, run) for run in series.runs)
