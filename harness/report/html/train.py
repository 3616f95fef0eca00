"""Wait and drops by place in the train, frame or spill: what the mean rate does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.report.html.axes import (
    Frame,
    Linear,
    bottom_axis,
    chart,
    frame,
    label,
    left_axis,
    legend,
    line,
    path,
    wait_axis,
)
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.samples import Trace
    from harness.report.html.deduced import Deduced
    from harness.traffic.groups import Groups

_MOST_DOTS: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class ByPlace:
    """Traced events by their place in a group, such as of a bunch in its train, from 0.

    Args:
        taken: Events that were completed; int64 [places].
        dropped: Events that were not; int64 [places].
        least: Least wait in cycles; int64 [places], 0 without events.
        median: Median wait, the lower of two middles.
        most: Longest wait.
    """

    taken: NDArray[np.int64]
    dropped: NDArray[np.int64]
    least: NDArray[np.int64]
    median: NDArray[np.int64]
    most: NDArray[np.int64]


def by_place(trace: Trace, groups: Groups, missing: NDArray[np.int64]) -> ByPlace:
    """Sort the traced events, and the dropped ones between them, by place in their group."""
    places = max(groups.sizes)
    there, lost = groups.places(trace.event), groups.places(missing)
    waits = trace.accepted - trace.scheduled
    rows = np.zeros((3, places), dtype=np.int64)
    order = np.lexsort((waits, there))
    taken = np.bincount(there, minlength=places).astype(np.int64)
    ends = np.cumsum(taken)
    for place in np.flatnonzero(taken).tolist():
        here = waits[order[ends[place] - taken[place] : ends[place]]]
        rows[:, place] = here[0], here[(here.size - 1) // 2], here[-1]
    return ByPlace(
        taken,
        np.bincount(lost, minlength=places).astype(np.int64),
        rows[0],
        rows[1],
        rows[2],
    )


def figure(trace: Trace, deduced: Deduced, ns_per_cycle: float, name: str) -> Html | None:
    """Return the chart, None if events do not come in groups.

    Args:
        trace: Stamps.
        deduced: What they tell.
        ns_per_cycle: Of the measured clock.
        name: Unique on the page.
    """
    groups = deduced.groups
    if groups is None:
        return None
    found = by_place(trace, groups, deduced.missing)
    area = frame(34, 170, right=64)
    drops = frame(area.bottom + 44, 70, right=64) if deduced.missing.size else None
    scale = Linear(0.25, found.taken.size + 0.75, area.left, area.right)
    last = drops or area
    worst = int(np.argmax(found.most))
    return chart(
        last.bottom + 50,
        name,
        f"Wait by place in the {groups.name}",
        f"the longest wait, {int(found.most[worst]):,} cycles, is that of {groups.item} "
        f"{worst + 1}; "
        f"{deduced.missing.size} events of the traced stretch were dropped",
        label(area.right, 14, _source(deduced), "end", "soft"),
        *_waits(found, area, scale, ns_per_cycle),
        None if drops is None else _drops(found, drops, scale),
        bottom_axis(last, scale, f"{groups.item} of the {groups.name}, the first being 1", 14),
        _tips(found, groups, scale, Frame(area.left, area.top, area.width, last.bottom - area.top)),
    )


def _waits(found: ByPlace, area: Frame, scale: Linear, ns_per_cycle: float) -> list[Html | None]:
    values, axis = wait_axis(area, float(found.most.max()), ns_per_cycle)
    filled = np.flatnonzero(found.taken)
    xs = [scale(place + 1) for place in filled.tolist()]
    upper = [(x, values(y)) for x, y in zip(xs, found.most[filled].tolist(), strict=True)]
    lower = [(x, values(y)) for x, y in zip(xs, found.least[filled].tolist(), strict=True)]
    middle = [(x, values(y)) for x, y in zip(xs, found.median[filled].tolist(), strict=True)]
    entries = [("band", "least to longest wait", "bar"), ("wait", "median", "line")]
    return [
        legend(area.left, 14, entries),
        axis,
        tag("path", d=Html(path([*upper, *reversed(lower)]) + "Z"), class_="fill band"),
        tag("path", d=path(middle), class_="curve wait"),
        *(
            tag("circle", cx=x, cy=y, r=2.2, class_="dot wait")
            for x, y in middle
            if len(middle) <= _MOST_DOTS
        ),
        line(area.left, area.bottom, area.right, area.bottom, "axis"),
    ]


def _source(deduced: Deduced) -> str:
    return deduced.process if deduced.orbit is None else deduced.orbit.filling.name


def _drops(found: ByPlace, area: Frame, scale: Linear) -> Html:
    share = 100 * found.dropped / np.maximum(found.taken + found.dropped, 1)
    values = Linear(0, max(float(share.max()) * 1.15, 1.0), area.bottom, area.top)
    wide = (scale(2) - scale(1)) * 0.7
    bars = [
        tag(
            "rect",
            x=scale(place + 1) - wide / 2,
            y=values(height),
            width=wide,
            height=area.bottom - values(height),
            class_="fill lost",
        )
        for place, height in enumerate(share.tolist())
        if height
    ]
    title = label(area.left, area.top - 10, "share of events that were dropped", kind="soft")
    return tag("g", title, left_axis(area, values, "dropped", 4, whole=False, unit=" %"), *bars)


def _tips(found: ByPlace, groups: Groups, scale: Linear, area: Frame) -> Html | None:
    """Return invisible columns over the chart that say their numbers, if there is room."""
    if found.taken.size > _MOST_DOTS:
        return None
    wide = scale(2) - scale(1)
    columns = []
    for place in range(found.taken.size):
        words = (
            f"{groups.item} {place + 1}: "
            f"wait {found.least[place]:,} to {found.most[place]:,} cycles, median "
            f"{found.median[place]:,}; {found.taken[place]:,} events, "
            f"{found.dropped[place]:,} dropped"
        )
        left = scale(place + 1) - wide / 2
        columns.append(
            tag("rect", x=left, y=area.top, width=wide, height=area.height, data_tip=words)
        )
    return tag("g", *columns, class_="cover")
