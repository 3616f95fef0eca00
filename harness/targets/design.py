"""A design as its `.hwh` describes it, for the layers that do not see the virtual board."""

from __future__ import annotations

from harness.emulation.hwh import DmaCore, Hwh, HwhRange, parse_hwh, read_hwh

__all__ = ["DmaCore", "Hwh", "HwhRange", "parse_hwh", "read_hwh"]
