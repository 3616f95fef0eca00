"""A virtual board behind a serial line, and a line that damages what it carries.

The board is the bridge's RTL with all behind it. Only one kind of frame does not reach it:
`ELAPSE`, which lets simulated time pass and says what time it is. Time passes with bytes on the
line and by `ELAPSE`, and not otherwise.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from harness.uart_protocol import MAX_FRAME_BYTES, REPLY, Frame, Kind, decode

if TYPE_CHECKING:
    from harness.emulation.uart_line import UartLine

_NS = 1_000_000_000


class UartBoard:
    """Bytes to a virtual board, bytes from it.

    Args:
        line: A model that has just been made.
        clock_hz: Of its clock.
    """

    def __init__(self, line: UartLine, clock_hz: int) -> None:
        self._line = line
        self._clock_hz = clock_hz
        self._rest = bytearray()
        self._torn = False  # the bridge has the beginning of something that has not ended
        self._elapsed: tuple[Frame, bytes] | None = None

    @property
    def now_ns(self) -> int:
        """Board time since its reset."""
        return self._line.cycle * _NS // self._clock_hz

    def feed(self, data: bytes) -> bytes:
        """Send bytes to the board and return what it sent until it was at rest.

        Bytes of a frame that has not ended wait here, as they would in a USB converter.

        Raises:
            BusError: The RTL stopped.
        """
        self._rest += data
        answers = []
        while True:
            frame, zero, rest = self._rest.partition(b"\0")
            if not zero:
                break
            answers.append(self._frame(bytes(frame)))
            self._rest = rest
        if len(self._rest) > MAX_FRAME_BYTES:  # no frame: let the bridge find that out
            answers.append(self._line.exchange(bytes(self._rest)))
            self._rest.clear()
            self._torn = True
        return b"".join(answers)

    def close(self) -> None:
        """Free the model."""
        self._line.close()

    def _frame(self, encoded: bytes) -> bytes:
        if not encoded and not self._torn:
            return b""  # a zero between frames changes nothing, and must not cost time
        torn, self._torn = self._torn, False
        frame = None if torn else decode(encoded)
        if frame is None or frame.kind != Kind.ELAPSE or len(frame.payload) != 8:
            if frame is not None:
                self._elapsed = None  # any other request has a later number
            return self._line.exchange(encoded + b"\0")
        if self._elapsed is None or self._elapsed[0] != frame:
            cycles = -(-int.from_bytes(frame.payload, "little") * self._clock_hz // _NS)
            self._line.run(cycles)
            answer = Frame(frame.kind | REPLY, frame.number, self.now_ns.to_bytes(8, "little"))
            self._elapsed = (frame, answer.encode())
        return self._elapsed[1]


class Noise:
    """Flips bits, loses, doubles and inserts bytes, at random but reproducibly.

    Args:
        rate: Share of bytes that something happens to, 0..1.
        seed: Of what happens where.
    """

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 (nothing secret)
        self.events = 0
        """What has happened so far."""

    def __call__(self, data: bytes) -> bytes:
        """Return what is left of `data`."""
        source = self._random
        found = bytearray()
        for byte in data:
            if source.random() >= self._rate:
                found.append(byte)
                continue
            self.events += 1
            kind = source.randrange(4)
            if kind == 0:
                found.append(byte ^ 1 << source.randrange(8))
            elif kind == 1:
                found += bytes([byte, byte])
            elif kind == 2:
                found += bytes([source.randrange(256), byte])
        return bytes(found)
