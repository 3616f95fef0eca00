"""Playing events for a step: rows in, samples out; the accelerator is set as after a reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.accelerators import load_model
from harness.accelerators.golden import crc32_of_looped, golden_rows, identity_rows
from harness.fabric.plan import COUNTER_MODULUS, RunPlan
from harness.fabric.weights import load_weights
from harness.traffic import Schedule, open_source
from harness.validate.step import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.samples import Samples
    from harness.overlay import Overlay
    from harness.validate.context import Context

__all__ = ["Rows", "make_rows", "play", "probe", "room", "spacing"]

_UNKNOWN_SPACING: Final = 1024
_SPACING: Final = 4
NO_DEADLINE: Final = COUNTER_MODULUS - 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Input beats of events and the output beats they must cause, uint8 [events, bytes].

    `raw` has their values, [events, values].
    """

    inputs: NDArray[np.uint8]
    golden: NDArray[np.uint8]
    raw: NDArray[np.integer[Any]]

    def picked(self, order: NDArray[np.int64]) -> Rows:
        """Return the events of `order`, int64 [events], which may repeat some."""
        return Rows(self.inputs[order], self.golden[order], self.raw[order])

    def __len__(self) -> int:
        return len(self.inputs)


def room(overlay: Overlay) -> int:
    """Return how many events both memories hold."""
    sizes = overlay.bench
    return min(sizes.event_rows // overlay.input.beats, sizes.golden_rows // overlay.output.beats)


def make_rows(overlay: Overlay, source: str, events: int, seed: int) -> Rows:
    """Return events of a source, and the golden model's outputs.

    Raises:
        BenchmarkError: The source's events are not what the accelerator takes.
    """
    stream = overlay.input
    made = open_source(source, stream.format, stream.values).generate(events, seed)
    inputs = stream.format.pack(made.raw, stream.width_bits)
    if overlay.model_path is None:
        return Rows(inputs, identity_rows(inputs), made.raw)
    model = load_model(overlay.model_path)
    return Rows(inputs, golden_rows(model, made.raw, overlay.output.width_bits), made.raw)


def spacing(context: Context) -> int:
    """Return cycles from event to event that leave the accelerator time, and not all too much."""
    timing = context.timing
    return _SPACING * timing.interval_cycles if timing is not None else _UNKNOWN_SPACING


def play(
    context: Context,
    rows: Rows,
    schedule: Schedule,
    *,
    trace: int = 0,
    deadline_cycles: int = NO_DEADLINE,
) -> Samples:
    """Play events from a clean start, compare their outputs, and read everything out.

    Raises:
        Skip: Nothing came out in an earlier step.
        BoardError: Weights in external memory do not reach the fabric.
    """
    if context.silent:
        raise Skip("nothing comes out of the accelerator")
    bench, overlay = context.measuring, context.overlay
    bench.reset()
    for register in overlay.accelerator.registers:
        if register.access == "rw":
            bench.set_accelerator(register.offset, register.reset)
    bench.load_events(rows.inputs)
    bench.load_golden(rows.golden)
    bench.arm(
        RunPlan(
            schedule=schedule,
            distinct=len(rows),
            in_beats=overlay.input.beats,
            out_beats=overlay.output.beats,
            derandomiser=overlay.bench.queue_depth - 1,
            deadline_cycles=deadline_cycles,
        )
    )
    if context.weights is None:
        context.weights = load_weights(context.opened, bench, overlay)
    else:
        context.weights.load()
    measured_hz = context.clock.measured_hz if context.clock is not None else 0.0
    clock_hz = measured_hz or overlay.built_clock_hz(context.board.name)
    expected_ns = int(schedule.expected_cycles() * 1e9 / clock_hz) + 1
    if not bench.play(expected_ns, lambda done: context.progress.events(done, schedule.events)):
        bench.stop()
    samples = bench.read_out(trace)
    context.silent = samples.counters.completed == 0
    return samples


def probe(context: Context, events: int) -> None:
    """Play a few events, so that no counter is zero."""
    rows = make_rows(context.overlay, "noise", min(events, room(context.overlay)), 1)
    play(context, rows, Schedule.gaps_in_cycles((spacing(context),), events))


def crc_of(rows: Rows, completed: int) -> int:
    """Return the CRC-32 of all outputs of events played in a loop, none of them dropped."""
    return crc32_of_looped(rows.golden, completed)
