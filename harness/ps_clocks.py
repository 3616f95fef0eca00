"""The clock a processing system gives its fabric: what registers say, and what to write.

Pure functions over a `read(address) -> int` of 32-bit registers, so that the same arithmetic serves
the virtual board, a board under /dev/mem, and one behind a link. Register layouts: Zynq UltraScale+
registers reference (UG1087, CRL_APB and CRF_APB) and Zynq-7000 TRM (UG585, SLCR), as in pynq/ps.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from harness.errors import BoardError

if TYPE_CHECKING:
    from harness.inventory import Board

Read = Callable[[int], int]

_MAX_DIVISOR = 63
_SLOWEST_HZ = 1_000_000


@dataclass(frozen=True, slots=True)
class ClockSource:
    """A PLL that can feed the fabric clock.

    Args:
        name: As Vivado calls it.
        select: Value of SRCSEL.
        control: Address of the PLL's control register.
    """

    name: str
    select: int
    control: int


@dataclass(frozen=True, slots=True)
class ClockPlan:
    """How to make a fabric clock.

    Args:
        source: PLL to take.
        divisor0: First divisor, 1..63.
        divisor1: Second divisor, 1..63.
        hz: What comes out, exact.
        writes: Register address and value, in order.
    """

    source: ClockSource
    divisor0: int
    divisor1: int
    hz: Fraction
    writes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a family keeps its fabric clocks; fields are given by their lowest bit."""

    sources: tuple[ClockSource, ...]
    control: tuple[int, ...]
    divisor0: int
    divisor1: int
    select: int
    select_mask: int
    active: int | None


_LAYOUTS = {
    "zynq_ultra_ps_e": _Layout(
        sources=(
            ClockSource("IOPLL", 0, 0xFF5E_0020),
            ClockSource("RPLL", 2, 0xFF5E_0030),
            ClockSource("DPLL", 3, 0xFD1A_002C),
        ),
        control=(0xFF5E_00C0, 0xFF5E_00C4, 0xFF5E_00C8, 0xFF5E_00CC),
        divisor0=8,
        divisor1=16,
        select=0,
        select_mask=0x7,
        active=24,
    ),
    "processing_system7": _Layout(
        sources=(
            ClockSource("IO PLL", 0, 0xF800_0108),
            ClockSource("ARM PLL", 2, 0xF800_0100),
            ClockSource("DDR PLL", 3, 0xF800_0104),
        ),
        control=(0xF800_0170, 0xF800_0180, 0xF800_0190, 0xF800_01A0),
        divisor0=8,
        divisor1=20,
        select=4,
        select_mask=0x3,
        active=None,
    ),
}


def control_register(board: Board, index: int = 0) -> int:
    """Return the address of a fabric clock's control register, clocks 0..3."""
    return _LAYOUTS[board.family].control[index]


def clock_sources(board: Board) -> tuple[ClockSource, ...]:
    """Return the PLLs that can feed a board's fabric clocks, the usual one first."""
    return _LAYOUTS[board.family].sources


def pll_hz(board: Board, source: ClockSource, read: Read) -> Fraction | None:
    """Return the frequency of a PLL, exact; none while it is held in reset."""
    control = read(source.control)
    reference = Fraction(board.reference_hz)
    if board.family == "processing_system7":
        reset, bypass = control & 0x1, control >> 4 & 0x1
        multiplier = Fraction(control >> 12 & 0x7F)
    else:
        reset, bypass = control & 0x1, control >> 3 & 0x1
        multiplier = Fraction(control >> 8 & 0x7F, 2 if control >> 16 & 0x1 else 1)
    if reset:
        return None
    return reference if bypass else reference * multiplier


def pl_clock_hz(board: Board, read: Read, index: int = 0) -> Fraction | None:
    """Return the exact frequency of a fabric clock; none while it stands still."""
    layout = _LAYOUTS[board.family]
    control = read(layout.control[index])
    if layout.active is not None and not control >> layout.active & 1:
        return None
    select = control >> layout.select & layout.select_mask
    if board.family == "processing_system7" and select == 1:
        select = 0  # UG585: 0x is the IO PLL
    divisor = (control >> layout.divisor0 & 0x3F) * (control >> layout.divisor1 & 0x3F)
    source = next((item for item in layout.sources if item.select == select), None)
    frequency = None if source is None or divisor == 0 else pll_hz(board, source, read)
    return frequency / divisor if frequency else None


def plan_pl_clock(
    board: Board, target_hz: Fraction | float, read: Read, index: int = 0
) -> ClockPlan:
    """Find the PLL and divisors that come nearest to a frequency; PLLs themselves are left alone.

    Among equals the usual PLL and the smaller second divisor win. The DDR memory's PLL is not
    taken: memory controllers may retune it.

    Args:
        board: Which registers there are.
        target_hz: Wanted frequency.
        read: Reads a register.
        index: Fabric clock, 0..3.

    Raises:
        BoardError: The frequency is below 1 MHz or above what the PLLs give, or all PLLs are off.
    """
    layout = _LAYOUTS[board.family]
    target = Fraction(target_hz)
    running = [
        (source, frequency)
        for source in layout.sources
        if not source.name.startswith("D") and (frequency := pll_hz(board, source, read))
    ]
    fastest = max((frequency for _, frequency in running), default=Fraction(0))
    if not _SLOWEST_HZ <= target <= fastest:
        raise BoardError(
            f"cannot make a fabric clock of {float(target):.0f} Hz",
            where=f"board {board.name}",
            why=f"its PLLs give {_SLOWEST_HZ}..{float(fastest):.0f} Hz",
        )
    best: tuple[Fraction, ClockSource, int, int, Fraction] | None = None
    for source, frequency in running:
        for divisor1 in range(1, _MAX_DIVISOR + 1):
            exact = frequency / target / divisor1
            for divisor0 in {int(exact), int(exact) + 1}:
                if 1 <= divisor0 <= _MAX_DIVISOR:
                    hz = frequency / (divisor0 * divisor1)
                    error = abs(hz - target)
                    if best is None or error < best[0]:
                        best = error, source, divisor0, divisor1, hz
    if best is None:
        raise BoardError(f"no divisors give {float(target):.0f} Hz", where=f"board {board.name}")
    _, source, divisor0, divisor1, hz = best
    address = layout.control[index]
    fields = 0x3F << layout.divisor0 | 0x3F << layout.divisor1 | layout.select_mask << layout.select
    value = read(address) & ~fields
    value |= divisor0 << layout.divisor0 | divisor1 << layout.divisor1
    value |= source.select << layout.select
    if layout.active is not None:
        value |= 1 << layout.active
    return ClockPlan(source, divisor0, divisor1, hz, ((address, value),))


def boot_reader(board: Board) -> Read:
    """Return a reader of the registers as the inventory says boot leaves them."""
    values = dict(board.ps_reset)
    return lambda address: values.get(address, 0)
