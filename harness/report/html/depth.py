"""How many events waited, cycle by cycle, as the stamps tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.report import text
from harness.report.html.axes import (
    Frame,
    Linear,
    chart,
    clipped,
    frame,
    label,
    left_axis,
    line,
    staircase,
    time_axes,
)
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.samples import Trace
    from harness.report.html.timeline import Stretch
    from harness.report.schema import Result

_COLUMNS: Final = 870


def waiting(trace: Trace) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the number of waiting events changes, and what it is from then on.

    An event waits from the cycle in which it is due until that in which it is accepted, which no
    longer counts. Later than the last traced event is due, others that are not in the trace wait as
    well, so the row ends there.

    Returns:
        Rising cycles and events waiting, both int64, of one length.
    """
    cycles = np.concatenate((trace.scheduled, trace.accepted))
    steps = np.concatenate((np.ones_like(trace.scheduled), -np.ones_like(trace.accepted)))
    changes, place = np.unique(cycles, return_inverse=True)
    depth = np.cumsum(np.bincount(place.ravel(), weights=steps).astype(np.int64))
    known = changes <= trace.scheduled.max()
    return changes[known], depth[known]


def figure(trace: Trace, stretch: Stretch, result: Result, name: str) -> Html | None:
    """Return the chart, None if the trace spans no time.

    Args:
        trace: Stamps; at least one event.
        stretch: What the timeline shows, to be marked.
        result: Content of `result.json`.
        name: Unique on the page.
    """
    changes, depth = waiting(trace)
    first, last = int(changes[0]), int(changes[-1])
    if last <= first:
        return None
    limit, most = result["queue"]["limit"], int(depth.max())
    shown = limit <= max(3 * most, 8)
    area = frame(28, 150)
    scale = Linear(first, last, area.left, area.right)
    top = max(limit, most) * 1.12 if shown else max(most * 1.3, 2.0)
    values = Linear(0, top, area.bottom, area.top)
    edges, heights = _columns(changes, depth)
    shape = staircase(
        [scale(edge) for edge in edges], [values(height) for height in heights], area.bottom
    )
    ns = 1e9 / result["clock"]["measured_hz"]
    return chart(
        area.bottom + 84,
        name,
        "Events waiting in the derandomiser",
        f"cycles {first:,} to {last:,}: at most {most} events waited, {limit} may",
        _head(area, result, most, shown=shown),
        left_axis(area, values, "waiting", 5),
        clipped(
            f"{name}-c",
            area,
            _window(trace, stretch, scale, area),
            tag("path", d=shape, class_="fill outlined wait"),
        ),
        line(area.left, values(limit), area.right, values(limit), "mark deadline")
        if shown
        else None,
        label(area.right - 4, values(limit) - 5, f"limit {limit:,}", "end", "flag deadline")
        if shown
        else None,
        time_axes(area, scale, ns, "cycles since the run began"),
        x0=scale.start,
        x1=scale.end,
        lo=scale.low,
        hi=scale.high,
        ns=ns,
        steps=[changes.tolist(), depth.tolist()] if changes.size <= 4 * _COLUMNS else None,
    )


def _head(area: Frame, result: Result, most: int, *, shown: bool) -> Html:
    words = f"at most {most:,} waited in the trace"
    whole = result["queue"]["max_depth"]
    if whole is not None:
        words += f", {whole:,} in the whole run"
    if not shown:
        words += f"; up to {text.count(result['queue']['limit'])} may"
    return label(area.left, 14, words, kind="soft")


def _window(trace: Trace, stretch: Stretch, scale: Linear, area: Frame) -> Html | None:
    left = scale(int(trace.scheduled[stretch.first]))
    right = scale(int(trace.done[stretch.last - 1]))
    if right - left > 0.8 * area.width:
        return None
    return tag(
        "rect",
        x=left,
        y=area.top,
        width=right - left,
        height=area.height,
        class_="window",
        data_tip="the stretch of the timeline",
    )


def _columns(changes: NDArray[np.int64], depth: NDArray[np.int64]) -> tuple[list[float], list[int]]:
    """Return edges and heights of columns: the steps, or the largest of each if they are many."""
    if changes.size <= _COLUMNS:
        return changes.tolist(), depth[:-1].tolist()
    edges = np.linspace(changes[0], changes[-1], _COLUMNS + 1)
    column = np.clip(np.searchsorted(edges, changes, side="right") - 1, 0, _COLUMNS - 1)
    heights = np.zeros(_COLUMNS, dtype=np.int64)
    np.maximum.at(heights, column, depth)
    # What holds at the left edge of a column counts in it as well.
    before = np.searchsorted(changes, edges[:-1], side="right") - 1
    return edges.tolist(), np.maximum(heights, depth[before]).tolist()
