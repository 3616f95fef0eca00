"""From an accumulator to a layer's output: round, shift, activate, then saturate or wrap.

Every layer that multiplies ends in this, in the fabric in `nn_requantise`:

    out = fit(activation((acc + half) >> shift))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import OVERFLOWS, ROUNDINGS, NumberFormat, Overflow, Rounding
from harness.accelerators.layer import Block
from harness.errors import OverlayError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.accelerators.node import Node

Activation = Literal["relu", "none"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
KEYS = ("shift", "rounding", "overflow", "activation", "output_format")
"""What a layer's table in `model.json` says about it."""

_MAX_SHIFT = 62
_MAX_OUTPUT_BITS = 32
_MAX_ACCUMULATOR_BITS = 63
_EXACT_FLOAT32 = 1 << 24
_EXACT_FLOAT64 = 1 << 53

Arithmetic = type[np.float32 | np.float64 | np.int64]


@dataclass(frozen=True, slots=True)
class Requantise:
    """The end of a layer.

    Args:
        shift: LSBs of the accumulator that are dropped.
        rounding: `floor` drops them; `half_up` adds half an output LSB before.
        overflow: What happens to results outside `output_format`.
        activation: Applied after the shift, before the overflow.
        output_format: Format of the result, of at most 32 bits.

    Raises:
        OverlayError: The format is wider than the fabric's.
    """

    shift: int
    rounding: Rounding
    overflow: Overflow
    activation: Activation
    output_format: NumberFormat

    def __post_init__(self) -> None:
        if self.output_format.width > _MAX_OUTPUT_BITS:
            raise OverlayError(
                f"the output has {self.output_format.width} bits",
                why=f"nn_requantise has at most {_MAX_OUTPUT_BITS}",
            )

    @classmethod
    def parse(cls, members: Mapping[str, Node]) -> Requantise:
        """Read it from the members of a layer's table, `KEYS` among them."""
        return cls(
            shift=members["shift"].integer(0, _MAX_SHIFT),
            rounding=members["rounding"].choice(ROUNDINGS),
            overflow=members["overflow"].choice(OVERFLOWS),
            activation=members["activation"].choice(ACTIVATIONS),
            output_format=members["output_format"].number_format(),
        )

    @property
    def half(self) -> int:
        """What rounding adds to the accumulator before the shift."""
        return 1 << (self.shift - 1) if self.rounding == "half_up" and self.shift else 0

    def check_point(self, fraction: int) -> None:
        """Refuse a shift that would move the binary point.

        Args:
            fraction: Bits right of the accumulator's binary point.

        Raises:
            OverlayError: It is another than the shift assumes.
        """
        aligned = fraction - self.output_format.fraction
        if self.shift != aligned:
            raise OverlayError(
                f"shift is {self.shift}, but the binary points differ by {aligned}",
                hint="set shift = input.fraction + weights.fraction - output.fraction",
            )

    def block(self, lanes: int, acc_bits: int) -> Block:
        """Return it as gateware, for a beat of `lanes` accumulators."""
        return Block(
            "nn_requantise",
            lanes,
            self.output_format.width,
            {
                "Values": lanes,
                "InWidth": acc_bits,
                "OutWidth": self.output_format.width,
                "Shift": self.shift,
                "OutSigned": int(self.output_format.signed),
                "HalfUp": int(self.rounding == "half_up"),
                "Relu": int(self.activation == "relu"),
                "Saturate": int(self.overflow == "saturate"),
            },
        )

    def accumulator_bits(self, low: int, high: int) -> int:
        """Return the bits of an accumulator, one more at least than the shift drops.

        Args:
            low: The least sum there can be, rounding constant included or not.
            high: The largest, `half` included.

        Raises:
            OverlayError: It would need more than 63.
        """
        bits = max(signed_bits(low, high), self.shift + 1)
        if bits > _MAX_ACCUMULATOR_BITS:
            raise OverlayError(
                f"the accumulator needs {bits} bits",
                why=f"the golden model holds {_MAX_ACCUMULATOR_BITS}",
            )
        return bits

    def arithmetic(self, largest: int) -> Arithmetic:
        """Return the fastest type in which sums up to `largest`, and `apply` on them, are exact.

        Floats are exact in any order of summation, fused or not, as long as no partial sum can
        exceed their significand: 2**24 or 2**53.

        Args:
            largest: Bound on the magnitude of every operand and every partial sum.
        """
        bound = max(largest + self.half, 1 << self.output_format.width)
        if bound <= _EXACT_FLOAT32:
            return np.float32
        return np.float64 if bound <= _EXACT_FLOAT64 else np.int64

    def apply(self, acc: NDArray[Any]) -> NDArray[Any]:
        """Requantise accumulators to which `half` has been added; they may be overwritten.

        Args:
            acc: Integers in the type that `arithmetic` names, any shape.

        Returns:
            Raw outputs, same type and shape.
        """
        if acc.dtype == np.int64:
            acc >>= self.shift
            if self.activation == "relu":
                np.maximum(acc, 0, out=acc)
            return self.output_format.fit(acc, self.overflow)
        return self._apply_float(acc)

    def _apply_float(self, acc: NDArray[Any]) -> NDArray[Any]:
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


def signed_bits(low: int, high: int) -> int:
    """Return the bits of a two's complement number that holds low..high, zero among them."""
    return 1 + max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0)
