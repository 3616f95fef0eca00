"""Leaky integrate-and-fire neurons over the time steps of an event.

    {"kind": "lif", "inputs": 64, "outputs": 32, "parallel": 4, "weight_bits": 6,
     "weights": [[...], ...], "thresholds": [...], "leak": 3, "reset": "subtract",
     "potential_bits": 12, "output": "counts", "margin": 3}

A beat is a time step and a lane a source of spikes: an input of 16 steps of 64 has beats of 64
single bits. In every step, from potentials of 0 before the first,

    potential = clip(potential - (potential >> leak) + sum of the weights of the inputs that spiked)
    if potential >= threshold: spike, potential -= threshold (`subtract`) or potential = 0 (`zero`)

clipped to `potential_bits`; a `leak` of 0 is none. `weights` is [outputs][inputs], signed. The
output is each step's spikes, or the `counts` of all steps in one beat. Input i is of group
i % `parallel`; a cycle takes one spike of each group, so that a step takes as many cycles as its
fullest group has spikes, and at least one.

With a `margin` the counts go out after the first step in which a neuron leads every other by that
many spikes; 1 is the first to spike. Steps of that event that come in later take a cycle each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat
from harness.accelerators.layer import MAX_VALUES, Array, Block, Tensor, Work, bits_of
from harness.accelerators.node import Node
from harness.errors import OverlayError

Reset = Literal["subtract", "zero"]
Output = Literal["spikes", "counts"]

_KEYS = (
    *("kind", "inputs", "outputs", "parallel", "weight_bits", "weights", "thresholds", "leak"),
    *("reset", "potential_bits", "output"),
)
_MAX_WEIGHT_BITS = 16
_MAX_BITS = 28  # of potentials and sums: nn_lif computes in words of 32
_SPIKE = NumberFormat(1, 1, signed=False)


@dataclass(frozen=True, slots=True, eq=False)
class Lif:
    """A fully connected layer of spiking neurons.

    Args:
        input: What comes in, spikes of one bit; a beat is a step.
        weights: Added for a spike, int64 [outputs, inputs], read-only.
        thresholds: At which a neuron spikes, from 1, int64 [outputs], read-only.
        weight_bits: Of a weight, sign included.
        potential_bits: To which potentials are clipped, sign included.
        leak: The potential loses its 2**leak-th part a step; 0 for none.
        reset: What a spike does to the potential.
        result: Each step's spikes, or the event's counts of them.
        parallel: Spikes that a cycle can take.
        margin: Lead in spikes that ends the counting; 0 to count all steps.

    Raises:
        OverlayError: A step's sum of weights may need more bits than the fabric has.
    """

    input: Tensor
    weights: NDArray[np.int64]
    thresholds: NDArray[np.int64]
    weight_bits: int
    potential_bits: int
    leak: int
    reset: Reset
    result: Output
    parallel: int
    margin: int = 0
    stateful: ClassVar[bool] = False
    interval: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.current_bits > _MAX_BITS:
            raise OverlayError(
                f"a step's sum of weights needs {self.current_bits} bits",
                why=f"nn_lif has at most {_MAX_BITS}",
            )

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> Lif:
        """Read the layer that takes `tensor`."""
        members = node.table(_KEYS, optional=("margin",))
        inputs = members["inputs"].integer(1, MAX_VALUES)
        if inputs != tensor.lanes:
            members["inputs"].fail(f"{inputs} inputs, but steps of {tensor.lanes} values arrive")
        if tensor.format.width != 1:
            node.fail(f"values of {tensor.format.width} bits arrive, spikes are single bits")
        outputs = members["outputs"].integer(1, MAX_VALUES)
        weight_bits = members["weight_bits"].integer(1, _MAX_WEIGHT_BITS)
        potential_bits = members["potential_bits"].integer(2, _MAX_BITS)
        largest = 1 << (weight_bits - 1)
        margin = members["margin"].integer(1, tensor.beats) if "margin" in members else 0
        if margin and (outputs < 2 or members["output"].value != "counts"):
            members["margin"].fail("a margin is one of counts, between neurons: two or more")
        return cls(
            input=tensor,
            weights=members["weights"].integers((outputs, inputs), -largest, largest - 1),
            thresholds=members["thresholds"].integers(
                (outputs,), 1, (1 << (potential_bits - 1)) - 1
            ),
            weight_bits=weight_bits,
            potential_bits=potential_bits,
            leak=members["leak"].integer(0, _MAX_BITS - 1),
            reset=members["reset"].choice(get_args(Reset)),
            result=members["output"].choice(get_args(Output)),
            parallel=members["parallel"].integer(1, inputs),
            margin=margin,
        )

    @property
    def output(self) -> Tensor:
        """A beat a step, or one of counts, signed as logits are."""
        if self.result == "spikes":
            return Tensor(self.input.beats, len(self.weights), _SPIKE)
        width = self.input.beats.bit_length() + 1
        return Tensor(1, len(self.weights), NumberFormat(width, width, signed=True))

    @property
    def current_bits(self) -> int:
        """Bits of a two's complement sum of a step's weights that cannot overflow."""
        positive = np.maximum(self.weights, 0).sum(axis=1)
        negative = np.minimum(self.weights, 0).sum(axis=1)
        return bits_of(np.concatenate([positive, negative]))

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, steps * inputs] to spikes or counts, step by step."""
        fired = self._fired(values)
        return fired.reshape(len(fired), -1) if self.result == "spikes" else self._counts(fired)[0]

    def follow(self, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return what `apply` does, and the step after which the counts go out: int64 [events]."""
        fired = self._fired(values)
        counts, ends = self._counts(fired)
        return fired.reshape(len(fired), -1) if self.result == "spikes" else counts, ends

    def _fired(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return who spikes: [events, steps, outputs]."""
        events = len(values)
        spikes = (values != 0).reshape(events, self.input.beats, self.input.lanes)
        weights = self.weights.T.astype(np.float64)
        largest = (1 << (self.potential_bits - 1)) - 1
        potential = np.zeros((events, len(self.weights)), dtype=np.int64)
        fired = np.zeros((events, self.input.beats, len(self.weights)), dtype=np.int64)
        for step in range(self.input.beats):
            if self.leak:
                potential -= potential >> self.leak
            potential += (spikes[:, step].astype(np.float64) @ weights).astype(np.int64)
            np.clip(potential, -largest - 1, largest, out=potential)
            fires = potential >= self.thresholds
            fired[:, step] = fires
            if self.reset == "zero":
                potential[fires] = 0
            else:
                potential -= fires * self.thresholds
        return fired

    def _counts(self, fired: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the counts that go out, [events, outputs], and after which step, [events]."""
        if not self.margin:
            return fired.sum(axis=1), np.full(len(fired), self.input.beats - 1, dtype=np.int64)
        counts = fired.cumsum(axis=1)
        best = np.partition(counts, -2, axis=2)[:, :, -2:]
        ended = best[:, :, 1] - best[:, :, 0] >= self.margin
        ended[:, -1] = True
        ends = ended.argmax(axis=1).astype(np.int64)
        return counts[np.arange(len(counts)), ends], ends

    def steps_cycles(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many cycles each step of each event takes: int64 [events, steps].

        Args:
            values: Raw inputs, [events, steps * inputs].
        """
        lanes, rows = self.input.lanes, -(-self.input.lanes // self.parallel)
        padded = np.zeros((len(values) * self.input.beats, rows * self.parallel), dtype=np.int64)
        padded[:, :lanes] = (values != 0).reshape(-1, lanes)
        spikes = padded.reshape(-1, rows, self.parallel).sum(axis=1)
        fullest: NDArray[np.int64] = spikes.max(axis=1, initial=1)
        return fullest.reshape(len(values), -1)

    @property
    def pipeline_cycles(self) -> int:
        """Cycles from a step's last spike to its output: weights, neurons, a lead's search."""
        return 4 if self.margin else 3

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when output beats are there at the latest: every input spikes, nobody leads."""
        most = -(-self.input.lanes // self.parallel)
        free, leaving = arrivals[0], []
        for arrival in arrivals:
            free = max(free, arrival) + most
            leaving.append(free + self.pipeline_cycles)
        return leaving if self.result == "spikes" else leaving[-1:]

    @property
    def work(self) -> Work:
        """At most an addition for each weight and step; there are no products."""
        return Work(
            fan_in=self.input.lanes,
            weights=int(self.weights.size),
            biases=len(self.thresholds),
            multiplications=int(self.weights.size) * self.input.beats,
            weight_bits=self.weight_bits,
            bias_bits=bits_of(self.thresholds),
            nonzero=int(np.count_nonzero(self.weights)),
        )

    def blocks(self) -> tuple[Block, ...]:
        """Return the neurons."""
        outputs, inputs = self.weights.shape
        rows = -(-inputs // self.parallel)
        padded = np.zeros((rows * self.parallel, outputs), dtype=np.int64)
        padded[:inputs] = self.weights.T
        groups = padded.reshape(rows, self.parallel, outputs).transpose(1, 0, 2)
        width = self.output.format.width
        block = Block(
            "nn_lif",
            outputs,
            width,
            {
                "InBeats": self.input.beats,
                "InLanes": inputs,
                "Outputs": outputs,
                "Parallel": self.parallel,
                "WeightWidth": self.weight_bits,
                "CurrentWidth": self.current_bits,
                "PotentialWidth": self.potential_bits,
                "Leak": self.leak,
                "ResetToZero": int(self.reset == "zero"),
                "Counts": int(self.result == "counts"),
                "Margin": self.margin,
                "OutWidth": width,
            },
            {
                "Weights": Array(groups, self.weight_bits),
                "Thresholds": Array(self.thresholds, self.potential_bits),
            },
        )
        return (block,)
