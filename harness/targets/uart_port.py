"""A serial port for one process alone, whose failures say what happened to it.

pyserial has one sentence for a cable that was pulled and for a second program on the port. Here the
port is looked at again before anything is said: whether it hung up, and who else has it open.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import termios
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BoardError

if TYPE_CHECKING:
    from serial import Serial

WRITE_TIMEOUT_S = 5.0
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL
_PSEUDO_TERMINALS = range(136, 144)  # Linux, Documentation/admin-guide/devices.txt
_BY_ID = "plug it in again; names below /dev/serial/by-id stay the same when it returns"


class SerialPort:
    """An open serial port, 8N1, locked against others.

    Args:
        path: Of the device.
        baud: Bits per second.

    Raises:
        BoardError: There is no such port, it is taken, or it cannot be used.
    """

    def __init__(self, path: str, baud: int) -> None:
        import serial  # noqa: PLC0415

        self.path = path
        self._rdev = _device_of(path)
        try:
            # The lock keeps out programs that lock as well, for root too.
            self._port: Serial = serial.Serial(
                path, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise self._refused(error, baud) from error
        try:
            # This keeps out all others but root. On a pseudo terminal it would outlive a process
            # that is killed, until the other end closes too.
            if os.major(self._rdev) not in _PSEUDO_TERMINALS:
                fcntl.ioctl(self._port.fileno(), termios.TIOCEXCL)
            with suppress(OSError, ValueError, NotImplementedError):
                # FTDI converters otherwise hold a short answer back for 16 ms.
                self._port.set_low_latency_mode(True)
            self._port.reset_input_buffer()
            if others := self.others():  # programs that do not lock, and were here first
                self.close()
                raise _taken(path, others)
        except (OSError, termios.error) as error:
            self._port.close()
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            BoardError: The port failed, or does not take them in time.
        """
        try:
            self._port.write(data)
        except (OSError, termios.error) as error:
            raise self._lost(error) from error

    def read(self, timeout_s: float) -> bytes:
        """Return what came, waiting for the first byte at most so long; empty if none did.

        Raises:
            BoardError: The port failed.
        """
        try:
            if not select.select([self._port.fileno()], [], [], max(0.0, timeout_s))[0]:
                return b""
            return bytes(self._port.read(4096))
        except (OSError, TypeError, termios.error) as error:  # TypeError: closed under our hands
            raise self._lost(error) from error

    def others(self) -> list[str]:
        """Return who else has the port open, as far as this user may see."""
        found = _holders(self._rdev)
        own = f"process {os.getpid()} "
        mine = next((item for item in found if item.startswith(own)), None)
        if mine is not None:
            found.remove(mine)
        return found

    def close(self) -> None:
        """Give the port back; twice is harmless."""
        if self._port.is_open:
            with suppress(OSError):  # it may have vanished
                self._port.close()

    def vanished(self) -> bool:
        """Return whether the device behind the port is gone."""
        try:
            poll = select.poll()
            poll.register(self._port.fileno(), 0)
            hung_up = any(event & _GONE for _, event in poll.poll(0))
            return hung_up or Path(self.path).stat().st_rdev != self._rdev
        except (OSError, ValueError, TypeError):
            return True

    def _lost(self, error: Exception) -> BoardError:
        if self.vanished():
            return BoardError("the port vanished", where=self.path, why=str(error), hint=_BY_ID)
        if others := self.others():
            return BoardError(
                "the port was opened by another process",
                where=self.path,
                why=", ".join(others),
                hint="end it: two readers take each other's bytes away",
            )
        return BoardError("the port failed", where=self.path, why=str(error))

    def _refused(self, error: OSError | ValueError, baud: int) -> BoardError:
        code = getattr(error, "errno", None)
        if code in {errno.EBUSY, errno.EAGAIN}:
            return _taken(self.path, _holders(self._rdev))
        if code == errno.EACCES:
            hint = "join the group that owns it, usually dialout, and log in again"
            return BoardError("may not be opened", where=self.path, why=str(error), hint=hint)
        return BoardError(f"cannot be opened at {baud} baud", where=self.path, why=str(error))


def _taken(path: str, holders: list[str]) -> BoardError:
    return BoardError(
        "the port is taken",
        where=path,
        why=f"open in {', '.join(holders) or 'a process of another user'}",
        hint="wait for it to end, or end it",
    )


def _device_of(path: str) -> int:
    """Return the number of a character device.

    Raises:
        BoardError: There is none of that name.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        why = error.strerror or str(error)
        raise BoardError("there is no such port", where=path, why=why, hint=_BY_ID) from error
    if not stat.S_ISCHR(found.st_mode):
        raise BoardError("is not a serial port", where=path, hint="such as /dev/ttyUSB1")
    return found.st_rdev


def _holders(rdev: int) -> list[str]:
    """Return each open handle of a device as `process N (name)`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is not ours to look at
            for handle in (process / "fd").iterdir():
                with suppress(OSError):
                    info = handle.stat()
                    if stat.S_ISCHR(info.st_mode) and info.st_rdev == rdev:
                        name = (process / "comm").read_text().strip()
                        found.append(f"process {process.name} ({name})")
    return found
