"""A `.bit` is read exactly or refused with a reason; nothing else ever happens."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bitfile import BitFile, build_bit, emulation_facts, parse_bit
from harness.errors import ImageError
from harness.generate.image import emulation_bit
from harness.inventory import BOARDS
from harness.overlay import find_overlay

SYNC = bytes.fromhex("AA995566")
SWAPPED = bytes.fromhex("665599AA")
REAL = BitFile(
    "top",
    "xczu7ev-ffvc1156-2-e",
    "2025/01/31",
    "12:34:56",
    b"\xff" * 32 + SYNC + bytes(28),
    (("UserID", "0XFFFFFFFF"), ("Version", "2024.1")),
)
GOOD = build_bit(REAL)
TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";="), min_size=1
)


def header_bytes(bit: bytes) -> int:
    return len(bit) - len(REAL.payload)


def test_the_layout_is_the_published_one() -> None:
    design = b"top;UserID=0XFFFFFFFF;Version=2024.1\0"
    expected = bytes.fromhex("0009 0ff00ff00ff00ff000 0001 61") + len(design).to_bytes(2, "big")
    assert GOOD.startswith(
        expected + design + b"b\x00\x15xczu7ev-ffvc1156-2-e\0c\x00\x0b2025/01/31\0"
    )
    assert GOOD.endswith(b"d\x00\x0912:34:56\0e\x00\x00\x00\x40" + REAL.payload)


@given(
    st.builds(
        BitFile,
        design=TEXT,
        part=TEXT,
        date=TEXT,
        time=TEXT,
        payload=st.binary(min_size=1, max_size=64).map(lambda data: data * 4),
        attributes=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    )
)
def test_what_is_built_is_read_back(content: BitFile) -> None:
    assert parse_bit(build_bit(content)) == content


@pytest.mark.parametrize("size", range(len(GOOD)))
def test_every_cut_is_refused(size: int) -> None:
    with pytest.raises(ImageError) as caught:
        parse_bit(GOOD[:size])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "begins with nothing"),
        (b"\0", "begins with 00"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n\n<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        (b"\x7fELF\x02\x01", "an ELF program"),
        (b"PK\x03\x04", ".xsa"),
        (b"\xff" * 64 + SYNC, "raw .bin"),
        (GOOD + b"\0", "has bytes after its end"),
        (GOOD[:-4], "is cut short"),
        (GOOD[:4], "not a .bit"),
        (GOOD.replace(b"b\x00\x15", b"z\x00\x15"), "has no part field"),
        (GOOD.replace(b"b\x00\x15", b"b\xff\xff"), "ends inside the part field"),
        (GOOD.replace(b"b\x00\x15", b"b\x00\x00"), "no NUL-terminated string"),
        (GOOD.replace(b"xczu7ev", b"xczu7\xe9v"), "no printable ASCII"),
        (GOOD.replace(b"xczu7ev", b"xczu\x1b[m"), "no printable ASCII"),
        (GOOD.replace(b"xczu7ev", b"xczu\0ev"), "no NUL-terminated string"),
        (GOOD.replace(b"e\x00\x00\x00\x40", b"e\xff\xff\xff\xff"), "is cut short"),
        (GOOD.replace(b"e\x00\x00\x00\x40", b"e\x80\x00\x00\x00"), "is cut short"),
        (GOOD.replace(b"e\x00\x00\x00\x40", b"f\x00\x00\x00\x40"), "has no payload"),
        (GOOD[: header_bytes(GOOD) - 4] + bytes(4), "no whole number of words"),
        (GOOD[: header_bytes(GOOD) - 4] + b"\0\0\0\x03abc", "no whole number of words"),
    ],
)
def test_malformations_are_named(data: bytes, words: str) -> None:
    with pytest.raises(ImageError) as caught:
        parse_bit(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("version", [b";Version 2024.1\0", b";Version2024.1=\0"])
def test_attributes_without_name_or_value_come_back_as_they_were(version: bytes) -> None:
    bit = GOOD.replace(b";Version=2024.1\0", version)
    assert build_bit(parse_bit(bit)) == bit


@given(st.data())
def test_mutations_are_read_or_refused(data: st.DataObject) -> None:
    bit = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(bit) - 1))
        kind = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if kind == "set":
            bit[at] = data.draw(st.integers(0, 255))
        elif kind == "insert":
            bit[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            del bit[at : at + data.draw(st.integers(1, 8))]
    with contextlib.suppress(ImageError):
        content = parse_bit(bytes(bit))
        assert build_bit(content) == bytes(bit)


@given(st.binary(max_size=256))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        parse_bit(data)


def test_a_real_image_is_told_from_an_emulation_image() -> None:
    assert REAL.has_sync_word
    assert emulation_facts(REAL) is None
    for name in ("zcu104", "kv260", "pynq-z2"):
        overlay = find_overlay("loopback")
        content = parse_bit(emulation_bit(overlay, BOARDS[name], "<hwh/>"))
        assert (content.design, content.part) == ("fabric_top", BOARDS[name].bit_part)
        assert not content.has_sync_word
        assert SYNC not in content.payload
        assert SWAPPED not in content.payload
        facts = emulation_facts(content)
        assert facts is not None
        assert (facts["digest"], facts["board"]) == (overlay.digest, name)


def test_an_emulation_image_with_a_sync_word_is_none() -> None:
    content = parse_bit(emulation_bit(find_overlay("loopback"), BOARDS["zcu104"], ""))
    for word in (SYNC, SWAPPED):
        forged = BitFile("a", "b", "c", "d", content.payload + word)
        assert emulation_facts(forged) is None


def test_pynqs_own_parser_agrees() -> None:
    from pynq.pl_server.embedded_device import bit2bin, parse_bit_header

    import harness.emulation.pynq_device  # noqa: F401 (imports pynq without its warnings)

    found = parse_bit_header(GOOD)
    assert (found["design"], found["part"], found["data"]) == ("top", REAL.part, REAL.payload)
    assert (found["version"], found["date"]) == ("Version=2024.1", REAL.date)
    # fpga_manager wants the words byte-swapped; our images have no sync word in that order either.
    image = emulation_bit(find_overlay("loopback"), BOARDS["pynq-z2"], "")
    assert SYNC not in bit2bin(image)
    assert SWAPPED not in bit2bin(image)
