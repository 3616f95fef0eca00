"""Damaged archives, on purpose or on the way, are refused by name wherever they are read."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.measure.quality import decoder
from harness.report import tables
from harness.traffic import trace


def archive() -> bytes:
    """Return a packed archive of arrays that each reader takes up."""
    content = io.BytesIO()
    arrays = {"weights_0": np.eye(3), "bias_0": np.arange(3.0)}
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type,unused-ignore]
    return content.getvalue()


def read_decoder(path: Path) -> object:
    return decoder.load(path, shares=False)


def read_table(path: Path) -> object:
    return tables.decode_columns(tables.NPZ, path.read_bytes(), str(path))


def read_trace(path: Path) -> object:
    return trace.read_times(path, 10, "bias_0", "s")


GOOD = archive()
FLIPS = st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
READERS = [read_decoder, read_table, read_trace]


def refused(read: Callable[[Path], object], content: bytes) -> bool:
    """Return whether the reader refuses; anything else that it raises comes through."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.npz"
        path.write_bytes(content)
        with contextlib.suppress(HarnessError):
            read(path)
            return False
    return True


@pytest.mark.parametrize("read", READERS)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_are_read_or_refused(
    read: Callable[[Path], object], flips: list[tuple[int, int]]
) -> None:
    content = bytearray(GOOD)
    for at, value in flips:
        content[at] = value
    refused(read, bytes(content))


@pytest.mark.parametrize("read", READERS)
def test_damage_that_only_unpacking_finds_is_refused(read: Callable[[Path], object]) -> None:
    """Of a stream that deflate cannot follow, zlib complains with an error of its own."""
    content = bytearray(GOOD)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as opened:
        for item in opened.infolist():
            name, extra = (
                int.from_bytes(GOOD[item.header_offset + at :][:2], "little") for at in (26, 28)
            )
            start = item.header_offset + 30 + name + extra
            content[start : start + item.compress_size] = b"\xff" * item.compress_size
    assert refused(read, bytes(content))
