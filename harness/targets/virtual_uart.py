"""A virtual board without a processor: an overlay behind its serial bridge, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.emulation.uart_board import Noise, UartBoard
from harness.emulation.uart_line import QUICK_DIVISOR, UartLine, build_overlay_line
from harness.emulation.uart_pty import PtyServer
from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inventory import Board
    from harness.overlay import Overlay

__all__ = ["Noise", "PtyServer", "UartBoard", "virtual_uart_board"]

_LEAST_CYCLES = 4


def virtual_uart_board(
    overlay: Overlay,
    board: Board,
    baud: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> UartBoard:
    """Return a board with an overlay behind its serial bridge.

    Args:
        overlay: What it is configured with.
        board: Which board to be.
        baud: Rate of the simulated line; None for a quick one.
        progress: Told what is being compiled.

    Raises:
        InputError: The board has a processor, or the line would be too fast for its clock.
        OverlayError: The overlay is not made for this board, or its generated files are stale.
        ToolchainError: Verilator or the compiler is missing or failed.
    """
    if board.uart is None:
        raise InputError(
            f"board {board.name} has no bridge behind a serial line",
            where="--board",
            hint="arty-a7 or basys3; the others are --target virtual",
        )
    overlay.image(board.name)  # that there is one, and that it is current
    clock_hz = board.uart.clock_hz
    divisor_q8 = 256 * QUICK_DIVISOR if baud is None else round(256 * clock_hz / baud)
    if divisor_q8 < 256 * _LEAST_CYCLES:
        raise InputError(
            f"{baud} baud are too fast",
            where="--baud",
            why=f"a bit needs {_LEAST_CYCLES} cycles of {clock_hz} Hz",
            hint=f"at most {clock_hz // _LEAST_CYCLES}",
        )
    library = build_overlay_line(overlay, clock_hz, divisor_q8, progress)
    return UartBoard(UartLine(library), clock_hz)
