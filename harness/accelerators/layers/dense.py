"""A fully connected layer: every output from every input.

    {"kind": "dense", "inputs": 16, "outputs": 64, "reuse": 4, "weight_format": {...},
     "weights": [[...], ...], "bias": [...], "shift": 7, "rounding": "half_up",
     "overflow": "saturate", "activation": "relu", "output_format": {...}}

`weights` is [outputs][inputs]; `reuse` is the number of steps in which an input beat is multiplied,
1 if it is not given. An input of several beats is summed up as it arrives; the output is one beat.
With `"loadable": true` the host can replace weights and biases at run time; biases have at most 24
bits then, and `reuse` is 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat
from harness.accelerators.layer import MAX_VALUES, Array, Block, Tensor, Work, bits_of
from harness.accelerators.node import Node
from harness.accelerators.requantise import KEYS as REQUANTISE_KEYS
from harness.accelerators.requantise import Arithmetic, Requantise

_KEYS = ("kind", "inputs", "outputs", "weight_format", "weights", "bias", *REQUANTISE_KEYS)
_REQUANTISE_CYCLES = 1
_LOADABLE_BIAS_BITS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A fully connected layer with requantisation and activation.

    Args:
        input: What comes in, the previous layer's output.
        weights: Raw weights, int64 [outputs, inputs], read-only.
        bias: Aligned to the LSB of the accumulator, int64 [outputs], read-only.
        weight_format: Format of the weights.
        requantise: From the accumulator to the output.
        reuse: Steps in which an input beat is multiplied.
        loadable: The host can replace the weights; the accumulator has room for any.

    Raises:
        OverlayError: The accumulator would need more than 63 bits, or the binary points disagree.
    """

    input: Tensor
    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    weight_format: NumberFormat
    requantise: Requantise
    reuse: int = 1
    loadable: bool = False
    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.requantise.check_point(self.input.format.fraction + self.weight_format.fraction)
        self.requantise.accumulator_bits(*self.accumulator_range)

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> Dense:
        """Read the layer that takes `tensor`."""
        members = node.table(_KEYS, ("reuse", "loadable"))
        inputs = members["inputs"].integer(1, MAX_VALUES)
        if inputs != tensor.values:
            members["inputs"].fail(f"{inputs} inputs, but {tensor.values} values arrive")
        return cls.of(members, tensor, (members["outputs"].integer(1, MAX_VALUES), inputs))

    @classmethod
    def of(cls, members: Mapping[str, Node], tensor: Tensor, shape: tuple[int, ...]) -> Dense:
        """Read what layers that multiply have in common.

        Args:
            members: Of the layer's table.
            tensor: What the products take.
            shape: Of the nested lists `weights`, outputs first.
        """
        weight_format = members["weight_format"].number_format()
        limits = weight_format.minimum, weight_format.maximum
        weights = members["weights"].integers(shape, *limits).reshape(shape[0], -1)
        weights.flags.writeable = False
        loadable = "loadable" in members and members["loadable"].flag()
        bias_bits = _LOADABLE_BIAS_BITS if loadable else 63
        most = 1 << (bias_bits - 1)
        return cls(
            input=tensor,
            weights=weights,
            bias=members["bias"].integers(shape[:1], -most, most - 1),
            weight_format=weight_format,
            requantise=Requantise.parse(members),
            reuse=members["reuse"].integer(1, 1 if loadable else MAX_VALUES)
            if "reuse" in members
            else 1,
            loadable=loadable,
        )

    @property
    def output(self) -> Tensor:
        """One beat."""
        return Tensor(1, len(self.weights), self.requantise.output_format)

    @property
    def interval(self) -> int:
        """Steps of all beats."""
        return self.input.beats * self.reuse

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest sum, rounding constant included, that these weights can produce."""
        lowest, highest = self.input.format.minimum, self.input.format.maximum
        low, high = 0, 0
        if self.loadable:
            each = max(-self.weight_format.minimum, self.weight_format.maximum)
            most = self.input.values * each * max(-lowest, highest)
            most += 1 << (_LOADABLE_BIAS_BITS - 1)
            return -most, most + self.requantise.half
        for row, bias in zip(self.weights.tolist(), self.bias.tolist(), strict=True):
            positive = sum(weight for weight in row if weight > 0)
            negative = sum(weight for weight in row if weight < 0)
            # The sum without the rounding constant must fit as well: the adder makes it first.
            low = min(low, bias + positive * lowest + negative * highest)
            high = max(high, bias + positive * highest + negative * lowest + self.requantise.half)
        return low, high

    @property
    def accumulator_bits(self) -> int:
        """Bits of a two's complement accumulator that cannot overflow."""
        return self.requantise.accumulator_bits(*self.accumulator_range)

    @property
    def arithmetic(self) -> Arithmetic:
        """The type in which `apply` is exact and fastest."""
        largest = max(abs(self.input.format.minimum), self.input.format.maximum)
        sums = np.abs(self.weights).astype(object).sum(axis=1) * largest
        sums = sums + np.abs(self.bias).astype(object)
        return self.requantise.arithmetic(max(int(sums.max()), largest))

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, inputs] to raw [events, outputs]."""
        kind = self.arithmetic
        acc = values.astype(kind, copy=False) @ self.weights.T.astype(kind)
        acc += (self.bias + self.requantise.half).astype(kind)
        return self.requantise.apply(acc)

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when the output is there: `reuse` steps a beat, then two registers."""
        free = arrivals[0]
        for arrival in arrivals:
            free = max(free, arrival) + self.reuse
        return [free + 1 + _REQUANTISE_CYCLES]

    @property
    def work(self) -> Work:
        """A product for each weight."""
        size = int(self.weights.size)
        return Work(
            fan_in=self.input.values,
            weights=size,
            biases=len(self.bias),
            multiplications=size,
            weight_bits=self.weight_format.width,
            bias_bits=bits_of(self.bias),
            nonzero=int(np.count_nonzero(self.weights)),
        )

    def blocks(self) -> tuple[Block, ...]:
        """Return the products and sums, and the requantiser behind them."""
        outputs, acc_bits, weights = len(self.weights), self.accumulator_bits, self.weight_format
        weight_bits = weights.width + (not weights.signed)
        dense = Block(
            "nn_dense",
            outputs,
            acc_bits,
            {
                "InBeats": self.input.beats,
                "InLanes": self.input.lanes,
                "Outputs": outputs,
                "InWidth": self.input.format.width,
                "InSigned": int(self.input.format.signed),
                "WeightWidth": weight_bits,
                "AccWidth": acc_bits,
                "Reuse": self.reuse,
            },
            {"Weights": Array(self.weights.T, weight_bits), "Biases": Array(self.bias, acc_bits)},
        )
        if self.loadable:
            dense = self._loadable(dense)
        return dense, self.requantise.block(outputs, acc_bits)

    def _loadable(self, dense: Block) -> Block:
        """Return the same with its weights in registers."""
        values = [0, *self.weights.T.ravel().tolist(), *self.bias.tolist()]
        parameters = {key: value for key, value in dense.parameters.items() if key != "Reuse"}
        return replace(
            dense,
            module="nn_dense_loadable",
            parameters={**parameters, "Groups": 1, "BiasWidth": _LOADABLE_BIAS_BITS},
            arrays={**dense.arrays, "Biases": Array(self.bias, _LOADABLE_BIAS_BITS)},
            cfg_words=2,
            loading=tuple((min(place, 1), value % (1 << 32)) for place, value in enumerate(values)),
        )
