"""The command set of MLPerf Tiny's firmware, without what carries its bytes and runs its model.

It answers as the reference firmware does (see `harness.targets.tiny_protocol` for the sources),
except that it refuses in words where that one goes on with what it has: a command that is too long,
an unknown or empty one, input beyond the announced size, an inference without its whole input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from harness.errors import HarnessError
from harness.targets.tiny_protocol import BOOTED, MOST_COMMAND, MOST_COUNT, READY, TERMINATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION: Final = "ULPMark for tinyML Firmware V0.0.1"
"""What the reference firmware calls itself; runners look for it."""
MOST_INPUT: Final = 96 * 96 * 3
DEFAULT_WARMUPS: Final = 10
_BYTES_A_LINE: Final = 8
_COUNT: Final = re.compile(r"[+-]?[0-9]{1,12}")
_HELP: Final = (
    "help         : print this",
    "name         : print the name of the device",
    "timestamp    : print the time in us",
    "profile      : print firmware and model",
    "db load N    : expect N bytes of input",
    "db HH[HH]*   : load bytes, two hex digits each",
    "db print     : print the bytes loaded",
    "infer N [W]  : run N inferences after W warm-ups",
    "results      : print the result vector",
)


class Model(Protocol):
    """What the firmware runs."""

    in_bytes: int
    """Bytes of an input."""

    def now_us(self) -> int:
        """Return the device's time, whole us."""

    def load(self, data: bytes) -> None:
        """Make `in_bytes` bytes the input of the next inferences.

        Raises:
            HarnessError: The board failed.
        """

    def infer(self) -> None:
        """Run one inference.

        Raises:
            HarnessError: The board failed.
        """

    def results(self) -> Sequence[str]:
        """Return the outputs of the last inference, as decimal numbers.

        Raises:
            HarnessError: The board failed.
        """


class Firmware:
    """Takes bytes, writes lines.

    Args:
        name: What the device is.
        model_name: Which model it runs.
        model: Runs it.
        write: Takes each line as soon as it is said, with its end.
        stopping: Asked between inferences; true ends the command.
    """

    def __init__(
        self,
        name: str,
        model_name: str,
        model: Model,
        write: Callable[[bytes], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name, self._model_name = name, model_name
        self._model = model
        self._write = write
        self._stopping = stopping
        self._command = bytearray()
        self._input = bytearray()
        self._expected = 0
        self._ran = False

    def boot(self) -> None:
        """Say what a device says when it starts."""
        for line in (
            "m-timestamp-mode-performance",
            f"m-lap-us-{self._model.now_us()}",
            BOOTED,
            READY,
        ):
            self._say(line)

    def feed(self, data: bytes) -> None:
        """Take bytes; every command that they end is carried out before this returns."""
        for byte in data:
            if byte == ord(TERMINATOR):
                command, self._command = bytes(self._command), bytearray()
                self._obey(command)
                if self._stopping():
                    return
            elif byte not in b"\r\n" and len(self._command) <= MOST_COMMAND:
                self._command.append(byte)

    def _obey(self, command: bytes) -> None:
        text = command.decode("ascii", "backslashreplace")
        words = text.split(" ")
        verb, *rest = [word for word in words if word] or [""]
        if len(command) > MOST_COMMAND:
            self._refuse(f"Command is longer than {MOST_COMMAND} characters")
        elif verb == "name":
            self._say(f"m-name-dut-[{self._name}]")
        elif verb == "timestamp":
            self._stamp()
        elif verb == "profile":
            self._say(f"m-profile-[{VERSION}]")
            self._say(f"m-model-[{self._model_name}]")
        elif verb == "help":
            for line in (VERSION, "", *_HELP):
                self._say(line)
        elif verb == "db":
            self._buffer(rest)
        elif verb == "infer":
            self._infer(rest)
        elif verb == "results":
            self._results()
        else:
            self._refuse(f"Unknown command: {verb}")
        if not self._stopping():
            self._say(READY)

    def _buffer(self, words: list[str]) -> None:
        if not words:
            self._refuse("Command 'db' requires a subcommand")
        elif words[0] == "load":
            self._expect(words[1:])
        elif words[0] == "print":
            for start in range(0, len(self._input), _BYTES_A_LINE):
                part = self._input[start : start + _BYTES_A_LINE]
                self._say("m-buffer-" + part.hex("-"))
        else:
            self._take(words[0])

    def _expect(self, words: list[str]) -> None:
        if not words:
            self._refuse("Command 'db load' requires the # of bytes")
            return
        size = _count(words[0])
        if size is None or size <= 0:
            self._refuse("Command 'db load' must be >0 bytes")
        elif size > MOST_INPUT:
            self._refuse(f"Supplied buffer size {size} exceeds maximum of {MOST_INPUT}")
        else:
            self._expected = size
            self._input.clear()
            self._say(f"m-[Expecting {size} bytes]")

    def _take(self, digits: str) -> None:
        if len(digits) % 2:
            self._refuse("Insufficient number of hex digits")
            return
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            self._refuse(f"Invalid hex digits '{digits[:MOST_COMMAND]}'")
            return
        room = self._expected - len(self._input)
        if not room:
            self._refuse("No more bytes are expected")
            return
        # What is beyond the announced size in the last command is disregarded, as by the reference.
        self._input += data[:room]
        if len(self._input) == self._expected:
            self._say("m-load-done")

    def _infer(self, words: list[str]) -> None:
        counts = [_count(word) for word in words[:2]]
        iterations = counts[0] if counts else 1
        warmups = counts[1] if len(counts) > 1 else DEFAULT_WARMUPS
        if iterations is None or iterations <= 0:
            self._refuse("Inference iterations must be >0")
            return
        if warmups is None or warmups < 0:
            self._refuse("Inference warmup must be >=0")
            return
        if len(self._input) != self._model.in_bytes:
            self._refuse(f"Input has {len(self._input)} bytes, expected {self._model.in_bytes}")
            return
        try:
            self._run(iterations, warmups)
        except HarnessError as failure:
            self._refuse(f"The board failed: {failure}")

    def _run(self, iterations: int, warmups: int) -> None:
        model = self._model
        model.load(bytes(self._input))
        self._say(f"m-warmup-start-{warmups}")
        if not self._repeat(warmups):
            return
        self._say("m-warmup-done")
        self._say(f"m-infer-start-{iterations}")
        self._stamp()
        if not self._repeat(iterations):
            return
        self._stamp()
        self._say("m-infer-done")
        self._ran = True
        self._results()

    def _repeat(self, times: int) -> bool:
        infer, stopping = self._model.infer, self._stopping
        for _ in range(times):
            infer()
            if stopping():
                return False
        return True

    def _results(self) -> None:
        if not self._ran:
            self._refuse("No inference has run")
            return
        try:
            self._say(f"m-results-[{','.join(self._model.results())}]")
        except HarnessError as failure:
            self._refuse(f"The board failed: {failure}")

    def _stamp(self) -> None:
        self._say(f"m-lap-us-{self._model.now_us()}")

    def _refuse(self, why: str) -> None:
        self._say(f"e-[{why}]")

    def _say(self, line: str) -> None:
        self._write(line.encode("ascii", "backslashreplace") + b"\r\n")


def _count(word: str) -> int | None:
    """Return a whole number that the reference's `atoi` reads too, None for anything else."""
    value = int(word) if _COUNT.fullmatch(word) else None
    return value if value is not None and abs(value) <= MOST_COUNT else None
