"""One virtual board for many clients: known designs, files of its kernel, handles, one lock."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.bitfile import parse_bit, to_bin
from harness.emulation.board import VirtualBoard
from harness.emulation.hwh import read_hwh
from harness.emulation.server.clients import Clients, Held
from harness.emulation.server.files import VirtualFiles
from harness.errors import ImageError, InputError
from harness.overlay_files import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.emulation.board import FabricLike
    from harness.emulation.hwh import HwhModule
    from harness.emulation.memory import Block
    from harness.emulation.models import IpModel
    from harness.inventory import Board

__all__ = ["Buffer", "Design", "Mapping32", "ServedBoard", "read_design"]

ACCESS_CYCLES: Final = 200
"""Fabric cycles of an access over the network: a real one takes a thousand times as many."""
_MANAGER: Final = "/sys/class/fpga_manager/fpga0/"
_PARTIAL: Final = 1


@dataclass(frozen=True, slots=True)
class Design:
    """An image that may be uploaded, with what a client does not send.

    Args:
        bit: A whole `.bit` file.
        hwh: The `.hwh` that belongs to it.
        emulated: Whether it is one of this harness, with RTL.
    """

    bit: bytes
    hwh: str
    emulated: bool

    @property
    def digest(self) -> str:
        """SHA-256 of the `.bin` that clients make of it."""
        return hashlib.sha256(to_bin(parse_bit(self.bit))).hexdigest()


@dataclass(frozen=True, slots=True)
class Mapping32:
    """A range of registers that a client has mapped."""

    base: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """Contiguous memory of a client: whole pages, of which it sees what it asked for."""

    block: Block
    size_bytes: int


def read_design(bit: Path, *, emulated: bool) -> Design:
    """Read an image and the `.hwh` beside it.

    Raises:
        ImageError: Either is missing or malformed.
    """
    content = read_bytes(bit, ImageError)
    parse_bit(content)
    return Design(content, read_hwh(bit.with_suffix(".hwh")), emulated)


class ServedBoard:
    """A virtual board with what only matters over a network.

    Args:
        board: Which kind to be.
        build: Makes the fabric of an overlay digest.
        designs: Images that it knows.
        models: Makers of models for designs without RTL.
        cma_bytes: Contiguous memory.
    """

    def __init__(
        self,
        board: Board,
        build: Callable[[str], FabricLike],
        designs: list[Design],
        models: Mapping[str, Callable[[HwhModule], IpModel]],
        cma_bytes: int,
    ) -> None:
        self.lock = threading.RLock()
        self.virtual = VirtualBoard(board, build, cma_bytes, ACCESS_CYCLES)
        self.buffers: Held[Buffer] = Held(lambda held: self.virtual.memory.free(held.block))
        self.mappings: Held[Mapping32] = Held(lambda _: None)
        self.pins: dict[int, tuple[str, int]] = {}
        self.clients = Clients(self._forget)
        self._models = models
        self._designs = {design.digest: design for design in designs}
        self._flags = 0
        self._firmware = ""
        booted = time.monotonic()
        boot_id = f"{uuid.uuid4()}\n".encode()
        name = f"{board.name.upper()}\0".encode()
        version = f"Linux version 6.6.0-harness-virtual ({board.arch})\n".encode()
        self.files = VirtualFiles(
            {
                "/proc/version": lambda: version,
                "/proc/device-tree/chosen/pynq_board": lambda: name,
                "/proc/sys/kernel/random/boot_id": lambda: boot_id,
                "/proc/uptime": lambda: _line(f"{time.monotonic() - booted:.2f} 0.00"),
                "/proc/meminfo": self._meminfo,
                f"{_MANAGER}name": lambda: b"Virtual board FPGA Manager\n",
                f"{_MANAGER}state": lambda: _line(self.virtual.state),
                f"{_MANAGER}flags": lambda: _line(f"{self._flags:x}"),
                f"{_MANAGER}firmware": lambda: _line(self._firmware),
            },
            {f"{_MANAGER}flags": self._set_flags, f"{_MANAGER}firmware": self._configure},
        )

    def close(self) -> None:
        """Free the fabric and stop looking after clients."""
        self.clients.close()
        with self.lock:
            self.virtual.close()

    def _forget(self, peer: str) -> None:
        with self.lock:
            self.buffers.drop_all_of(peer)
            self.mappings.drop_all_of(peer)

    def _meminfo(self) -> bytes:
        memory = self.virtual.memory
        sizes = {"CmaTotal:": memory.size_bytes, "CmaFree:": memory.free_bytes}
        return b"".join(_line(f"{name:<9}{size >> 10:>12} kB") for name, size in sizes.items())

    def _set_flags(self, content: bytes) -> None:
        try:
            self._flags = int(content.decode("ascii").strip() or "0", 16)
        except (UnicodeDecodeError, ValueError) as error:
            raise InputError(
                "is no number", where=f"{_MANAGER}flags", why=repr(content[:16])
            ) from error

    def _configure(self, content: bytes) -> None:
        """Configure the fabric with an uploaded image: the one that was uploaded, byte for byte."""
        name = content.decode("utf-8", "replace").strip()
        # Whatever goes wrong from here on, the old design is gone.
        self.virtual.close()
        self.virtual.state = "firmware request error"
        image = self.files.firmware(name)
        self.virtual.state = "write error"
        self._firmware = name
        if self._flags & _PARTIAL:
            raise ImageError("is asked for as a partial image", where=name, why="no region for it")
        design = self._designs.get(hashlib.sha256(image).hexdigest())
        if design is None:
            raise ImageError(
                "is no image that this board knows",
                where=name,
                why=f"{len(image)} bytes, SHA-256 {hashlib.sha256(image).hexdigest()[:16]}...; "
                f"known are {len(self._designs)} others",
                hint="was it cut short? name its .bit with --design, or the overlay with --overlay",
            )
        if design.emulated:
            self.virtual.load(design.bit, design.hwh)
        else:
            self.virtual.load_models(design.bit, design.hwh, self._models)


def _line(text: str) -> bytes:
    return f"{text}\n".encode()
