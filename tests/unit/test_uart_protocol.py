"""Frames survive any bytes, damage does not survive, and the gateware has the same constants."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import uart_protocol
from harness.overlay import find_overlay
from harness.uart_protocol import Cause, Frame, Kind, Splitter, cobs_decode, cobs_encode, decode

DATA = st.binary(max_size=1200) | st.integers(0, 1100).map(lambda n: b"\x01" * n)
WORDS = st.integers(0, 40).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))
FRAMES = st.builds(Frame, st.sampled_from([1, 2, 3, 16, 129, 255]), st.integers(0, 65535), WORDS)


@given(DATA)
def test_stuffing_takes_out_every_zero_and_can_be_undone(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert 0 not in encoded
    assert len(data) < len(encoded) <= len(data) + 1 + -(-len(data) // 254)
    assert cobs_decode(encoded) == data


def test_stuffing_as_its_authors_show_it() -> None:
    """Examples of the paper: Cheshire and Baker, Consistent Overhead Byte Stuffing (1999)."""
    full = bytes(range(1, 255))
    for data, encoded in (
        (b"", b"\x01"),
        (b"\0", b"\x01\x01"),
        (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
        (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
        (b"\0" + full, b"\x01\xff" + full + b"\x01"),
        (full + b"\xff", b"\xff" + full + b"\x02\xff"),
    ):
        assert cobs_encode(data) == encoded
        assert cobs_decode(encoded) == data
    assert cobs_decode(b"\xff" + full) == full  # without the empty block at the end, as the bridge


@pytest.mark.parametrize("encoded", [b"\0", b"\x03\x01", b"\x05", b"\x02\x01\x09", b"\x01\0"])
def test_what_is_malformed_is_none(encoded: bytes) -> None:
    assert cobs_decode(encoded) is None


@given(FRAMES)
def test_a_frame_is_what_it_was(frame: Frame) -> None:
    encoded = frame.encode()
    assert encoded.endswith(b"\0")
    assert decode(encoded[:-1]) == frame


@given(FRAMES, st.data())
def test_no_damaged_frame_is_taken(frame: Frame, data: st.DataObject) -> None:
    encoded = frame.encode()[:-1]
    place = data.draw(st.integers(0, len(encoded) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    flipped = encoded[:place] + bytes([encoded[place] ^ bit]) + encoded[place + 1 :]
    lost = encoded[:place] + encoded[place + 1 :]
    for damaged in (flipped, lost):
        assert decode(damaged) in {None, frame}


@given(st.lists(FRAMES, max_size=5), st.binary(max_size=20), st.data())
def test_frames_are_found_however_the_bytes_come(
    frames: list[Frame], noise: bytes, data: st.DataObject
) -> None:
    stream = noise + b"\0" + b"".join(frame.encode() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    splitter = Splitter()
    pieces = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        pieces += splitter.feed(stream[begin:end])
    found = [frame for frame in map(decode, pieces) if frame is not None]
    assert found[len(found) - len(frames) :] == frames


def test_a_frame_whose_length_is_not_its_own_is_none() -> None:
    raw = bytes([1, 2, 3, 0, 8, 0, 0, 0, 1, 2, 3, 4])
    assert decode(cobs_encode(raw + zlib.crc32(raw).to_bytes(4, "little"))) is None


def test_endless_noise_is_not_kept() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert splitter.feed(b"\x55" * 1000) == []
    assert len(splitter.rest) <= uart_protocol.MAX_FRAME_BYTES + 1
    (long,) = splitter.feed(b"\0")
    assert decode(long) is None
    frame = Frame(Kind.READ, 5)
    assert [decode(piece) for piece in splitter.feed(frame.encode())] == [frame]


def test_the_gateware_speaks_the_same() -> None:
    text = find_overlay("dial").uart_rtl[0].read_text()
    found = {
        name: int(value, {"h": 16, "d": 10}[base])
        for name, base, value in re.findall(r"(\w+)\s*= \d+'([hd])([0-9a-f_]+)[;,\n]", text)
    }
    for cause in Cause:
        assert found[cause.name] == cause
    for kind in (Kind.HELLO, Kind.READ, Kind.WRITE, Kind.ERROR):
        assert found[kind.name] == kind
    assert found["VERSION"] == uart_protocol.VERSION
    assert found["MAGIC"] == uart_protocol.MAGIC
    assert found["REPLY"] == uart_protocol.REPLY
    assert set(uart_protocol.MEANING) == set(Cause)
