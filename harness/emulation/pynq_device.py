"""The virtual board as a `pynq` device: stock `Overlay`, `MMIO`, `allocate` and drivers work on it.

    device = VirtualDevice(board)
    overlay = pynq.Overlay("dial.bit", device=device)
    overlay.stream_bench_0.read(0)
    buffer = pynq.allocate(1024, "u4", target=device)

For pynq 3.1 and 4.0. Importing this module imports pynq, which takes a second. Unlike the devices
of pynq, this one never unpickles nor writes metadata in pynq's own folder, and reads the `.hwh`
only after the harness has found it harmless.
"""

from __future__ import annotations

import itertools
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.bitfile import MAX_BYTES
from harness.emulation.hwh import parse_hwh, read_hwh
from harness.errors import ImageError, InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pynq warns that this host's processor is none of a board's
    from pynq.buffer import PynqBuffer
    from pynq.pl_server.device import Device
    from pynq.pl_server.embedded_device import EmbeddedDevice, RuntimeMetadataParser
    from pynq.ps import Clocks
    from pynqmetadata.frontends import Metadata

if TYPE_CHECKING:
    from harness.emulation.board import VirtualBoard
    from harness.emulation.memory import Block

__all__ = ["Metadata", "RuntimeMetadataParser", "VirtualBuffer", "VirtualDevice"]

_numbers = itertools.count()


class VirtualBuffer(PynqBuffer):  # type: ignore[misc]  # pynq is not typed
    """A buffer in the virtual board's contiguous memory; views share its physical addresses."""

    _block: Block | None = None

    def freebuffer(self) -> None:
        """Give the memory back, whoever still holds a view; twice is harmless."""
        block, self._block = self._block, None
        if block is not None:
            self.device.board.memory.free(block)


class VirtualDevice(Device):  # type: ignore[misc]  # pynq is not typed
    """One virtual board as pynq sees it.

    Args:
        board: The board; the device does not close it.
    """

    _probe_priority_ = 7967  # unique among pynq's device classes, as it demands

    @classmethod
    def _probe_(cls) -> list[Device]:
        """Return nothing: a virtual board is never found, only made."""
        return []

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__(f"virtual-{board.board.name}-{next(_numbers)}")
        self.board = board
        self.name = f"virtual {board.board.name}"
        self.arch = board.board.arch
        self.capabilities = {"REGISTER_RW": True}
        self.bitfile_name = ""
        self.timestamp = ""

    # ------------------------------------------------------------------ registers

    def read_registers(self, address: int, length: int) -> bytes:
        """Return `length` bytes of registers; called by `pynq.MMIO`."""
        return self.board.read(address, length)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write registers; called by `pynq.MMIO`."""
        self.board.write(address, bytes(data))

    # ------------------------------------------------------------------ memory

    def allocate(self, shape: int | tuple[int, ...], dtype: Any, **options: Any) -> VirtualBuffer:
        """Return a buffer in contiguous memory; called by `pynq.allocate`.

        Args:
            shape: As of a NumPy array.
            dtype: Of the elements.
            options: `cacheable` is recorded; the virtual board has no caches.

        Raises:
            InputError: The shape is negative, or the elements are Python objects.
            BoardError: There is not enough memory in one piece.
        """
        kind = np.dtype(dtype)
        if kind.hasobject:
            raise InputError("device memory holds numbers", where="allocate", why=f"got {kind}")
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        # NumPy itself accepts a negative length here, and reads out of bounds.
        if any(length < 0 for length in lengths):
            raise InputError("a negative length", where="allocate", why=f"got {shape}")
        size = math.prod(int(length) for length in lengths) * kind.itemsize
        block = self.board.memory.allocate(size)
        try:
            buffer = VirtualBuffer(
                lengths,
                kind,
                buffer=self.board.memory.view(block),
                device=self,
                device_address=block.address,
                coherent=not options.get("cacheable", False),
            )
        except (TypeError, ValueError):
            self.board.memory.free(block)
            raise
        buffer._block = block  # noqa: SLF001 (the class is in this file)
        return buffer

    def flush(self, bo: object, offset: int, address: int, size: int) -> None:
        """Do nothing: there are no caches."""

    def invalidate(self, bo: object, offset: int, address: int, size: int) -> None:
        """Do nothing: there are no caches."""

    # ------------------------------------------------------------------ configuration

    def set_bitfile_name(self, bitfile_name: str) -> None:
        """Read the metadata of an image; called by `pynq.Overlay` before anything else."""
        _forget_clocks()
        super().set_bitfile_name(bitfile_name)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parse of the `.hwh` beside a `.bit`, fresh from the file.

        Raises:
            ImageError: The image is partial, or the `.hwh` missing, harmful or incomprehensible.
        """
        if partial:
            raise ImageError(
                "is a partial image", where=bitfile_name, why="no region to load it in"
            )
        path = Path(bitfile_name).with_suffix(".hwh")
        parse_hwh(read_hwh(path))
        try:
            return RuntimeMetadataParser(Metadata(input=str(path)))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ImageError("pynq cannot read it", where=str(path), why=repr(error)) from error

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configure the board; called by `pynq.Overlay.download`.

        Raises:
            ImageError: The board refuses the image; its state is then "write error".
        """
        path = Path(bitstream.bitfile_name)
        if bitstream.partial:
            raise ImageError("is a partial image", where=str(path), why="no region to load it in")
        try:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise ImageError("is larger than any device", where=str(path), why=f"{size} bytes")
            bit = path.read_bytes()
        except OSError as error:
            why = error.strerror or str(error)
            raise ImageError("cannot be read", where=str(path), why=why) from error
        self.board.load(bit, read_hwh(path.with_suffix(".hwh")))
        if parser is not None:
            self.set_axi_port_width(parser)
        self.post_download(bitstream, parser, self.name)
        _forget_clocks()

    def set_axi_port_width(self, parser: Any) -> None:
        """Set the widths of the processing system's AXI ports, with pynq's own procedure."""
        EmbeddedDevice.set_axi_port_width(self, parser)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Do nothing: metadata is never cached."""

    def shutdown(self) -> None:
        """Do nothing: the designs have no shutdown managers."""

    def close(self) -> None:
        """Do nothing: the board belongs to whoever made it."""


def _forget_clocks() -> None:
    """Make `pynq.Clocks` look at its device again.

    It keeps the registers of the first device it was used with for ever, so that a second board's
    clock would be set on the first one.
    """
    if "_real_instance" in vars(Clocks):
        del Clocks._real_instance  # noqa: SLF001 (pynq offers no other way)
