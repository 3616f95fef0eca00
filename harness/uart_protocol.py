"""Frames on the serial line: what `uart_pkg.sv` describes, for either end.

A frame is COBS-encoded and ends with a zero byte, so that after any noise the next zero is a place
to start again. Decoded it is whole little-endian words: version, type and sequence number; bytes of
payload; payload; CRC-32.

`ELAPSE` is answered by the process that runs a virtual board, never by a bridge: it takes
nanoseconds to let pass and returns board time in nanoseconds. A bridge refuses it as an unknown
type, and that is how a host knows a real board.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

VERSION: Final = 1
MAGIC: Final = int.from_bytes(b"FILU", "big")
REPLY: Final = 0x80
NUMBERS: Final = 1 << 16
MAX_FRAME_BYTES: Final = 4096
"""More than any frame has: what is longer is noise."""
_FULL = 254
_HEAD = struct.Struct("<BBHI")


class Kind(IntEnum):
    """Types of frames; a reply has bit 7 set."""

    HELLO = 0x01
    READ = 0x02
    WRITE = 0x03
    ELAPSE = 0x10
    ERROR = 0xFF


class Cause(IntEnum):
    """Why a bridge refuses a request."""

    BAD_VERSION = 1
    BAD_TYPE = 2
    BAD_LENGTH = 3
    NO_HELLO = 4
    BAD_NUMBER = 5
    SLAVE_ERROR = 6
    NO_SLAVE = 7
    TIMED_OUT = 8
    BAD_ADDRESS = 9


MEANING: Final = {
    Cause.BAD_VERSION: "it speaks another version of the protocol",
    Cause.BAD_TYPE: "it does not know this type of request",
    Cause.BAD_LENGTH: "the request has a length that it does not take",
    Cause.NO_HELLO: "it was reset or configured since it was greeted",
    Cause.BAD_NUMBER: "two different requests came with one sequence number",
    Cause.SLAVE_ERROR: "answered with SLVERR",
    Cause.NO_SLAVE: "answered with DECERR: nothing is there",
    Cause.TIMED_OUT: "no answer on AXI4-Lite",
    Cause.BAD_ADDRESS: "the address is not a multiple of 4",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One request or reply.

    Args:
        kind: Type, as it is on the line.
        number: Sequence number, 0..65535.
        payload: Whole 32-bit words, little-endian.
        version: Of the protocol.
    """

    kind: int
    number: int
    payload: bytes = b""
    version: int = VERSION

    def encode(self) -> bytes:
        """Return the bytes for the line, the zero at the end included."""
        raw = _HEAD.pack(self.version, self.kind, self.number, len(self.payload)) + self.payload
        return cobs_encode(raw + zlib.crc32(raw).to_bytes(4, "little")) + b"\0"


def decode(encoded: bytes) -> Frame | None:
    """Return the frame in the bytes before a zero; none if they are no true frame."""
    raw = cobs_decode(encoded)
    if raw is None or len(raw) < _HEAD.size + 4 or len(raw) % 4:
        return None
    if zlib.crc32(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
        return None
    version, kind, number, length = _HEAD.unpack_from(raw)
    payload = raw[_HEAD.size : -4]
    return Frame(kind, number, payload, version) if length == len(payload) else None


def cobs_encode(data: bytes) -> bytes:
    """Return `data` without zeros, one byte in 254 longer (consistent overhead byte stuffing)."""
    blocks = []
    for piece in data.split(b"\0"):
        full, rest = divmod(len(piece), _FULL)
        blocks += [b"\xff" + piece[i * _FULL : (i + 1) * _FULL] for i in range(full)]
        blocks.append(bytes([rest + 1]) + piece[full * _FULL :])
    return b"".join(blocks)


def cobs_decode(encoded: bytes) -> bytes | None:
    """Return what `encoded`, without its delimiter, stands for; none if it is malformed."""
    parts = []
    at, size = 0, len(encoded)
    while at < size:
        code = encoded[at]
        end = at + code
        if code == 0 or end > size:
            return None
        parts.append(encoded[at + 1 : end])
        if code <= _FULL and end < size:
            parts.append(b"\0")
        at = end
    return b"".join(parts)


class Splitter:
    """Cuts a stream of bytes at its zeros."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return what came before each zero, empty stretches left out."""
        *whole, rest = data.split(b"\0")
        if whole:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest = bytearray(rest)
        else:
            self._rest += rest
        # What is too long to be a frame need not be kept; it stays too long.
        del self._rest[MAX_FRAME_BYTES + 1 :]
        return [piece for piece in whole if piece]

    @property
    def rest(self) -> bytes:
        """What came since the last zero."""
        return bytes(self._rest)
