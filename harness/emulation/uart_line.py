"""A verilated design behind a serial line: bytes in, bytes out, in simulated time.

The line is simulated bit by bit, in compiled code. Time passes while bytes are under way, while the
design works on them, and in `run`; nothing else advances it.
"""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulation.build import Recipe, build
from harness.errors import BusError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.overlay import Overlay

SHIM = Path(__file__).with_name("uart_line.cpp")
QUICK_DIVISOR = 4
"""Clock cycles of a bit unless a baud rate is asked for: the least that the receiver takes. A
pseudo terminal has no baud rate, so that nobody but the simulator has to keep up."""
_BROKEN = 3
_P = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "line_new": (_P, [ctypes.c_int, ctypes.c_char_p, _SIZE]),
    "line_free": (None, [_P]),
    "line_run": (ctypes.c_int, [_P, ctypes.c_uint64]),
    "line_reset": (ctypes.c_int, [_P]),
    "line_exchange": (ctypes.c_int, [_P, ctypes.c_char_p, _SIZE, _P]),
    "line_take": (None, [_P, _P, _SIZE]),
    "line_hold": (ctypes.c_int, [_P, ctypes.c_int, ctypes.c_uint64]),
    "line_skew": (None, [_P, ctypes.c_int]),
    "line_cycles": (ctypes.c_uint64, [_P]),
    "line_broken": (ctypes.c_char_p, [_P]),
}


def line_recipe(
    name: str,
    sources: tuple[Path, ...],
    top: str,
    divisor_q8: int,
    parameters: tuple[tuple[str, int], ...] = (),
) -> Recipe:
    """Return how to build a design with a serial line.

    Args:
        name: For messages.
        sources: RTL in compilation order, waivers first.
        top: Module with the ports aclk, aresetn, uart_rx, uart_tx, busy.
        divisor_q8: Clock cycles of a bit, times 256; the top's parameter DivisorQ8.
        parameters: Other parameters of the top.
    """
    return Recipe(
        name=name,
        sources=sources,
        in_bytes=0,
        out_bytes=0,
        top=top,
        shim=SHIM,
        parameters=(("DivisorQ8", divisor_q8), *parameters),
        defines=(("UART_DIVISOR_Q8", divisor_q8),),
    )


def build_overlay_line(
    overlay: Overlay,
    clock_hz: int,
    divisor_q8: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Return the library of an overlay behind a serial line, built unless the cache has it.

    Raises:
        OverlayError: Its generated files are stale.
        ToolchainError: Verilator or the compiler is missing or failed.
    """
    sources = (*overlay.waivers, *overlay.rtl_sources(), *overlay.uart_rtl)
    parameters = (("ClockHz", clock_hz),)
    recipe = line_recipe(overlay.name, sources, "fabric_uart", divisor_q8, parameters)
    return build(recipe, lambda text: progress(f"{overlay.name} behind a UART: {text}"))


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


class UartLine:
    """The far end of a simulated serial line.

    Args:
        library: What `build` made of a `line_recipe`.
        seed: Of the random state the registers start from; results must not depend on it.

    Raises:
        ToolchainError: The library is not one of ours, or the model does not start.
    """

    def __init__(self, library: Path, seed: int = 1) -> None:
        self._library = _load(library)
        why = ctypes.create_string_buffer(4096)
        handle = self._library.line_new(seed, why, len(why))
        if not handle:
            raise ToolchainError(
                "the model does not start", where=str(library), why=_text(why.value)
            )
        self._handle: int | None = handle
        self._finalizer = weakref.finalize(self, self._library.line_free, handle)

    @property
    def cycle(self) -> int:
        """Clock cycles since the model was made, resets included."""
        return int(self._library.line_cycles(self._open()))

    def exchange(self, data: bytes) -> bytes:
        """Send bytes, let the design finish its work, and return what it sent.

        Raises:
            BusError: It does not finish, or an assertion of the RTL failed, now or before.
        """
        waiting = _SIZE()
        status = self._library.line_exchange(self._open(), data, len(data), ctypes.byref(waiting))
        buffer = ctypes.create_string_buffer(max(waiting.value, 1))
        self._library.line_take(self._open(), buffer, waiting.value)
        self._check(status)
        return buffer.raw[: waiting.value]

    def run(self, cycles: int) -> None:
        """Let `cycles` pass on a quiet line.

        Raises:
            BusError: An assertion of the RTL failed, now or before.
        """
        self._check(self._library.line_run(self._open(), cycles))

    def hold(self, level: int, cycles: int) -> None:
        """Hold the line at a level, as noise and a cut wire do; it is high afterwards.

        Raises:
            BusError: An assertion of the RTL failed, now or before.
        """
        self._check(self._library.line_hold(self._open(), level, cycles))

    def reset(self) -> None:
        """Reset the design, as its button does.

        Raises:
            BusError: An assertion of the RTL failed, now or before.
        """
        self._check(self._library.line_reset(self._open()))

    def skew(self, ppm: int) -> None:
        """Make bits at the far end longer by parts in a million, both ways."""
        self._library.line_skew(self._open(), ppm)

    def close(self) -> None:
        """Free the model; closing twice is harmless."""
        self._handle = None
        self._finalizer()

    def _open(self) -> int:
        if self._handle is None:
            raise BusError("the line is closed", where="virtual board")
        return self._handle

    def _check(self, status: int) -> None:
        if status == 0:
            return
        if status == _BROKEN:
            raise BusError(
                "the RTL stopped the simulation",
                where="virtual board",
                why=_text(self._library.line_broken(self._open())),
                hint="an assertion that fails is a bug of the RTL",
            )
        raise BusError("the bridge does not finish", where="virtual board")


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").strip()
