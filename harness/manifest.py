"""The parts of a manifest: streams, registers, memory sizes, the accelerator; each checks itself.

A part raises `InputError` with `where` naming the key; the reader of the file adds the file.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.accelerators.fixed import NumberFormat
from harness.errors import InputError
from harness.registers import WINDOW

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_REGISTER_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_WIDTHS = (32, 64, 128, 256, 512, 1024)
_PORT_WIDTHS = (64, 128, 256, 512)
_MAX_BEATS = 65_536
_MAX_CYCLES = 1 << 31


def need(holds: object, what: str, key: str, why: object = "", hint: str = "") -> None:
    """Refuse the value `why` of a key unless `holds`."""
    if not holds:
        raise InputError(what, where=key, why=f"got {why!r}" if why != "" else "", hint=hint)


def within(value: int, low: int, high: int, key: str) -> None:
    """Refuse a number outside two limits, both included."""
    need(low <= value <= high, f"must lie in {low}..{high}", key, value)


@dataclass(frozen=True, slots=True)
class RegisterSpec:
    """A register of the accelerator's own.

    Args:
        name: Upper-case name.
        offset: Bytes from the start of the ACCELERATOR window, a multiple of 4.
        access: `ro`, `rw` or `wo` (a written one acts and reads as zero).
        description: What it means, with its unit.
        reset: Value after configuration.
        least: Smallest value that an `rw` one keeps; what is smaller is taken for it.
        most: Largest one, likewise; None where every value of its bits is kept.
    """

    name: str
    offset: int
    access: Literal["ro", "rw", "wo"]
    description: str
    reset: int = 0
    least: int = 0
    most: int | None = None

    def __post_init__(self) -> None:
        named = _REGISTER_NAME.fullmatch(self.name)
        need(named, "must be an UPPER_CASE word", "name", self.name)
        within(self.offset, 0, WINDOW["ACCELERATOR"].span_bytes - 4, "offset")
        need(self.offset % 4 == 0, "must be a multiple of 4", "offset", self.offset)
        within(self.reset, 0, 0xFFFF_FFFF, "reset")
        if self.most is not None:
            need(self.access == "rw", "bounds a register that keeps nothing", "most", self.access)
            within(self.most, self.least, 0xFFFF_FFFF, "most")
            within(self.reset, self.least, self.most, "reset")
        need(self.most is not None or not self.least, "needs a `most` beside it", "least")

    def kept(self, value: int) -> int:
        """Return what it holds after a value was written."""
        return value if self.most is None else min(max(value, self.least), self.most)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the accelerator.

    Args:
        width_bits: Bits of a beat, a power of two in 32..1024.
        values: Numbers in an event.
        format: Their format.
        beats: Beats of an event.
    """

    width_bits: int
    values: int
    format: NumberFormat
    beats: int = 1

    def __post_init__(self) -> None:
        known = ", ".join(map(str, _WIDTHS))
        need(self.width_bits in _WIDTHS, f"must be one of {known}", "width_bits", self.width_bits)
        within(self.beats, 1, _MAX_BEATS, "beats")
        within(self.values, 1, self.beats * self.width_bits, "values")
        room, taken = self.beats * self.width_bits, self.values * self.format.width
        need(taken <= room, f"{taken} bits of values do not fit in {room} bits of beats", "values")

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat."""
        return self.width_bits // 8

    @property
    def event_bytes(self) -> int:
        """Bytes of an event."""
        return self.beats * self.beat_bytes


@dataclass(frozen=True, slots=True)
class BenchSizes:
    """Sizes of the memories of stream_bench, powers of two.

    Args:
        event_rows: Input beats the event memory holds.
        golden_rows: Expected output beats.
        queue_depth: Entries of the derandomiser; one stays free.
        histogram_bins: One-cycle bins of each histogram.
        trace_depth: Events the trace holds.
        spy_depth: Output beats the spy memory holds.
        gap_entries: Entries of the gap table.
        in_flight: Events between acceptance and last output beat.
    """

    event_rows: int = 4096
    golden_rows: int = 4096
    queue_depth: int = 512
    histogram_bins: int = 4096
    trace_depth: int = 4096
    spy_depth: int = 256
    gap_entries: int = 4096
    in_flight: int = 256

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            within(value, 2, 1 << 19, item.name)
            need(value & (value - 1) == 0, "must be a power of two", item.name, value)

    def check_windows(self, in_bytes: int, out_bytes: int) -> None:
        """Refuse memories larger than their window of the register map, beat sizes in bytes.

        Raises:
            InputError: One is too large.
        """
        sizes = (
            ("event_rows", "EVENT", in_bytes),
            ("golden_rows", "GOLDEN", out_bytes),
            ("spy_depth", "SPY", out_bytes),
            ("trace_depth", "TRACE", 16),
            ("gap_entries", "GAP_TABLE", 4),
            ("histogram_bins", "TOTAL_BINS", 4),
        )
        for key, window, row_bytes in sizes:
            within(getattr(self, key), 2, WINDOW[window].span_bytes // row_bytes, f"bench.{key}")


@dataclass(frozen=True, slots=True)
class MemoryPort:
    """The AXI4 read master of an accelerator that keeps its weights in external memory.

    Args:
        data_bits: Bits of a beat.
        lanes: Weights of a row, a power of two; the layout is `harness.accelerators.streamed`'s.
        address_bits: Bits of an address.
        burst_beats: Most beats of a burst; AXI3, as a Zynq-7000 has it, takes 16.
        prefetch_beats: Beats that are read ahead, a power of two.
    """

    data_bits: int
    lanes: int
    address_bits: int = 40
    burst_beats: int = 8
    prefetch_beats: int = 32

    def __post_init__(self) -> None:
        known = ", ".join(map(str, _PORT_WIDTHS))
        need(self.data_bits in _PORT_WIDTHS, f"must be one of {known}", "data_bits", self.data_bits)
        within(self.address_bits, 32, 64, "address_bits")
        within(self.burst_beats, 1, 16, "burst_beats")
        within(self.prefetch_beats, self.burst_beats, 1024, "prefetch_beats")
        for key in ("lanes", "prefetch_beats"):
            value = getattr(self, key)
            within(value, 2, 1024, key)
            need(value & (value - 1) == 0, "must be a power of two", key, value)


@dataclass(frozen=True, slots=True)
class Accelerator:
    """The design under test.

    Args:
        module: SystemVerilog module with the uniform accelerator ports.
        sources: Files below `overlays/<name>`; with a model, only what is not generated from it.
        library: Files below `overlays/lib/rtl`.
        registers: Its own registers.
        initiation_interval_cycles: Contract; none where it is set at run time.
        latency_cycles: Contract, to the last output beat; none where it is set at run time.
        interval_register: Register that sets the initiation interval instead, in cycles.
        latency_register: Register that sets the cycles from a beat in to the beat out instead.
        jitter_register: Register that adds random cycles to the latency unless it is zero.
        model: Model file below `overlays/<name>`, if outputs and gateware follow from one; the
            blocks of the library that it needs do then, too.
        weights: Where the weights are while it runs: `off-chip` means that they are fetched from
            external memory again and again, for every event or for some.
    """

    module: str
    sources: Sequence[str] = ()
    library: Sequence[str] = ()
    registers: Sequence[RegisterSpec] = ()
    initiation_interval_cycles: int | None = None
    latency_cycles: int | None = None
    interval_register: str | None = None
    latency_register: str | None = None
    jitter_register: str | None = None
    model: str | None = None
    weights: Literal["on-chip", "off-chip"] = "on-chip"

    def __post_init__(self) -> None:
        need(NAME.fullmatch(self.module), "must be a lower_case word", "module", self.module)
        for key in ("sources", "library", "registers"):
            object.__setattr__(self, key, tuple(getattr(self, key)))
        need(self.sources or self.model, "names no file", "sources", hint="or name a model")
        paths = [*self.sources, *self.library]
        for key, files in (("sources", self.sources), ("library", self.library)):
            for path in files:
                need(path.endswith((".sv", ".v")), "is no .sv or .v file", key, path)
                need(paths.count(path) == 1, "names a file twice", key, path)
        for key in ("initiation_interval_cycles", "latency_cycles"):
            value = getattr(self, key)
            if value is not None:
                within(value, 1, _MAX_CYCLES, key)
        for key in ("name", "offset"):
            values = [getattr(register, key) for register in self.registers]
            need(len(set(values)) == len(values), f"two have the same {key}", "registers")
        self._check_timing()

    def _check_timing(self) -> None:
        """Refuse timing that is set by a register there is not, or stated twice."""
        known = {register.name for register in self.registers if register.access == "rw"}
        for key, contract in (
            ("interval_register", self.initiation_interval_cycles),
            ("latency_register", self.latency_cycles),
            ("jitter_register", None),
        ):
            name = getattr(self, key)
            if name is not None:
                need(name in known, "names no register that can be written", key, name)
                need(contract is None, "is set at run time and fixed by contract", key, name)
