"""A virtual board on a pseudo terminal that can be unplugged, plugged in again, and cheated on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from harness.inventory import UART_BOARDS
from harness.overlay import find_overlay
from harness.targets.virtual_uart import PtyServer, UartBoard, virtual_uart_board

ARTY = UART_BOARDS["arty-a7"]
Filter = Callable[[bytes], bytes]


class UnplugError(Exception):
    """Raised by a filter to pull the plug where it is."""


class Rig:
    """A board with an overlay, and the cable to it.

    Args:
        overlay: What the board is configured with.
        link: Name that the port keeps when it is plugged in again.
    """

    def __init__(self, overlay: str, link: Path) -> None:
        self.board: UartBoard = virtual_uart_board(find_overlay(overlay), ARTY)
        self.link = link
        self.inward: Filter = bytes
        self.outward: Filter = bytes
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    @property
    def target(self) -> str:
        """As after --target."""
        return f"uart://{self.link}"

    def plug(self) -> Rig:
        """Make the port and serve it in a thread; return when it is there."""
        self._ended.clear()
        server = PtyServer(self.board, self.link, self._in, self._out)
        self._thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
        self._thread.start()
        return self

    def unplug(self) -> None:
        """Take the port away; twice is harmless."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(30)
            assert not self._thread.is_alive()

    def close(self) -> None:
        """Unplug and free the board."""
        self.unplug()
        self.board.close()

    def honest(self) -> None:
        """Let everything pass again."""
        self.inward = self.outward = bytes

    # The filters change while the port is open.
    def _in(self, data: bytes) -> bytes:
        return self.inward(data)

    def _out(self, data: bytes) -> bytes:
        return self.outward(data)

    def _serve(self, server: PtyServer) -> None:
        with server:
            try:
                server.serve(self._ended.is_set)
            except UnplugError:
                return
