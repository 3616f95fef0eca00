"""Any fabric that a pynq `Device` can reach: the only place where pynq's objects meet ours.

pynq's own `Overlay.download` sets the clocks through class-wide state and, with pynq 4.0 and a
Zynq-7000 design, ends in a TypeError; on a remote board it runs whatever lies there under the
image's name. So the design is read here, configured through the device, and the clock is set here.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import BoardError, HarnessError, ImageError, InputError
from harness.ps_clocks import pl_clock_hz, plan_pl_clock
from harness.targets.base import AddressRange, DeviceMemory, Target
from harness.targets.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.emulation.hwh import Hwh
    from harness.inventory import Board
    from harness.overlay import Image
    from harness.targets.stock_dma import StockDma

OPERATING = "operating"


def needs_processor(board: Board) -> None:
    """Refuse a board that pynq cannot serve.

    Raises:
        InputError: It has no processor.
    """
    if board.uart is not None:
        raise InputError(
            f"board {board.name} has no processor for pynq",
            where="--target",
            why="it is reached over its serial line",
            hint="--target uart:///dev/ttyUSB1, or a virtual one: harness board uart",
        )


class PynqTarget(Target):
    """A board behind a pynq device.

    Args:
        device: A `pynq.pl_server.device.Device` of any capability.
        board: Which board it is.
    """

    def __init__(self, device: Any, board: Board) -> None:
        needs_processor(board)
        self._device = device
        self._board = board
        self._windows = Windows(device, board, f"target {self.name}")
        self._memory: list[DeviceMemory] = []

    def load(self, image: Image) -> Mapping[str, AddressRange]:
        """Read the design, configure the device, see that it took the image, keep the map."""
        design = self._design(image)
        self._windows.set_design({})
        self._configure(image)
        self._give_back()  # the design that used it is gone
        self._check_state("is the image for this device, and whole?")
        self._set_port_widths(design)
        return self._allow(design)

    def attach(self, image: Image) -> Mapping[str, AddressRange]:
        """Keep the map of a design that is taken to be running."""
        design = self._design(image)
        self._check_state("load the overlay first")
        return self._allow(design)

    def _design(self, image: Image) -> Hwh:
        from harness.emulation.hwh import parse_hwh, read_hwh  # noqa: PLC0415

        if image.hwh is None:
            raise ImageError("has no .hwh", where=str(image.bit), why=f"it is for {image.board}")
        design = parse_hwh(read_hwh(image.hwh))
        if design.family != self._board.family:
            raise ImageError(
                f"is for {design.family}",
                where=str(image.hwh),
                why=f"{self._board.name} has {self._board.family}",
                hint="choose the board with --board, or in boards.toml",
            )
        return design

    def _check_state(self, hint: str) -> None:
        state = self._state()
        if state != OPERATING:
            raise BoardError(
                "the fabric is not configured",
                where=f"target {self.name}",
                why=f"fpga_manager says {state!r}",
                hint=hint,
            )

    def _allow(self, design: Hwh) -> Mapping[str, AddressRange]:
        ranges = {item.instance: AddressRange(item.base, item.size_bytes) for item in design.ranges}
        self._windows.set_design(ranges)
        return ranges

    @abstractmethod
    def _configure(self, image: Image) -> None:
        """Put an image into the device; raise BoardError or ImageError if it refuses."""

    @abstractmethod
    def _state(self) -> str:
        """Return what fpga_manager says of the fabric."""

    def _set_port_widths(self, design: Hwh) -> None:
        """Set the widths of the processing system's AXI ports, which boot may have left otherwise.

        Only Zynq UltraScale+ has them; tables as in pynq (AMD answer record 66295).
        """
        if design.family != "zynq_ultra_ps_e":
            return
        from pynq.pl_server import embedded_device as tables  # noqa: PLC0415

        given = design.modules[design.ps].parameters
        for registers, codes in (
            (tables.ZU_FPD_SLCR_REG, tables.ZU_FPD_SLCR_VALUE),
            (tables.ZU_AXIFM_REG, tables.ZU_AXIFM_VALUE),
        ):
            for name, places in registers.items():
                if given.get(name) not in codes:
                    continue
                for place in places.values():
                    high, low = place["field"]
                    mask = ((1 << (high - low + 1)) - 1) << low
                    value = codes[given[name]] << low
                    old = self._windows.read_ps(place["addr"])
                    if old & mask != value:
                        self._windows.write_ps(place["addr"], old & ~mask | value)

    def set_clock(self, hz: float) -> float:
        """Set PL clock 0 through the registers of the processing system."""
        plan = plan_pl_clock(self._board, hz, self._windows.read_ps)
        for address, value in plan.writes:
            self._windows.write_ps(address, value)
        return float(plan.hz)

    def clock_hz(self) -> float | None:
        """Return PL clock 0 as the processing system's registers have it; None if it is off."""
        hz = pl_clock_hz(self._board, self._windows.read_ps)
        return None if hz is None else float(hz)

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read words of the design."""
        return self._windows.read(address, words)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words of the design."""
        self._windows.write(address, words)

    def allocate(self, size_bytes: int) -> DeviceMemory:
        """Return memory that the DMA reaches; what is not given back before `close` is then."""
        memory = self._allocate(size_bytes)
        self._memory.append(memory)
        return memory

    def _allocate(self, size_bytes: int) -> DeviceMemory:
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

    def stock_dma(self, image: Image, instance: str, in_bytes: int, out_bytes: int) -> StockDma:
        """Return pynq's own driver of a DMA of the loaded design.

        Raises:
            BoardError: pynq cannot drive it.
        """
        from harness.targets.stock_dma import StockDma  # noqa: PLC0415

        return StockDma(self._device, image, instance, in_bytes, out_bytes)

    def facts(self) -> dict[str, str]:
        """Return the board's name and part, and pynq's version."""
        return {
            "board": self._board.name,
            "part": self._board.part,
            "pynq": metadata.version("pynq"),
        }

    def close(self) -> None:
        """Give back memory that is still held."""
        self._give_back()

    def _give_back(self) -> None:
        while self._memory:
            with suppress(HarnessError):  # the board may be gone, and with it the memory
                self._memory.pop().close()


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
