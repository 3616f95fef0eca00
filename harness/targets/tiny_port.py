"""The serial port of an MLPerf Tiny device: as the user writes it, opened, and read by lines.

No call waits for longer than it says, and what goes wrong with a port is named: none there, taken
by another, no serial port, unplugged.
"""

from __future__ import annotations

import errno
import fcntl
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from harness.errors import BoardError, DeadlineError, InputError
from harness.targets import tiny_protocol as protocol

if TYPE_CHECKING:
    from serial import Serial

DEFAULT_BAUD: Final = 115_200
MOST_BAUD: Final = 4_000_000
MOST_HEARD: Final = 1 << 16
"""Lines of noise that are kept."""
_QUIET_NS: Final = 150_000_000
_LOOK_S: Final = 0.05
_WRITE_S: Final = 5.0
_EXAMPLE: Final = "write mlperf:///dev/ttyACM0 or mlperf:///dev/ttyACM0?baud=115200"
_OPENING: Final = {
    errno.ENOENT: "there is no such port; is the device plugged in? look in /dev/serial/by-id",
    errno.EACCES: "you may not open it; join the group that owns it, such as dialout",
    errno.EPERM: "you may not open it; join the group that owns it, such as dialout",
    errno.EBUSY: "another program has it; close that first",
    errno.EWOULDBLOCK: "another program has it; close that first",
    errno.ENOTTY: "it is no serial port",
    errno.EISDIR: "it is a folder",
}


@dataclass(frozen=True, slots=True)
class TinyPort:
    """A serial port.

    Args:
        path: As in /dev.
        baud: Bits per second, 8N1.
    """

    path: str
    baud: int = DEFAULT_BAUD

    def __str__(self) -> str:
        """Return it as the user would write it after --target."""
        return f"mlperf://{self.path}?baud={self.baud}"


def parse_port(spec: str) -> TinyPort:
    """Return the port that `mlperf://PATH[?baud=N]` names.

    Raises:
        InputError: It has another form.
    """
    try:
        parts = urlsplit(spec)
        query = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
        netloc = parts.netloc
    except ValueError as cause:
        raise _malformed(spec, str(cause)) from cause
    if parts.scheme != "mlperf" or netloc or not parts.path.startswith("/") or parts.fragment:
        raise _malformed(spec, "an absolute path of a serial port is needed")
    if "\0" in parts.path:
        raise _malformed(spec, "the path holds a NUL")
    baud = query.pop("baud", str(DEFAULT_BAUD))
    if query:
        raise _malformed(spec, f"unknown option {min(query)!r}")
    if not (baud.isascii() and baud.isdecimal() and len(baud) < 9 and 50 <= int(baud) <= MOST_BAUD):
        raise _malformed(spec, f"baud must be a whole number from 50 to {MOST_BAUD}")
    return TinyPort(parts.path, int(baud))


class TinyWire:
    """An open port, for this process alone.

    Args:
        port: Which.

    Raises:
        BoardError: It cannot be opened.
    """

    def __init__(self, port: TinyPort) -> None:
        self.port = port
        self.where = f"device at {port.path}"
        """How errors name it."""
        self.lines = protocol.Lines()
        """What has come, and counts of it."""
        self._serial = _open(port)

    def send(self, command: str) -> None:
        """Send a command and its terminator.

        Raises:
            InfrastructureError: The port takes no bytes, or has gone away.
        """
        from serial import SerialException, SerialTimeoutException  # noqa: PLC0415

        try:
            self._serial.write((command + protocol.TERMINATOR).encode("ascii"))
        except SerialTimeoutException as cause:
            raise DeadlineError(
                f"`{command[:40]}` could not be sent within {_WRITE_S:g} s",
                where=self.where,
                why="the port takes no bytes",
                hint="flow control, or nobody drains the other end",
            ) from cause
        except (SerialException, OSError) as cause:
            raise self._gone(cause) from cause

    def receive(self, until_ns: int) -> list[tuple[int, str]]:
        """Return the lines that have come, each with its arrival; wait a little if there is none.

        Args:
            until_ns: Instant of the monotonic clock from which not even a little is waited.

        Raises:
            BoardError: The port has gone away.
        """
        from serial import SerialException  # noqa: PLC0415

        try:
            waiting = self._serial.in_waiting
            if not waiting and time.monotonic_ns() >= until_ns:
                return []
            data = self._serial.read(waiting or 1)
            now_ns = time.monotonic_ns()
        except (SerialException, OSError) as cause:
            raise self._gone(cause) from cause
        return [(now_ns, line) for line in self.lines.feed(data)]

    def drain(self, most_ns: int) -> list[str]:
        """Read until it is quiet, but for no longer than `most_ns`; return what came."""
        heard: list[str] = []
        end_ns = time.monotonic_ns() + most_ns
        quiet_ns = time.monotonic_ns() + _QUIET_NS
        while time.monotonic_ns() < min(end_ns, quiet_ns):
            before = self.lines.bytes
            heard += [line for _, line in self.receive(quiet_ns)]
            if self.lines.bytes != before:
                quiet_ns = time.monotonic_ns() + _QUIET_NS
        self.lines.drop()
        return heard[-MOST_HEARD:]

    def close(self) -> None:
        """Give the port back; twice is harmless."""
        if self._serial.is_open:
            try:
                fcntl.ioctl(self._serial.fileno(), termios.TIOCNXCL)
            except OSError:
                pass  # unplugged: nothing is left to give back
            self._serial.close()

    def _gone(self, cause: Exception) -> BoardError:
        return BoardError(
            "the port has gone away",
            where=self.where,
            why=str(cause),
            hint="unplugged, without power, or another program reads from it",
        )


def _open(port: TinyPort) -> Serial:
    from serial import Serial, SerialException  # noqa: PLC0415

    try:
        opened = Serial(
            port.path, port.baud, timeout=_LOOK_S, write_timeout=_WRITE_S, exclusive=True
        )
    except (SerialException, OSError, ValueError, termios.error) as cause:
        raise BoardError(
            "cannot be opened",
            where=port.path,
            why=str(cause),
            hint=_OPENING.get(_number(cause), "is it a serial port that can do this baud rate?"),
        ) from cause
    try:
        # Also against programs that do not ask for pyserial's lock.
        fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)
    except OSError:
        pass  # some drivers cannot; the lock holds all the same
    return opened


def _number(cause: BaseException) -> int:
    """Return the system's error number behind an error of pyserial, which may have lost it."""
    link: BaseException | None = cause
    while link is not None:
        number = link.args[0] if link.args else None
        if isinstance(number, int):
            return number
        link = link.__cause__ or link.__context__
    return 0


def _malformed(spec: str, why: str) -> InputError:
    return InputError(f"cannot be read: {spec[:80]!r}", where="--target", why=why, hint=_EXAMPLE)
