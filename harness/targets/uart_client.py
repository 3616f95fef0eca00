"""Requests over a serial line: each is answered once, refused once, or fails within its deadline.

A request that gets no true answer is sent again with the same sequence number. The bridge does not
act on it twice, so that neither a lost request nor a lost answer can do harm.
"""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import BoardError, BusError, DeadlineError
from harness.uart_protocol import (
    MAGIC,
    MEANING,
    NUMBERS,
    REPLY,
    VERSION,
    Cause,
    Frame,
    Kind,
    Splitter,
    decode,
)

if TYPE_CHECKING:
    from harness.targets.uart_port import SerialPort

LEAST_WAIT_S = 0.25
LONGEST_WAIT_S = 4.0
BUDGET_S = 10.0
"""From the first sending of a request until it is given up."""
_EAGER = 16  # damaged frames that make us ask again at once, before waiting seems wiser
_QUIET_S = 0.02
_BUS_CAUSES = {Cause.SLAVE_ERROR, Cause.NO_SLAVE, Cause.TIMED_OUT, Cause.BAD_ADDRESS}


@dataclass(frozen=True, slots=True)
class Hello:
    """What a bridge says about itself.

    Args:
        version: Of the protocol.
        max_words: Longest read or write.
        clock_hz: Fabric clock it was built for.
        divisor_q8: Clock cycles of a bit, times 256.
        forgotten: Damaged frames it has dropped since reset.
    """

    version: int
    max_words: int
    clock_hz: int
    divisor_q8: int
    forgotten: int

    @property
    def baud(self) -> float:
        """Rate it was built for."""
        return 256 * self.clock_hz / self.divisor_q8


@dataclass(slots=True)
class Traffic:
    """What happened on the line."""

    requests: int = 0
    retries: int = 0
    damaged: int = 0
    stale: int = 0
    received_bytes: int = 0


class RefusedError(Exception):
    """A bridge refused a request.

    Args:
        cause: Why; a number this host does not know is kept as it is.
        index: Word that failed.
        version: Of the protocol that the bridge speaks.
    """

    def __init__(self, cause: int, index: int, version: int) -> None:
        super().__init__(cause, index, version)
        self.cause = cause
        self.index = index
        self.version = version

    @property
    def meaning(self) -> str:
        """In words."""
        known = self.cause in list(Cause)
        return MEANING[Cause(self.cause)] if known else f"for a reason numbered {self.cause}"


class UartClient:
    """The host's end of the protocol.

    Args:
        port: Open; the client does not close it.
        baud: Of the port: how long bytes take.
    """

    def __init__(self, port: SerialPort, baud: int) -> None:
        self.traffic = Traffic()
        self._port = port
        self._byte_s = 10 / baud
        # How long an answer may take before we ask again. It follows how long answers do take, so
        # that a slow simulator is not asked ever more often for what it is working on.
        self._patience_s = LEAST_WAIT_S
        self._splitter = Splitter()
        # A stranger's late answer is not taken for ours.
        self._number = secrets.randbelow(NUMBERS)
        self._last_elsewhere = -1

    def hello(self) -> Hello:
        """Greet the bridge, whatever was on the line before.

        Raises:
            BoardError: No bridge answers, or one of another version.
        """
        self._drain()
        before = self.traffic.received_bytes
        try:
            payload = self._ask(Kind.HELLO, b"", 5)
        except RefusedError as refusal:
            raise BoardError(
                f"protocol version {refusal.version} is not spoken here",
                where=self._port.path,
                why=f"this harness speaks {VERSION}",
                hint="load an image built from this checkout",
            ) from refusal
        except DeadlineError as error:
            came = self.traffic.received_bytes - before
            raise BoardError(
                "no bridge answers",
                where=self._port.path,
                why=f"{came} bytes came, no true frame among them" if came else "nothing came",
                hint="is the baud rate the image's?" if came else "is the board on and configured?",
            ) from error
        magic, about, clock_hz, divisor_q8, forgotten = struct.unpack("<5I", payload)
        if magic != MAGIC or not (about >> 16 and clock_hz and divisor_q8):
            raise BoardError("is not one of our bridges", where=self._port.path, why=f"{magic:#x}")
        return Hello(about & 0xFF, about >> 16, clock_hz, divisor_q8, forgotten)

    def read(self, address: int, words: int) -> bytes:
        """Return consecutive words, little-endian; at most as many as the bridge takes.

        Raises:
            BusError: The bridge refuses, or an access failed.
            BoardError: The line failed.
            DeadlineError: No answer in time.
        """
        try:
            return self._ask(Kind.READ, struct.pack("<II", address, words), words)
        except RefusedError as refusal:
            raise self._failed("read", address, refusal) from refusal

    def write(self, address: int, data: bytes) -> None:
        """Write consecutive words, little-endian; at most as many as the bridge takes.

        Raises:
            BusError: The bridge refuses, or an access failed; the words before it are written.
            BoardError: The line failed.
            DeadlineError: No answer in time.
        """
        try:
            self._ask(Kind.WRITE, address.to_bytes(4, "little") + data, 0)
        except RefusedError as refusal:
            raise self._failed("write", address, refusal) from refusal

    def elapse(self, ns: int) -> int | None:
        """Let time pass on a virtual board and return its time in ns; none from a real board.

        Raises:
            BoardError: The line failed.
            DeadlineError: No answer in time.
        """
        try:
            return int.from_bytes(self._ask(Kind.ELAPSE, ns.to_bytes(8, "little"), 2), "little")
        except RefusedError as refusal:
            if refusal.cause == Cause.BAD_TYPE:
                return None
            raise self._failed("elapse", 0, refusal) from refusal

    def _ask(self, kind: Kind, payload: bytes, words: int) -> bytes:
        """Return the payload of the answer, of so many words.

        Raises:
            RefusedError: The bridge refuses.
            BoardError: The line failed.
            DeadlineError: No answer in time.
        """
        number = self._next(kind)
        # The zero before it ends whatever noise came first.
        request = b"\0" + Frame(kind, number, payload).encode()
        transfer_s = (len(request) + 4 * words + 16) * self._byte_s
        wait_s = self._patience_s + 2 * transfer_s
        start = time.monotonic()
        end = start + BUDGET_S + 10 * transfer_s
        self.traffic.requests += 1
        eager, sent = _EAGER, 0
        while (now := time.monotonic()) < end:
            self.traffic.retries += sent > 0
            sent += 1
            self._port.write(request)
            answer, eager = self._await(kind, number, 4 * words, min(now + wait_s, end), eager)
            if answer is not None:
                took_s = time.monotonic() - start
                self._patience_s = min(max(LEAST_WAIT_S, 1.5 * took_s), LONGEST_WAIT_S)
                return answer
            wait_s = min(1.5 * wait_s, LONGEST_WAIT_S + 2 * transfer_s)
        raise self._silent(kind, sent, time.monotonic() - start)

    def _await(
        self, kind: Kind, number: int, size: int, until: float, eager: int
    ) -> tuple[bytes | None, int]:
        """Return the answer, if it comes in time, and how often to be eager still."""
        while (left_s := until - time.monotonic()) > 0:
            data = self._port.read(left_s)
            self.traffic.received_bytes += len(data)
            for piece in self._splitter.feed(data):
                frame = decode(piece)
                if frame is None:
                    self.traffic.damaged += 1
                    if eager > 0:
                        until, eager = 0.0, eager - 1
                elif frame.number != number:
                    self.traffic.stale += 1
                elif frame.kind == Kind.ERROR and len(frame.payload) == 8:
                    cause, index = struct.unpack("<II", frame.payload)
                    raise RefusedError(cause, index, frame.version)
                elif frame.kind == kind | REPLY and len(frame.payload) == size:
                    return frame.payload, eager
                else:
                    self.traffic.stale += 1
        return None, eager

    def _next(self, kind: Kind) -> int:
        """Return the next number; the bridge and a virtual board's host each keep their last."""
        self._number = (self._number + 1) % NUMBERS
        if kind != Kind.ELAPSE:
            if self._number == self._last_elsewhere:
                self._number = (self._number + 1) % NUMBERS
            self._last_elsewhere = self._number
        return self._number

    def _drain(self) -> None:
        """Throw away what is on the way: a boot log, answers to whoever was here before."""
        end = time.monotonic() + 20 * _QUIET_S
        while time.monotonic() < end and self._port.read(_QUIET_S):
            pass
        self._splitter = Splitter()

    def _silent(self, kind: Kind, sent: int, took_s: float) -> BoardError | DeadlineError:
        if self._port.vanished():
            return BoardError("the port vanished", where=self._port.path)
        if others := self._port.others():
            return BoardError(
                "the port was opened by another process",
                where=self._port.path,
                why=f"no answer to {kind.name}, and it is open in {', '.join(others)}",
                hint="end it: two readers take each other's bytes away",
            )
        return DeadlineError(
            f"no answer to {kind.name}",
            where=self._port.path,
            why=f"sent {sent} times in {took_s:.1f} s; {self.traffic.damaged} damaged frames came",
            hint="is the board still on? a shorter cable, or a lower baud rate, has fewer errors",
        )

    def _failed(self, what: str, address: int, refusal: RefusedError) -> BusError | BoardError:
        if refusal.cause == Cause.NO_HELLO:
            return BoardError(
                "the board has started anew",
                where=self._port.path,
                why=refusal.meaning,
                hint="run again; what was loaded before is gone",
            )
        if refusal.cause in _BUS_CAUSES:
            at = address + 4 * refusal.index
            return BusError(f"{what} of {at:#010x} failed", where="bridge", why=refusal.meaning)
        return BusError(f"{what} was refused", where="bridge", why=refusal.meaning)
