"""Registers of the virtual board's processing system, and the fabric clock that follows from them.

The registers hold what is written; only the clock generators have an effect. Their values after
boot are those of `harness.inventory`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import BusError
from harness.ps_clocks import pl_clock_hz

if TYPE_CHECKING:
    from fractions import Fraction

    from harness.inventory import Board


class PsRegisters:
    """The register file of a board's processing system.

    Args:
        board: Which one.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._values = dict(board.ps_reset)

    def holds(self, address: int, size_bytes: int) -> bool:
        """Whether a range lies wholly in registers of the processing system."""
        return any(
            item.base <= address and address + size_bytes <= item.base + item.size_bytes
            for item in self._board.ps_ranges
        )

    def read(self, address: int) -> int:
        """Return a 32-bit register.

        Raises:
            BusError: There is none at that address.
        """
        self._check(address)
        return self._values.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Set a 32-bit register.

        Raises:
            BusError: There is none at that address.
        """
        self._check(address)
        self._values[address] = value & 0xFFFF_FFFF

    def pl_clock_hz(self, index: int = 0) -> Fraction | None:
        """Return the frequency of a fabric clock, exact; none while it stands still."""
        return pl_clock_hz(self._board, self.read, index)

    def _check(self, address: int) -> None:
        if address % 4 or not self.holds(address, 4):
            raise BusError(f"no register at {address:#x}", where="processing system")
