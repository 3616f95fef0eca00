"""Any fabric that a pynq `Device` can reach: the only place where pynq's objects meet ours.

pynq's own `Overlay.download` sets the clocks through class-wide state and, with pynq 4.0 and a
Zynq-7000 design, ends in a TypeError; so the overlay is parsed by pynq, configured through the
device, and the clock is set here.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import BoardError, BusError, HarnessError
from harness.ps_clocks import plan_pl_clock
from harness.targets.base import AddressRange, DeviceMemory, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.inventory import Board
    from harness.overlay import Image


class PynqTarget(Target):
    """A board behind a pynq device that reads and writes registers in blocks.

    Args:
        device: A `pynq.pl_server.device.Device` with the capability REGISTER_RW.
        board: Which board it is.
    """

    def __init__(self, device: Any, board: Board) -> None:
        self._device = device
        self._board = board
        self._ranges: dict[str, AddressRange] = {}

    def load(self, image: Image) -> Mapping[str, AddressRange]:
        """Parse the design with pynq, configure the device, keep the address map."""
        import pynq  # noqa: PLC0415

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pynq's advice about drivers is not for our user
                overlay = pynq.Overlay(str(image.bit), download=False, device=self._device)
                self._device.download(overlay, overlay.parser)
        except HarnessError:
            raise
        except Exception as error:  # pynq raises bare exceptions of any kind
            raise BoardError(
                "pynq cannot load the overlay",
                where=str(image.bit),
                why=f"{type(error).__name__}: {error}",
                hint=f"pynq {metadata.version('pynq')}; is the .hwh beside the .bit?",
            ) from error
        self._ranges = {
            name: AddressRange(ip["phys_addr"], ip["addr_range"])
            for name, ip in overlay.ip_dict.items()
            if ip.get("phys_addr") is not None
        }
        return self._ranges

    def set_clock(self, hz: float) -> float:
        """Set PL clock 0 through the registers of the processing system."""
        plan = plan_pl_clock(self._board, hz, self._read_word)
        for address, value in plan.writes:
            self._write_word(address, value)
        return float(plan.hz)

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read words in one call of the device."""
        self._check(address, words)
        return np.frombuffer(self._device.read_registers(address, 4 * words), "<u4")

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words in one call of the device."""
        self._check(address, words.size)
        self._device.write_registers(address, words.astype("<u4").tobytes())

    def allocate(self, size_bytes: int) -> DeviceMemory:
        """Return a pynq buffer's memory, not cached where the board has a choice."""
        import pynq  # noqa: PLC0415

        try:
            buffer = pynq.allocate(size_bytes, "u1", target=self._device)
        except HarnessError:
            raise
        except Exception as error:  # pynq raises bare exceptions of any kind
            raise BoardError(
                f"pynq cannot allocate {size_bytes} bytes",
                where=f"target {self.name}",
                why=f"{type(error).__name__}: {error}",
                hint="free buffers, or use smaller ones",
            ) from error
        return _PynqMemory(buffer)

    def facts(self) -> dict[str, str]:
        """Return the board's name and part, and pynq's version."""
        return {
            "board": self._board.name,
            "part": self._board.part,
            "pynq": metadata.version("pynq"),
        }

    @abstractmethod
    def close(self) -> None:
        """Release the board."""

    def _check(self, address: int, words: int) -> None:
        # A processor that touches an address nobody answers hangs for good: refuse beforehand.
        for where in self._ranges.values():
            if where.base <= address and address + 4 * words <= where.base + where.size_bytes:
                return
        raise BusError(
            f"{words} words at {address:#010x} lie outside the design",
            where=f"target {self.name}",
            why=f"it has {', '.join(f'{n} at {r.base:#010x}' for n, r in self._ranges.items())}",
            hint="load the overlay first",
        )

    def _read_word(self, address: int) -> int:
        return int.from_bytes(self._device.read_registers(address, 4), "little")

    def _write_word(self, address: int, value: int) -> None:
        self._device.write_registers(address, value.to_bytes(4, "little"))


class _PynqMemory:
    """A pynq buffer as a DMA driver needs it."""

    def __init__(self, buffer: Any) -> None:
        self._buffer = buffer
        self._open = True
        self.address = int(buffer.device_address)
        # A plain view: pynq's own class would give every slice an address of its own.
        self.data: NDArray[np.uint8] = buffer.view(np.ndarray)

    def flush(self) -> None:
        """Write back the processor's caches."""
        self._buffer.flush()

    def invalidate(self) -> None:
        """Drop the processor's caches."""
        self._buffer.invalidate()

    def close(self) -> None:
        """Free the buffer."""
        if self._open:
            self._open = False
            self._buffer.freebuffer()
