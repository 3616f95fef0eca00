"""Bit-exact models of the networks in the fabric.

A model is a chain of layers over raw fixed-point integers. What the fabric computes is defined
here, in exact integer arithmetic, and the gateware must agree in every bit:

    acc = bias + sum(weight * input)      never overflows: see `Dense.accumulator_bits`
    out = fit(activation(acc >> shift))   with the layer's rounding and overflow

`Model.forward` nevertheless runs on BLAS: a product of floats is exact, in any order of summation
and with or without fused multiply-add, as long as no partial sum can exceed 2**24 (float32) or
2**53 (float64). Weights and formats bound every sum beforehand, so each layer takes the narrowest
type for which this is certain, and int64 otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat, Overflow, Rounding
from harness.errors import OverlayError

Activation = Literal["relu", "none"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
OutputKind = Literal["logits_argmax"]
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)

_CHUNK_EVENTS = 8192  # activations of a chunk stay in the second-level cache
_EXACT_FLOAT32 = 1 << 24
_EXACT_FLOAT64 = 1 << 53
_MAX_ACCUMULATOR_BITS = 63


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A fully connected layer with requantisation and activation.

    Args:
        weights: Raw weights, int64 [outputs, inputs], read-only.
        bias: Aligned to the LSB of the accumulator, int64 [outputs], read-only.
        shift: LSBs of the accumulator that the requantiser drops.
        rounding: `floor` drops them; `half_up` adds half an output LSB before.
        overflow: What happens to results outside `output_format`.
        activation: Applied after the shift, before the overflow.
        input_format: Format of what comes in, the previous layer's output.
        weight_format: Format of the weights.
        output_format: Format of the result.

    Raises:
        OverlayError: The accumulator would need more than 63 bits, or the binary points disagree.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    shift: int
    rounding: Rounding
    overflow: Overflow
    activation: Activation
    input_format: NumberFormat
    weight_format: NumberFormat
    output_format: NumberFormat

    def __post_init__(self) -> None:
        if self.accumulator_bits > _MAX_ACCUMULATOR_BITS:
            raise OverlayError(
                f"the accumulator needs {self.accumulator_bits} bits",
                why=f"the golden model holds {_MAX_ACCUMULATOR_BITS}",
            )
        aligned = (
            self.input_format.fraction + self.weight_format.fraction - self.output_format.fraction
        )
        if self.shift != aligned:
            raise OverlayError(
                f"shift is {self.shift}, but the binary points differ by {aligned}",
                hint="set shift = input.fraction + weights.fraction - output.fraction",
            )

    @property
    def inputs(self) -> int:
        """Values that come in."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Values that go out."""
        return int(self.weights.shape[0])

    @property
    def half(self) -> int:
        """What rounding adds to the accumulator before the shift."""
        return 1 << (self.shift - 1) if self.rounding == "half_up" and self.shift else 0

    @property
    def accumulator_range(self) -> tuple[int, int]:
        """Smallest and largest sum, rounding constant included, that these weights can produce."""
        lowest, highest = self.input_format.minimum, self.input_format.maximum
        low, high = 0, 0
        for row, bias in zip(self.weights.tolist(), self.bias.tolist(), strict=True):
            positive = sum(weight for weight in row if weight > 0)
            negative = sum(weight for weight in row if weight < 0)
            # The sum without the rounding constant must fit as well: the adder makes it first.
            low = min(low, bias + positive * lowest + negative * highest)
            high = max(high, bias + positive * highest + negative * lowest + self.half)
        return low, high

    @property
    def accumulator_bits(self) -> int:
        """Bits of a two's complement accumulator that cannot overflow."""
        low, high = self.accumulator_range
        return 1 + max((-low - 1).bit_length() if low else 0, high.bit_length())

    @property
    def arithmetic(self) -> type[np.float32 | np.float64 | np.int64]:
        """The type in which `apply` is exact and fastest."""
        largest = max(abs(self.input_format.minimum), self.input_format.maximum)
        sums = np.abs(self.weights).astype(object).sum(axis=1) * largest
        sums = sums + np.abs(self.bias).astype(object) + self.half
        bound = max(int(sums.max()), largest, 1 << self.output_format.width)
        if bound <= _EXACT_FLOAT32:
            return np.float32
        return np.float64 if bound <= _EXACT_FLOAT64 else np.int64

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer.

        Args:
            values: Raw inputs as integers or as floats with integer values, [events, inputs].

        Returns:
            Raw outputs in the type that `arithmetic` names, [events, outputs].
        """
        kind = self.arithmetic
        acc = values.astype(kind, copy=False) @ self.weights.T.astype(kind)
        acc += (self.bias + self.half).astype(kind)
        return self._requantise_int(acc) if kind is np.int64 else self._requantise_float(acc)

    def _requantise_int(self, acc: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shift, activate and fit with integer operations."""
        acc >>= self.shift
        if self.activation == "relu":
            np.maximum(acc, 0, out=acc)
        return self.output_format.fit(acc, self.overflow)

    def _requantise_float(self, acc: NDArray[Any]) -> NDArray[Any]:
        """Do the same on floats in place: scaling by powers of two and `floor` are exact."""
        if self.shift:
            acc *= acc.dtype.type(2.0**-self.shift)
            np.floor(acc, out=acc)
        low, high = self.output_format.minimum, self.output_format.maximum
        if self.overflow == "saturate":
            lowest = max(low, 0) if self.activation == "relu" else low
            return np.clip(acc, lowest, high, out=acc)
        if self.activation == "relu":
            np.maximum(acc, 0, out=acc)
        modulus = acc.dtype.type(1 << self.output_format.width)
        acc -= modulus * np.floor(acc / modulus)
        if self.output_format.signed:
            acc -= modulus * (acc > high)
        return acc


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network as the fabric computes it.

    Args:
        name: The overlay's name.
        input_format: Format of the input values.
        layers: At least one; each takes what the one before returns.
        output_kind: What the accelerator sends: `logits_argmax` is the last layer's values and the
            index of the largest.
    """

    name: str
    input_format: NumberFormat
    layers: tuple[Dense, ...]
    output_kind: OutputKind

    @property
    def inputs(self) -> int:
        """Values of an event."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Values of a result."""
        return self.layers[-1].outputs

    @property
    def output_format(self) -> NumberFormat:
        """Format of the values of a result."""
        return self.layers[-1].output_format

    @property
    def accumulator_bits(self) -> tuple[int, ...]:
        """Accumulator width of each layer."""
        return tuple(layer.accumulator_bits for layer in self.layers)

    def forward(self, raw: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the last layer's raw outputs.

        Args:
            raw: Raw inputs, [events, inputs].

        Returns:
            Raw logits, [events, outputs].

        Raises:
            OverlayError: The events have another shape, or values outside the input format.
        """
        if raw.ndim != 2 or raw.shape[1] != self.inputs:
            raise OverlayError(
                f"events of shape {raw.shape} where the model {self.name} takes [n, {self.inputs}]"
            )
        self.input_format.check(raw, f"input of model {self.name}")
        out = np.empty((len(raw), self.outputs), dtype=np.int64)
        for start in range(0, len(raw), _CHUNK_EVENTS):
            values: NDArray[Any] = raw[start : start + _CHUNK_EVENTS]
            for layer in self.layers:
                values = layer.apply(values)
            out[start : start + _CHUNK_EVENTS] = values
        return out
