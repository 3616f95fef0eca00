"""Configuration packets: what is read of an image, and how a broken one is named."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ImageError
from harness.firmware.packets import read_configuration

PADDING = (0xFFFF_FFFF,) * 8
BUS_WIDTH = (0x0000_00BB, 0x1122_0044, 0xFFFF_FFFF, 0xFFFF_FFFF)
SYNC = 0xAA99_5566
NOP = 0x2000_0000


def write(register: int, *words: int) -> tuple[int, ...]:
    return (1 << 29 | 2 << 27 | register << 13 | len(words), *words)


def write_many(register: int, words: tuple[int, ...]) -> tuple[int, ...]:
    return (1 << 29 | 2 << 27 | register << 13, 2 << 29 | 2 << 27 | len(words), *words)


def image(*parts: tuple[int, ...], order: str = ">") -> bytes:
    words = [*PADDING, *BUS_WIDTH, SYNC, NOP, *(word for part in parts for word in part)]
    return struct.pack(f"{order}{len(words)}I", *words)


IDCODE, CRC, CMD, AXSS = 12, 0, 4, 13
RCRC, DESYNC = write(CMD, 7), write(CMD, 13)
FRAMES = write_many(2, tuple(range(1000)))
GOOD = (RCRC, write(IDCODE, 0x0372_7093), FRAMES, write(CRC, 0x1234_5678), write(AXSS, 7), DESYNC)


def test_a_whole_image() -> None:
    found = read_configuration(image(*GOOD))
    assert found.sync_offset == 4 * (len(PADDING) + len(BUS_WIDTH))
    assert found.idcodes == (0x0372_7093,)
    assert (found.crc_checks, found.frame_words, found.user_access) == (1, 1000, 7)
    assert found.desynchronised
    assert not found.byte_swapped


def test_a_bin_for_linux_lies_low_byte_first() -> None:
    straight, swapped = (read_configuration(image(*GOOD, order=order)) for order in "><")
    assert swapped.byte_swapped
    assert swapped.idcodes == straight.idcodes
    assert swapped.frame_words == straight.frame_words


def test_the_sync_word_inside_frames_is_no_packet() -> None:
    """Data words are skipped by their count, whatever they look like."""
    frames = write_many(2, (SYNC, *write(IDCODE, 1), *DESYNC))
    found = read_configuration(image(write(IDCODE, 5), frames, DESYNC))
    assert found.idcodes == (5,)
    assert found.frame_words == 5


def test_a_disabled_crc_shows() -> None:
    assert read_configuration(image(RCRC, FRAMES, RCRC, DESYNC)).crc_checks == 0


def test_what_follows_desync_is_not_read() -> None:
    found = read_configuration(image(*GOOD) + b"\0" * 400 + b"\x12\x34")
    assert found.desynchronised
    assert found.packets == read_configuration(image(*GOOD)).packets


def test_no_sync_word() -> None:
    with pytest.raises(ImageError, match="no sync word"):
        read_configuration(b"\xff" * 400)


def test_an_image_cut_inside_its_frames() -> None:
    whole = image(*GOOD)
    with pytest.raises(ImageError, match="of 1000 words lacks"):
        read_configuration(whole[: len(whole) // 2])


def test_an_image_cut_between_packets_does_not_end_properly() -> None:
    assert not read_configuration(image(*GOOD[:-1])).desynchronised


def test_garbage_after_the_sync_word() -> None:
    with pytest.raises(ImageError, match="begins with E0000000"):
        read_configuration(image((0xE000_0000,)))


@given(st.binary(max_size=2000))
def test_any_bytes_after_a_sync_word_end_in_facts_or_an_image_error(data: bytes) -> None:
    try:
        found = read_configuration(struct.pack(">I", SYNC) + data)
    except ImageError:
        return
    assert found.frame_words <= len(data) // 4
    assert found.packets <= len(data) // 4


@given(st.integers(0, 60), st.integers(0, 255))
def test_one_changed_byte_in_the_packets_never_escapes_as_another_error(
    at: int, value: int
) -> None:
    data = bytearray(image(*GOOD))
    data[4 * (len(PADDING) + len(BUS_WIDTH)) + at] = value
    try:
        read_configuration(bytes(data))
    except ImageError as error:
        assert error.hint
