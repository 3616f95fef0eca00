"""Weights in external memory: put there by the host, read by the fabric, and what that took.

Registers are those of overlay weight_streaming, by name in its manifest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import BoardError, DeadlineError

if TYPE_CHECKING:
    from harness.fabric.stream_bench import StreamBench
    from harness.overlay import Overlay
    from harness.targets import Target
    from harness.targets.base import DeviceMemory

LOAD_DEADLINE_NS: Final = 10_000_000
PAGE_BYTES: Final = 4096
_LOADED, _ERROR = 1, 2


@dataclass(frozen=True, slots=True)
class OffChip:
    """What a run took from external memory.

    Args:
        fetched_bytes: What crossed the bus, what was read ahead of the next event included.
        used_bytes: What went into the network.
        stalled_cycles: Cycles in which an event waited for weights.
        resident_rows: Rows of weights that were on chip.
        rows: All rows.
        outstanding: Bursts that could be under way at once.
        event_bytes: What one event takes, by the layout.
    """

    fetched_bytes: int
    used_bytes: int
    stalled_cycles: int
    resident_rows: int
    rows: int
    outstanding: int
    event_bytes: int

    def each(self, completed: int) -> float | None:
        """Return the bytes that one of so many inferences used; None if there was none."""
        return self.used_bytes / completed if completed else None


def load_weights(target: Target, bench: StreamBench, overlay: Overlay) -> Weights | None:
    """Load the weights of an overlay that streams them; return None for any other.

    Its registers must have been set. Raises as `Weights.load` does.
    """
    if overlay.streamed is None:
        return None
    weights = Weights(target, bench, overlay)
    weights.load()
    return weights


class Weights:
    """The weights of an overlay that streams them.

    Args:
        target: An open target; it keeps the memory until it is closed.
        bench: Of the loaded fabric.
        overlay: With a memory port.
    """

    def __init__(self, target: Target, bench: StreamBench, overlay: Overlay) -> None:
        if overlay.streamed is None:
            raise BoardError("has no memory port", where=f"overlay {overlay.name}")
        self._target, self._bench, self._laid = target, bench, overlay.streamed
        self._offsets = {item.name: item.offset for item in overlay.accelerator.registers}
        self._memory: DeviceMemory | None = None

    def load(self) -> None:
        """Write the weights to memory, let the fabric read them, see that it read the same.

        Counters begin anew, and registers must have been set; it may be done again.

        Raises:
            BoardError: It read something else, or the bus answered with an error.
            DeadlineError: It does not come to an end.
        """
        image = self._laid.image()
        # Room to begin at a page, which pynq's allocator gives but does not promise.
        memory = self._memory = self._memory or self._target.allocate(image.size + PAGE_BYTES)
        skip = -memory.address % PAGE_BYTES
        memory.data[skip : skip + image.size] = image
        memory.flush()
        address = memory.address + skip
        self._set("WEIGHTS_LOW", address % (1 << 32))
        self._set("WEIGHTS_HIGH", address >> 32)
        self._set("LOAD", 1)
        self._await_loaded()
        told, meant = self._get("CHECKSUM"), int(image.view("<u4").sum(dtype=np.uint64)) % (1 << 32)
        if told != meant:
            raise BoardError(
                "the fabric reads other weights than were written",
                where=f"memory at {address:#x}",
                why=f"checksum {told:#010x}, not {meant:#010x}",
                hint="are the processor's caches flushed, and is the port's width set?",
            )

    def off_chip(self) -> OffChip:
        """Return what the fabric has counted since `load`."""
        resident = self._laid.resident_rows(self._get("RESIDENT_ROWS"))
        return OffChip(
            fetched_bytes=self._count("FETCHED") * self._laid.beat_bytes,
            used_bytes=self._count("USED") * self._laid.row_bits // 8,
            stalled_cycles=self._count("STALLED"),
            resident_rows=resident,
            rows=self._laid.rows,
            outstanding=self._get("OUTSTANDING"),
            event_bytes=self._laid.streamed_beats(resident) * self._laid.beat_bytes,
        )

    def _await_loaded(self) -> None:
        # In the clock of the wall as well: simulated time stands still if nobody advances it.
        give_up_ns = time.monotonic_ns() + 100 * LOAD_DEADLINE_NS
        deadline_ns = self._target.now_ns() + LOAD_DEADLINE_NS
        while not (state := self._get("STATE")) & (_LOADED | _ERROR):
            if self._target.now_ns() > deadline_ns or time.monotonic_ns() > give_up_ns:
                raise DeadlineError(
                    "the fabric does not get its weights",
                    where="accelerator.STATE",
                    why=f"after {LOAD_DEADLINE_NS / 1e6:g} ms",
                    hint="is the memory port connected and its clock running?",
                )
            self._target.elapse(max(self._target.poll_ns, 10_000))
        if state & _ERROR:
            raise BoardError(
                "the memory answered the fabric with an error",
                where="accelerator.STATE",
                hint="does the port reach the memory that pynq allocates?",
            )

    def _set(self, name: str, value: int) -> None:
        self._bench.set_accelerator(self._offsets[name], value)

    def _get(self, name: str) -> int:
        return self._bench.get_accelerator(self._offsets[name])

    def _count(self, name: str) -> int:
        """Return a 64-bit counter, which may move on meanwhile."""
        high, low = self._get(f"{name}_HIGH"), self._get(f"{name}_LOW")
        later = self._get(f"{name}_HIGH")
        # Once is enough: the low word needs 2^32 cycles to come round again.
        return later << 32 | (low if later == high else self._get(f"{name}_LOW"))
