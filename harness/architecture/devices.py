"""Real devices, from `devices.toml`: every figure has a source, and what has none is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final, Literal

from harness import tomlfile
from harness.errors import InputError

SCHEMA: Final = 1
BRAM_BITS: Final = 36_864
"""Bits of a block RAM, parity bits included (UG473, UG573)."""
URAM_BITS: Final = 294_912
"""Bits of an UltraRAM block (UG573)."""
_TABLE: Final = Path(__file__).with_name("devices.toml")

Checked = Literal["read", "second record", "not reread"]


@dataclass(frozen=True, slots=True)
class Source:
    """A document that figures come from.

    Args:
        title: Author, document, place in it.
        checked: How far its numbers were verified when the table was written.
        record: Where they were found again, for `second record`.
    """

    title: str
    checked: Checked
    record: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number somebody publishes.

    Args:
        value: In the unit that the key names.
        source: Key of `DeviceTable.sources`.
        note: How it is to be read.
    """

    value: Decimal
    source: str
    note: str = ""

    def __float__(self) -> float:
        """Return the number."""
        return float(self.value)

    def __int__(self) -> int:
        """Return the number, which counts something."""
        return int(self.value)


@dataclass(frozen=True, slots=True)
class Memory:
    """One kind of memory beside a device; None is a figure that was not found.

    Args:
        name: As people call it.
        kind: `DDR3`, `DDR4` or `HBM2`.
        channels: That work independently.
        peak_gbps: 10^9 bytes a second, all channels together.
        usable_share: Of the peak, the most granted to reads in long bursts.
        banks: Of one channel.
        row_bytes: Bytes of an open row, all chips of a channel together.
        burst_bytes: The least that an access moves.
        access_ns: Measured from the request in the fabric to the first data, idle, row closed.
        access_hit_ns: The same, row open.
        access_miss_ns: The same, another row open in that bank.
        cas_ns: CL of the memory: column to data.
        activate_ns: tRCD: row to column.
        precharge_ns: tRP: closing a row.
        refresh_ns: tRFC: time a refresh takes.
        refresh_interval_ns: tREFI: mean time between refreshes.
    """

    name: str
    kind: Literal["DDR3", "DDR4", "HBM2"]
    channels: Figure | None = None
    peak_gbps: Figure | None = None
    usable_share: Figure | None = None
    banks: Figure | None = None
    row_bytes: Figure | None = None
    burst_bytes: Figure | None = None
    access_ns: Figure | None = None
    access_hit_ns: Figure | None = None
    access_miss_ns: Figure | None = None
    cas_ns: Figure | None = None
    activate_ns: Figure | None = None
    precharge_ns: Figure | None = None
    refresh_ns: Figure | None = None
    refresh_interval_ns: Figure | None = None

    @property
    def usable_gbps(self) -> float | None:
        """Peak times usable share; the peak where no share is known, so an upper bound."""
        if self.peak_gbps is None:
            return None
        share = 1.0 if self.usable_share is None else float(self.usable_share)
        return float(self.peak_gbps) * share

    @property
    def least_access_ns(self) -> float | None:
        """The shortest time from request to data that the figures allow: a lower bound.

        Measured from the fabric where somebody did; else tRCD + CL, which leaves out controller and
        interconnect.
        """
        if self.access_ns is not None:
            return float(self.access_ns)
        if self.activate_ns is None or self.cas_ns is None:
            return None
        return float(self.activate_ns) + float(self.cas_ns)

    @property
    def row_miss_ns(self) -> float | None:
        """What another row in the same bank costs beyond an open one: measured, else tRP + tRCD."""
        if self.access_miss_ns is not None and self.access_hit_ns is not None:
            return float(self.access_miss_ns.value - self.access_hit_ns.value)
        if self.precharge_ns is None or self.activate_ns is None:
            return None
        return float(self.precharge_ns.value + self.activate_ns.value)


@dataclass(frozen=True, slots=True)
class Device:
    """A device, on its board or alone; None is a figure that was not found.

    Args:
        title: As its maker calls it.
        part: Device and speed grade.
        lut: Look-up tables of six inputs.
        ff: Flip-flops.
        dsp: DSP slices.
        bram: Block RAMs of 36 Kb.
        uram: UltraRAM blocks of 288 Kb.
        ram_mhz: Highest clock of its block RAM.
        dsp_mhz: Highest clock of its DSP slices, all registers used.
        memory: Beside it on the board; empty if the board has none, None for a device alone.
    """

    title: str
    part: str
    lut: Figure | None = None
    ff: Figure | None = None
    dsp: Figure | None = None
    bram: Figure | None = None
    uram: Figure | None = None
    ram_mhz: Figure | None = None
    dsp_mhz: Figure | None = None
    memory: tuple[Memory, ...] | None = None

    @property
    def ram_bits(self) -> int | None:
        """Bits of block RAM and UltraRAM together."""
        if self.bram is None or self.uram is None:
            return None
        return int(self.bram) * BRAM_BITS + int(self.uram) * URAM_BITS


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """All of `devices.toml`.

    Args:
        schema: Of the file.
        sources: By key.
        devices: By name; where the project knows the board, its name in the inventory.
    """

    schema: int
    sources: Mapping[str, Source] = field(metadata={tomlfile.KEY: "source"})
    devices: Mapping[str, Device] = field(metadata={tomlfile.KEY: "device"})


@cache
def device_table() -> DeviceTable:
    """Return the table that comes with the project.

    Raises:
        InputError: It has been damaged.
    """
    return read_table(_TABLE)


def read_table(path: Path) -> DeviceTable:
    """Return a table of devices in a file.

    Raises:
        InputError: The file is wrong; the message names the key.
    """
    table = tomlfile.structure(tomlfile.read(path, InputError), DeviceTable, str(path), InputError)
    if table.schema != SCHEMA:
        raise InputError(f"schema {table.schema} is not {SCHEMA}", where=str(path))
    return table


def find_device(name: str) -> Device:
    """Return the device of that name.

    Raises:
        InputError: There is none.
    """
    known = device_table().devices
    if name not in known:
        hint = tomlfile.near(name, list(known))
        raise InputError(f"no figures of a device {name!r}", where="board", hint=hint)
    return known[name]
