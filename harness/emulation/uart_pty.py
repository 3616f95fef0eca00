"""A pseudo terminal with a board behind it: what a program opens instead of /dev/ttyUSB1."""

from __future__ import annotations

import errno
import os
import pty
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulation.uart_board import UartBoard

_LOOK_S = 0.02
_DELIVERY_S = 2.0


def _as_it_is(data: bytes) -> bytes:
    return data


class PtyServer:
    """Serves a board on a pseudo terminal. Use as a context manager; leaving it is unplugging.

    Args:
        board: Behind the terminal; not closed with it.
        link: Symbolic link to make to the terminal, as /dev/serial/by-id has them; replaces one
            that is there.
        inward: Applied to the bytes towards the board.
        outward: Applied to the bytes from the board.

    Raises:
        StorageError: The link cannot be made.
    """

    def __init__(
        self,
        board: UartBoard,
        link: Path | None = None,
        inward: Callable[[bytes], bytes] = _as_it_is,
        outward: Callable[[bytes], bytes] = _as_it_is,
    ) -> None:
        self._board = board
        self._inward = inward
        self._outward = outward
        self._link = link
        self._master, slave = pty.openpty()
        self.path = os.ttyname(slave)
        """The terminal."""
        # Only whoever uses the port has it open, so that a second one stands out.
        os.close(slave)
        os.set_blocking(self._master, False)
        if link is not None:
            try:
                beside = link.with_name(f".{link.name}.{os.getpid()}")
                beside.symlink_to(self.path)
                beside.replace(link)
            except OSError as error:
                self.close()
                why = error.strerror or str(error)
                raise StorageError("cannot make the link", where=str(link), why=why) from error

    def serve(self, ended: Callable[[], bool]) -> None:
        """Answer until `ended` says so, asked at least every 20 ms of quiet, or until closed.

        Raises:
            BusError: The RTL stopped.
        """
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while not ended() and self._master >= 0:
            events = poll.poll(_LOOK_S * 1000)
            if not events:
                continue
            data = self._read() if events[0][1] & select.POLLIN else b""
            if data:
                self._deliver(self._outward(self._board.feed(self._inward(data))))
            else:
                time.sleep(_LOOK_S)  # nobody has the terminal open

    def close(self) -> None:
        """Pull the plug; twice is harmless."""
        if self._master < 0:
            return
        os.close(self._master)
        self._master = -1
        if self._link is not None:
            with suppress(OSError):
                # Another board may be plugged in under this name already.
                if self._link.readlink() == Path(self.path):
                    self._link.unlink()

    def __enter__(self) -> PtyServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno == errno.EIO:  # nobody has the terminal open
                return b""
            raise

    def _deliver(self, data: bytes) -> None:
        """Hand bytes over; like on a wire, what nobody takes is lost."""
        end = time.monotonic() + _DELIVERY_S
        while data and self._master >= 0 and time.monotonic() < end:
            if select.select([], [self._master], [], _LOOK_S)[1]:
                data = data[self._write(data) :]

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)
