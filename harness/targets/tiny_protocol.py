"""The text that an MLPerf Tiny device and its runner exchange: lines, stamps, results.

Facts from github.com/mlcommons/tiny, below `benchmark/`: `api/internally_implemented.{h,cpp}` and
`api/submitter_implemented.h` for the device; `serial_device.py`, `device_under_test.py` and
`script.py` in `runner/` for the runner. A command ends with `%`; every answer is lines, of which
the last is `m-ready`. A line `e-[...]` refuses the command; what begins neither with `m-` nor with
`e-` is chatter.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from harness.errors import BoardError

SCHEME: Final = "mlperf:"
TERMINATOR: Final = "%"
READY: Final = "m-ready"
BOOTED: Final = "m-init-done"
MOST_COMMAND: Final = 80
"""Characters of a command that the reference firmware keeps."""
LOAD_BYTES: Final = 31
"""Bytes of input that the MLCommons runner sends with one `db`."""
MOST_LINE: Final = 1 << 16
MOST_COUNT: Final = (1 << 31) - 1
"""Largest number that the firmware's `atoi` reads."""
WRAP_US: Final = 1 << 32
"""Where a 32-bit `unsigned long` begins again."""

_LAP: Final = re.compile(r"m-lap-us-([0-9]{1,20})")
_NAMED: Final = re.compile(r"m-(name-dut|profile|model)-\[([^\]]*)\]")
_RESULTS: Final = re.compile(r"m-results-\[([^\]]*)\]")
_NUMBER: Final = re.compile(
    r"[+-]?(?P<whole>[0-9]{1,40})(\.(?P<part>[0-9]{0,40}))?([eE](?P<exp>[+-]?[0-9]{1,3}))?"
)
_MOST_VALUES: Final = 4096


class Lines:
    """Cuts bytes into lines of ASCII; whatever the bytes are, in bounded memory.

    A byte beyond ASCII becomes its escape, NUL and CR vanish. A line longer than `MOST_LINE` is
    dropped, and `overlong` counts it.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self.foreign = 0
        """Bytes that are no text: what a wrong baud rate looks like."""
        self.overlong = 0
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[str]:
        """Take bytes and return the lines that they end, without their ends."""
        self.bytes += len(data)
        self.foreign += sum(
            byte > 0x7E or (byte < 0x20 and byte not in b"\0\t\n\r") for byte in data
        )
        *ended, rest = data.split(b"\n")
        found: list[str] = []
        for part in ended:
            self._keep(part)
            if not self._skipping:
                text = bytes(self._rest).translate(None, b"\0\r")
                found.append(text.decode("ascii", "backslashreplace"))
            self._rest.clear()
            self._skipping = False
        self._keep(rest)
        return found

    def drop(self) -> None:
        """Forget the line that has begun."""
        self._rest.clear()
        self._skipping = False

    def _keep(self, part: bytes) -> None:
        if self._skipping:
            return
        self._rest += part
        if len(self._rest) > MOST_LINE:
            self._rest.clear()
            self._skipping = True
            self.overlong += 1


@dataclass(frozen=True, slots=True)
class Results:
    """The vector that a device prints after an inference.

    Args:
        values: Its numbers.
        tolerances: Half a unit of the last digit printed, for each.
    """

    values: tuple[float, ...]
    tolerances: tuple[float, ...]

    def agrees(self, golden: tuple[float, ...]) -> bool:
        """Return whether these are the golden values as far as digits were printed."""
        return len(self.values) == len(golden) and all(
            abs(value - wanted) <= tolerance + math.ulp(wanted)
            for value, tolerance, wanted in zip(self.values, self.tolerances, golden, strict=True)
        )

    @property
    def top(self) -> int:
        """Index of the largest value; the lowest index wins a tie."""
        return max(range(len(self.values)), key=self.values.__getitem__)


def lap_us(line: str) -> int | None:
    """Return the microseconds of a time stamp, None for any other line."""
    match = _LAP.fullmatch(line)
    return None if match is None else int(match[1])


def named(line: str) -> tuple[str, str] | None:
    """Return `name-dut`, `profile` or `model`, and its text; None for any other line."""
    match = _NAMED.fullmatch(line)
    return None if match is None else (match[1], match[2])


def refusal(line: str) -> str | None:
    """Return why a command was refused, None for any other line."""
    return line[2:].removeprefix("[").removesuffix("]") if line.startswith("e-") else None


def is_boot(line: str) -> bool:
    """Return whether a device says this only when it starts."""
    return line == BOOTED or line.startswith("m-timestamp-mode-")


def results(line: str) -> Results | None:
    """Return the result vector of a line, None for any other line.

    Raises:
        BoardError: It is one, but holds no finite numbers, or too many.
    """
    match = _RESULTS.fullmatch(line)
    if match is None:
        return None
    # The reference firmware puts no comma after the last value; its runner accepts one.
    texts = [text.strip() for text in match[1].split(",") if text.strip()]
    if not 1 <= len(texts) <= _MOST_VALUES:
        raise _unreadable(line, f"{len(texts)} values")
    values, tolerances = [], []
    for text in texts:
        number = _NUMBER.fullmatch(text)
        if number is None:
            raise _unreadable(line, f"{text[:40]!r} is no finite number")
        exponent = int(number["exp"] or 0)
        value = float(text)
        tolerance = 0.5 * 10.0 ** min(exponent - len(number["part"] or ""), 300)
        if abs(value) == float("inf"):
            raise _unreadable(line, f"{text[:40]!r} is out of range")
        values.append(value)
        tolerances.append(tolerance)
    return Results(tuple(values), tuple(tolerances))


def _unreadable(line: str, why: str) -> BoardError:
    return BoardError("results cannot be read", where="m-results", why=f"{why} in {line[:80]!r}")
