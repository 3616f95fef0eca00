"""Whether a `.bit` and a `.hwh` are what they are taken for: of this board, whole, one build."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from harness.bitfile import emulation_facts
from harness.firmware.check import Check, equal
from harness.firmware.packets import read_configuration
from harness.generate.hwh import hwh as expected_hwh
from harness.targets.design import parse_hwh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.bitfile import BitFile
    from harness.inventory import Board
    from harness.overlay import Overlay
    from harness.targets.design import DmaCore, Hwh

__all__ = [
    "configuration_checks",
    "design_checks",
    "header_checks",
    "is_emulation",
    "origin_checks",
    "pair_checks",
    "tool_of",
]

_REVISION: Final = 0x0FFF_FFFF  # the upper four bits of an IDCODE count revisions of the silicon
_REBUILD: Final = "build or copy the image again"
_OTHER_BUILD: Final = "take .bit and .hwh from the same build, or the .xsa that holds both"
_WRAPPERS: Final = ("", "_wrapper", "_top")
_HWH_TIME: Final = "%a %b %d %H:%M:%S %Y"
_BIT_TIME: Final = "%Y/%m/%d %H:%M:%S"
_CLOCK_TOLERANCE: Final = 1e-3
_UNSET_ACCESS: Final = (None, 0, 0xFFFF_FFFF)


def is_emulation(content: BitFile) -> bool:
    """Whether a `.bit` is an emulation image, which no device takes."""
    return emulation_facts(content) is not None


def tool_of(content: BitFile) -> str:
    """Return the version of Vivado that wrote a `.bit`, without its patches; empty if not said."""
    return (dict(content.attributes).get("Version") or "").partition("_")[0]


def header_checks(content: BitFile, board: Board) -> Iterator[Check]:
    """Yield what the header says against the board."""
    yield equal("part", board.bit_part, content.part, f"use an image built for {board.title}")


def configuration_checks(content: BitFile, board: Board) -> Iterator[Check]:
    """Yield what the packets of a real image say.

    Raises:
        ImageError: They are no packets.
    """
    found = read_configuration(content.payload)
    yield Check(
        "sync word",
        "AA995566, high byte first",
        f"at byte {found.sync_offset}, {'low' if found.byte_swapped else 'high'} byte first",
        not found.byte_swapped,
        "a .bit holds its words high byte first: this payload was made from a .bin",
    )
    wanted = board.idcode & _REVISION
    yield Check(
        "IDCODE packet",
        f"{wanted:#010x}",
        ", ".join(f"{code & _REVISION:#010x}" for code in found.idcodes) or "none",
        bool(found.idcodes) and all(code & _REVISION == wanted for code in found.idcodes),
        "the device will not load frames after another IDCODE: use an image of this device",
    )
    yield Check(
        "CRC packets",
        "1 or more",
        str(found.crc_checks),
        found.crc_checks > 0,
        "build without BITSTREAM.GENERAL.CRC DISABLE: a damaged image would be loaded",
    )
    yield Check("frames", "some", f"{found.frame_words} words", found.frame_words > 0, _REBUILD)
    yield Check(
        "end",
        "DESYNC",
        f"{'DESYNC' if found.desynchronised else 'none'} after {found.packets} packets",
        found.desynchronised,
        _REBUILD,
    )


def origin_checks(content: BitFile, overlay: Overlay, board: Board) -> Iterator[Check]:
    """Yield what an image says about the sources it was made from, as far as it says that."""
    hint = "build it from the overlay as it is now"
    facts = emulation_facts(content)
    if facts is not None:
        for key, expected in (
            ("overlay", overlay.name),
            ("board", board.name),
            ("digest", overlay.digest),
        ):
            again = f"run: harness generate {overlay.name}"
            yield equal(f"{key} in the emulation image", expected, facts.get(key, "none"), again)
        return
    access = read_configuration(content.payload).user_access
    if access not in _UNSET_ACCESS:
        found = f"{access:08x}"
        yield equal("USR_ACCESS, first digits of the digest", overlay.digest[:8], found, hint)


def pair_checks(content: BitFile, design: Hwh, hwh_text: str) -> Iterator[Check]:
    """Yield whether a `.bit` and a `.hwh` come from one build."""
    facts = emulation_facts(content)
    if facts is not None:
        found = hashlib.sha256(hwh_text.encode()).hexdigest()
        yield equal("SHA-256 of the .hwh in the .bit", facts.get("hwh_sha256"), found, _OTHER_BUILD)
        return
    yield Check(
        "design name",
        " or ".join(design.name + end for end in _WRAPPERS),
        content.design,
        content.design.removesuffix(".ncd") in {design.name + end for end in _WRAPPERS},
        _OTHER_BUILD,
    )
    device = re.sub(r"^xc", "", design.device) + "-" + design.package
    part = re.sub(r"^xc", "", content.part)
    alike = part.replace("-", "").startswith(device.replace("-", ""))
    yield Check("device in the .hwh", content.part, device, alike, _OTHER_BUILD)
    yield equal("tool version in the .hwh", tool_of(content), design.tool, _OTHER_BUILD)
    yield _build_time(content, design)


def _build_time(content: BitFile, design: Hwh) -> Check:
    """Return whether the `.hwh` is as old as the `.bit` or older.

    Vivado writes the `.hwh` when the block design's products are generated, minutes to hours before
    the bitstream, both in the local time of one machine.
    """
    written = f"{content.date} {content.time}"
    try:
        before = datetime.strptime(design.written, _HWH_TIME)  # noqa: DTZ007 (both are local times)
        after = datetime.strptime(written, _BIT_TIME)  # noqa: DTZ007
        holds = before <= after
    except ValueError:
        holds = False
    return Check(
        "build time of the .hwh",
        f"not after the .bit's, {written}",
        design.written or "none",
        holds,
        _OTHER_BUILD,
    )


def design_checks(design: Hwh, overlay: Overlay, board: Board) -> Iterator[Check]:
    """Yield a design against what the manifest of an overlay asks for."""
    wanted = parse_hwh(expected_hwh(overlay, board))
    hint = f"build the block design with overlays/{overlay.name}/vivado/{board.name}.tcl"
    yield equal("processing system", wanted.family, design.family, "use an image of this board")
    at = {item.instance: item for item in design.ranges}
    for item in wanted.ranges:
        found = at.get(item.instance)
        place = f"{found.base:#010x}, {found.size_bytes:#x} bytes" if found else "not there"
        expected = f"{item.base:#010x}, {item.size_bytes:#x} bytes"
        yield equal(f"address of {item.instance}", expected, place, hint)
    cores = {core.instance: core for core in design.dmas}
    for core in wanted.dmas:
        yield equal(f"build of {core.instance}", _told(core), _told(cores.get(core.instance)), hint)
    for giver, taker in sorted(wanted.streams):
        led = dict(design.streams).get(giver, "nowhere")
        yield equal(f"stream from {giver}", taker, led, hint)
    if wanted.clock_hz is not None:
        near = design.clock_hz is not None and (
            abs(design.clock_hz - wanted.clock_hz) <= _CLOCK_TOLERANCE * wanted.clock_hz
        )
        told = "not said" if design.clock_hz is None else f"{design.clock_hz / 1e6:.6g} MHz"
        yield Check("fabric clock", f"{wanted.clock_hz / 1e6:.6g} MHz", told, near, hint)


def _told(core: DmaCore | None) -> str:
    if core is None:
        return "not there"
    kind = "scatter gather" if core.scatter_gather else "direct"
    beats = f"{core.mm2s_bytes} bytes a beat in, {core.s2mm_bytes} out"
    return f"{kind}, {beats}, LENGTH of {core.length_bits} bits"
