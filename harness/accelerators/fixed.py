"""Fixed-point numbers, and how streams carry them.

A number of width W with I integer bits (the sign among them, the `ap_fixed<W, I>` convention)
stands for `raw * 2**-(W - I)`. The harness computes with the raw integers; floats appear at its
edges alone. Streams carry an event as W-bit fields without padding between them, value i at bits
[i*W +: W], least significant bit and byte first, zeros up to the end of the last beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.errors import OverlayError

Rounding = Literal["floor", "half_up"]
Overflow = Literal["saturate", "wrap"]
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
OVERFLOWS: tuple[Overflow, ...] = get_args(Overflow)

_MAX_WIDTH = 63  # any raw value, signed or not, then fits int64
_MAX_EXPONENT = 512  # keeps 2**fraction an ordinary float64
_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A fixed-point number format.

    Args:
        width: Bits of a value, 1..63.
        integer: Bits left of the binary point, the sign bit among them; it may be negative, or
            exceed `width`, as in `ap_fixed`.
        signed: Two's complement if true.

    Raises:
        OverlayError: A field is of another type or out of range.
    """

    width: int
    integer: int
    signed: bool

    def __post_init__(self) -> None:
        if type(self.width) is not int or not 1 <= self.width <= _MAX_WIDTH:
            raise OverlayError(
                f"width {self.width!r} of a number format is not an integer in 1..{_MAX_WIDTH}"
            )
        if type(self.integer) is not int or abs(self.integer) > _MAX_EXPONENT:
            raise OverlayError(
                f"integer {self.integer!r} of a number format is not an integer in "
                f"-{_MAX_EXPONENT}..{_MAX_EXPONENT}"
            )
        if type(self.signed) is not bool:
            raise OverlayError(
                f"signed {self.signed!r} of a number format is neither true nor false"
            )

    @property
    def fraction(self) -> int:
        """Bits right of the binary point; the LSB is worth 2**-fraction."""
        return self.width - self.integer

    @property
    def minimum(self) -> int:
        """The smallest raw value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The largest raw value."""
        return (1 << (self.width - int(self.signed))) - 1

    def __str__(self) -> str:
        """Return the format as HLS spells it."""
        return f"ap_{'' if self.signed else 'u'}fixed<{self.width},{self.integer}>"

    def quantise(
        self,
        values: NDArray[np.floating[Any]],
        rounding: Rounding = "floor",
        overflow: Overflow = "saturate",
    ) -> NDArray[np.int64]:
        """Return the raw values nearest below (`floor`) or nearest, ties upwards (`half_up`).

        Args:
            values: Floats of any shape.
            rounding: What happens to bits below the LSB.
            overflow: What happens outside the range: `saturate` at its ends, or `wrap` modulo
                2**width.

        Returns:
            Raw values, same shape.

        Raises:
            OverlayError: A value is not a number, or infinite where it should wrap.
        """
        exact = np.asarray(values, dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.ldexp(exact, self.fraction)
        # A negative value that scales to zero still lies below it.
        scaled = np.where((scaled == 0) & (exact < 0), -np.finfo(np.float64).tiny, scaled)
        if np.isnan(scaled).any():
            raise OverlayError("cannot quantise a value that is not a number")
        lower = np.floor(scaled)
        if rounding == "half_up":
            # floor(x + 0.5) would round x = 0.5 - 2**-54 up; the difference below is exact.
            with np.errstate(invalid="ignore"):
                lower = lower + (scaled - lower >= 0.5)
        if overflow == "saturate":
            # float(maximum) may round up to 2**63, which int64 lacks: the ends are integers.
            inside = (lower > self.minimum) & (lower < self.maximum)
            # Spelled int64, since NumPy's own integer has 32 bits on the boards' 32-bit ARM.
            low, high = np.int64(self.minimum), np.int64(self.maximum)
            ends = np.where(lower >= self.maximum, high, low)
            return np.where(inside, np.where(inside, lower, 0.0).astype(np.int64), ends)
        if np.isinf(lower).any():
            raise OverlayError("cannot wrap an infinite value")
        return self.fit(np.fmod(lower, 2.0**self.width).astype(np.int64), "wrap")

    def fit(self, raw: NDArray[np.int64], overflow: Overflow) -> NDArray[np.int64]:
        """Bring integers that are out of range into it, by saturating or wrapping."""
        if overflow == "saturate":
            return np.clip(raw, self.minimum, self.maximum)
        wrapped = raw & np.int64((1 << self.width) - 1)
        if self.signed:
            sign = np.int64(1 << (self.width - 1))
            wrapped = (wrapped ^ sign) - sign
        return wrapped

    def to_float(self, raw: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Return what raw values stand for; exact up to a width of 53 bits."""
        return np.ldexp(np.asarray(raw).astype(np.float64), -self.fraction)

    def check(self, raw: NDArray[np.integer[Any]], where: str) -> None:
        """Refuse raw values that the format cannot hold.

        Raises:
            OverlayError: A value is out of range.
        """
        if raw.size and (int(raw.min()) < self.minimum or int(raw.max()) > self.maximum):
            raise OverlayError(
                f"values {int(raw.min())}..{int(raw.max())} do not fit {self}",
                where=where,
                why=f"it holds {self.minimum}..{self.maximum}",
            )

    def pack(self, raw: NDArray[np.integer[Any]], stream_width_bits: int) -> NDArray[np.uint8]:
        """Lay events out as a stream carries them.

        Args:
            raw: Raw values, [events, values].
            stream_width_bits: Bits of a beat, a multiple of 8.

        Returns:
            Bytes in the order of transmission, [events, beats * stream_width_bits / 8].

        Raises:
            OverlayError: A value does not fit the format, or the width is no whole number of bytes.
        """
        self.check(raw, "pack")
        columns = list(np.asarray(raw).T)
        return pack_fields(columns, [self.width] * len(columns), stream_width_bits)

    def unpack(self, data: NDArray[np.uint8], values: int) -> NDArray[np.int64]:
        """Read `values` raw values out of each event; the inverse of `pack`.

        Args:
            data: Bytes of whole events, [events, bytes].
            values: Values in an event.

        Returns:
            Raw values, [events, values].

        Raises:
            OverlayError: An event has fewer bits than the values need.
        """
        events, size = data.shape
        if values * self.width > 8 * size:
            raise OverlayError(
                f"{values} values of {self.width} bits do not fit in events of {size} bytes"
            )
        words = _words(data)
        out = np.empty((events, values), dtype=np.int64)
        for index in range(values):
            out[:, index] = _field(words, index * self.width, self.width)
        return self.fit(out, "wrap")


def unpack_field(data: NDArray[np.uint8], position: int, width: int) -> NDArray[np.int64]:
    """Read one field out of each event, without a sign.

    Args:
        data: Bytes of whole events that hold it, [events, bytes].
        position: Its lowest bit.
        width: Its bits, 1..63.

    Returns:
        Its bits, int64 [events].
    """
    return _field(_words(data), position, width)


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the bytes of each event in words, with one more, so that a field may reach over."""
    events, size = data.shape
    words = np.zeros((events, -(-size // 8) + 1), dtype="<u8")
    words.view(np.uint8)[:, :size] = data
    return words


def _field(words: NDArray[np.uint64], position: int, width: int) -> NDArray[np.int64]:
    word, offset = divmod(position, _WORD_BITS)
    column = words[:, word] >> np.uint64(offset)
    if offset + width > _WORD_BITS:
        column |= words[:, word + 1] << np.uint64(_WORD_BITS - offset)
    return (column & np.uint64((1 << width) - 1)).view(np.int64)


def pack_fields(
    columns: Sequence[NDArray[np.integer[Any]]], widths: Sequence[int], stream_width_bits: int
) -> NDArray[np.uint8]:
    """Put fields of any width next to each other, the first one at bit 0.

    Args:
        columns: One array of [events] per field; only its low bits are used.
        widths: Bits of each field, 1..63.
        stream_width_bits: Bits of a beat, a multiple of 8.

    Returns:
        Bytes in the order of transmission, [events, beats * stream_width_bits / 8].

    Raises:
        OverlayError: There is no field, or the stream width is no whole number of bytes.
    """
    if stream_width_bits < 8 or stream_width_bits % 8 or not columns:
        raise OverlayError(
            f"cannot pack {len(columns)} fields in beats of {stream_width_bits} bits"
        )
    beats = -(-sum(widths) // stream_width_bits)
    size = beats * stream_width_bits // 8
    words = np.zeros((len(columns[0]), -(-size // 8) + 1), dtype="<u8")
    position = 0
    for column, width in zip(columns, widths, strict=True):
        word, offset = divmod(position, _WORD_BITS)
        field = column.astype(np.int64).view(np.uint64) & np.uint64((1 << width) - 1)
        words[:, word] |= field << np.uint64(offset)
        if offset + width > _WORD_BITS:
            words[:, word + 1] |= field >> np.uint64(_WORD_BITS - offset)
        position += width
    return np.ascontiguousarray(words.view(np.uint8)[:, :size])
