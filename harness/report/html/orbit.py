"""Wait along the orbit of the LHC: every traced event over the slot of its bunch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.report.html.axes import (
    Linear,
    bottom_axis,
    chart,
    frame,
    label,
    legend,
    wait_axis,
)
from harness.report.html.markup import Html, tag
from harness.traffic.filling import SLOTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.samples import Trace
    from harness.report.html.deduced import Deduced


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
    orbit, missing = deduced.orbit, deduced.missing
    area = frame(34, 150, right=64)
    strip = frame(area.bottom + 8, 16, right=64)
    scale = Linear(0, SLOTS, area.left, area.right)
    waits = trace.accepted - trace.scheduled
    values, axis = wait_axis(area, float(waits.max()), ns_per_cycle)
    slots = orbit.filling.slots
    lost = np.unique(slots[missing % slots.size])
    dots = np.unique(np.stack((orbit.slot, waits)), axis=1).T.tolist()
    entries = [("wait", "wait of an event", "bar"), ("total", "filled slots", "bar")]
    entries += [("lost", "slots that lost an event", "bar")] if lost.size else []
    turns = (int(trace.event[-1]) - int(trace.event[0]) + 1) / slots.size
    return chart(
        strip.bottom + 50,
        name,
        "Wait along the orbit",
        f"{trace.event.size:,} events of {turns:.2f} turns over the {SLOTS} slots of "
        f"{orbit.filling.name}; the longest wait is {int(waits.max()):,} cycles",
        legend(area.left, 14, entries, key=False),
        label(area.right, 14, f"{turns:.2f} turns of the LHC", "end", "soft"),
        axis,
        tag(
            "path",
            # A stroke of no length with round caps is a dot: thousands of them in one element.
            d=Html("".join(f"M{scale(slot):.1f} {values(wait):.1f}h0" for slot, wait in dots)),
            class_="dots wait",
        ),
        tag("path", d=_trains(orbit.filling.filled, scale, strip.top, 8), class_="fill total"),
        tag("path", d=_ticks(lost, scale, strip.top + 9, 8), class_="curve thin lost"),
        bottom_axis(strip, scale, "slot of the orbit", 12),
    )


def _trains(filled: NDArray[np.bool_], scale: Linear, y: float, height: float) -> Html:
    """Return the `d` of one box a train."""
    edges = np.diff(np.concatenate(([False], filled, [False])).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return Html(
        "".join(
            f"M{scale(low):.1f} {y:.1f}H{scale(high):.1f}v{height:.1f}H{scale(low):.1f}Z"
            for low, high in zip(first.tolist(), last.tolist(), strict=True)
        )
    )


def _ticks(slots: NDArray[np.int64], scale: Linear, y: float, height: float) -> Html | None:
    marks = "".join(f"M{scale(slot):.1f} {y:.1f}v{height:.1f}" for slot in slots.tolist())
    return Html(marks) if marks else None
