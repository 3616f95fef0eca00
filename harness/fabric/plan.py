"""What is known of a stream_bench, and what is set in it for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.traffic.schedule import Schedule

COUNTER_MODULUS = 1 << 32
"""Stamps and counts of events are 32 bits wide."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the fabric says it is, and how large its memories are.

    Args:
        digest: 128-bit overlay digest, 32 hex digits.
        abi: Major and minor version of the register map.
        clock_hz: Clock the design was built for.
        in_bytes: Bytes of an input beat.
        out_bytes: Bytes of an output beat.
        event_rows: Input beats the event memory holds.
        golden_rows: Output beats the golden memory holds.
        queue_entries: Largest derandomiser depth, in events.
        histogram_bins: One-cycle bins of each histogram.
        trace_entries: Events the trace holds.
        gap_entries: Entries of the gap table.
    """

    digest: str
    abi: tuple[int, int]
    clock_hz: int
    in_bytes: int
    out_bytes: int
    event_rows: int
    golden_rows: int
    queue_entries: int
    histogram_bins: int
    trace_entries: int
    gap_entries: int


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Settings of one run.

    Args:
        schedule: When events are due.
        distinct: Events in the event memory.
        in_beats: Input beats of an event.
        out_beats: Output beats of an event.
        derandomiser: Events that may wait.
        deadline_cycles: Largest total that is in time.
        trace_start: Number of the first event to trace.
        check_output: Compare output beats with the golden memory.
        cycle_init: Stamp of run cycle 0; anything but 0 is for tests of the wrap.
    """

    schedule: Schedule
    distinct: int
    in_beats: int
    out_beats: int
    derandomiser: int
    deadline_cycles: int
    trace_start: int = 0
    check_output: bool = True
    cycle_init: int = 0
