"""How a design's AXI DMA was built, as its `.hwh` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ImageError

if TYPE_CHECKING:
    from harness.overlay import Image


@dataclass(frozen=True, slots=True)
class DmaBuild:
    """Build parameters of an AXI DMA in direct register mode.

    Args:
        instance: Its name in the design.
        length_bits: Width of its LENGTH registers (c_sg_length_width).
        in_bytes: Bytes of a beat towards the fabric.
        out_bytes: Bytes of a beat from the fabric.
    """

    instance: str
    length_bits: int
    in_bytes: int
    out_bytes: int

    @property
    def most_bytes(self) -> int:
        """Longest transfer that the LENGTH registers can hold."""
        return (1 << self.length_bits) - 1


def dma_build(image: Image) -> DmaBuild:
    """Return how the one DMA of an image was built.

    Raises:
        ImageError: The `.hwh` is wrong, or has no DMA that moves data both ways in direct mode.
    """
    from harness.emulation.hwh import parse_hwh, read_hwh  # noqa: PLC0415

    if image.hwh is None:
        raise ImageError(
            "has no AXI DMA",
            where=str(image.bit),
            why=f"board {image.board} has no processor and no memory",
            hint="use --link serial",
        )
    dmas = parse_hwh(read_hwh(image.hwh)).dmas
    if len(dmas) != 1:
        raise ImageError(f"has {len(dmas)} AXI DMAs", where=str(image.hwh), why="one is needed")
    core = dmas[0]
    if core.scatter_gather or not (core.mm2s_bytes and core.s2mm_bytes):
        raise ImageError(
            "has an AXI DMA of another kind",
            where=f"{image.hwh}: {core.instance}",
            why="direct register mode with both channels is needed",
            hint="use an overlay of this harness",
        )
    return DmaBuild(core.instance, core.length_bits, core.mm2s_bytes, core.s2mm_bytes)
