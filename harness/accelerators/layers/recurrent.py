"""A recurrent cell: a state a channel, and what comes in makes the next one of it.

    {"kind": "recurrent", "channels": 8, "inputs": 1, "units": 8, "steps": 4,
     "input_weight_format": {...}, "input_weights": [[...], ...],
     "state_weight_format": {...}, "state_weights": [[...], ...], "bias": [...],
     "shift": 8, "rounding": "half_up", "overflow": "saturate", "activation": "relu",
     "output_format": {...}}

    h' = act(input_weights x + state_weights h + bias)

An event is one beat: the `inputs` values of each channel in turn, then a flag. Other than 0, it
clears the states of all channels before the event is taken. Weights are [units][inputs] and
[units][units], the same for every channel; `steps` is the number of cycles in which the channels
are computed, 1 if it is not given. What goes out are the new states, a beat a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat
from harness.accelerators.layer import MAX_VALUES, Array, Block, Tensor, Work, bits_of
from harness.accelerators.node import Node
from harness.accelerators.requantise import KEYS as REQUANTISE_KEYS
from harness.accelerators.requantise import Requantise

_KEYS = (
    *("kind", "channels", "inputs", "units", "input_weight_format", "input_weights"),
    *("state_weight_format", "state_weights", "bias", *REQUANTISE_KEYS),
)
_LOOP_CYCLES = 3  # sum, requantise, register: until a state can be read again


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent:
    """A vanilla recurrent cell, multiplexed over channels.

    Args:
        input: What comes in: one beat of all channels' inputs and the flag.
        channels: How many states there are.
        input_weights: Raw, int64 [units, inputs], read-only.
        input_weight_format: Their format.
        state_weights: Raw, int64 [units, units], read-only; column j is of the old state j.
        state_weight_format: Their format.
        bias: Aligned to the LSB of the sum, int64 [units], read-only.
        requantise: From the sum to the new state; its output format is that of the state.
        steps: Cycles of an event; they divide the channels.

    Raises:
        OverlayError: A sum would need more than 63 bits, or the binary points disagree.
    """

    input: Tensor
    channels: int
    input_weights: NDArray[np.int64]
    input_weight_format: NumberFormat
    state_weights: NDArray[np.int64]
    state_weight_format: NumberFormat
    bias: NDArray[np.int64]
    requantise: Requantise
    steps: int = 1
    stateful: ClassVar[bool] = True

    def __post_init__(self) -> None:
        state = self.requantise.output_format
        self.requantise.check_point(self.input.format.fraction + self.input_weight_format.fraction)
        self.requantise.check_point(state.fraction + self.state_weight_format.fraction)
        self.requantise.accumulator_bits(*self.accumulator_range)

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> Recurrent:
        """Read the layer that takes `tensor`."""
        members = node.table(_KEYS, ("steps",))
        channels = members["channels"].integer(1, MAX_VALUES)
        inputs = members["inputs"].integer(1, MAX_VALUES)
        units = members["units"].integer(1, MAX_VALUES)
        if tensor.beats != 1 or tensor.lanes != channels * inputs + 1:
            members["channels"].fail(
                f"{channels} channels of {inputs} inputs and a flag are {channels * inputs + 1} "
                f"values in one beat, but {tensor.values} values in {tensor.beats} beats arrive"
            )
        steps = members["steps"].integer(1, channels) if "steps" in members else 1
        if channels % steps:
            members["steps"].fail(f"{steps} steps do not divide {channels} channels")
        incoming = members["input_weight_format"].number_format()
        kept = members["state_weight_format"].number_format()
        return cls(
            input=tensor,
            channels=channels,
            input_weights=members["input_weights"].integers(
                (units, inputs), incoming.minimum, incoming.maximum
            ),
            input_weight_format=incoming,
            state_weights=members["state_weights"].integers(
                (units, units), kept.minimum, kept.maximum
            ),
            state_weight_format=kept,
            bias=members["bias"].integers((units,), -(1 << 62), (1 << 62) - 1),
            requantise=Requantise.parse(members),
            steps=steps,
        )

    @property
    def units(self) -> int:
        """States of a channel."""
        return len(self.bias)

    @property
    def output(self) -> Tensor:
        """A beat a step: the states of its channels."""
        lanes = self.channels // self.steps * self.units
        return Tensor(self.steps, lanes, self.requantise.output_format)

    @property
    def interval(self) -> int:
        """Its steps, unless a state takes longer to come back."""
        return max(self.steps, _LOOP_CYCLES)

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest sum, rounding constant included, that these weights can produce."""
        low, high = 0, 0
        state = self.requantise.output_format
        rows = zip(
            self.input_weights.tolist(), self.state_weights.tolist(), self.bias.tolist(),
            strict=True,
        )  # fmt: skip
        for incoming, kept, bias in rows:
            first, last = bias, bias + self.requantise.half
            for weights, form in ((incoming, self.input.format), (kept, state)):
                positive = sum(weight for weight in weights if weight > 0)
                negative = sum(weight for weight in weights if weight < 0)
                first += positive * form.minimum + negative * form.maximum
                last += positive * form.maximum + negative * form.minimum
            # The sum without the rounding constant must fit as well: it is added after.
            low, high = min(low, first), max(high, last)
        return low, high

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, inputs] in order to raw states [events, states].

        Stretches from flag to flag know nothing of each other and are computed side by side.
        """
        flags = values[:, -1] != 0
        flags[:1] = True  # as after a reset
        starts = np.flatnonzero(flags)
        lengths = np.diff(np.append(starts, len(values)))
        order = np.argsort(-lengths, kind="stable")
        starts, lengths = starts[order], lengths[order]
        kind = self.requantise.arithmetic(self._largest_sum)
        incoming: NDArray[Any] = self.input_weights.T.astype(kind)
        kept: NDArray[Any] = self.state_weights.T.astype(kind)
        bias = (self.bias + self.requantise.half).astype(kind)
        out = np.empty((len(values), self.channels * self.units), dtype=kind)
        state: NDArray[Any] = np.zeros((len(starts) * self.channels, self.units), dtype=kind)
        for event in range(int(lengths.max(initial=0))):
            rows = starts[: np.searchsorted(-lengths, -event)] + event
            taken: NDArray[Any] = values[rows, :-1].astype(kind)
            taken = taken.reshape(-1, self.input_weights.shape[1])
            state = state[: len(taken)]
            state = self.requantise.apply(taken @ incoming + state @ kept + bias)
            out[rows] = state.reshape(len(rows), -1)
        return out

    @property
    def _largest_sum(self) -> int:
        """Bound of every operand and partial sum, in whatever order they are added."""
        total = int(np.abs(self.bias).max())
        for weights, form in (
            (self.input_weights, self.input.format),
            (self.state_weights, self.requantise.output_format),
        ):
            largest = max(-form.minimum, form.maximum)
            total += max(1, int(np.abs(weights).astype(object).sum(axis=1).max())) * largest
        return total

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when the states of each step are there."""
        return [arrivals[0] + step + _LOOP_CYCLES for step in range(self.steps)]

    @property
    def work(self) -> Work:
        """Every weight is used once a channel."""
        size = self.input_weights.size + self.state_weights.size
        nonzero = np.count_nonzero(self.input_weights) + np.count_nonzero(self.state_weights)
        return Work(
            fan_in=self.input_weights.shape[1] + self.units,
            weights=size,
            biases=len(self.bias),
            multiplications=size * self.channels,
            weight_bits=max(self.input_weight_format.width, self.state_weight_format.width),
            bias_bits=bits_of(self.bias),
            nonzero=int(nonzero),
        )

    def blocks(self) -> tuple[Block, ...]:
        """Return the cell; it requantises within, since states come back."""
        output, requantise = self.output, self.requantise
        acc_bits = requantise.accumulator_bits(*self.accumulator_range)
        end = requantise.block(output.lanes, acc_bits).parameters
        incoming = self.input_weight_format.width + (not self.input_weight_format.signed)
        kept = self.state_weight_format.width + (not self.state_weight_format.signed)
        parameters = {
            "Channels": self.channels,
            "Steps": self.steps,
            "Inputs": self.input_weights.shape[1],
            "Units": self.units,
            "InWidth": self.input.format.width,
            "InSigned": int(self.input.format.signed),
            "InputWeightWidth": incoming,
            "StateWeightWidth": kept,
            "AccWidth": acc_bits,
            **{key: end[key] for key in ("OutWidth", "OutSigned", "Shift", "HalfUp")},
            **{key: end[key] for key in ("Relu", "Saturate")},
        }
        arrays = {
            "InputWeights": Array(self.input_weights.T, incoming),
            "StateWeights": Array(self.state_weights.T, kept),
            "Biases": Array(self.bias, acc_bits),
        }
        return (
            Block(
                "nn_recurrent", output.lanes, output.format.width, parameters, arrays,
                needs=("nn_requantise",),
            ),
        )  # fmt: skip
