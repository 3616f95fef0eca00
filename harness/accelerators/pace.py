"""When a network whose work depends on the data takes each event and answers, cycle by cycle.

Such a network is a row of `Lif` layers behind one register for the beat that comes in. A layer
works through one step while the next waits in the register before it; one that cannot hand on its
output stands still as a whole. So an event's time may depend on the one before it, and how long
that is gone. All of it is followed here, a step at a time, exactly as the gateware does it, for a
stream that offers the beats of an event one after the other and takes results at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.layers.lif import Lif

if TYPE_CHECKING:
    from harness.accelerators.model import Model

_NEVER = -1
_MOST_KEPT = 1 << 17
_State = tuple[tuple[int, int, tuple[tuple[int, int], ...]], ...]


@dataclass(slots=True)
class _Stage:
    """A layer at work.

    Args:
        cycles: Of every step of every event.
        ends: Step after which the counts of every event go out; None if every step goes out.
        late: Cycles from a step's last spike to the one in which its output is loaded.
        free: Cycle from which on it can take a step.
        left: Cycle in which its last output was taken from it.
        stood: From when to when it stood still, in order; what lies too far back is dropped.
    """

    cycles: list[list[int]]
    ends: list[int] | None
    late: int
    free: int = _NEVER
    left: int = _NEVER
    stood: tuple[tuple[int, int], ...] = ()

    def taken(self, offered: int) -> int:
        """Return when a step is taken."""
        cycle = max(offered, self.free)
        for start, end in self.stood:
            if start <= cycle < end:
                cycle = end
        return cycle

    def after(self, cycle: int, cycles: int) -> int:
        """Return the cycle so many cycles of work after another."""
        until = cycle + cycles
        for start, end in self.stood:
            if cycle < start <= until:
                until += end - start
        return until

    def sends(self) -> int:
        """Return when the output of the last step taken is loaded, once the one before is gone."""
        ready = self.after(self.free, self.late)
        if ready < self.left:
            self.stood = (*self.stood, (ready, self.left))
        return max(ready, self.left)


class Pace:
    """A network that answers events one after the other; it remembers how far it has come.

    Args:
        layers: From input to output, each with the cycles that every step of every event in the
            event memory takes, int64 [events, steps], and the step after which its counts go out,
            int64 [events].
        latency: Cycles after the last layer.
    """

    def __init__(
        self, layers: Sequence[tuple[Lif, NDArray[np.int64], NDArray[np.int64]]], latency: int
    ) -> None:
        self._stages = [
            _Stage(
                cycles.tolist(),
                ends.tolist() if layer.result == "counts" else None,
                layer.pipeline_cycles - 1,
            )
            for layer, cycles, ends in layers
        ]
        self._events = len(layers[0][1])
        self._latency = latency
        self._known: dict[tuple[int, _State], tuple[int, int, _State]] = {}
        self.restart()

    def restart(self) -> None:
        """Forget all events, as after a reset."""
        self.ready = 0
        for stage in self._stages:
            stage.free = stage.left = _NEVER
            stage.stood = ()

    def take(self, number: int, due: int) -> tuple[int, int]:
        """Take the next event, the earlier ones being taken already.

        Args:
            number: Of the event, dropped ones counted; the event memory is played in turns.
            due: Cycle from which on it is offered.

        Returns:
            When its first beat is taken, and when the last beat of its result leaves.
        """
        accepted = max(due, self.ready)
        start = self._stages[0].taken(accepted + 1)
        # The same event that meets the same state lives the same life.
        key = number % self._events, self._state(start)
        found = self._known.get(key)
        if found is None:
            done = self._play(key[0], start)
            if len(self._known) < _MOST_KEPT:
                after = self._state(start, clip=False)
                self._known[key] = self.ready - start, done - start, after
            return accepted, done
        self.ready = start + found[0]
        for stage, (free, left, stood) in zip(self._stages, found[2], strict=True):
            stage.free, stage.left = start + free, start + left
            stage.stood = tuple((start + a, start + b) for a, b in stood)
        return accepted, start + found[1]

    def _play(self, event: int, start: int) -> int:
        """Send an event through all layers and return when its result leaves."""
        offered, steps = start, len(self._stages[0].cycles[event])
        last, answered = self._stages[-1], _NEVER
        for step in range(steps):
            for place, stage in enumerate(self._stages):
                taken = stage.taken(offered)
                if place:
                    self._stages[place - 1].left = taken
                else:
                    self.ready = taken
                # What comes in after the counts have gone out is passed over.
                over = stage is last and _NEVER < answered <= taken
                stage.stood = tuple(span for span in stage.stood if span[1] > taken)
                stage.free = stage.after(taken, 1 if over else stage.cycles[event][step])
                if stage.ends is None or stage.ends[event] == step:
                    offered = stage.left = stage.sends() + 1
                    answered = offered if stage is last else answered
            offered = self.ready + 1
        return answered + self._latency

    def _state(self, start: int, *, clip: bool = True) -> _State:
        """Return the state relative to a cycle; what cannot matter from there on is left out."""
        return tuple(self._relative(start, clip))

    def _relative(self, start: int, clip: bool) -> Iterator[tuple[int, int, Any]]:
        # A step is in a layer for a cycle at least, and then on its way through its pipeline.
        earliest = 0
        for stage in self._stages:
            free, left, stood = stage.free - start, stage.left - start, stage.stood
            if clip:
                free, left = max(free, earliest), max(left, earliest + 1 + stage.late)
                stood = tuple(span for span in stood if span[1] - start > earliest)
            yield free, left, tuple((a - start, b - start) for a, b in stood)
            earliest += stage.late + 2


def pace_of(
    model: Model, raw: NDArray[np.integer[Any]], in_bits: int, out_bits: int
) -> tuple[Pace | None, str]:
    """Return the pace of a network for the events of the event memory, or None and why not.

    Args:
        model: The network.
        raw: Raw inputs as they are in the event memory, [events, inputs].
        in_bits: Width of the input stream.
        out_bits: Width of the output stream.
    """
    unpack, pack = model.unpack(in_bits), model.pack(out_bits)
    spiking = [layer for layer in model.layers if isinstance(layer, Lif)]
    if len(spiking) < len(model.layers):
        return None, "only a row of spiking layers is followed where time depends on the data"
    if (unpack.in_bits, unpack.in_beats) != (unpack.out_bits, unpack.out_beats):
        return None, "beats of the stream are not steps, so that they wait for one another"
    if (pack.in_beats, pack.out_beats) != (1, 1):
        return None, "results take several beats, so that they wait for one another"
    layers, values = [], raw
    for layer in spiking:
        cycles = layer.steps_cycles(values)
        values, ends = layer.follow(values)
        layers.append((layer, cycles, ends))
    return Pace(layers, model.stage.latency), ""
