"""One verilated fabric in this process, as NumPy arrays and bytes see it."""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BusError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.emulation.memory import ContiguousMemory
    from harness.memories import Memory

_BUS_ERROR, _TIMEOUT, _BROKEN = 1, 2, 3
_P = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_FS = 10**15
_SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "fabric_new": (_P, [ctypes.c_int, ctypes.c_char_p, _SIZE]),
    "fabric_free": (None, [_P]),
    "fabric_run": (ctypes.c_int, [_P, ctypes.c_uint64]),
    "fabric_read": (ctypes.c_int, [_P, ctypes.c_uint32, _SIZE, _P, _P]),
    "fabric_write": (ctypes.c_int, [_P, ctypes.c_uint32, _SIZE, _P, _P]),
    "fabric_push": (ctypes.c_int, [_P, ctypes.c_char_p, _SIZE, ctypes.c_int]),
    "fabric_pop": (ctypes.c_int, [_P, _P, _SIZE, _P, _P]),
    "fabric_attach": (None, [_P, _P, ctypes.c_uint64, ctypes.c_uint64, _P]),
    "fabric_period": (None, [_P, ctypes.c_uint64]),
    "fabric_flush": (None, [_P]),
    "fabric_unsent": (_SIZE, [_P]),
    "fabric_cycles": (ctypes.c_uint64, [_P]),
    "fabric_broken": (ctypes.c_char_p, [_P]),
}


class MemoryParameters(ctypes.Structure):
    """As `memory_model.h` has them; times in femtoseconds."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "granule_bytes", "granule_fs", "latency_fs", "row_miss_fs", "banks", "row_bytes",
            "refresh_every_fs", "refresh_fs", "bursts", "port_bytes",
        )
    )  # fmt: skip


def parameters_of(memory: Memory) -> MemoryParameters:
    """Return a memory's figures as the model takes them."""
    return MemoryParameters(
        granule_bytes=memory.granule_bytes,
        granule_fs=round(memory.granule_bytes * _FS / memory.bytes_per_s),
        latency_fs=round(memory.latency_ns * 1e6),
        row_miss_fs=round(memory.row_miss_ns * 1e6),
        banks=memory.banks,
        row_bytes=memory.row_bytes,
        refresh_every_fs=round(memory.refresh_every_ns * 1e6),
        refresh_fs=round(memory.refresh_ns * 1e6),
        bursts=memory.bursts,
        port_bytes=memory.port_bytes,
    )


def _load(library: Path) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(str(library))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ToolchainError(
            "cannot be loaded", where=str(library), why=str(error), hint="delete it and run again"
        ) from error
    return loaded


class Fabric:
    """A running `fabric_top`; every call advances it, nothing else does.

    Args:
        library: What `build` returned.
        in_bytes: Bytes of a beat towards the fabric.
        out_bytes: Bytes of a beat from the fabric.
        seed: Of the random state the registers start from; results must not depend on it.
        memory: What its memory port reaches; None for a fabric without one.

    Raises:
        ToolchainError: The library is not one of ours, or the model does not start.
    """

    def __init__(
        self,
        library: Path,
        *,
        in_bytes: int,
        out_bytes: int,
        seed: int = 1,
        memory: Memory | None = None,
    ) -> None:
        self._memory = memory
        self._clock: Callable[[], Fraction | None] | None = None
        self._library = _load(library)
        self._in_bytes = in_bytes
        self._out_bytes = out_bytes
        why = ctypes.create_string_buffer(4096)
        handle = self._library.fabric_new(seed, why, len(why))
        if not handle:
            raise ToolchainError(
                "the model does not start", where=str(library), why=_text(why.value)
            )
        self._handle: int | None = handle
        self._finalizer = weakref.finalize(self, self._library.fabric_free, handle)

    def attach(self, arena: ContiguousMemory, clock: Callable[[], Fraction | None]) -> None:
        """Let the memory port reach contiguous memory, if the fabric has one.

        Args:
            arena: What it reads.
            clock: Says the frequency of the fabric clock, in Hz; None while it stands still.
        """
        if self._memory is None:
            return
        parameters = parameters_of(self._memory)
        self._arena, self._clock = arena, clock  # the model reads the arena's bytes
        self._library.fabric_attach(
            self._open(),
            arena.whole.ctypes.data,
            arena.base,
            arena.size_bytes,
            ctypes.byref(parameters),
        )

    def _keep_time(self) -> None:
        """Tell the memory model how long a cycle is: it may have changed since."""
        frequency = self._clock() if self._clock is not None else None
        if frequency is not None:
            self._library.fabric_period(self._open(), round(_FS / frequency))

    @property
    def cycle(self) -> int:
        """Clock cycles since the model was made, reset included."""
        return int(self._library.fabric_cycles(self._open()))

    def run(self, cycles: int) -> None:
        """Advance by `cycles`.

        Raises:
            BusError: An assertion of the RTL failed, now or before.
        """
        self._keep_time()
        self._check(self._library.fabric_run(self._open(), cycles), "running", 0)

    def read(self, offset: int, words: int) -> NDArray[np.uint32]:
        """Read `words` 32-bit registers from byte `offset` on, over AXI4-Lite.

        Raises:
            BusError: SLVERR, no answer, or a broken fabric.
        """
        self._keep_time()
        data = np.empty(words, np.uint32)
        done = _SIZE()
        status = self._library.fabric_read(
            self._open(), offset, words, data.ctypes.data, ctypes.byref(done)
        )
        self._check(status, "read", offset + 4 * done.value)
        return data

    def write(self, offset: int, words: NDArray[np.uint32]) -> None:
        """Write 32-bit registers from byte `offset` on, over AXI4-Lite.

        Raises:
            BusError: SLVERR, no answer, or a broken fabric.
        """
        self._keep_time()
        data = np.ascontiguousarray(words, np.uint32)
        done = _SIZE()
        status = self._library.fabric_write(
            self._open(), offset, data.size, data.ctypes.data, ctypes.byref(done)
        )
        self._check(status, "write", offset + 4 * done.value)

    def push(self, data: bytes, last: bool) -> None:
        """Queue beats for the DMA-to-fabric stream; `last` puts TLAST on the final one.

        Raises:
            BusError: `data` is not whole beats, or a broken fabric.
        """
        if len(data) % self._in_bytes:
            raise BusError(
                f"{len(data)} bytes are not whole beats of {self._in_bytes}",
                where="stream into the fabric",
            )
        beats = len(data) // self._in_bytes
        self._check(self._library.fabric_push(self._open(), data, beats, last), "push", 0)

    def pop(self, max_bytes: int) -> tuple[bytes, bool]:
        """Take what came over the fabric-to-DMA stream, up to `max_bytes` or a TLAST.

        Returns:
            The bytes, and whether they end with TLAST.
        """
        buffer = ctypes.create_string_buffer(max(max_bytes, 1))
        size, last = _SIZE(), ctypes.c_int()
        status = self._library.fabric_pop(
            self._open(), buffer, max_bytes, ctypes.byref(size), ctypes.byref(last)
        )
        self._check(status, "pop", 0)
        return buffer.raw[: size.value], bool(last.value)

    def flush(self) -> None:
        """Forget all beats queued in either direction."""
        self._library.fabric_flush(self._open())

    @property
    def unsent(self) -> int:
        """Beats queued towards the fabric that it has not taken."""
        return int(self._library.fabric_unsent(self._open()))

    def close(self) -> None:
        """Free the model; closing twice is harmless."""
        self._handle = None
        self._finalizer()

    def _open(self) -> int:
        if self._handle is None:
            raise BusError("the fabric is closed", where="virtual board")
        return self._handle

    def _check(self, status: int, what: str, offset: int) -> None:
        if status == 0:
            return
        if status == _BROKEN:
            raise BusError(
                "the RTL stopped the simulation",
                where=what,
                why=_text(self._library.fabric_broken(self._open())),
                hint="load the overlay again; an assertion that fails is a bug of the RTL",
            )
        why = "no answer on AXI4-Lite" if status == _TIMEOUT else "answered with SLVERR"
        raise BusError(f"{what} of offset {offset:#08x} failed", where="stream_bench_0", why=why)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").strip()
