"""The virtual board in this process: real RTL behind a real pynq device, in simulated time."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from harness.emulation.board import VirtualBoard
from harness.emulation.build import Recipe, build, key_of
from harness.emulation.fabric import Fabric
from harness.emulation.pynq_device import VirtualDevice
from harness.errors import ImageError, InputError, OverlayError
from harness.memories import MEMORIES, find_memory, memory_of_board
from harness.overlay import find_overlay, list_overlays
from harness.targets.base import Target
from harness.targets.local import STATE, configure_with_pynq
from harness.targets.pynq import PynqTarget, needs_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.inventory import Board
    from harness.memories import Memory
    from harness.overlay import Image, Overlay
    from harness.targets.base import AddressRange, TimeBase


def build_fabric(overlay: Overlay, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the compiled fabric of an overlay, building it unless the cache has it.

    Raises:
        OverlayError: Its generated files are stale.
        ToolchainError: Verilator or the compiler is missing or failed.
    """
    return build(_recipe(overlay), lambda text: progress(f"{overlay.name}: {text}"))


def fabric_key(overlay: Overlay) -> str:
    """Return the digest of all that decides the compiled fabric, compilers included, in hex.

    Raises:
        OverlayError: Its generated files are stale.
        ToolchainError: Verilator or the compiler is missing.
    """
    return key_of(_recipe(overlay))


def _recipe(overlay: Overlay) -> Recipe:
    port = overlay.memory
    return Recipe(
        name=overlay.name,
        sources=(*overlay.waivers, *overlay.rtl_sources()),
        in_bytes=overlay.input.beat_bytes,
        out_bytes=overlay.output.beat_bytes,
        defines=() if port is None else (("FABRIC_MEMORY_BYTES", port.data_bits // 8),),
    )


def fabric_of(
    digest: str,
    board: Board,
    progress: Callable[[str], None] = lambda _: None,
    memory: Memory | None = None,
) -> Fabric:
    """Make the fabric that an emulation image names by its overlay's digest.

    Args:
        digest: Of the overlay.
        board: Which board it is configured into.
        progress: Told what is being compiled.
        memory: What its memory port reaches, if it has one; None for the board's own memory.

    Raises:
        ImageError: No overlay here has that digest.
        ToolchainError: Verilator or the compiler is missing or failed.
    """
    for name in list_overlays():
        try:
            overlay = find_overlay(name)
            found = overlay.digest
        except OverlayError:
            continue  # someone's work in progress is no reason not to run another overlay
        if found == digest:
            return Fabric(
                build_fabric(overlay, progress),
                in_bytes=overlay.input.beat_bytes,
                out_bytes=overlay.output.beat_bytes,
                memory=_memory(overlay, board, memory),
            )
    raise ImageError(
        f"no overlay here has the digest {digest}",
        where="emulation image",
        why=f"looked at {', '.join(list_overlays())}",
        hint="run: harness generate",
    )


def _memory(overlay: Overlay, board: Board, chosen: Memory | None) -> Memory | None:
    if overlay.memory is None:
        return None
    memory = chosen or memory_of_board(board.name)
    if memory is None:
        raise InputError(
            f"nothing is known of the memory of board {board.name}",
            where="memory.model",
            hint=f"choose one of {', '.join(MEMORIES)}",
        )
    return memory


class VirtualTarget(PynqTarget):
    """A virtual board made of the RTL of whatever overlay is loaded.

    Args:
        board: Which board to be.
        progress: Told what is being compiled.
        prefers_dma: Behave as a target does whose register accesses are dear.
    """

    name = "virtual"
    time_base: TimeBase = "simulated fabric"
    poll_ns = 0
    survives_bus_errors = True

    def __init__(
        self,
        board: Board,
        progress: Callable[[str], None] = lambda _: None,
        *,
        prefers_dma: bool = False,
    ) -> None:
        needs_processor(board)
        self.prefers_dma = prefers_dma
        self._external: Memory | None = None
        self._virtual = VirtualBoard(
            board, lambda digest: fabric_of(digest, board, progress, self._external)
        )
        super().__init__(VirtualDevice(self._virtual), board)

    def attach(self, image: Image) -> Mapping[str, AddressRange]:
        """Refuse: a board in this process begins with an empty fabric."""
        return Target.attach(self, image)

    def use_memory(self, name: str) -> None:
        """Choose what the memory port of an overlay reaches."""
        self._external = find_memory(name)

    def now_ns(self) -> int:
        """Return simulated time."""
        return self._virtual.now_ns()

    def elapse(self, ns: int) -> None:
        """Run the fabric for `ns` of its own time."""
        self._virtual.elapse(ns)

    def facts(self) -> dict[str, str]:
        """Return what the board pretends to be, and what simulates it."""
        memory = self._external or memory_of_board(self._board.name)
        named = {} if memory is None else {"memory": f"model {memory.name}: {memory.title}"}
        return {**super().facts(), **named, "verilator": metadata.version("verilator")}

    def close(self) -> None:
        """Free memory and model."""
        super().close()
        self._virtual.close()

    def _configure(self, image: Image) -> None:
        configure_with_pynq(self._device, image)

    def _state(self) -> str:
        return self._virtual.state

    def read_text(self, path: str) -> str | None:
        """Return fpga_manager's state; no other file is emulated in process."""
        return self._state() if path == str(STATE) else None
