"""An AXI DMA in direct register mode, as PG021 describes it, between memory and the streams.

Where PG021 leaves the outcome undefined, the virtual board makes the mistake visible instead:

* a packet longer than LENGTH sets DMAIntErr (0x10), which is also what field reports show;
* an address that is not a multiple of the data width, without a realignment engine, sets DMAIntErr.

Two things are simpler than in silicon. Bytes move at once when they can, so the memory's bandwidth
is no limit; and a reset is over by the time the next access sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol

from harness.emulation.hwh import DmaCore
from harness.emulation.memory import ContiguousMemory

__all__ = ["AxiDma", "Control", "Status", "StreamEnds"]

S2MM = 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
_REGISTER_SPACE = 0x400  # the core decodes ten address bits


class Control(IntFlag):
    """Bits of DMACR."""

    RUN = 1 << 0
    RESERVED = 1 << 1
    RESET = 1 << 2
    IOC_ENABLE = 1 << 12
    DELAY_ENABLE = 1 << 13
    ERROR_ENABLE = 1 << 14


class Status(IntFlag):
    """Bits of DMASR."""

    HALTED = 1 << 0
    IDLE = 1 << 1
    INTERNAL_ERROR = 1 << 4
    SLAVE_ERROR = 1 << 5
    DECODE_ERROR = 1 << 6
    IOC = 1 << 12
    DELAY = 1 << 13
    ERROR = 1 << 14


_ERRORS = Status.INTERNAL_ERROR | Status.SLAVE_ERROR | Status.DECODE_ERROR
_INTERRUPTS = Status.IOC | Status.DELAY | Status.ERROR
_CONTROL_RESET = 0x0001_0002
_CONTROL_WRITABLE = 0xFFFF_7019
_THRESHOLD = 0x00FF_0000


class StreamEnds(Protocol):
    """The fabric's side of both streams."""

    @property
    def unsent(self) -> int:
        """Beats pushed and not yet taken by the fabric."""

    def push(self, data: bytes, last: bool) -> None:
        """Queue whole beats towards the fabric."""

    def pop(self, max_bytes: int) -> tuple[bytes, bool]:
        """Take whole beats that came out, up to a TLAST; whether they end with one."""

    def flush(self) -> None:
        """Forget what is queued either way."""


@dataclass
class _Channel:
    """State of one direction."""

    beat_bytes: int
    realigns: bool
    control: int = _CONTROL_RESET
    status: Status = Status.HALTED
    address: int = 0
    length: int = 0
    busy: bool = False
    moved: int = 0

    def reset(self) -> None:
        self.control, self.status = _CONTROL_RESET, Status.HALTED
        self.address = self.length = self.moved = 0
        self.busy = False

    def set_control(self, value: int) -> None:
        kept = self.control & _THRESHOLD
        self.control = int((value & _CONTROL_WRITABLE) | Control.RESERVED)
        if not value & _THRESHOLD:  # PG021: writing zero to the threshold has no effect
            self.control |= kept
        if not value & Control.RUN:
            self.stop_if_done()
        elif self.status & _ERRORS:
            self._clear_run()  # only a reset clears an error
        else:
            self.status &= ~Status.HALTED

    def _clear_run(self) -> None:
        # As an integer: the complement of a flag has only the flags that are defined.
        self.control &= ~int(Control.RUN)

    def stop_if_done(self) -> None:
        """Halt unless a transfer is under way: that one is finished first."""
        if not self.busy and not self.control & Control.RUN:
            self.status = (self.status | Status.HALTED) & ~Status.IDLE

    def begin(self, length: int) -> None:
        self.length, self.moved, self.busy = length, 0, True
        self.status &= ~Status.IDLE

    def complete(self) -> None:
        self.busy = False
        self.status |= Status.IDLE | Status.IOC
        self.stop_if_done()

    def fail(self, error: Status) -> None:
        self.busy = False
        self._clear_run()
        self.status = (self.status | error | Status.HALTED | Status.ERROR) & ~Status.IDLE


class AxiDma:
    """The registers of one AXI DMA, and the transfers they start.

    Args:
        core: How it was built.
        memory: What its memory ports reach; all else decodes to nothing.
        streams: What its stream ports are connected to.
    """

    def __init__(self, core: DmaCore, memory: ContiguousMemory, streams: StreamEnds) -> None:
        self._core = core
        self._memory = memory
        self._streams = streams
        self._mm2s = _Channel(core.mm2s_bytes, core.mm2s_realigns)
        self._s2mm = _Channel(core.s2mm_bytes, core.s2mm_realigns)

    @property
    def busy(self) -> bool:
        """Whether a transfer is under way in either direction."""
        return self._mm2s.busy or self._s2mm.busy

    def read(self, offset: int) -> int:
        """Return a register, by byte offset; what is no register reads as zero."""
        channel, register = self._select(offset)
        if channel is None:
            return 0
        values = {
            CONTROL: channel.control,
            STATUS: int(channel.status),
            ADDRESS: channel.address & 0xFFFF_FFFF,
            ADDRESS_HIGH: channel.address >> 32,
            LENGTH: channel.length,
        }
        return values.get(register, 0)

    def write(self, offset: int, value: int) -> None:
        """Write a register, by byte offset; what is no register takes no notice."""
        channel, register = self._select(offset)
        if channel is None:
            return
        if register == CONTROL and value & Control.RESET:
            self._mm2s.reset()
            self._s2mm.reset()
            self._streams.flush()
        elif register == CONTROL:
            channel.set_control(value)
        elif register == STATUS:
            channel.status &= ~(Status(value & 0xFFFF) & _INTERRUPTS)
        elif register == ADDRESS:
            channel.address = (channel.address >> 32 << 32) | value
        elif register == ADDRESS_HIGH:
            channel.address = (channel.address & 0xFFFF_FFFF) | value << 32
        elif register == LENGTH:
            self._start(channel, value & ((1 << self._core.length_bits) - 1))

    def service(self) -> None:
        """Move what can be moved; to be called whenever the fabric has advanced."""
        if self._mm2s.busy and not self._streams.unsent:
            self._mm2s.complete()
        if self._s2mm.busy:
            self._receive(self._s2mm)

    def _select(self, offset: int) -> tuple[_Channel | None, int]:
        offset %= _REGISTER_SPACE
        channel = self._mm2s if offset < S2MM else self._s2mm
        return channel if channel.beat_bytes else None, offset if offset < S2MM else offset - S2MM

    def _start(self, channel: _Channel, length: int) -> None:
        # PG021: ignored while halted; zero has no effect. While busy the outcome is undefined.
        if channel.status & Status.HALTED or not length or channel.busy:
            return
        channel.begin(length)
        if channel.address % channel.beat_bytes and not channel.realigns:
            channel.fail(Status.INTERNAL_ERROR)
        elif channel is self._mm2s:
            self._send(channel)
        else:
            self._receive(channel)

    def _send(self, channel: _Channel) -> None:
        if not self._memory.contains(channel.address, channel.length):
            channel.fail(Status.DECODE_ERROR)
            return
        data = self._memory.read(channel.address, channel.length)
        # A partial last beat would carry TKEEP; the fabric takes whole beats, so zeros fill it up.
        self._streams.push(data + bytes(-len(data) % channel.beat_bytes), True)

    def _receive(self, channel: _Channel) -> None:
        while channel.busy:
            room = channel.length - channel.moved
            beats = -(-room // channel.beat_bytes)
            data, last = self._streams.pop(beats * channel.beat_bytes)
            if not data:
                return
            kept = data[:room]
            address = channel.address + channel.moved
            if not self._memory.contains(address, len(kept)):
                channel.fail(Status.DECODE_ERROR)
                return
            self._memory.write(address, kept)
            channel.moved += len(kept)
            if len(data) > room or (channel.moved == channel.length and not last):
                channel.fail(Status.INTERNAL_ERROR)
            elif last:
                channel.length = channel.moved  # LENGTH reads back the bytes received
                channel.complete()
