"""Register access by address over any pynq device: local, remote or virtual.

Over a network each word is a message; a local board's registers are an array; the virtual board's
are blocks. Words are masked to 32 bits: pynq 3.1 carries them over the wire as signed numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.inventory import Board
    from harness.targets.base import AddressRange

__all__ = ["Windows"]

_MASK = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class _Place:
    """A range that may be touched."""

    name: str
    base: int
    size_bytes: int


class Windows:
    """All that may be touched: the design's ranges, and registers of the processing system.

    A processor that touches an address nobody answers hangs for good: so nothing else is reached.

    Args:
        device: A `pynq.pl_server.device.Device`.
        board: Which board it is.
        where: For messages.
    """

    def __init__(self, device: Any, board: Board, where: str) -> None:
        self._device = device
        self._where = where
        self._blocks = bool(device.has_capability("REGISTER_RW"))
        self._ps = [_Place(item.name, item.base, item.size_bytes) for item in board.ps_ranges]
        self._design: list[_Place] = []
        self._mapped: dict[int, Any] = {}

    def set_design(self, ranges: Mapping[str, AddressRange]) -> None:
        """Allow the ranges of a design that was loaded, and those only."""
        self._design = [_Place(name, item.base, item.size_bytes) for name, item in ranges.items()]
        self._mapped.clear()

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read consecutive words of one IP.

        Raises:
            BusError: They lie outside it.
        """
        return self._read(self._find(self._design, address, words), address, words)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write consecutive words of one IP.

        Raises:
            BusError: They lie outside it.
        """
        self._write(self._find(self._design, address, words.size), address, words)

    def read_ps(self, address: int) -> int:
        """Read a register of the processing system.

        Raises:
            BusError: The inventory knows no such register.
        """
        return int(self._read(self._find(self._ps, address, 1), address, 1)[0])

    def write_ps(self, address: int, value: int) -> None:
        """Write a register of the processing system.

        Raises:
            BusError: The inventory knows no such register.
        """
        words = np.array([value], np.uint32)
        self._write(self._find(self._ps, address, 1), address, words)

    def _read(self, place: _Place, address: int, words: int) -> NDArray[np.uint32]:
        if self._blocks:
            return np.frombuffer(self._device.read_registers(address, 4 * words), "<u4")
        mmio, first = self._map(place), (address - place.base) // 4
        if isinstance(mmio.array, np.ndarray):
            return np.array(mmio.array[first : first + words], np.uint32)
        offsets = range(4 * first, 4 * (first + words), 4)
        return np.fromiter((int(mmio.read(at)) & _MASK for at in offsets), np.uint32, words)

    def _write(self, place: _Place, address: int, words: NDArray[np.uint32]) -> None:
        if self._blocks:
            self._device.write_registers(address, words.astype("<u4").tobytes())
            return
        mmio, first = self._map(place), (address - place.base) // 4
        if isinstance(mmio.array, np.ndarray):
            mmio.array[first : first + words.size] = words
            return
        for index, word in enumerate(words.tolist()):
            mmio.write(4 * (first + index), word.to_bytes(4, "little"))

    def _map(self, place: _Place) -> Any:
        if place.base not in self._mapped:
            import pynq  # noqa: PLC0415

            self._mapped[place.base] = pynq.MMIO(place.base, place.size_bytes, device=self._device)
        return self._mapped[place.base]

    def _find(self, places: list[_Place], address: int, words: int) -> _Place:
        for place in places:
            if place.base <= address and address + 4 * words <= place.base + place.size_bytes:
                return place
        known = ", ".join(f"{place.name} at {place.base:#010x}" for place in places)
        raise BusError(
            f"{words} words at {address:#010x} lie outside the design",
            where=self._where,
            why=f"it has {known}",
            hint="load the overlay first",
        )
