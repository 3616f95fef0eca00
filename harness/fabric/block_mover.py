"""Blocks of stream_bench's memories, moved through the board's DMA instead of word by word.

Worth it where every register access is a message over a network: a block of any size costs about
ten of them. `overlays/lib/rtl/bench/block_mover.sv` is the other end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import BoardError, DeadlineError
from harness.registers import REGISTER, Control, Fault, Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.dma import Dma
    from harness.targets import AddressRange, Target

WORTH_WORDS: Final = 16
"""Below this many words the registers themselves are cheaper."""
SEND_BYTES: Final = 256 << 10
RECEIVE_BYTES: Final = 64 << 10
_STILL_NS: Final = 100_000_000
_STILL_WALL_NS: Final = 10_000_000_000


class BlockMover:
    """Moves blocks; only while no run lasts, and while the DMA's path to the accelerator is off.

    Args:
        target: An open target with a design loaded.
        where: Address range of `stream_bench_0`.
        dma: The design's DMA, with buffers of any size; nobody else may use it.
    """

    def __init__(self, target: Target, where: AddressRange, dma: Dma) -> None:
        self._target = target
        self._base = where.base
        self._dma = dma
        self._ready = False

    def load(self, offset: int, words: NDArray[np.uint32]) -> None:
        """Write consecutive words of a window, at a byte offset of the IP.

        Raises:
            BoardError: The fabric refused the block, or a DMA channel halted.
            DeadlineError: It is not taken in time.
        """
        for first, chunk in _chunks(words.size, self._dma.source.size):
            self._command(Control.LOAD, offset + 4 * first, chunk)
            data = words[first : first + chunk].astype("<u4").view(np.uint8)
            beat = self._dma.in_bytes
            self._dma.transmit(np.pad(data, (0, -data.size % beat)))
            self._await_still(offset + 4 * first, chunk)

    def dump(self, offset: int, words: int) -> NDArray[np.uint32]:
        """Read consecutive words, at a byte offset of the IP.

        Raises:
            BoardError: The fabric refused the block, or sent another length.
            DeadlineError: Nothing arrives in time.
        """
        found = np.empty(words, np.uint32)
        for first, chunk in _chunks(words, self._dma.receive_bytes):
            beat = self._dma.out_bytes
            expected = -(-4 * chunk // beat) * beat
            self._prepare()
            self._dma.arm(expected)
            self._command(Control.DUMP, offset + 4 * first, chunk)
            try:
                self._dma.wait_received()
                data = self._dma.received()
            except BaseException:
                self._ready = False
                raise
            if data.size != expected:
                self._check(offset + 4 * first, chunk)
                raise BoardError(
                    f"the fabric sent {data.size} bytes of a block",
                    where=f"stream_bench_0 + {offset + 4 * first:#x}",
                    why=f"{expected} were asked for",
                    hint="load the overlay again",
                )
            found[first : first + chunk] = data.view("<u4")[:chunk]
        return found

    def _prepare(self) -> None:
        if not self._ready:
            self._dma.reset()
            self._ready = True

    def _command(self, command: Control, offset: int, words: int) -> None:
        self._prepare()
        block = np.array([offset, words], np.uint32)
        self._target.write(self._base + REGISTER["BLOCK_ADDRESS"].offset, block)
        self._target.write(self._base + REGISTER["CONTROL"].offset, np.array([command], np.uint32))

    def _await_still(self, offset: int, words: int) -> None:
        deadline_ns = self._target.now_ns() + _STILL_NS
        give_up_ns = time.monotonic_ns() + _STILL_WALL_NS
        while self._check(offset, words) & Status.MOVING:
            if self._target.now_ns() > deadline_ns or time.monotonic_ns() > give_up_ns:
                self._ready = False
                raise DeadlineError(
                    "a block is still being moved",
                    where=f"stream_bench_0 + {offset:#x}",
                    why=f"{words} words after {_STILL_NS / 1e6:g} ms",
                    hint="load the overlay again; is the fabric clock running?",
                )
            self._target.elapse(max(self._target.poll_ns, 10_000))

    def _check(self, offset: int, words: int) -> int:
        address = self._base + REGISTER["STATUS"].offset
        status = int(self._target.read(address, 1)[0])
        for fault in (Fault.BLOCK, Fault.BAD_COMMAND):
            if status & fault:
                self._ready = False
                raise BoardError(
                    f"the fabric did not move a block of {words} words",
                    where=f"stream_bench_0 + {offset:#x}",
                    why=f"STATUS {status:#010x}: {(fault.name or '').lower()}",
                    hint="load the overlay again",
                )
        return status


def _chunks(words: int, most_bytes: int) -> list[tuple[int, int]]:
    """Split `words` into first word and length of blocks that fit `most_bytes`, a power of two."""
    most = most_bytes // 4
    return [(first, min(most, words - first)) for first in range(0, words, most)]
