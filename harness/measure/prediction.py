"""What theory says of a run before it is made: exactly, of its very schedule, and in closed form.

The cycles in which events are due follow from the benchmark, random ones from their seed. Where the
accelerator's initiation interval and latency are known and constant, or follow from the data that
is played, so is the life of every event: `predict` works it out, and `harness.measure.theory` holds
a run to it. The work is bounded: of a longer run the first events are predicted, and their number
is part of the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.accelerators.pace import Pace, pace_of
from harness.fabric.samples import LatencyHistogram
from harness.measure.queueing import Departures, deepest, finite_queue, serve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from harness.overlay import Overlay
    from harness.traffic import Schedule

MOST_EVENTS: Final = 2_000_000
MOST_PACED: Final = 200_000
"""Events followed at most where each takes its own time: about two seconds."""
MOST_RANDOM_CYCLES: Final = 1 << 26
"""Cycles of the random generator that are followed at most: about two seconds."""

Model = Literal["D/D/1/K", "Geo/D/1/K", "G/D/1/K", "D/G/1/K", "Geo/G/1/K", "G/G/1/K"]


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast an accelerator is.

    Args:
        interval_cycles: Least cycles from first beat to first beat, at least 1.
        latency_cycles: From the first input beat to the last output beat.
    """

    interval_cycles: int
    latency_cycles: int


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The life of the first events of a run, and what the fabric must have counted of them.

    Args:
        timing: Of the accelerator; None where it depends on the data.
        depth: Events that may wait.
        whole: Whether these are all events of the run.
        due: int64, shape (n,): cycle in which each event is due.
        departures: What became of each.
        deadline_misses: Events kept whose total is above the deadline; None for no deadline.
        max_depth: Most events that waited in one cycle.
    """

    timing: Timing | None
    depth: int
    whole: bool
    due: NDArray[np.int64]
    departures: Departures
    deadline_misses: int | None
    max_depth: int

    @property
    def events(self) -> int:
        """Events that were predicted."""
        return int(self.due.size)

    @property
    def dropped(self) -> int:
        """Events that find the derandomiser full."""
        return int(self.departures.dropped.sum())

    @property
    def wait(self) -> NDArray[np.int64]:
        """Waits of the events kept, int64, in order."""
        return self._since_due(self.departures.accepted)

    @property
    def total(self) -> NDArray[np.int64]:
        """Totals of the events kept, int64, in order."""
        return self._since_due(self.departures.done)

    def _since_due(self, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        kept = ~self.departures.dropped
        cycles: NDArray[np.int64] = stamps[kept] - self.due[kept]
        return cycles


def timing_of(overlay: Overlay, written: Mapping[str, int]) -> tuple[Timing | None, str]:
    """Return how fast an overlay's accelerator is in a run, or None and why that is not known.

    Args:
        overlay: Its contract, or the registers that set the timing.
        written: Registers that the run writes; the others have their reset value.
    """
    accelerator = overlay.accelerator
    values = {item.name: written.get(item.name, item.reset) for item in accelerator.registers}
    if accelerator.jitter_register and values[accelerator.jitter_register]:
        return None, f"{accelerator.jitter_register} makes the latency random"
    interval, latency = accelerator.initiation_interval_cycles, accelerator.latency_cycles
    if accelerator.interval_register:
        interval = values[accelerator.interval_register]
    if accelerator.latency_register:
        # The register counts from beat to beat; the last beat enters that much after the first.
        latency = values[accelerator.latency_register] + overlay.output.beats - 1
    if interval is None or latency is None:
        what = "initiation interval" if interval is None else "latency"
        return None, f"the manifest of overlay {overlay.name} does not say its {what}"
    if interval < 1 or latency < 1:
        return None, f"no accelerator has interval {interval} and latency {latency}"
    return Timing(max(interval, overlay.input.beats), latency), ""


def pacing_of(overlay: Overlay, raw: NDArray[np.integer[Any]]) -> tuple[Pace | None, str]:
    """Return how an overlay's accelerator takes the events of a run, or None and why not known.

    Args:
        overlay: Its model says how long each event takes.
        raw: Raw values of the events in the event memory, [events, values].
    """
    if overlay.model is None:
        return None, ""
    return pace_of(overlay.model, raw, overlay.input.width_bits, overlay.output.width_bits)


def predict(
    schedule: Schedule,
    timing: Timing | Pace,
    depth: int,
    deadline_cycles: int | None,
    most_events: int | None = None,
) -> Prediction:
    """Return the life of every event, or of the first ones.

    A million events take up to 0.2 s; random ones 30 ns more a cycle, to learn when they are due.
    Of those that take their own time each, 100,000 take about a second.

    Args:
        schedule: When events are due.
        timing: Of the accelerator, or its pace, from its first event on.
        depth: Events that may wait.
        deadline_cycles: Largest total in time; None for no deadline.
        most_events: Predict no more than that; None for what takes a few seconds at most.

    Raises:
        InputError: The timing or the depth is out of range.
    """
    if most_events is None:
        most_events = MOST_PACED if isinstance(timing, Pace) else MOST_EVENTS
    events = min(schedule.events, most_events)
    if schedule.bernoulli_threshold is not None:
        in_reach = int(MOST_RANDOM_CYCLES * schedule.mean_rate_per_cycle)
        events = min(events, max(in_reach, 1))
    due = schedule.cycles(0, events)
    if isinstance(timing, Pace):
        timing.restart()
        departures = serve(due, timing, depth)
    else:
        departures = finite_queue(due, timing.interval_cycles, timing.latency_cycles, depth)
    kept = ~departures.dropped
    late = None
    if deadline_cycles is not None:
        late = int((departures.done[kept] - due[kept] > deadline_cycles).sum())
    return Prediction(
        timing=None if isinstance(timing, Pace) else timing,
        depth=depth,
        whole=events == schedule.events,
        due=due,
        departures=departures,
        deadline_misses=late,
        max_depth=deepest(due[kept], departures.accepted[kept]),
    )


def histogram_of(cycles: NDArray[np.int64], bins: int) -> LatencyHistogram:
    """Return latencies as the fabric keeps them.

    Args:
        cycles: int64, shape (n,): one latency an event.
        bins: One-cycle bins of the fabric; what is longer counts as overflow.
    """
    inside = cycles[cycles < bins]
    return LatencyHistogram(
        counts=np.bincount(inside, minlength=bins).astype(np.int64),
        overflow=int(cycles.size - inside.size),
        count=int(cycles.size),
        minimum=int(cycles.min()) if cycles.size else None,
        maximum=int(cycles.max()) if cycles.size else None,
        total=int(cycles.sum()),
    )


def model_of(schedule: Schedule, *, paced: bool = False) -> Model:
    """Return, in Kendall's notation, what kind of queue a schedule makes.

    Args:
        schedule: When events are due.
        paced: Service takes as long as the data wants.
    """
    if schedule.gaps is not None:
        return "G/G/1/K" if paced else "G/D/1/K"
    if schedule.bernoulli_threshold is None:
        return "D/G/1/K" if paced else "D/D/1/K"
    return "Geo/G/1/K" if paced else "Geo/D/1/K"


def load_of(schedule: Schedule, interval_cycles: int) -> Fraction:
    """Return events per initiation interval, averaged over the schedule; above 1 is overload."""
    return Fraction(schedule.mean_rate_per_cycle) * interval_cycles
