"""The same dense layer for each beat of an event, such as for the channels that share the beat.

{"kind": "dense_per_beat", ...}

Keys are those of a dense layer; `inputs` are the values of a beat, and every beat gives one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from harness.accelerators.layer import Block, Tensor, Work
from harness.accelerators.layers.dense import Dense
from harness.accelerators.node import Node


@dataclass(frozen=True, slots=True, eq=False)
class DensePerBeat:
    """A dense layer whose event is a beat.

    Args:
        dense: What is done to a beat.
        beats: Beats of an event.
    """

    dense: Dense
    beats: int
    stateful: ClassVar[bool] = False

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> DensePerBeat:
        """Read the layer that takes `tensor`."""
        return cls(Dense.parse(node, replace(tensor, beats=1)), tensor.beats)

    @property
    def input(self) -> Tensor:
        """As many beats as it gives."""
        return replace(self.dense.input, beats=self.beats)

    @property
    def output(self) -> Tensor:
        """A beat for each that comes."""
        return replace(self.dense.output, beats=self.beats)

    @property
    def interval(self) -> int:
        """Steps of all beats."""
        return self.beats * self.dense.interval

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, inputs] to raw [events, outputs]."""
        each = values.reshape(-1, self.dense.input.lanes)
        return self.dense.apply(each).reshape(len(values), -1)

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when each beat's output is there: a beat is begun when the one before is done."""
        free, found = arrivals[0], []
        for arrival in arrivals:
            begun = max(free, arrival)
            found += self.dense.departures([begun])
            free = begun + self.dense.interval
        return found

    @property
    def work(self) -> Work:
        """Every weight is used once a beat."""
        work = self.dense.work
        return replace(work, multiplications=work.multiplications * self.beats)

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks of the dense layer: they know nothing of events."""
        return self.dense.blocks()
