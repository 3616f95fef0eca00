"""A board without a processor, behind a serial line; real or virtual, which it says itself.

Such a board is configured by other means (Vivado, openFPGALoader): `load` only checks that what
answers can be what is asked for, and the session then compares digests. Its clock is fixed.
"""

from __future__ import annotations

import time
from importlib import metadata
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from harness.errors import BoardError, BusError, DeadlineError, ImageError, InputError
from harness.registers import ADDRESS_BITS
from harness.targets.base import AddressRange, Target
from harness.targets.uart_client import UartClient
from harness.targets.uart_port import SerialPort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from harness.inventory import Board
    from harness.overlay import Image
    from harness.targets.base import TimeBase

_T = TypeVar("_T")
ADDRESS_MAP = {"stream_bench_0": AddressRange(0, 1 << ADDRESS_BITS)}
"""There is no `.hwh` to say it: the bridge's only slave is stream_bench, from address 0 on."""
POLL_NS = 10_000_000
ELAPSE_NS = 1_000_000
"""Most simulated time asked for at once, so that an answer never takes long."""


class UartTarget(Target):
    """A fabric behind `uart_bridge`.

    Args:
        path: Of the serial port.
        baud: Bits per second, as the image was built for.
        board: What is expected there.
        progress: Told what is being done.

    Raises:
        InputError: The board is not reached this way.
        BoardError: The port cannot be used, or no bridge answers.
    """

    survives_bus_errors = True

    def __init__(
        self,
        path: str,
        baud: int,
        board: Board,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        if board.uart is None:
            raise InputError(
                f"board {board.name} has no bridge behind a serial line",
                where="--target",
                hint="--board arty-a7 or basys3",
            )
        self.name = f"uart://{path}"
        self._board = board
        self._baud = baud
        self._loaded = False
        self._failure: BoardError | DeadlineError | None = None
        progress(f"greeting {path}")
        self._port = SerialPort(path, baud)
        try:
            self._client = UartClient(self._port, baud)
            self._hello = self._client.hello()
            simulated = self._client.elapse(0) is not None
        except BaseException:
            self._port.close()
            raise
        self.time_base: TimeBase = "simulated fabric" if simulated else "fabric"
        self.poll_ns = 0 if simulated else POLL_NS

    def load(self, image: Image) -> Mapping[str, AddressRange]:
        """Check that the board can be running `image`; nothing is loaded over a serial line."""
        if image.board != self._board.name:
            raise ImageError(
                f"is an image for {image.board}",
                where=str(image.bit),
                why=f"not {self._board.name}",
            )
        if self._hello.clock_hz != image.clock_hz:
            raise ImageError(
                "the board was built for another clock",
                where=self.name,
                why=f"{self._hello.clock_hz} Hz, the image for {image.clock_hz} Hz",
                hint=f"load {image.bit} with openFPGALoader or Vivado",
            )
        self._loaded = True
        return ADDRESS_MAP

    def attach(self, image: Image) -> Mapping[str, AddressRange]:
        """Do as `load`: nothing is loaded over a serial line."""
        return self.load(image)

    def clock_hz(self) -> float | None:
        """Return the clock that the bridge says it was built for."""
        return float(self._hello.clock_hz)

    def set_clock(self, hz: float) -> float:
        """Return the clock that the board has; the verdict compares it with what was asked."""
        return float(self._hello.clock_hz)

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read words, as many as the bridge takes at a time."""
        self._check(address, words)
        most = self._hello.max_words
        parts = []
        for first in range(0, words, most):
            count = min(most, words - first)
            parts.append(self._guarded(self._client.read, address + 4 * first, count))
        return np.frombuffer(b"".join(parts), "<u4").astype(np.uint32)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words, as many as the bridge takes at a time."""
        self._check(address, words.size)
        most = self._hello.max_words
        for first in range(0, words.size, most):
            data = words[first : first + most].astype("<u4").tobytes()
            self._guarded(self._client.write, address + 4 * first, data)

    def now_ns(self) -> int:
        """Return the host's monotonic time, or a virtual board's own."""
        if self.time_base == "fabric":
            return time.monotonic_ns()
        return self._simulate(0)

    def elapse(self, ns: int) -> None:
        """Sleep, or let a virtual board run."""
        if self.time_base == "fabric":
            time.sleep(ns / 1e9)
            return
        end_ns = self._simulate(0) + ns
        left_ns = ns
        while left_ns > 0:
            left_ns = end_ns - self._simulate(min(left_ns, ELAPSE_NS))

    def facts(self) -> dict[str, str]:
        """Return the board, the port, the bridge, and what went wrong on the line."""
        traffic = self._client.traffic
        return {
            "board": self._board.name,
            "part": self._board.part,
            "port": self._port.path,
            "baud": str(self._baud),
            "bridge": f"protocol {self._hello.version}, {self._hello.baud:.0f} baud",
            "requests": str(traffic.requests),
            "retries": str(traffic.retries),
            "damaged_frames": str(traffic.damaged),
            "pyserial": metadata.version("pyserial"),
        }

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _simulate(self, ns: int) -> int:
        now_ns = self._guarded(self._client.elapse, ns)
        if now_ns is None:
            raise BusError("time is refused", where=self.name, why="it is not the board it was")
        return now_ns

    def _guarded(self, access: Callable[..., _T], *arguments: int | bytes) -> _T:
        """Make one access; once the line has failed, every later one fails for the same reason."""
        if self._failure is not None:
            raise self._failure
        try:
            return access(*arguments)
        except (BoardError, DeadlineError) as error:
            self._failure = error
            raise

    def _check(self, address: int, words: int) -> None:
        reach = ADDRESS_MAP["stream_bench_0"].size_bytes
        if not self._loaded or address < 0 or address % 4 or address + 4 * words > reach:
            raise BusError(
                f"{words} words at {address:#010x} lie outside the design",
                where=f"target {self.name}",
                why=f"it has stream_bench_0 at 0x0..{reach - 1:#x}",
                hint="load the overlay first",
            )
