"""Rate completed over the share of the weights on chip, measured and as the memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.report import text
from harness.report.html import tables
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
from harness.report.html.load import dropped_share, percent
from harness.report.html.markup import Html, tag
from harness.report.html.throughput import AGREES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.report.html.throughput import Curve, Point, Throughput

_COLOURS: Final = 5
_MOST_OFFERED: Final = 4
"""Rates asked for that are drawn across; more of them would be a grid, and are marks beside it."""
_MARK: Final = 12.0
_OFFERED: Final = {True: "Dashed", False: "Marks on the right"}
_SETS: Final = {"bandwidth": "bandwidth", "latency": "latency", "compute": "multipliers"}


def section(found: Throughput, name: str) -> Html:
    """Return the section of runs whose weights come from memory.

    Args:
        found: At least two cases.
        name: Unique on the page.
    """
    result = found.points[0].run.result
    memory = result["memory"]
    intro = (
        f"{len(found.points)} runs of {result['overlay']['name']} on {result['target']}, clock "
        f"{text.hertz(result['clock']['measured_hz'])}, up to {text.count(memory['outstanding'])} "
        "bursts under way. Lines: the bound, the least of what bandwidth, latency and multipliers "
        f"allow. Dots: events completed a second. {_OFFERED[_few(found)]}: what was asked for."
    )
    knees = [knee for curve in found.curves for knee in curve.knees]
    if knees:
        intro += " Bars: from the last rate without a loss to the first with one."
    left_out = f" Left out as not to be believed: {found.left_out}." if found.left_out else ""
    return tag(
        "section",
        tag("h2", tag("span", "Weights from memory"), tag("small", result["overlay"]["name"])),
        tag(
            "figure",
            tag("div", _figure(found, name), class_="canvas"),
            tag("figcaption", f"{intro}{left_out} ", tag("b", agreement(found))),
            _table(found),
            _knees(found) if knees else None,
        ),
        class_="memory",
    )


def agreement(found: Throughput) -> str:
    """Return, in words, where measurements are further than 10 % from what the bound allows."""
    compared = [(point, point.ratio) for point in found.points if point.ratio is not None]
    if not compared:
        return "No bound: the overlay is not here as it ran, or its memory is not known."
    off = [
        f"{_case(point)}: {text.hertz(point.completed_hz)} completed of "
        f"{text.hertz(min(point.bound_hz or 0, point.offered_hz))} expected"
        for point, ratio in compared
        if abs(ratio - 1) > AGREES
    ]
    for curve in found.curves:
        off += [
            f"{_case(knee.below)}: events are lost somewhere from "
            f"{text.hertz(knee.below.offered_hz)} to {text.hertz(knee.above.offered_hz)}, the "
            f"bound is {text.hertz(knee.below.bound_hz)}"
            for knee in curve.knees
            if knee.agrees is False
        ]
    if off:
        head = f"Measured and bound differ by more than {_percent(AGREES)} in {len(off)}"
        return f"{head}: {'; '.join(off)}."
    furthest = max(abs(ratio - 1) for _, ratio in compared)
    knees = sum(knee.agrees is True for curve in found.curves for knee in curve.knees)
    told = "The knee lies" if knees == 1 else f"All {knees} knees lie"
    near = f" {told} within {_percent(AGREES)} of it, as far as the rates tell." if knees else ""
    return (
        f"Measured and bound agree within {_percent(furthest)} in all {len(compared)} runs.{near}"
    )


def _case(point: Point) -> str:
    return f"{point.name}, {_percent(point.share)} resident"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _figure(found: Throughput, name: str) -> Html:
    area = frame(40, 330)
    offered = sorted({point.offered_hz for point in found.points})
    heights = [y for curve in found.curves for _, y in curve.bound]
    heights += [point.completed_hz for point in found.points if point.completed_hz] + offered
    rates = Log(min(heights) * 0.8 / 1e3, max(heights) * 1.25 / 1e3, area.bottom, area.top)
    shares = Linear(-3, 103, area.left, area.right)
    entries = [(_class(k), curve.memory, "line") for k, curve in enumerate(found.curves)]
    return chart(
        area.bottom + 50,
        name,
        "Rate completed against the share of the weights on chip",
        "; ".join(_said(point) for point in found.points),
        legend(area.left, 14, entries),
        left_axis(area, rates, "events a second, in thousands", 9, whole=False),
        bottom_axis(area, Linear(0, 100, shares(0), shares(100)), "weights on chip", 10, " %"),
        *_offered(area, rates, offered, across=_few(found)),
        *(part for k, curve in enumerate(found.curves) for part in _drawn(curve, k, shares, rates)),
    )


def _few(found: Throughput) -> bool:
    return len({point.offered_hz for point in found.points}) <= _MOST_OFFERED


def _offered(area: Frame, rates: Log, offered: Sequence[float], *, across: bool) -> Iterator[Html]:
    for rate in offered:
        y = rates(rate / 1e3)
        yield line(area.left if across else area.right - _MARK, y, area.right, y, "mark full")
        if across:
            yield label(area.right - 4, y - 5, f"asked for: {text.hertz(rate)}", "end", "flag")


def _drawn(curve: Curve, number: int, shares: Linear, rates: Log) -> Iterator[Html]:
    """Yield a memory's bound, then its knees and its runs upon it."""
    kind = _class(number)
    places = [(shares(100 * share), rates(rate / 1e3)) for share, rate in curve.bound]
    if places:
        yield tag("path", d=path(places), class_=f"curve {kind}", data_series=kind)
    for knee in curve.knees:
        x, ends = shares(100 * knee.below.share), (knee.below.offered_hz, knee.above.offered_hz)
        low, high = (rates(rate / 1e3) for rate in ends)
        yield tag("path", d=path([(x, low), (x, high)]), class_=f"dots {kind}")
    for point in curve.points:
        if point.completed_hz is not None:
            off = point.ratio is not None and abs(point.ratio - 1) > AGREES
            yield tag(
                "circle",
                cx=shares(100 * point.share),
                cy=rates(point.completed_hz / 1e3),
                r=6.0 if off else 4.0,
                class_=f"dot {kind}",
                data_tip=_said(point),
            )


def _class(number: int) -> str:
    return f"memory{number % _COLOURS}"


def _said(point: Point) -> str:
    bound = "" if point.bound is None else f", bound {text.hertz(point.bound_hz)}"
    return (
        f"{_case(point)}: {text.hertz(point.completed_hz)} completed of "
        f"{text.hertz(point.offered_hz)} asked for{bound}"
    )


def _table(found: Throughput) -> Html:
    rows = []
    for point in found.points:
        result, share = point.run.result, dropped_share(point.run)
        taken = point.memory["bytes_per_inference"]
        rows.append(
            [
                tag("a", point.name, href=f"#{point.run.name}"),
                _percent(point.share),
                text.NOTHING if taken is None else text.decimal(taken),
                text.hertz(point.offered_hz),
                text.hertz(point.bound_hz),
                text.NOTHING if point.bound is None else _SETS[point.bound.binding],
                text.hertz(point.completed_hz),
                text.NOTHING if point.ratio is None else f"{100 * point.ratio:.1f} %",
                text.NOTHING if share is None else percent(share),
                text.count(result["deadline"]["misses"]),
            ]
        )
    titles = (
        "memory", "on chip", "bytes an event", "asked for", "bound", "set by", "completed",
        "of expected", "dropped", "late",
    )  # fmt: skip
    return tables.plain(
        titles,
        rows,
        "The same as a table; expected is the bound, or the rate asked for if that is less",
    )


def _knees(found: Throughput) -> Html:
    words = {None: text.NOTHING, True: "yes", False: "NO"}
    rows = [
        [
            curve.memory,
            _percent(knee.below.share),
            text.hertz(knee.below.offered_hz),
            text.hertz(knee.above.offered_hz),
            text.hertz(knee.below.bound_hz),
            words[knee.agrees],
        ]
        for curve in found.curves
        for knee in curve.knees
    ]
    titles = (
        "memory",
        "on chip",
        "no loss up to",
        "loss from",
        "bound",
        f"within {_percent(AGREES)}",
    )
    return tables.plain(titles, rows, "Knees: where events begin to be lost")
