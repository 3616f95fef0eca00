"""The seam between the harness and whatever holds a fabric.

Call order of a target:

1. `load(image)` configures the fabric and says where its IP lies.
2. `set_clock(hz)` sets the fabric clock as near as the hardware can.
3. `read` and `write` access registers; `elapse` lets board time pass; `now_ns` reads it.
4. `close()` gives everything back; it may be called twice.

Board time is the time of the clock on the wall for a board, and simulated time for the virtual
board: waiting for the fabric and measuring its clock is then the same code on both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from harness.errors import BoardError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from harness.overlay import Image

Self = TypeVar("Self", bound="Target")
TimeBase = Literal["fabric", "simulated fabric"]


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Where an IP lies in the board's physical address space, in bytes."""

    base: int
    size_bytes: int


class DeviceMemory(Protocol):
    """Physically contiguous memory that a DMA of the board reaches.

    `data` may be a copy that lies with the host: what is written there reaches the board by
    `flush`, and what the board wrote is seen after `invalidate`.
    """

    address: int
    """Physical address of its first byte."""
    data: NDArray[np.uint8]
    """Its bytes as the processor sees them, shape (size,)."""

    def flush(self) -> None:
        """Make what the processor wrote visible to the DMA."""

    def invalidate(self) -> None:
        """Make what the DMA wrote visible to the processor."""

    def close(self) -> None:
        """Give it back; twice is harmless."""


class Right(Protocol):
    """The right to use a board."""

    def release(self) -> None:
        """Give it back; twice is harmless."""

    def quarantine(self, reason: str) -> None:
        """Let nobody have the board until a person has looked after it."""


class Target(ABC):
    """A way to reach a fabric. Use as a context manager."""

    name: str
    """As the user would write it after --target."""
    time_base: TimeBase
    """What a cycle count from this target is a count of."""
    poll_ns: int
    """Least board time worth waiting between two looks at a status register."""
    prefers_dma: bool = False
    """Whether each word of a register access is a message of its own, so that a DMA is cheaper."""
    survives_bus_errors: bool = False
    """Whether a refused access is reported. A processor ends the process that made it (SIGBUS)."""
    lease: Right | None = None
    """The right to use the board, given back with the target."""

    @abstractmethod
    def load(self, image: Image) -> Mapping[str, AddressRange]:
        """Configure the fabric with `image` and return the address of each IP, by instance name.

        Raises:
            ImageError: The board refuses the image.
            BoardError: The board failed.
        """

    def attach(self, image: Image) -> Mapping[str, AddressRange]:
        """Return the address of each IP of `image`, which is taken to be running: nothing is done.

        Raises:
            ImageError: The image is not for this board.
            BoardError: The fabric is not configured, or this target always loads.
        """
        raise BoardError(
            "has nothing running that could be looked at",
            where=f"target {self.name}",
            why="it begins with an empty fabric",
            hint="load the overlay, or use a board or a served one (harness board serve)",
        )

    def clock_hz(self) -> float | None:
        """Return the fabric clock that the dividers give now, in Hz; None if nobody can tell."""
        return None

    def read_text(self, path: str) -> str | None:
        """Return a small text file of the board's operating system, stripped; None without it.

        Raises:
            InfrastructureError: The board failed.
        """
        return None

    @abstractmethod
    def set_clock(self, hz: float) -> float:
        """Set the fabric clock as near to `hz` as the dividers allow; return what was set, in Hz.

        Raises:
            BoardError: The clock cannot be set.
        """

    @abstractmethod
    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read consecutive 32-bit words from a physical address, in bytes.

        Raises:
            BusError: The address lies outside the loaded design, or the access failed.
        """

    @abstractmethod
    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write consecutive 32-bit words to a physical address, in bytes.

        Raises:
            BusError: The address lies outside the loaded design, or the access failed.
        """

    @abstractmethod
    def now_ns(self) -> int:
        """Return monotonic board time in nanoseconds."""

    @abstractmethod
    def elapse(self, ns: int) -> None:
        """Let at least `ns` nanoseconds of board time pass."""

    def allocate(self, size_bytes: int) -> DeviceMemory:
        """Return memory for a DMA; only targets with such memory have it.

        Raises:
            BoardError: There is not enough, or none at all.
        """
        raise BoardError(
            f"cannot allocate {size_bytes} bytes for a DMA",
            where=f"target {self.name}",
            why="this way to reach a board has no memory that a DMA reaches",
            hint="use a target with pynq on the board",
        )

    def use_memory(self, name: str) -> None:
        """Choose the external memory that the fabric meets; only before `load`.

        Raises:
            InputError: It is what the board has, or there is none of that name.
        """
        raise InputError(
            f"the external memory cannot be chosen, {name!r} was",
            where=f"target {self.name}",
            why="a board has the memory that it has",
            hint="leave memory.model out, or use --target virtual",
        )

    @property
    def messages(self) -> int:
        """Messages over a network so far; 0 where there is none in between."""
        return 0

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Return what identifies the board and the software in between."""

    @abstractmethod
    def close(self) -> None:
        """Release the board."""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        finally:
            if self.lease is not None:
                self.lease.release()
