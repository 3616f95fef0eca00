"""The virtual board: the same RTL as on a real one, verilated, behind the same interfaces.

Imported by `harness.targets` alone. What needs Verilator is in `build` and `fabric`, what needs
pynq in `pynq_device`; import those from where they are.
"""

from __future__ import annotations

from harness.emulation.board import ACCESS_CYCLES, FabricLike, VirtualBoard
from harness.emulation.hwh import Hwh, HwhRange, parse_hwh, read_hwh
from harness.emulation.memory import Block, ContiguousMemory

__all__ = [
    "ACCESS_CYCLES",
    "Block",
    "ContiguousMemory",
    "FabricLike",
    "Hwh",
    "HwhRange",
    "VirtualBoard",
    "parse_hwh",
    "read_hwh",
]
