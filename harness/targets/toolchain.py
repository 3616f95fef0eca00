"""What compiles fabrics on this machine, for the layers that do not see the virtual board."""

from __future__ import annotations

from harness.emulation.build import cache_root, verilator

__all__ = ["cache_root", "verilator"]
