"""Golden outputs: the bytes that a correct accelerator sends, and their CRC.

The fabric keeps a CRC-32 (IEEE 802.3, as `zlib.crc32`) over all output beats of a run. A run may
play a few thousand events in a loop for hours, so the expected value cannot come from touching
every byte. A CRC is linear over GF(2): that of two strings follows from the CRC of each and the
length of the second,

    crc(A + B) = crc(A) * x**(8 * len(B))  +  crc(B)      modulo the CRC polynomial,

so repeating a block costs one multiplication per binary digit of the count, as in zlib's
`crc32_combine`.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import pack_fields, unpack_field
from harness.accelerators.model import Model
from harness.errors import OverlayError

_POLYNOMIAL = 0xEDB8_8320  # IEEE 802.3, bit 31 holds the coefficient of x**0
_ONE = 1 << 31


def golden_rows(
    model: Model, raw: NDArray[np.integer[Any]], stream_width_bits: int = 128
) -> NDArray[np.uint8]:
    """Return the output bytes of a batch of events, which may be played in a loop.

    The last layer's values are packed from bit 0; what the model's output kind derives from them
    follows, see `harness.accelerators.outputs`; zeros above.

    Args:
        model: The network.
        raw: Raw inputs, [events, inputs], in the order in which they are played.
        stream_width_bits: Bits of an output beat.

    Returns:
        Bytes in the order of transmission, [events, beats * stream_width_bits / 8].

    Raises:
        OverlayError: The events do not fit the model, or a second round of them would give other
            outputs than the first.
    """
    rows = output_rows(
        model, np.concatenate([raw, raw]) if model.stateful else raw, stream_width_bits
    )
    if model.stateful:
        rows, again = np.split(rows, 2)
        differs = np.flatnonzero((rows != again).any(axis=1))
        if differs.size:
            raise OverlayError(
                f"event {differs[0]} gives another result in the second round",
                where=f"model {model.name}",
                why="its state remembers the last events of the first",
                hint="let the first event of the batch reset the state",
            )
    return rows


def output_rows(
    model: Model, raw: NDArray[np.integer[Any]], stream_width_bits: int
) -> NDArray[np.uint8]:
    """Return the output bytes of events that are played once; arguments as of `golden_rows`."""
    values, stage = model.forward(raw), model.stage
    columns, widths = [*values.T], [model.output_format.width] * model.outputs
    if stage.derive is not None:
        columns.append(stage.derive(values))
        widths.append(stage.field_bits)
    return pack_fields(columns, widths, stream_width_bits)


def decode_rows(
    model: Model, rows: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return what output bytes say; the inverse of `output_rows`.

    Args:
        model: The network.
        rows: Bytes of the output beats of whole events, [events, bytes].

    Returns:
        The last layer's raw values, int64 [events, outputs], and what is derived from them, int64
        [events]; None where nothing is.
    """
    values, bits = model.output_format.unpack(rows, model.outputs), model.stage.field_bits
    position = model.outputs * model.output_format.width
    return values, unpack_field(rows, position, bits) if bits else None


def identity_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the output bytes of an accelerator that sends back what it receives.

    Args:
        rows: Input bytes, [events, bytes].

    Returns:
        A copy, [events, bytes].
    """
    return np.array(rows, dtype=np.uint8, order="C")


def crc32_of_looped(rows: NDArray[np.uint8], events: int) -> int:
    """Return the CRC-32 of rows sent in a loop, from the first, until `events` rows have been sent.

    Equal to `zlib.crc32` over all the bytes, in a time that grows with the logarithm of `events`.

    Args:
        rows: Bytes of the distinct events, [distinct, bytes].
        events: Rows sent, 0 or more.

    Returns:
        The CRC, an unsigned 32-bit integer.

    Raises:
        OverlayError: There are no rows to send, or their number is negative.
    """
    if events < 0 or (events and not rows.size):
        raise OverlayError(f"cannot send {events} events out of {len(rows)} rows")
    if not events:
        return 0
    rounds, rest = divmod(events, len(rows))
    data = memoryview(np.ascontiguousarray(rows, dtype=np.uint8).tobytes())
    tail = data[: rest * (len(data) // len(rows))]
    crc = _crc_of_repeated(zlib.crc32(data), len(data), rounds)
    return _multiply(_power_of_x(8 * len(tail)), crc) ^ zlib.crc32(tail)


def _crc_of_repeated(crc: int, size: int, count: int) -> int:
    """Return the CRC of `count` copies of a block of `size` bytes whose own CRC is `crc`."""
    total = 0
    block, advance = crc, _power_of_x(8 * size)
    while count:
        if count & 1:
            total = _multiply(advance, total) ^ block
        # Twice the block: its CRC moved past a second copy of itself.
        block ^= _multiply(advance, block)
        advance = _multiply(advance, advance)
        count >>= 1
    return total


def _multiply(a: int, b: int) -> int:
    """Return a * b modulo the CRC polynomial."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFF_FFFF
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power_of_x(exponent: int) -> int:
    """Return x**exponent modulo the CRC polynomial."""
    result, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        exponent >>= 1
    return result
