"""A served virtual board in a process of its own, so that it can be killed and stopped for real."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

COMMAND = (sys.executable, "-m", "harness", "board", "serve", "--json")
READY_S = 240.0  # compiling a fabric is part of it, once


class BoardProcess:
    """`harness board serve` as a user starts it. Use as a context manager.

    Args:
        arguments: After `board serve`.
        port: Port, 0 for any.
        folder: Where its standard error goes.
    """

    def __init__(self, *arguments: str, folder: Path, port: int = 0) -> None:
        self._arguments = arguments
        self._errors = folder / "board.err"
        self.port = port
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        with self._errors.open("w") as errors:
            process = subprocess.Popen(
                [*COMMAND, "--port", str(self.port), *self._arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            )
        assert process.stdout is not None
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if select.select([process.stdout], [], [], 0.5)[0]:
                line = process.stdout.readline()
                if not line:
                    break
                self.port = int(json.loads(line)["address"].rpartition(":")[2])
                return process
        process.kill()
        process.wait()
        raise AssertionError(self._errors.read_text() or "the board does not start")

    @property
    def target(self) -> str:
        """What to write after --target."""
        return f"pynq://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without a chance to say goodbye."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def end(self) -> int:
        """Ask it to end; return its exit status."""
        self._process.terminate()
        return self._process.wait(timeout=20)

    def restart(self) -> None:
        """Kill it and start another at the same port."""
        self.kill()
        self._process = self._started()

    def __enter__(self) -> BoardProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
