"""Wait and drops by the place of a bunch in its train: what the mean rate does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    from harness.report.html.deduced import Deduced, Orbit


@dataclass(frozen=True, slots=True, eq=False)
class ByBunch:
    """Traced events by the place of their bunch in its train, counted from 0.

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


def by_bunch(trace: Trace, orbit: Orbit, missing: NDArray[np.int64]) -> ByBunch:
    """Sort the traced events, and the dropped ones between them, by place in the train."""
    places = int(orbit.filling.bunch.max()) + 1
    slots = orbit.filling.slots
    lost = orbit.filling.bunch[slots[missing % slots.size]]
    waits = trace.accepted - trace.scheduled
    rows = np.zeros((3, places), dtype=np.int64)
    for place in range(places):
        here = np.sort(waits[orbit.bunch == place])
        if here.size:
            rows[:, place] = here[0], here[(here.size - 1) // 2], here[-1]
    return ByBunch(
        np.bincount(orbit.bunch, minlength=places).astype(np.int64),
        np.bincount(lost, minlength=places).astype(np.int64),
        rows[0],
        rows[1],
        rows[2],
    )


def figure(trace: Trace, deduced: Deduced, ns_per_cycle: float, name: str) -> Html | None:
    """Return the chart, None if the run does not follow a filling scheme.

    Args:
        trace: Stamps.
        deduced: What they tell.
        ns_per_cycle: Of the measured clock.
        name: Unique on the page.
    """
    if deduced.orbit is None:
        return None
    found = by_bunch(trace, deduced.orbit, deduced.missing)
    area = frame(34, 170, right=64)
    drops = frame(area.bottom + 44, 70, right=64) if deduced.missing.size else None
    scale = Linear(0.25, found.taken.size + 0.75, area.left, area.right)
    last = drops or area
    worst = int(np.argmax(found.most))
    return chart(
        last.bottom + 50,
        name,
        "Wait by place in the train",
        f"the longest wait, {int(found.most[worst]):,} cycles, is that of bunch {worst + 1}; "
        f"{deduced.missing.size} events of the traced stretch were dropped",
        *_waits(found, area, scale, ns_per_cycle, deduced.orbit),
        None if drops is None else _drops(found, drops, scale),
        bottom_axis(last, scale, "bunch of the train, the first being 1", 14),
        _tips(found, scale, Frame(area.left, area.top, area.width, last.bottom - area.top)),
    )


def _waits(
    found: ByBunch, area: Frame, scale: Linear, ns_per_cycle: float, orbit: Orbit
) -> list[Html | None]:
    values, axis = wait_axis(area, float(found.most.max()), ns_per_cycle)
    filled = np.flatnonzero(found.taken)
    xs = [scale(place + 1) for place in filled.tolist()]
    upper = [(x, values(y)) for x, y in zip(xs, found.most[filled].tolist(), strict=True)]
    lower = [(x, values(y)) for x, y in zip(xs, found.least[filled].tolist(), strict=True)]
    middle = [(x, values(y)) for x, y in zip(xs, found.median[filled].tolist(), strict=True)]
    entries = [("band", "least to longest wait", "bar"), ("wait", "median", "line")]
    return [
        legend(area.left, 14, entries),
        label(area.right, 14, f"{orbit.filling.name}", "end", "soft"),
        axis,
        tag("path", d=Html(path([*upper, *reversed(lower)]) + "Z"), class_="fill band"),
        tag("path", d=path(middle), class_="curve wait"),
        *(tag("circle", cx=x, cy=y, r=2.2, class_="dot wait") for x, y in middle),
        line(area.left, area.bottom, area.right, area.bottom, "axis"),
    ]


def _drops(found: ByBunch, area: Frame, scale: Linear) -> Html:
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


def _tips(found: ByBunch, scale: Linear, area: Frame) -> Html:
    """Return invisible columns over the chart that say their numbers."""
    wide = scale(2) - scale(1)
    columns = []
    for place in range(found.taken.size):
        words = (
            f"bunch {place + 1}: wait {found.least[place]:,} to {found.most[place]:,} cycles, "
            f"median {found.median[place]:,}; {found.taken[place]:,} events, "
            f"{found.dropped[place]:,} dropped"
        )
        left = scale(place + 1) - wide / 2
        columns.append(
            tag("rect", x=left, y=area.top, width=wide, height=area.height, data_tip=words)
        )
    return tag("g", *columns, class_="cover")
