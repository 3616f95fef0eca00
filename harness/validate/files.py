"""Steps on files: the image that is to be, or should be, on the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.bitfile import parse_bit
from harness.errors import ImageError
from harness.firmware import image
from harness.overlay_files import read_bytes
from harness.targets.design import parse_hwh, read_hwh
from harness.validate.step import Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.bitfile import BitFile
    from harness.targets.design import Hwh
    from harness.validate.context import Context
    from harness.validate.step import Evidence


def header(context: Context) -> Iterator[Evidence]:
    """The `.bit` is one whole `.bit`, for this board."""
    path = context.overlay.image_paths(context.board.name)[0]
    context.bit = read_bytes(path, ImageError, f"run: harness generate {context.overlay.name}")
    content = context.content = parse_bit(context.bit)
    yield from image.header_checks(content, context.board)
    kind = "emulation image" if image.is_emulation(content) else "configuration image"
    yield f"{kind} {content.design} for {content.part}, {len(content.payload):,} bytes"


def packets(context: Context) -> Iterator[Evidence]:
    """Its configuration packets: sync word, IDCODE, CRC, end."""
    content = _content(context)
    if image.is_emulation(content):
        raise Skip("an emulation image has no sync word, so that no device takes it")
    yield from image.configuration_checks(content, context.board)
    yield f"IDCODE {context.board.idcode:#010x}, with CRC"


def record(context: Context) -> Iterator[Evidence]:
    """Files and record have the same SHA-256, and the record the overlay's digest."""
    found = context.image = context.overlay.image(context.board.name)
    yield from image.origin_checks(_content(context), context.overlay, context.board)
    yield f"digest {found.digest}, {found.provenance}"


def build(context: Context) -> Iterator[Evidence]:
    """The `.hwh` comes from the build of the `.bit`."""
    content, design = _content(context), _design(context)
    yield from image.pair_checks(content, design, context.hwh_text or "")
    yield f"{design.name} of {design.written}, tool {design.tool}"


def design(context: Context) -> Iterator[Evidence]:
    """Addresses, DMA and streams are those of the manifest."""
    found = _design(context)
    yield from image.design_checks(found, context.overlay, context.board)
    yield f"{len(found.ranges)} address ranges, {len(found.dmas)} DMA, {len(found.streams)} streams"


def _content(context: Context) -> BitFile:
    if context.content is None:
        raise ImageError("was not read", where=".bit")
    return context.content


def _design(context: Context) -> Hwh:
    if context.board.uart is not None:
        raise Skip(f"{context.board.name} has no processing system and so no .hwh")
    if context.design is None:
        path = context.overlay.image_paths(context.board.name)[1]
        context.hwh_text = read_hwh(path)
        context.design = parse_hwh(context.hwh_text)
    return context.design
