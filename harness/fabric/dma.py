"""Host driver of an AXI DMA in direct register mode (PG021), in which every wait has a deadline.

pynq's own driver waits for ever for a packet without TLAST, and reports a channel that halted on an
error as one that was not started. Here the receive channel is armed before anything is sent, an
error names its cause out of DMASR, and what arrived is checked to have arrived: the receive buffer
is poisoned beforehand, and words past its end must not change.

Call order: `reset`, then for each packet `arm`, `send`, `wait`, `received`; or `transmit` alone, or
`arm`, `wait_received`, `received` where the fabric speaks by itself. After an error only `reset`
helps. `close` gives the buffers back.

Over a network every access is a message, so nothing is written that is there already and nothing is
read that will be read again: 9 accesses a packet and answer, of which 2 are of whole buffers.
"""

from __future__ import annotations

import time
from enum import IntFlag
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import BoardError, DeadlineError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from harness.targets import AddressRange, Target
    from harness.targets.dma import DmaBuild

MM2S: Final = 0x00
S2MM: Final = 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN: Final = 1 << 0
RESET: Final = 1 << 2
RESET_NS: Final = 10_000_000
CANARY_BYTES: Final = 64
_CANARY: Final = 0xC5
_NAMES: Final = {MM2S: "MM2S", S2MM: "S2MM"}
_EAGER_LOOKS: Final = 256
_WALL_FACTOR: Final = 100
_LEAST_PAUSE_NS: Final = 10_000
_MOST_PAUSE_NS: Final = 1_000_000
_LEAST_WALL_NS: Final = 1_000_000_000


class DmaStatus(IntFlag):
    """Bits of DMASR that a driver acts on."""

    HALTED = 1 << 0
    IDLE = 1 << 1
    INTERNAL = 1 << 4
    SLAVE = 1 << 5
    DECODE = 1 << 6
    SG_INTERNAL = 1 << 8
    SG_SLAVE = 1 << 9
    SG_DECODE = 1 << 10
    IOC = 1 << 12
    DELAY = 1 << 13
    ERROR = 1 << 14


CAUSES: Final[Mapping[DmaStatus, tuple[str, str]]] = {
    DmaStatus.INTERNAL: (
        "DMAIntErr",
        "a packet longer than the buffer, an unaligned address, or a length of zero",
    ),
    DmaStatus.SLAVE: ("DMASlvErr", "the memory answered an access with an error"),
    DmaStatus.DECODE: ("DMADecErr", "the buffer's address decodes to nothing"),
    DmaStatus.SG_INTERNAL: ("SGIntErr", "a descriptor was fetched that was complete already"),
    DmaStatus.SG_SLAVE: ("SGSlvErr", "the memory answered a descriptor access with an error"),
    DmaStatus.SG_DECODE: ("SGDecErr", "a descriptor's address decodes to nothing"),
}
_ERRORS: Final = 0x770


class Dma:
    """One AXI DMA with one send and one receive buffer.

    Args:
        target: An open target with the design loaded, and memory that the DMA reaches.
        where: Address range of the DMA.
        build: How it was built.
        send_bytes: Size of the send buffer; it may hold many packets.
        receive_bytes: Longest packet to receive.
        timeout_ns: Board time within which a transfer must end.
        seed: Of the poison.

    Raises:
        InputError: A packet would be longer than the LENGTH registers hold.
        BoardError: No memory.
    """

    def __init__(
        self,
        target: Target,
        where: AddressRange,
        build: DmaBuild,
        *,
        send_bytes: int,
        receive_bytes: int,
        timeout_ns: int = 100_000_000,
        seed: int = 1,
    ) -> None:
        self._target = target
        self._base = where.base
        self._build = build
        self._timeout_ns = timeout_ns
        self._check_length(receive_bytes)
        self._receive_bytes = receive_bytes
        self._eager_looks = 1 if target.prefers_dma else _EAGER_LOOKS
        self._addresses: dict[int, int] = {}  # what the address registers hold
        self._memory = [target.allocate(send_bytes)]
        try:
            self._memory.append(target.allocate(receive_bytes + CANARY_BYTES))
        except Exception:
            self._memory[0].close()
            raise
        self._poison = np.random.default_rng(seed).integers(1, 256, receive_bytes, np.uint8)
        self._where = f"{build.instance}, target {target.name}"

    @property
    def in_bytes(self) -> int:
        """Bytes of a beat towards the fabric."""
        return self._build.in_bytes

    @property
    def out_bytes(self) -> int:
        """Bytes of a beat from the fabric."""
        return self._build.out_bytes

    @property
    def receive_bytes(self) -> int:
        """Longest packet that can be received."""
        return self._receive_bytes

    @property
    def source(self) -> NDArray[np.uint8]:
        """Bytes of the send buffer; call `flush` after writing."""
        return self._memory[0].data

    def flush(self) -> None:
        """Make what was written to `source` visible to the DMA."""
        self._memory[0].flush()

    def reset(self) -> None:
        """Reset both channels and start them: whatever was under way is lost.

        Raises:
            DeadlineError: The reset does not end, or the channels do not start.
        """
        self._addresses.clear()
        # Either channel's bit resets the whole engine; zero must not be written over it.
        self._write(MM2S + CONTROL, RESET)
        self._await_control(
            lambda: self._read(MM2S + CONTROL) & RESET or self._read(S2MM + CONTROL) & RESET,
            "the DMA's reset does not end",
            "DMACR.Reset still reads 1",
        )
        for channel in (S2MM, MM2S):
            self._write(channel + CONTROL, RUN)
            self._write(channel + STATUS, int(DmaStatus.IOC | DmaStatus.DELAY | DmaStatus.ERROR))
        # Halted lags the run bit, and a LENGTH written while halted is ignored.
        self._await_control(
            lambda: (self._read(MM2S + STATUS) | self._read(S2MM + STATUS)) & DmaStatus.HALTED,
            "the DMA does not start",
            "DMASR.Halted still reads 1",
        )
        self._poison_buffer()

    def arm(self, size_bytes: int) -> None:
        """Poison the receive buffer and make the receive channel ready for one packet.

        Args:
            size_bytes: Longest packet; a longer one halts the channel.

        A channel that has halted ignores this; `wait` says so.

        Raises:
            InputError: More than the buffer or the LENGTH register holds.
        """
        if not 0 < size_bytes <= self._receive_bytes:
            raise InputError(
                f"cannot receive {size_bytes} bytes",
                where=self._where,
                why=f"the buffer has {self._receive_bytes}",
            )
        # Idle may still be that of the packet before: completion is told by a new IOC.
        self._write(S2MM + STATUS, int(DmaStatus.IOC))
        self._poison_buffer()
        self._begin(S2MM, self._memory[1].address, size_bytes)

    def send(self, offset: int, size_bytes: int) -> None:
        """Start to send one packet out of the send buffer; `arm` first, or nothing drains it.

        Raises:
            InputError: It lies outside the buffer, or is longer than the LENGTH register holds.
        """
        self._check_length(size_bytes)
        if not 0 <= offset <= self.source.size - size_bytes:
            raise InputError(
                f"{size_bytes} bytes at {offset} lie outside the send buffer",
                where=self._where,
                why=f"it has {self.source.size}",
            )
        self._begin(MM2S, self._memory[0].address + offset, size_bytes)

    def transmit(self, data: NDArray[np.uint8]) -> None:
        """Send one packet from the start of the send buffer and wait until it was taken.

        Args:
            data: Shape (bytes,), no longer than the send buffer.

        Raises:
            InputError: It is longer than the buffer, or than the LENGTH register holds.
            DeadlineError: It is not taken in time.
            BoardError: The channel halted; the message names the cause.
        """
        self._check_length(data.size)
        self.source[: data.size] = data
        self.flush()
        self._write(MM2S + STATUS, int(DmaStatus.IOC))
        self.send(0, data.size)
        done = DmaStatus.IDLE | DmaStatus.IOC
        self._await(MM2S, S2MM, done, self._target.now_ns() + self._timeout_ns)

    def wait_received(self) -> None:
        """Wait until a packet was received.

        Raises:
            DeadlineError: It does not end in time.
            BoardError: A channel halted; the message names the cause.
        """
        done = DmaStatus.IDLE | DmaStatus.IOC
        self._await(S2MM, MM2S, done, self._target.now_ns() + self._timeout_ns)

    def wait(self) -> None:
        """Wait until the packet was sent and its answer received.

        Raises:
            DeadlineError: Either transfer does not end in time.
            BoardError: A channel halted; the message names the cause.
        """
        deadline_ns = self._target.now_ns() + self._timeout_ns
        # An error of either channel ends the wait for the other, whose end it may prevent.
        self._await(S2MM, MM2S, DmaStatus.IDLE | DmaStatus.IOC, deadline_ns)
        # Something was answered, so this one has begun: its Idle is not that of the packet before.
        self._await(MM2S, S2MM, DmaStatus.IDLE, deadline_ns)

    def received(self) -> NDArray[np.uint8]:
        """Return a copy of what was received, uint8, shape (bytes received,), after checking it.

        Raises:
            BoardError: A whole beat still holds the poison, or a word past the end has changed.
        """
        memory, size_bytes = self._memory[1], self._read(S2MM + LENGTH)
        memory.invalidate()
        if not 0 <= size_bytes <= self._receive_bytes:
            raise BoardError(
                f"the DMA says it received {size_bytes} bytes",
                where=self._where,
                why=f"the buffer has {self._receive_bytes}",
            )
        self._check_canary(size_bytes)
        data = memory.data[:size_bytes].copy()
        beat = self._build.out_bytes
        whole = size_bytes // beat * beat
        stale = (data[:whole] == self._poison[:whole]).reshape(-1, beat).all(axis=1)
        if stale.any():
            first = int(np.argmax(stale)) * beat
            last = (stale.size - int(np.argmax(stale[::-1]))) * beat
            raise BoardError(
                f"the receive buffer is still poison in [{first}, {last})",
                where=self._where,
                why="the DMA did not write there, or the processor sees an old copy",
                hint="allocate without caches, or check the invalidation",
            )
        return data

    def close(self) -> None:
        """Give the buffers back; twice is harmless."""
        for memory in self._memory:
            memory.close()

    def _await_control(self, pending: Callable[[], int], what: str, why: str) -> None:
        deadline_ns = self._target.now_ns() + RESET_NS
        give_up_ns = time.monotonic_ns() + _LEAST_WALL_NS
        while pending():
            if self._target.now_ns() > deadline_ns or time.monotonic_ns() > give_up_ns:
                raise DeadlineError(
                    what,
                    where=self._where,
                    why=f"{why} after {RESET_NS / 1e6:g} ms",
                    hint="load the overlay again; is the fabric clock running?",
                )
            self._target.elapse(max(self._target.poll_ns, 1_000))

    def _poison_buffer(self) -> None:
        memory = self._memory[1]
        memory.data[: self._receive_bytes] = self._poison
        memory.data[self._receive_bytes :] = _CANARY
        memory.flush()

    def _check_canary(self, size_bytes: int) -> None:
        data = self._memory[1].data
        past = data[size_bytes : self._receive_bytes] != self._poison[size_bytes:]
        beyond = data[self._receive_bytes : self._receive_bytes + CANARY_BYTES] != _CANARY
        changed = np.concatenate((past, beyond))
        if changed.any():
            at = size_bytes + int(np.argmax(changed))
            raise BoardError(
                f"byte {at} past the end of the packet has changed",
                where=self._where,
                why=f"{size_bytes} bytes were received",
                hint="something else writes to this memory, or the DMA says less than it wrote",
            )

    def _check_length(self, size_bytes: int) -> None:
        if not 0 < size_bytes <= self._build.most_bytes:
            raise InputError(
                f"needs {size_bytes} B, DMA limit {self._build.most_bytes}",
                where=self._build.instance,
                why=f"c_sg_length_width={self._build.length_bits}",
                hint="smaller packets, or build the DMA with a wider LENGTH register",
            )

    def _begin(self, channel: int, address: int, size_bytes: int) -> None:
        held = self._addresses.get(channel)
        if held is None or held >> 32 != address >> 32:
            words = np.array([address & 0xFFFF_FFFF, address >> 32], np.uint32)
            self._target.write(self._base + channel + ADDRESS, words)
        elif held != address:
            self._write(channel + ADDRESS, address & 0xFFFF_FFFF)
        self._addresses[channel] = address
        # LENGTH comes last: it starts the transfer.
        self._write(channel + LENGTH, size_bytes)

    def _await(self, channel: int, other: int, done: DmaStatus, deadline_ns: int) -> None:
        looks = 0
        pause_ns = max(self._target.poll_ns, _LEAST_PAUSE_NS)
        give_up_ns = time.monotonic_ns() + max(_LEAST_WALL_NS, _WALL_FACTOR * self._timeout_ns)
        while True:
            status = self._read(channel + STATUS)
            if status & _ERRORS or status & DmaStatus.HALTED:
                raise self._halted(channel, status)
            if status & done == done:
                return
            looks += 1
            if looks % self._eager_looks:
                continue
            beyond = self._read(other + STATUS)
            if beyond & _ERRORS or beyond & DmaStatus.HALTED:
                raise self._halted(other, beyond)
            if self._target.now_ns() > deadline_ns or time.monotonic_ns() > give_up_ns:
                raise self._late(channel, status, beyond)
            self._target.elapse(pause_ns)
            pause_ns = min(2 * pause_ns, max(self._target.poll_ns, _MOST_PAUSE_NS))

    def _halted(self, channel: int, status: int) -> BoardError:
        found = [
            f"{name} ({int(bit):#x}): {cause}"
            for bit, (name, cause) in CAUSES.items()
            if status & bit
        ]
        return BoardError(
            f"DMA channel {_NAMES[channel]} halted"
            + (f" by {'; '.join(found)}" if found else " though nobody stopped it"),
            where=self._where,
            why=f"DMASR {status:#010x}",
            hint="reset the DMA; if that does not help, load the overlay again",
        )

    def _late(self, channel: int, status: int, beyond: int) -> DeadlineError:
        if channel == S2MM:
            sent = "all was sent" if beyond & DmaStatus.IDLE else "not all was taken by the fabric"
            cause = f"no TLAST arrived; {sent}"
        else:
            cause = "the fabric does not take what is sent"
        return DeadlineError(
            f"DMA channel {_NAMES[channel]} is not idle after {self._timeout_ns / 1e6:g} ms",
            where=self._where,
            why=f"DMASR {status:#010x}, the other channel's {beyond:#010x}: {cause}",
            hint="does the accelerator end each packet with TLAST? reset the DMA before going on",
        )

    def _read(self, offset: int) -> int:
        return int(self._target.read(self._base + offset, 1)[0])

    def _write(self, offset: int, value: int) -> None:
        self._target.write(self._base + offset, np.array([value], np.uint32))
