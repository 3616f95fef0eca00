"""From Yosys' Xilinx cells to what a data sheet counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from harness.errors import ToolchainError

# What one cell takes, as (resource, count in halves): an 18 Kb block RAM is half of a 36 Kb one.
# Memory in LUTs by UG474 table 2-3 and UG574 table 3-2: look-up tables of one cell.
_HALVES: Final[Mapping[str, tuple[str, int]]] = {
    **{f"LUT{inputs}": ("lut", 2) for inputs in range(1, 7)},
    "SRL16E": ("lut", 2),
    "SRLC32E": ("lut", 2),
    "RAM32X1S": ("lut", 2),
    "RAM64X1S": ("lut", 2),
    "RAM32X1D": ("lut", 4),
    "RAM64X1D": ("lut", 4),
    "RAM128X1S": ("lut", 4),
    "RAM128X1D": ("lut", 8),
    "RAM256X1S": ("lut", 8),
    "RAM256X1D": ("lut", 16),
    "RAM512X1S": ("lut", 16),
    "RAM32M": ("lut", 8),
    "RAM64M": ("lut", 8),
    "RAM32M16": ("lut", 16),
    "RAM64M8": ("lut", 16),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), ("ff", 2)),
    **dict.fromkeys(("FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1"), ("ff", 2)),
    "DSP48E1": ("dsp", 2),
    "DSP48E2": ("dsp", 2),
    "RAMB18E1": ("bram", 1),
    "RAMB18E2": ("bram", 1),
    "RAMB36E1": ("bram", 2),
    "RAMB36E2": ("bram", 2),
    "URAM288": ("uram", 2),
}
# Inverters move into the tables behind them; carry chains and wide multiplexers come with the
# tables of a slice; assertions are not hardware.
_FREE: Final = frozenset(
    {"INV", "CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "$check", "$print", "$scopeinfo"}
)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a design takes of a part.

    Args:
        lut: Look-up tables, those used as memory and shift register among them.
        ff: Flip-flops.
        dsp: DSP slices.
        bram: Block RAMs of 36 Kb; an 18 Kb one is half.
        uram: UltraRAMs.
    """

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram: float = 0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        """Return what both take together."""
        names = [item.name for item in fields(Resources)]
        return Resources(**{name: getattr(self, name) + getattr(other, name) for name in names})


def count(stat: str) -> Resources:
    """Count a flattened, mapped design.

    Args:
        stat: What Yosys' `stat -json` prints.

    Raises:
        ToolchainError: It is something else, or has cells that nobody here knows.
    """
    try:
        cells: dict[str, int] = json.loads(stat)["design"]["num_cells_by_type"]
        halves = dict.fromkeys((item.name for item in fields(Resources)), 0)
        for name, number in cells.items():
            if name in _FREE:
                continue
            resource, each = _HALVES[name]
            halves[resource] += each * number
    except (ValueError, TypeError, AttributeError) as error:
        raise ToolchainError("Yosys counted in an unknown form", why=str(error)) from error
    except KeyError as error:
        raise ToolchainError(
            f"Yosys left {error} in the design",
            where="stat -json",
            hint="the count would be too low; report the overlay and the version of Yosys",
        ) from error
    bram = halves.pop("bram") / 2
    return Resources(bram=bram, **{name: number // 2 for name, number in halves.items()})
