"""Hardware descriptions, ours and Vivado's, are read as pynqmetadata reads them, or refused."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.emulation.hwh as hwh_module
from harness.emulation.hwh import DmaCore, parse_hwh, read_hwh
from harness.errors import ImageError
from harness.generate.hwh import hwh
from harness.inventory import BOARDS
from harness.overlay import find_overlay

VIVADO = ("resizer", "rfsoc_sam")
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def path_of(name: str) -> Path:
    import pynqmetadata

    return Path(pynqmetadata.__file__).parent / "tests" / "hwhs" / f"{name}.hwh"


@lru_cache(maxsize=4)
def ours(board: str = "zcu104") -> str:
    return hwh(find_overlay("dial"), BOARDS[board])


def ip_dict(path: Path) -> dict[str, Any]:
    from harness.emulation.pynq_device import Metadata, RuntimeMetadataParser

    parser = RuntimeMetadataParser(Metadata(input=str(path)))
    return {**parser.ip_dict, **parser.mem_dict}


@pytest.mark.parametrize("name", VIVADO)
def test_vivados_files_are_read_as_pynqmetadata_reads_them(name: str) -> None:
    design = parse_hwh(read_hwh(path_of(name)))
    expected = {
        (ip["fullpath"].replace("/", "_"), ip["phys_addr"], ip["addr_range"])
        for ip in ip_dict(path_of(name)).values()
        if "phys_addr" in ip
    }
    found = {(item.instance, item.base, item.size_bytes) for item in design.ranges}
    # pynqmetadata keeps one range of an instance that has several.
    assert expected <= found
    assert {item[0] for item in found} == {item[0] for item in expected}


def test_resizer() -> None:
    design = parse_hwh(read_hwh(path_of("resizer")))
    assert (design.device, design.package, design.ps) == ("7z020", "clg400", "processing_system7_0")
    assert design.clock_hz == 100e6
    assert design.dmas == (DmaCore("axi_dma_0", 26, False, 4, 4, False, False),)
    assert [(item.instance, item.base) for item in design.ranges] == [
        ("axi_dma_0", 0x4040_0000),
        ("resize_accel_0", 0x43C0_0000),
    ]


def test_rfsoc_sam() -> None:
    design = parse_hwh(read_hwh(path_of("rfsoc_sam")))
    assert (design.device, design.family) == ("xczu48dr", "zynq_ultra_ps_e")
    assert design.clock_hz == pytest.approx(99.999985e6)
    first = design.ranges[0]
    assert (first.instance, first.base) == ("radio_receiver_channel_00_decimator", 0xA000_0000)
    assert first.size_bytes == 0x1_0000
    assert design.dmas == ()


@pytest.mark.parametrize("board", list(BOARDS))
def test_our_own(board: str) -> None:
    design = parse_hwh(ours(board))
    base = BOARDS[board].pl_base
    assert [(item.instance, item.base, item.size_bytes) for item in design.ranges] == [
        ("stream_bench_0", base, 0x40_0000),
        ("axi_dma_0", base + 0x40_0000, 0x1_0000),
    ]
    assert design.dmas == (DmaCore("axi_dma_0", 26, False, 4, 4, False, False),)
    assert design.device in BOARDS[board].part
    assert design.package in BOARDS[board].part
    assert design.clock_hz == pytest.approx(200e6, rel=1e-7)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<EDKSYSTEM", f"{BOMB}<EDKSYSTEM", "document type"),
        ("<EDKSYSTEM", "<!doctype x SYSTEM 'file:///etc/passwd'><EDKSYSTEM", "document type"),
        ("</EDKSYSTEM>", "", "not well-formed"),
        ("EDKSYSTEM", "HTML", "its root is <HTML>"),
        ("<SYSTEMINFO", "<OTHER", "no SYSTEMINFO"),
        ('MODTYPE="zynq_ultra_ps_e"', 'MODTYPE="microblaze"', "0 processing systems"),
        ('MODTYPE="fabric_top"', 'MODTYPE="zynq_ultra_ps_e"', "2 processing systems"),
        ('BASEVALUE="0xA0400000"', 'BASEVALUE="here"', "gives axi_dma_0 no address"),
        ('BASEVALUE="0xA0400000"', 'BASEVALUE="-1"', "gives axi_dma_0 no address"),
        ('BASEVALUE="0xA0400000"', 'BASEVALUE="0xA0500000"', "impossible address"),
        ('HIGHVALUE="0xA040FFFF"', 'HIGHVALUE="0xFFFFFFFFFFFFFFFF"', "impossible address"),
        ('BASEVALUE="0xA0400000"', 'BASEVALUE="0xA0300000"', "over each other"),
        ('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="99"', "length"),
        ('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="x"', "length"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, words: str) -> None:
    assert old in ours()
    text = ours().replace(old, new)
    with pytest.raises(ImageError) as caught:
        parse_hwh(text)
    assert words in str(caught.value)


def test_no_text_is_no_description() -> None:
    for text in ("", "\0", "<", "<html><body>404 Not Found</body></html>"):
        with pytest.raises(ImageError):
            parse_hwh(text)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutations_are_read_or_refused(data: st.DataObject) -> None:
    text = ours()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        span = data.draw(st.integers(0, 300))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + span :]
    with contextlib.suppress(ImageError):
        parse_hwh(text)


def test_files_are_read_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.hwh"
    with pytest.raises(ImageError, match=r"must lie beside the \.bit"):
        read_hwh(path)
    path.write_bytes("é".encode("latin-1"))
    with pytest.raises(ImageError, match="not UTF-8"):
        read_hwh(path)
    path.write_bytes(b"\xef\xbb\xbf<a/>")
    assert read_hwh(path) == "<a/>"
    monkeypatch.setattr(hwh_module, "MAX_BYTES", 6)
    with pytest.raises(ImageError, match="too large"):
        read_hwh(path)
    with pytest.raises(ImageError, match="too large"):
        parse_hwh("<abcdef/>")
