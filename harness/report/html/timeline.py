"""Traced events as horizontal bars, from due over accepted to done, around the worst wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.report import text
from harness.report.html.axes import (
    LEFT,
    RIGHT,
    WIDTH,
    Frame,
    Linear,
    chart,
    clipped,
    frame,
    label,
    legend,
    line,
    path,
    time_axes,
)
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.samples import Trace
    from harness.report.html.deduced import Deduced

_MOST: Final = 200
_FEWEST: Final = 24
_BEFORE: Final = 0.62
"""Share of the stretch that lies before the worst event: how it came about tells more."""
_LEAST_BAR: Final = 7.0
_HEAD: Final = 30.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traced events that are shown: rows `first` to `last` of the trace, the last excluded."""

    first: int
    last: int
    worst: int

    @property
    def rows(self) -> slice:
        """The stretch as an index."""
        return slice(self.first, self.last)


def choose(trace: Trace) -> Stretch:
    """Return up to 200 events around the worst wait: fewer where bars would be too short to see."""
    size = int(trace.event.size)
    waits = trace.accepted - trace.scheduled
    worst = int(np.argmax(waits)) if waits.any() else 0
    many = min(_MOST, size)
    while True:
        first = min(max(0, worst - int(many * _BEFORE)), size - many)
        rows = slice(first, first + many)
        span = int(trace.done[rows].max() - trace.scheduled[rows].min()) + 1
        longest = float(np.median(trace.done[rows] - trace.scheduled[rows]))
        enough = longest * (WIDTH - LEFT - RIGHT) >= _LEAST_BAR * span
        if enough or many <= _FEWEST:
            return Stretch(first, first + many, worst)
        many = max(_FEWEST, many * 3 // 4)


def figure(
    trace: Trace,
    stretch: Stretch,
    deduced: Deduced,
    ns_per_cycle: float,
    deadline_cycles: int | None,
    name: str,
) -> Html:
    """Return the chart.

    Args:
        trace: Stamps; at least one event.
        stretch: Which of them.
        deduced: What they tell, of dropped events above all.
        ns_per_cycle: Of the measured clock.
        deadline_cycles: Largest total in time, None for none.
        name: Unique on the page.
    """
    rows = stretch.rows
    events = trace.event[rows]
    missing = deduced.missing
    lost = missing[(missing > events[0]) & (missing < events[-1])]
    numbers = np.union1d(events, lost)
    area = frame(_HEAD, float(min(560, max(200, 12 * numbers.size))))
    # Both of both: the stamps of an invalid run may run backwards.
    ends = np.concatenate((trace.scheduled[rows], trace.done[rows]))
    low, high = int(ends.min()), int(ends.max())
    margin = max(2.0, 0.01 * (high - low))
    scale = Linear(low - margin, high + margin, area.left, area.right)
    pitch = area.height / numbers.size
    place = {int(event): area.top + pitch * row for row, event in enumerate(numbers.tolist())}
    thick = pitch * (0.84 if pitch > 4 else 1.0)
    bars = [
        _bar(trace, row, scale, place[int(trace.event[row])], thick, ns_per_cycle)
        for row in range(stretch.first, stretch.last)
    ]
    crosses = [_cross(trace, deduced, event, scale, place[event], thick) for event in lost.tolist()]
    late = _deadline(trace, rows, scale, place, thick, deadline_cycles)
    entries = [("wait", "wait: due until accepted", "bar"), ("service", "service", "bar")]
    entries += [("lost", "dropped", "bar")] if lost.size else []
    entries += [("deadline", "deadline", "line")] if late is not None else []
    return chart(
        area.bottom + 84,
        name,
        "Timeline of traced events",
        f"events {int(events[0]):,} to {int(events[-1]):,}, one below the other; "
        f"the longest wait is {_wait(trace, stretch.worst)} of event "
        f"{int(trace.event[stretch.worst]):,}; {lost.size} dropped",
        legend(area.left, 14, entries),
        _event_axis(area, numbers, pitch),
        clipped(f"{name}-c", area, *bars, *crosses, late),
        line(area.left, area.bottom, area.right, area.bottom, "axis"),
        _worst(trace, stretch, area, scale, place, thick, ns_per_cycle),
        time_axes(area, scale, ns_per_cycle, "cycles since the run began"),
        x0=scale.start,
        x1=scale.end,
        lo=scale.low,
        hi=scale.high,
        ns=ns_per_cycle,
    )


def _bar(trace: Trace, row: int, scale: Linear, y: float, thick: float, ns: float) -> Html:
    due, taken, done = (
        int(stamps[row]) for stamps in (trace.scheduled, trace.accepted, trace.done)
    )
    words = (
        f"event {int(trace.event[row]):,}: due {due:,}, accepted {taken:,}, done {done:,}; "
        f"wait {taken - due:,}, service {done - taken:,}, total {done - due:,} cycles, "
        f"{text.nanoseconds((done - due) * ns)}"
    )
    wait = None
    if taken > due:
        width = scale(taken) - scale(due)
        wait = tag("rect", x=scale(due), y=y, width=width, height=thick, class_="fill wait")
    width = max(scale(done) - scale(taken), 0.5)
    return tag(
        "g",
        wait,
        tag("rect", x=scale(taken), y=y, width=width, height=thick, class_="fill service"),
        data_tip=words,
    )


def _cross(
    trace: Trace, deduced: Deduced, event: int, scale: Linear, y: float, thick: float
) -> Html:
    """Return the mark of a dropped event: when it was due, or between which instants."""
    if deduced.missing_due is None:
        after = int(np.searchsorted(trace.event, event))
        low, high = int(trace.scheduled[after - 1]), int(trace.scheduled[after])
        words = f"between cycles {low:,} and {high:,}"
    else:
        low = high = int(deduced.missing_due[np.searchsorted(deduced.missing, event)])
        words = f"in cycle {low:,} or the next"
    return tag(
        "rect",
        x=scale(low),
        y=y,
        width=max(scale(high) - scale(low), 4.0),
        height=thick,
        class_="fill lost",
        data_tip=f"event {event:,}: dropped; it was due {words}",
    )


def _deadline(
    trace: Trace,
    rows: slice,
    scale: Linear,
    place: dict[int, float],
    thick: float,
    deadline_cycles: int | None,
) -> Html | None:
    longest = int((trace.done[rows] - trace.scheduled[rows]).max())
    if deadline_cycles is None or deadline_cycles > 3 * longest:
        return None
    points = []
    for event, due in zip(trace.event[rows].tolist(), trace.scheduled[rows].tolist(), strict=True):
        x = scale(due + deadline_cycles)
        points += [(x, place[event]), (x, place[event] + thick)]
    return tag("path", d=path(points), class_="curve deadline")


def _event_axis(area: Frame, numbers: NDArray[np.int64], pitch: float) -> Html:
    scale = Linear(0, numbers.size, area.top, area.bottom)
    rows = [int(row) for row in scale.ticks(10) if row == int(row) and row < numbers.size]
    parts = [
        label(area.left - 8, area.top + pitch * (row + 0.5) + 4, f"{int(numbers[row]):,}", "end")
        for row in rows
    ]
    x = -(area.top + area.height / 2)
    turned = tag(
        "text", "event", x=x, y=14, text_anchor="middle", transform="rotate(-90)", class_="name"
    )
    return tag("g", *parts, turned)


def _worst(
    trace: Trace,
    stretch: Stretch,
    area: Frame,
    scale: Linear,
    place: dict[int, float],
    thick: float,
    ns: float,
) -> Html | None:
    row = stretch.worst
    cycles = int(trace.accepted[row] - trace.scheduled[row])
    if not cycles:
        return label(area.right, 14, "no event of the trace waited", "end", "soft")
    x, y = scale(int(trace.done[row])), place[int(trace.event[row])] + thick / 2
    words = f"longest wait: {cycles:,} cycles, {text.nanoseconds(cycles * ns)}"
    needed, left = 7 * len(words), scale(int(trace.scheduled[row]))
    if area.right - x > needed:
        at, anchor, edge = x + 10, "start", x + 3
    elif left - area.left > needed:
        at, anchor, edge = left - 10, "end", left - 3
    else:
        return label(area.right, 14, f"{words} (event {int(trace.event[row]):,})", "end", "strong")
    return tag(
        "g",
        line(edge, y, at - (2 if anchor == "start" else -2), y, "lead"),
        label(at, y + 4, words, anchor, "flag strong"),
        class_="still",
    )


def _wait(trace: Trace, row: int) -> str:
    return f"{int(trace.accepted[row] - trace.scheduled[row]):,} cycles"
