"""Which images a virtual board takes: as a real one, those for its part; and those it can run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from harness.bitfile import emulation_facts
from harness.errors import ImageError

if TYPE_CHECKING:
    from harness.bitfile import BitFile
    from harness.emulation.hwh import Hwh
    from harness.inventory import Board

FABRIC: Final = ":fabric_top:"
"""In the VLNV of what holds `stream_bench` and the accelerator."""


def check_emulation_image(board: Board, content: BitFile, hwh_text: str) -> dict[str, str]:
    """Return what an image of this harness says about itself.

    Raises:
        ImageError: It is for another part, a real bitstream, or does not belong to the `.hwh`.
    """
    check_part(board, content)
    facts = emulation_facts(content)
    if facts is None or "digest" not in facts:
        why = "it holds configuration data" if content.has_sync_word else "it has no sync word"
        raise ImageError(
            "is not an emulation image",
            where=f"virtual {board.name}",
            why=why,
            hint="a real bitstream needs a real board; harness generate makes emulation images",
        )
    found = hashlib.sha256(hwh_text.encode()).hexdigest()
    if facts.get("hwh_sha256") != found:
        raise ImageError(
            "the .hwh does not belong to the .bit",
            where=f"virtual {board.name}",
            why=f"SHA-256 is {found}, the image wants {facts.get('hwh_sha256')}",
            hint=f"run: harness generate {facts.get('overlay', '')}",
        )
    return facts


def check_part(board: Board, content: BitFile) -> None:
    """Refuse an image for another device.

    Raises:
        ImageError: It is for another part.
    """
    if content.part != board.bit_part:
        raise ImageError(
            "wrong bitstream for this device",
            where=f"virtual {board.name}",
            why=f"the image is for {content.part}, the board has {board.bit_part}",
            hint="load the image of this board",
        )


def check_family(board: Board, design: Hwh) -> None:
    """Refuse a design for another processing system.

    Raises:
        ImageError: It is for another one.
    """
    if design.family != board.family:
        raise ImageError(
            "the .hwh is for another processing system",
            where=f"virtual {board.name}",
            why=f"{design.family}, the board has {board.family}",
        )


def check_emulated_design(board: Board, design: Hwh) -> None:
    """Refuse a design that is none of this harness.

    Raises:
        ImageError: It is for another processing system, has several DMAs, or no stream_bench.
    """
    check_family(board, design)
    where = f"virtual {board.name}"
    if len(design.dmas) > 1:
        names = ", ".join(item.instance for item in design.dmas)
        raise ImageError("the design has several DMAs", where=where, why=names)
    if not any(FABRIC in item.vlnv for item in design.ranges):
        names = ", ".join(item.instance for item in design.ranges)
        raise ImageError("the design has no stream_bench", where=where, why=f"it has {names}")
