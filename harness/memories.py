"""External memories that weights may be fetched from: what is documented of each, with its source.

They serve twice: the virtual board's memory obeys them cycle by cycle, and `bound` says from the
same figures what can be expected. What no source was found for is named in `assumed`: it is this
project's assumption, to be replaced by a measurement on the board.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import InputError
from harness.tomlfile import near

if TYPE_CHECKING:
    from harness.accelerators.streamed import Streamed
    from harness.manifest import MemoryPort

__all__ = ["MEMORIES", "Bound", "Memory", "bound", "find_memory", "memory_of_board"]

ENGINE_BUBBLES = 3
"""Cycles between two layers in which overlay weight_streaming takes no row."""
HANDOVER_CYCLES = 2
"""From the last beat of a burst to the address of the one that takes its place."""
_SETTLED = 32  # rounds for each place until bursts and places make a pattern that repeats
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory as one AXI port of the fabric meets it.

    Args:
        name: As benchmarks name it.
        title: For people.
        bytes_per_s: Peak of the data bus.
        port_bytes: Bytes that the port to the fabric passes in a cycle of the fabric clock.
        granule_bytes: The least that is transferred.
        latency_ns: From an address to its first data at the port, in an open row.
        row_miss_ns: More than that where another row of the bank is open.
        banks: Banks that keep a row open.
        row_bytes: Bytes of a row.
        refresh_every_ns: Time between two refreshes.
        refresh_ns: How long one takes.
        bursts: Bursts of the overlay's length that the port keeps under way.
        sources: Where the figures come from.
        assumed: Names of the figures that have no source.
    """

    name: str
    title: str
    bytes_per_s: int
    port_bytes: int
    granule_bytes: int
    latency_ns: float
    row_miss_ns: float
    banks: int
    row_bytes: int
    refresh_every_ns: float
    refresh_ns: float
    bursts: int
    sources: tuple[str, ...]
    assumed: tuple[str, ...] = ()

    @property
    def sustained_bytes_per_s(self) -> float:
        """What the data bus gives between refreshes, on average."""
        return self.bytes_per_s * (1 - self.refresh_ns / self.refresh_every_ns)

    def bytes_per_cycle(self, clock_hz: float) -> float:
        """Return what a long sequential read gets in a cycle of the fabric clock."""
        return min(self.port_bytes, self.sustained_bytes_per_s / clock_hz)


_HBM_SOURCES = (
    "UG1393, HBM Configuration and Use: U55C, 32 pseudo-channels, 14.375 GB/s each",
    "PG276: pseudo-channel of 64 bits, burst of 4, 16 banks; AXI port of 256 bits",
    "arXiv:2005.04324 (Shuhai, on the U280's HBM2): 106.7 ns page hit, 137.8 ns page miss",
    "JESD235: page of 1 KiB in pseudo-channel mode, tREFI 3.9 us, tRFC 260 ns",
)

_ALL = (
    Memory(
        name="ddr3-pynq-z2",
        title="PYNQ-Z2, DDR3-1050 of 16 bits, through an HP port of 64 bits",
        bytes_per_s=2_100_000_000,
        port_bytes=8,
        granule_bytes=16,
        latency_ns=214.0,
        row_miss_ns=26.66,
        banks=8,
        row_bytes=2048,
        refresh_every_ns=7800.0,
        refresh_ns=260.0,
        bursts=2,
        sources=(
            "TUL PYNQ-Z2, and Digilent's manual of the PYNQ-Z1: 512 MB DDR3, 16 bits at 1050 MT/s",
            "github.com/ammrat13/pynqz2-ram-tester, on a PYNQ-Z2 with the processor reading too: "
            "374 ns for 128 bytes at 100 MHz; less 16 beats of 10 ns, that is 214 ns",
            "UG585: HP port of 64 bits, 8 reads of 16 beats under way, as much as two bursts of "
            "512 bytes; sequential reads reach 97 % of the peak, as the refresh leaves here",
            "TUL's Vivado preset: 525 MHz, tRP and tRCD of 7 cycles",
            "JESD79-3F, x16 of 4 Gb: 8 banks, pages of 2 KiB, tREFI 7.8 us, tRFC 260 ns",
        ),
    ),
    Memory(
        name="ddr4-zcu104",
        title="ZCU104, DDR4-2400 of 64 bits at the PS, through an HP port of 128 bits",
        bytes_per_s=19_200_000_000,
        port_bytes=16,
        granule_bytes=64,
        latency_ns=150.0,
        row_miss_ns=26.66,
        banks=8,
        row_bytes=8192,
        refresh_every_ns=7800.0,
        refresh_ns=260.0,
        bursts=8,
        sources=(
            "UG1267: PS DDR4 of 64 bits, four x16 devices; DS925: PS memory up to 2400 Mb/s",
            "UG1085: HP port of 128 bits",
            "JESD79-4: DDR4-2400R, tRP and tRCD of 16 cycles; x16 of 4 Gb: 8 banks, pages of 2 KiB "
            "a device, tREFI 7.8 us, tRFC 260 ns",
        ),
        assumed=("latency_ns", "bursts"),
    ),
    Memory(
        name="hbm2-u55c-1pc",
        title="Alveo U55C, one HBM2 pseudo-channel, through its AXI port of 256 bits",
        bytes_per_s=14_375_000_000,
        port_bytes=32,
        granule_bytes=32,
        latency_ns=106.7,
        row_miss_ns=31.1,
        banks=16,
        row_bytes=1024,
        refresh_every_ns=3900.0,
        refresh_ns=260.0,
        bursts=16,
        sources=_HBM_SOURCES,
        assumed=("bursts",),
    ),
    Memory(
        name="hbm2-u55c",
        title="Alveo U55C, HBM2, two pseudo-channels side by side: all that 512 bits can take",
        bytes_per_s=28_750_000_000,
        port_bytes=64,
        granule_bytes=64,
        latency_ns=106.7,
        row_miss_ns=31.1,
        banks=16,
        row_bytes=2048,
        refresh_every_ns=3900.0,
        refresh_ns=260.0,
        bursts=16,
        sources=_HBM_SOURCES,
        assumed=("bursts",),
    ),
)
MEMORIES: dict[str, Memory] = {memory.name: memory for memory in _ALL}
"""By name. The fabric's own port may be the narrowest of all: see the overlay."""
_OF_BOARD = {"pynq-z2": "ddr3-pynq-z2", "zcu104": "ddr4-zcu104", "kv260": "ddr4-zcu104"}


def find_memory(name: str) -> Memory:
    """Return the memory of that name.

    Raises:
        InputError: There is none.
    """
    if name not in MEMORIES:
        raise InputError(
            f"unknown memory {name!r}", where="memory.model", hint=near(name, list(MEMORIES))
        )
    return MEMORIES[name]


def memory_of_board(board: str) -> Memory | None:
    """Return the memory that a board has, None if it is not known."""
    return MEMORIES[_OF_BOARD[board]] if board in _OF_BOARD else None


@dataclass(frozen=True, slots=True)
class Bound:
    """Least cycles from event to event, by what sets them.

    Args:
        bandwidth: The weights over what memory and ports pass.
        latency: Their bursts one after the other, where each also waits for the one that must have
            ended before it may be asked for; never less than `bandwidth`.
        compute: The rows, and the engine's pauses between layers.
    """

    bandwidth: float
    latency: float
    compute: float

    @property
    def interval(self) -> float:
        """The largest of them, in cycles."""
        return max(self.bandwidth, self.latency, self.compute)

    @property
    def binding(self) -> Literal["bandwidth", "latency", "compute"]:
        """Which one that is."""
        if self.interval == self.compute:
            return "compute"
        return "bandwidth" if self.latency - self.bandwidth < _SAME else "latency"


def bound(
    laid: Streamed,
    port: MemoryPort,
    memory: Memory,
    clock_hz: float,
    resident_rows: int,
    outstanding: int,
) -> Bound:
    """Return what to expect of overlay weight_streaming, row misses left out.

    Args:
        laid: Its weights.
        port: Its memory port.
        memory: Where they lie.
        clock_hz: Fabric clock.
        resident_rows: What the register RESIDENT_ROWS says.
        outstanding: What the register OUTSTANDING says.
    """
    beats = laid.streamed_beats(laid.resident_rows(resident_rows))
    rate = min(memory.bytes_per_cycle(clock_hz), laid.beat_bytes)
    at_once = min(outstanding, memory.bursts, port.prefetch_beats // port.burst_beats)
    sizes = [min(port.burst_beats, beats - at) for at in range(0, beats, port.burst_beats)]
    transfers = [size * laid.beat_bytes / rate for size in sizes]
    wait = memory.latency_ns * clock_hz / 1e9 + HANDOVER_CYCLES
    return Bound(
        bandwidth=sum(transfers),
        latency=_repeated(transfers, wait, at_once),
        compute=laid.rows + ENGINE_BUBBLES * (len(laid.layers) - 1),
    )


def _repeated(transfers: list[float], wait: float, at_once: int) -> float:
    """Return the cycles of one of many rounds of bursts.

    Burst n ends at e(n) = max(e(n - 1), e(n - at_once) + wait) + transfer(n): behind the one before
    it, and no sooner than a free place and the memory allow.
    """
    if not transfers:
        return 0.0
    ends: deque[float] = deque([0.0] * at_once, at_once)
    settled, rounds = 0.0, _SETTLED * at_once
    for turn in range(2 * rounds):
        if turn == rounds:
            settled = ends[-1]
        for transfer in transfers:
            ends.append(max(ends[-1], ends[0] + wait) + transfer)
    return (ends[-1] - settled) / rounds
