"""The step on weights: where they are, and what an event fetches of them from off chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.architecture.residency import residency, trigger_class
from harness.firmware.check import equal
from harness.report import result as results
from harness.report import text
from harness.traffic import Schedule
from harness.validate.play import make_rows, play, room, spacing
from harness.validate.step import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.validate.context import Context
    from harness.validate.step import Evidence

_EVENTS: Final = 256
_HINT: Final = "the fabric fetches other weights than the layout of this overlay has"


def where(context: Context) -> Iterator[Evidence]:
    """Where the weights are, counted in the fabric where they come from outside."""
    overlay = context.overlay
    context.residency = residency(overlay)
    if overlay.streamed is not None and context.load:
        count = min(_EVENTS, room(overlay))
        rows = make_rows(overlay, "noise", count, 1)
        samples = play(context, rows, Schedule.gaps_in_cycles((spacing(context),), count))
        if context.weights is not None:
            completed, found = samples.counters.completed, context.weights.off_chip()
            each = found.each(completed)
            yield equal("events that came out", count, completed, _HINT)
            yield equal("bytes fetched an event", found.event_bytes, each, _HINT)
            context.residency = residency(overlay, each)
    kept = context.residency
    if kept.off_chip_bytes is not None:
        yield Number("off_chip_bytes_per_inference", kept.off_chip_bytes, same=True)
    fit, why = trigger_class(kept)
    class_ = "trigger-class as far as weights go" if fit else f"not trigger-class: {why}"
    yield f"{text.residency(results.weights_of(kept))}; {class_}"
