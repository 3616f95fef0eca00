"""Physically contiguous memory of the virtual board: what Linux's CMA is on a real one.

Boards give 128 MiB by default, and large requests fail although enough bytes are free, because they
are not free in one piece. Both limits are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BoardError, BusError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """An allocated piece.

    Args:
        address: Physical address of its first byte.
        size_bytes: Bytes, whole pages.
    """

    address: int
    size_bytes: int


class ContiguousMemory:
    """One arena with physical addresses; first fit, whole pages.

    Args:
        base: Physical address of the arena, a multiple of a page.
        size_bytes: Its size; rounded up to whole pages.
    """

    def __init__(self, base: int, size_bytes: int) -> None:
        self.base = base
        self.size_bytes = _pages(size_bytes)
        # Zeros are mapped when first touched, so a large arena costs nothing until it is used.
        self._arena = np.zeros(self.size_bytes, np.uint8)
        self._blocks: list[Block] = []  # by address

    @property
    def whole(self) -> NDArray[np.uint8]:
        """All of it, not copied; the place never changes."""
        return self._arena

    @property
    def free_bytes(self) -> int:
        """Bytes not allocated, in however many pieces."""
        return self.size_bytes - sum(block.size_bytes for block in self._blocks)

    @property
    def largest_free_bytes(self) -> int:
        """The largest request that would succeed."""
        return max(size for _, size in self._gaps())

    def allocate(self, size_bytes: int) -> Block:
        """Return a free piece; its content is whatever was there.

        Raises:
            BoardError: No free piece is large enough; the message says how much is left.
        """
        wanted = _pages(max(size_bytes, 1))
        for address, size in self._gaps():
            if size >= wanted:
                block = Block(address, wanted)
                self._blocks.append(block)
                self._blocks.sort(key=lambda item: item.address)
                return block
        raise BoardError(
            f"cannot allocate {size_bytes} bytes of contiguous memory",
            where="virtual board",
            why=f"{self.free_bytes} of {self.size_bytes} bytes are free, "
            f"{self.largest_free_bytes} of them in one piece",
            hint="free buffers, or use smaller ones",
        )

    def free(self, block: Block) -> None:
        """Give a piece back.

        Raises:
            BoardError: It is not allocated.
        """
        try:
            self._blocks.remove(block)
        except ValueError:
            raise BoardError(
                f"{block.address:#x} is not allocated", where="virtual board", why="freed twice?"
            ) from None

    def view(self, block: Block) -> NDArray[np.uint8]:
        """Return the bytes of a piece, writable, not copied."""
        start = block.address - self.base
        return self._arena[start : start + block.size_bytes]

    def contains(self, address: int, size_bytes: int) -> bool:
        """Whether a range lies wholly in the arena."""
        return self.base <= address and address + size_bytes <= self.base + self.size_bytes

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return what a bus master reads.

        Raises:
            BusError: The range leaves the arena.
        """
        return self._range(address, size_bytes).tobytes()

    def write(self, address: int, data: bytes) -> None:
        """Write as a bus master does.

        Raises:
            BusError: The range leaves the arena.
        """
        self._range(address, len(data))[:] = np.frombuffer(data, np.uint8)

    def _range(self, address: int, size_bytes: int) -> NDArray[np.uint8]:
        if not self.contains(address, size_bytes):
            end = self.base + self.size_bytes - 1
            raise BusError(
                f"{size_bytes} bytes at {address:#x} are outside contiguous memory",
                where="virtual board",
                why=f"it is {self.base:#x}..{end:#x}",
            )
        start = address - self.base
        return self._arena[start : start + size_bytes]

    def _gaps(self) -> list[tuple[int, int]]:
        """Return address and size of each free piece; the last may be empty."""
        gaps = []
        at = self.base
        for block in self._blocks:
            gaps.append((at, block.address - at))
            at = block.address + block.size_bytes
        return [*gaps, (at, self.base + self.size_bytes - at)]


def _pages(size_bytes: int) -> int:
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
