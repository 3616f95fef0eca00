"""A fully connected layer of bits: XNOR for products, counting ones for sums.

    {"kind": "xnor_dense", "inputs": 64, "outputs": 128, "reuse": 4, "weights": ["9f...", ...],
     "mask": ["33...", ...], "bias": [...], "shift": 0, "rounding": "floor",
     "overflow": "saturate", "activation": "relu", "output_format": {...}}

A bit of 1 stands for +1 and one of 0 for -1, in inputs and weights alike. `weights` and `mask` hold
a hexadecimal number an output, whose bit i is that of input i. Where the mask has a 0 there is no
connection; without a mask there are all. The accumulator is the bias and the sum of the products of
the connected. An unsigned output of one bit, rectified and saturated, is 1 where that is above 0:
a neuron with threshold t has the bias 1 - t. `reuse` is the number of steps in which an input beat
is taken in, 1 if it is not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.layer import MAX_VALUES, Array, Block, Tensor, Work, bits_of
from harness.accelerators.node import Node
from harness.accelerators.requantise import KEYS as REQUANTISE_KEYS
from harness.accelerators.requantise import Requantise

_KEYS = ("kind", "inputs", "outputs", "weights", "bias", *REQUANTISE_KEYS)
_REQUANTISE_CYCLES = 1
_HEX = frozenset("0123456789abcdef")
_MAX_BIAS = 1 << 22  # float32 holds the sums


@dataclass(frozen=True, slots=True, eq=False)
class XnorDense:
    """A fully connected layer of bits with requantisation and activation.

    Args:
        input: What comes in, values of one bit.
        weights: Truth of weights that are +1, bool [outputs, inputs], read-only.
        mask: Truth of the connections that exist, bool [outputs, inputs], read-only.
        bias: Added to the sum of products, int64 [outputs], read-only.
        requantise: From the accumulator to the output.
        reuse: Steps in which an input beat is taken in.

    Raises:
        OverlayError: Inputs have more than one bit, or the binary points disagree.
    """

    input: Tensor
    weights: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    bias: NDArray[np.int64]
    requantise: Requantise
    reuse: int = 1
    stateful: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.requantise.check_point(0)

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> XnorDense:
        """Read the layer that takes `tensor`."""
        members = node.table(_KEYS, ("reuse", "mask"))
        inputs = members["inputs"].integer(1, MAX_VALUES)
        if inputs != tensor.values:
            members["inputs"].fail(f"{inputs} inputs, but {tensor.values} values arrive")
        if tensor.format.width != 1:
            node.fail(f"values of {tensor.format.width} bits arrive, xnor_dense takes single bits")
        outputs = members["outputs"].integer(1, MAX_VALUES)
        mask = np.ones((outputs, inputs), dtype=np.bool_)
        mask.flags.writeable = False
        return cls(
            input=tensor,
            weights=_bits(members["weights"], outputs, inputs),
            mask=_bits(members["mask"], outputs, inputs) if "mask" in members else mask,
            bias=members["bias"].integers((outputs,), -_MAX_BIAS, _MAX_BIAS),
            requantise=Requantise.parse(members),
            reuse=members["reuse"].integer(1, MAX_VALUES) if "reuse" in members else 1,
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
    def connections(self) -> int:
        """Weights that exist."""
        return int(np.count_nonzero(self.mask))

    @property
    def accumulator_bits(self) -> int:
        """Bits of a two's complement accumulator that cannot overflow."""
        fan_in = self.mask.sum(axis=1)
        low = min(0, int((self.bias - fan_in).min()))
        high = max(0, int((self.bias + fan_in).max())) + self.requantise.half
        return self.requantise.accumulator_bits(low, high)

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, inputs] to raw [events, outputs]."""
        signs = np.where(values != 0, np.float32(1), np.float32(-1))
        weights = np.where(self.mask, np.where(self.weights, 1, -1), 0)
        kind = self.requantise.arithmetic(self.input.values + int(np.abs(self.bias).max()))
        sums = (signs @ weights.T.astype(np.float32)).astype(kind, copy=False)
        return self.requantise.apply(sums + (self.bias + self.requantise.half).astype(kind))

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when the output is there: `reuse` steps a beat, then two registers."""
        free = arrivals[0]
        for arrival in arrivals:
            free = max(free, arrival) + self.reuse
        return [free + 1 + _REQUANTISE_CYCLES]

    @property
    def work(self) -> Work:
        """A product of two bits for each connection; a bit kept for each possible one."""
        return Work(
            fan_in=self.input.values,
            weights=int(self.mask.size),
            biases=len(self.bias),
            multiplications=self.connections,
            weight_bits=1,
            bias_bits=bits_of(self.bias),
            nonzero=self.connections,
        )

    def blocks(self) -> tuple[Block, ...]:
        """Return the counters of ones, and the requantiser behind them."""
        outputs, acc_bits = len(self.weights), self.accumulator_bits
        lanes, chunk = self.input.lanes, -(-self.input.lanes // self.reuse)
        ones = _steps(self.weights & self.mask, lanes, self.reuse)
        mask = _steps(self.mask, lanes, self.reuse)
        counted = Block(
            "nn_xnor_dense",
            outputs,
            acc_bits,
            {
                "InBeats": self.input.beats,
                "InLanes": lanes,
                "Outputs": outputs,
                "AccWidth": acc_bits,
                "Reuse": self.reuse,
            },
            {
                "Weights": Array(ones, chunk, signed=False),
                "Mask": Array(mask, chunk, signed=False),
                # Sum of signs = 2 * ones - connections.
                "Biases": Array(self.bias - self.mask.sum(axis=1), acc_bits),
            },
        )
        return counted, self.requantise.block(outputs, acc_bits)


def _bits(node: Node, outputs: int, inputs: int) -> NDArray[np.bool_]:
    """Read a hexadecimal number an output, bit i that of input i; bool [outputs, inputs]."""
    digits = -(-inputs // 4)
    rows = []
    for item in node.items(outputs):
        text = item.value
        if not (isinstance(text, str) and len(text) == digits and _HEX.issuperset(text)):
            item.fail(f"expected {digits} hexadecimal digits for {inputs} bits")
        if int(text, 16) >> inputs:
            item.fail(f"a bit is set above the {inputs} bits of the inputs")
        raw = np.frombuffer(int(text, 16).to_bytes(digits, "little"), dtype=np.uint8)
        rows.append(np.unpackbits(raw, count=inputs, bitorder="little"))
    found = np.stack(rows).astype(np.bool_)
    found.flags.writeable = False
    return found


def _steps(bits: NDArray[np.bool_], lanes: int, reuse: int) -> list[list[int]]:
    """Return what an output sees in a step, lane by lane from bit 0: integers [steps][outputs]."""
    outputs, chunk = len(bits), -(-lanes // reuse)
    padded = np.zeros((outputs, bits.shape[1] // lanes, reuse * chunk), dtype=np.bool_)
    padded[:, :, :lanes] = bits.reshape(outputs, -1, lanes)
    steps = np.packbits(padded.reshape(outputs, -1, chunk), axis=2, bitorder="little")
    return [
        [int.from_bytes(steps[output, step].tobytes(), "little") for output in range(outputs)]
        for step in range(steps.shape[1])
    ]
