"""Scales, ticks and axes of charts, and the SVG frame that all charts share.

Charts are drawn for a width of 960 and scale with the page. Every time axis counts cycles; a second
one says the same in ns. Attributes named `data-` are for the page's script, which zooms and reads
off values; nothing depends on it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 960.0
LEFT: Final = 76.0
RIGHT: Final = 20.0
_TICK: Final = 5.0
_LETTER: Final = 6.4
"""Mean width of a letter at the size of labels; labels are kept apart by it."""


class Scale(Protocol):
    """From values to pixels."""

    def __call__(self, value: float) -> float:
        """Return where a value lies."""

    def ticks(self, most: int) -> list[float]:
        """Return round values within the scale, about `most` of them."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear scale: `low` lies at pixel `start`, `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return multiples of 1, 2 or 5 times a power of ten."""
        step = _step((self.high - self.low) / max(most, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        # Multiplying by a reciprocal keeps 0.3 from becoming 0.30000000000000004.
        return [k * step if step >= 1 else k / round(1 / step) for k in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Log:
    """A logarithmic scale between two positive values; what is below lies at its low end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value lies."""
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return powers of ten, and multiples of those where there is room."""
        lowest, highest = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1,)):
            values = [f * 10.0**power for power in range(lowest, highest + 1) for f in factors]
            inside = [value for value in values if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: -(-len(inside) // max(most, 1))]


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of a chart in which values lie."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


def frame(top: float, height: float, right: float = RIGHT) -> Frame:
    """Return a frame as wide as the page allows."""
    return Frame(LEFT, top, WIDTH - LEFT - right, height)


def chart(
    height: float, name: str, title: str, description: str, *parts: Html | None, **data: Any
) -> Html:
    """Return a whole chart that a screen reader can announce.

    Args:
        height: Of the chart, 960 being its width.
        name: Unique on the page.
        title: What it shows.
        description: What can be seen in it, in words and numbers.
        parts: Its content.
        data: For the script, as JSON.
    """
    return tag(
        "svg",
        tag("title", title, id=f"{name}-t"),
        tag("desc", description, id=f"{name}-d"),
        *parts,
        class_="chart",
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
        data_chart=json.dumps(data, separators=(",", ":")) if data else None,
    )


def label(x: float, y: float, text: object, anchor: str = "start", kind: str = "") -> Html:
    """Return text in a chart."""
    return tag(
        "text",
        text,
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
        class_=kind or None,
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def clipped(name: str, area: Frame, *parts: Html | None) -> Html:
    """Return what lies on the time axis: cut off at the frame, and moved when zooming."""
    return tag(
        "g",
        tag(
            "clipPath",
            tag("rect", x=area.left, y=area.top, width=area.width, height=area.height),
            id=name,
        ),
        tag("g", tag("g", *parts, class_="zoom"), clip_path=f"url(#{name})"),
    )


def time_axes(area: Frame, scale: Linear, ns_per_cycle: float, title: str) -> Html:
    """Return two axes below a frame: cycles, and beneath them ns.

    Args:
        area: The frame; its width is the scale's.
        scale: In cycles.
        ns_per_cycle: Of the measured clock.
        title: What is counted, in cycles.
    """
    ns = Linear(scale.low * ns_per_cycle, scale.high * ns_per_cycle, scale.start, scale.end)
    return tag(
        "g",
        _time_axis(area, scale, area.bottom, 1.0, title),
        _time_axis(area, ns, area.bottom + 44, ns_per_cycle, "the same in ns"),
    )


def _time_axis(area: Frame, scale: Linear, y: float, per_cycle: float, title: str) -> Html:
    return tag(
        "g",
        line(area.left, y, area.right, y, "axis"),
        tag(
            "g",
            *(_tick_below(scale(value), y, _round(value)) for value in scale.ticks(9)),
            class_="ticks",
            data_y=y,
            data_per=f"{per_cycle:.17g}",
        ),
        label((area.left + area.right) / 2, y + 34, title, "middle", "name"),
    )


def bottom_axis(area: Frame, scale: Scale, title: str, most: int = 10, unit: str = "") -> Html:
    """Return an axis below a frame that is no time axis."""
    y = area.bottom
    return tag(
        "g",
        line(area.left, y, area.right, y, "axis"),
        *(_tick_below(scale(value), y, _round(value) + unit) for value in scale.ticks(most)),
        label((area.left + area.right) / 2, y + 36, title, "middle", "name"),
    )


def left_axis(
    area: Frame, scale: Scale, title: str, most: int = 6, *, whole: bool = True, unit: str = ""
) -> Html:
    """Return an axis left of a frame, with lines across it.

    Args:
        area: The frame.
        scale: Of the values, upwards.
        title: What they are.
        most: About how many ticks.
        whole: Whether only whole numbers make sense.
        unit: Behind every number.
    """
    values = [value for value in scale.ticks(most) if not whole or value == int(value)]
    middle = area.top + area.height / 2
    return tag(
        "g",
        *(line(area.left, scale(value), area.right, scale(value), "grid") for value in values),
        *(label(area.left - 8, scale(value) + 4, _short(value) + unit, "end") for value in values),
        tag(
            "text",
            title,
            x=-middle,
            y=14.0,
            text_anchor="middle",
            transform="rotate(-90)",
            class_="name",
        ),
    )


def pin(area: Frame, scale: Linear, value: float, kind: str, *parts: Html) -> Html:
    """Return an upright line at a time, with what belongs to it; `parts` count x from the line."""
    return tag(
        "g",
        line(0, area.top, 0, area.bottom, kind),
        *parts,
        class_="pin",
        data_v=f"{value:.17g}",
        transform=f"translate({scale(value):.2f} 0)",
    )


def levels(places: Sequence[tuple[float, str]], limit: float) -> list[tuple[int, str]]:
    """Return for labels, from left to right, the row in which each finds room, and its anchor.

    Args:
        places: Pixel and text of each, pixels rising.
        limit: Right edge; a label that would cross it is written to the left of its place.
    """
    ends: list[float] = []
    found = []
    for x, text in places:
        width = _LETTER * len(text) + 10
        anchor = "end" if x + width > limit else "start"
        low, high = (x - width, x) if anchor == "end" else (x, x + width)
        row = next((row for row, end in enumerate(ends) if low > end), len(ends))
        ends[row : row + 1] = [high]
        found.append((row, anchor))
    return found


def legend(
    x: float, y: float, entries: Iterable[tuple[str, str, str]], *, key: bool = True
) -> Html:
    """Return names beside their marks, in one row; the script lets a reader switch them.

    Args:
        x: Where the row begins.
        y: Its base line.
        entries: Name of the series, text, and class of the mark (`line` or `bar`).
        key: Whether the entries switch their series.
    """
    parts = []
    for series, text, mark in entries:
        shape = (
            line(x, y - 4, x + 18, y - 4, f"curve {series}")
            if mark == "line"
            else tag("rect", x=x, y=y - 10, width=18.0, height=10.0, class_=f"fill {series}")
        )
        parts.append(
            tag(
                "g",
                shape,
                label(x + 24, y, text),
                class_="key",
                data_key=series if key else None,
            )
        )
        x += 24 + _LETTER * len(text) + 22
    return tag("g", *parts, class_="legend")


def path(points: Iterable[tuple[float, float]]) -> Html:
    """Return the `d` of a line through points."""
    return Html("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points))


def staircase(edges: Sequence[float], heights: Sequence[float], floor: float) -> Html:
    """Return the `d` of an area under steps; `edges` has one entry more than `heights`."""
    steps = [f"M{edges[0]:.2f} {floor:.2f}"]
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        steps.append(f"L{left:.2f} {height:.2f}L{right:.2f} {height:.2f}")
    steps.append(f"L{edges[-1]:.2f} {floor:.2f}Z")
    return Html("".join(steps))


def _round(value: float) -> str:
    """Return the number of a tick, without zeros at its end."""
    return f"{value:,.10g}"


def _short(value: float) -> str:
    """Return the number of a tick where there is little room."""
    return _round(value) if value < 1e6 else f"{_round(value / 1e6)} M"


def _tick_below(x: float, y: float, text: str) -> Html:
    return tag("g", line(x, y, x, y + _TICK, "axis"), label(x, y + 18, text, "middle"))


def _step(least: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below `least`."""
    power: float = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))


def wait_axis(area: Frame, most: float, ns_per_cycle: float) -> tuple[Linear, Html]:
    """Return a scale of waits up to `most` cycles, and its axes: cycles left, ns right."""
    top = max(4.0, most * 1.08)
    values = Linear(0, top, area.bottom, area.top)
    ns = Linear(0, top * ns_per_cycle, area.bottom, area.top)
    right = (label(area.right + 8, ns(tick) + 4, f"{tick:,.6g} ns") for tick in ns.ticks(5))
    return values, tag("g", left_axis(area, values, "wait in cycles", 5), *right)
