"""The register map of `stream_bench`: the one table from which gateware and driver are made.

Offsets are bytes from the base of `stream_bench_0`. Reads have no side effect. 64-bit counters span
two words, low word first, and are copied together by the `snapshot` bit of CONTROL; they lie
without gaps, so that one block read takes them all. A read outside every register and window is
answered with SLVERR and `UNMAPPED_WORD`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Literal

Access = Literal["ro", "rw", "wo"]

ABI_MAJOR = 1
ABI_MINOR = 1
ABI = ABI_MAJOR << 16 | ABI_MINOR
MAGIC = int.from_bytes(b"FILB", "big")
UNMAPPED_WORD = 0xBAD0_ADD2
ADDRESS_BITS = 22


@dataclass(frozen=True, slots=True)
class Register:
    """One 32-bit register, or a 64-bit one in two consecutive words.

    Args:
        name: Upper-case name, the constant's name in the gateware.
        offset: Byte offset of the (low) word.
        access: `ro`, `rw` or `wo` (a written one acts and reads as zero).
        description: What it means, with its unit.
        words: 1 or 2.
        reset: Value after reset; meaningful for `rw`.
    """

    name: str
    offset: int
    access: Access
    description: str
    words: int = 1
    reset: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A memory seen through the register port, one 32-bit word at a time.

    Args:
        name: Upper-case name.
        offset: Byte offset of its first word.
        span_bytes: Reserved address range; what lies beyond the memory itself answers SLVERR.
        access: `ro` or `rw`.
        description: Layout of a row.
    """

    name: str
    offset: int
    span_bytes: int
    access: Access
    description: str


class Control(IntFlag):
    """Bits of CONTROL; each acts once when written as one."""

    START = 1 << 0
    ABORT = 1 << 1
    CLEAR = 1 << 2
    SNAPSHOT = 1 << 3
    LOAD = 1 << 4
    DUMP = 1 << 5


class Status(IntFlag):
    """Low bits of STATUS."""

    RUNNING = 1 << 0
    DONE = 1 << 1
    CLEARING = 1 << 2
    MOVING = 1 << 3


class Fault(IntFlag):
    """Sticky fault bits of STATUS; any of them makes a run invalid."""

    STAMP_OVERFLOW = 1 << 8
    UNEXPECTED_OUTPUT = 1 << 9
    AGE_ALARM = 1 << 10
    BAD_COMMAND = 1 << 11
    BLOCK = 1 << 12


class Config(IntFlag):
    """Bits of CONFIG."""

    PATH_DMA = 1 << 0
    BERNOULLI = 1 << 1
    GAP_TABLE = 1 << 2
    CHECK_OUTPUT = 1 << 3


REGISTERS: tuple[Register, ...] = (
    Register("MAGIC", 0x000, "ro", "ASCII FILB: this is a stream_bench"),
    Register("ABI", 0x004, "ro", "major version in the upper half, minor in the lower"),
    Register("DIGEST_0", 0x008, "ro", "overlay digest, bits 31..0"),
    Register("DIGEST_1", 0x00C, "ro", "overlay digest, bits 63..32"),
    Register("DIGEST_2", 0x010, "ro", "overlay digest, bits 95..64"),
    Register("DIGEST_3", 0x014, "ro", "overlay digest, bits 127..96"),
    Register("CLOCK_HZ", 0x018, "ro", "nominal fabric clock in Hz"),
    Register("IN_BYTES", 0x01C, "ro", "bytes of an input beat"),
    Register("OUT_BYTES", 0x020, "ro", "bytes of an output beat"),
    Register("EVENT_ROWS", 0x024, "ro", "rows (beats) of the event memory"),
    Register("GOLDEN_ROWS", 0x028, "ro", "rows (beats) of the golden memory"),
    Register("QUEUE_ENTRIES", 0x02C, "ro", "largest derandomiser depth, in events"),
    Register("HISTOGRAM_BINS", 0x030, "ro", "one-cycle bins of each latency histogram"),
    Register("TRACE_ENTRIES", 0x034, "ro", "events that the trace memory holds"),
    Register("SPY_ROWS", 0x038, "ro", "output beats that the spy memory holds"),
    Register("GAP_ENTRIES", 0x03C, "ro", "entries of the gap table"),
    Register("SCRATCH", 0x040, "rw", "free for the host: proves that writes arrive"),
    Register("CONTROL", 0x080, "wo", "start, abort, clear, snapshot, load, dump"),
    Register("STATUS", 0x084, "ro", "running, done, clearing, moving; sticky faults from bit 8"),
    Register("CONFIG", 0x088, "rw", "path, schedule kind, output check"),
    Register("EVENTS", 0x08C, "rw", "events to schedule in a run"),
    Register("DISTINCT", 0x090, "rw", "events in the event memory, played in a loop", reset=1),
    Register("IN_BEATS", 0x094, "rw", "input beats of an event", reset=1),
    Register("OUT_BEATS", 0x098, "rw", "output beats of an event", reset=1),
    Register("DERANDOMISER", 0x09C, "rw", "events that may wait; one more is dropped", reset=1),
    Register("INTERVAL_FRACTION", 0x0A0, "rw", "cycles per tick, fraction in 2^-32 cycle"),
    Register("INTERVAL_CYCLES", 0x0A4, "rw", "cycles per tick, whole part", reset=1),
    Register("BERNOULLI", 0x0A8, "rw", "tick probability per cycle in 2^-32"),
    Register("SEED", 0x0AC, "rw", "first state of the xorshift64 generator", words=2, reset=1),
    Register("GAPS", 0x0B4, "rw", "entries of the gap table in use", reset=1),
    Register("DEADLINE", 0x0B8, "rw", "cycles; a larger total is a miss", reset=0xFFFF_FFFF),
    Register("TRACE_START", 0x0BC, "rw", "number of the first event to trace"),
    Register("CYCLE_INIT", 0x0C0, "rw", "stamp of the first schedulable cycle"),
    Register("BLOCK_ADDRESS", 0x0C4, "rw", "byte offset in this map of the block to move"),
    Register("BLOCK_WORDS", 0x0C8, "rw", "words of the block to move"),
    Register("CYCLE", 0x100, "ro", "clock cycles since configuration, at the snapshot", words=2),
    Register("RUN_CYCLES", 0x108, "ro", "cycles since the first schedulable one", words=2),
    Register("SCHEDULED", 0x110, "ro", "events scheduled", words=2),
    Register("ACCEPTED", 0x118, "ro", "events whose first beat was taken", words=2),
    Register("COMPLETED", 0x120, "ro", "events whose last output beat left", words=2),
    Register("DROPPED", 0x128, "ro", "events that found the derandomiser full", words=2),
    Register("DEADLINE_MISSES", 0x130, "ro", "events with total above DEADLINE", words=2),
    Register("STALL_CYCLES", 0x138, "ro", "cycles with an event offered and refused", words=2),
    Register("OCCUPANCY_SUM", 0x140, "ro", "sum over cycles of events in the system", words=2),
    Register("MISMATCHES", 0x148, "ro", "output beats unlike the golden memory", words=2),
    Register("OUTPUT_BEATS", 0x150, "ro", "output beats", words=2),
    Register("FIRST_MISMATCH", 0x158, "ro", "event of the first mismatch"),
    Register("MAX_DEPTH", 0x15C, "ro", "most events that waited in one cycle"),
    Register("CRC", 0x160, "ro", "CRC-32 (IEEE 802.3) of all output beats"),
    Register("TRACED", 0x164, "ro", "entries in the trace memory"),
    Register("SPIED", 0x168, "ro", "rows in the spy memory"),
    Register("WAIT_COUNT", 0x16C, "ro", "events in the wait histogram", words=2),
    Register("WAIT_SUM", 0x174, "ro", "sum of wait in cycles", words=2),
    Register("WAIT_MIN", 0x17C, "ro", "least wait in cycles"),
    Register("WAIT_MAX", 0x180, "ro", "largest wait in cycles"),
    Register("WAIT_OVERFLOW", 0x184, "ro", "waits beyond the last bin", words=2),
    Register("SERVICE_COUNT", 0x18C, "ro", "events in the service histogram", words=2),
    Register("SERVICE_SUM", 0x194, "ro", "sum of service in cycles", words=2),
    Register("SERVICE_MIN", 0x19C, "ro", "least service in cycles"),
    Register("SERVICE_MAX", 0x1A0, "ro", "largest service in cycles"),
    Register("SERVICE_OVERFLOW", 0x1A4, "ro", "services beyond the last bin", words=2),
    Register("TOTAL_COUNT", 0x1AC, "ro", "events in the total histogram", words=2),
    Register("TOTAL_SUM", 0x1B4, "ro", "sum of total in cycles", words=2),
    Register("TOTAL_MIN", 0x1BC, "ro", "least total in cycles"),
    Register("TOTAL_MAX", 0x1C0, "ro", "largest total in cycles"),
    Register("TOTAL_OVERFLOW", 0x1C4, "ro", "totals beyond the last bin", words=2),
)

WINDOWS: tuple[Window, ...] = (
    Window("ACCELERATOR", 0x01_0000, 0x1_0000, "rw", "the accelerator's own registers"),
    Window("GAP_TABLE", 0x02_0000, 0x1_0000, "rw", "16-bit gap in ticks in each word"),
    Window("WAIT_BINS", 0x04_0000, 0x1_0000, "ro", "32-bit count in each word"),
    Window("SERVICE_BINS", 0x05_0000, 0x1_0000, "ro", "32-bit count in each word"),
    Window("TOTAL_BINS", 0x06_0000, 0x1_0000, "ro", "32-bit count in each word"),
    Window("SPY", 0x08_0000, 0x4_0000, "ro", "one output beat in each row"),
    Window("TRACE", 0x10_0000, 0x8_0000, "ro", "event, scheduled, accepted, done: 4 words a row"),
    Window("GOLDEN", 0x18_0000, 0x8_0000, "rw", "one expected output beat in each row"),
    Window("EVENT", 0x20_0000, 0x20_0000, "rw", "one input beat in each row"),
)

REGISTER = {register.name: register for register in REGISTERS}
WINDOW = {window.name: window for window in WINDOWS}
