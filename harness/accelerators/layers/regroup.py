"""The same values in beats of another number of lanes.

{"kind": "regroup", "lanes": 4}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from harness.accelerators.gearbox import Gearbox
from harness.accelerators.layer import MAX_VALUES, Block, Tensor
from harness.accelerators.node import Node


@dataclass(frozen=True, slots=True)
class Regroup:
    """Gathers or scatters: value i of the event stays value i.

    Args:
        input: What comes in.
        lanes: Values of a beat that goes out; they divide those of an event.
    """

    input: Tensor
    lanes: int
    stateful: ClassVar[bool] = False
    work: ClassVar[None] = None

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> Regroup:
        """Read the layer that takes `tensor`."""
        members = node.table(("kind", "lanes"))
        lanes = members["lanes"].integer(1, MAX_VALUES)
        if tensor.values % lanes:
            members["lanes"].fail(f"{tensor.values} values do not fill beats of {lanes} lanes")
        return cls(tensor, lanes)

    @property
    def output(self) -> Tensor:
        """The same values."""
        return Tensor(self.input.values // self.lanes, self.lanes, self.input.format)

    @property
    def gearbox(self) -> Gearbox:
        """What does it."""
        width, output = self.input.format.width, self.output
        return Gearbox(self.input.lanes * width, self.input.beats, self.lanes * width, output.beats)

    @property
    def interval(self) -> int:
        """A cycle a beat, of whichever are more."""
        return self.gearbox.interval

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values as they are: their order in the event does not change."""
        return values

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when each beat is complete."""
        return self.gearbox.departures(arrivals)

    def blocks(self) -> tuple[Block, ...]:
        """Return the gearbox between lanes."""
        parameters = {
            "Width": self.input.format.width,
            "InBeats": self.input.beats,
            "InLanes": self.input.lanes,
            "OutBeats": self.output.beats,
            "OutLanes": self.lanes,
        }
        width = self.input.format.width
        return (Block("nn_regroup", self.lanes, width, parameters, needs=("nn_gearbox",)),)
