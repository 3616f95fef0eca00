from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accelerators import (
    Dense,
    Model,
    NumberFormat,
    Requantise,
    Tensor,
    classify,
    crc32_of_looped,
    golden_rows,
    identity_rows,
    load_model,
)
from harness.errors import OverlayError
from harness.traffic import Jets

TAGGER = Path(__file__).parents[2] / "overlays" / "jet_tagger"


def copying(values: int, width: int) -> Model:
    """A model whose logits are its inputs."""
    number_format = NumberFormat(width, width, signed=True)
    tensor = Tensor(1, values, number_format)
    layer = Dense(
        input=tensor,
        weights=np.eye(values, dtype=np.int64),
        bias=np.zeros(values, dtype=np.int64),
        weight_format=NumberFormat(2, 2, signed=True),
        requantise=Requantise(0, "floor", "saturate", "none", number_format),
    )
    return Model("copying", tensor, (layer,), "logits_argmax")


def test_logits_and_class_are_where_the_stream_has_them() -> None:
    rows = golden_rows(copying(5, 16), np.array([[1, -2, 0x1234, 3, -32768], [7, 7, -1, 7, 0]]))
    assert rows.shape == (2, 16)
    assert rows[0].tobytes().hex() == "0100feff34120300008002" + "00" * 5
    assert rows[1, 10] == 0  # of three equal logits the first wins


@pytest.mark.parametrize("width", [3, 12, 17])
def test_the_class_follows_logits_of_any_width(width: int) -> None:
    event = [-1, 2, 3, 1]
    (row,) = golden_rows(copying(4, width), np.array([event]), 64 if width < 17 else 128)
    whole = int.from_bytes(row.tobytes(), "little")
    mask = (1 << width) - 1
    assert [whole >> (width * index) & mask for index in range(4)] == [v & mask for v in event]
    assert whole >> (4 * width) == 2


def test_the_taggers_rows_agree_with_its_model() -> None:
    model = load_model(TAGGER / "model.json")
    events = Jets().generate(500, 3).raw
    logits = model.forward(events)
    rows = golden_rows(model, events)
    assert np.array_equal(rows[:, :10].copy().view("<i2"), logits)
    # The lowest index among the largest, spelled out.
    first = [row.index(max(row)) for row in logits.tolist()]
    assert rows[:, 10].tolist() == first == classify(logits).tolist()
    assert not rows[:, 11:].any()


def test_too_many_classes_for_the_stream_are_refused() -> None:
    with pytest.raises(OverlayError, match="257 classes"):
        golden_rows(copying(257, 8), np.zeros((1, 257), dtype=np.int64), 4096)


def test_identity_copies() -> None:
    rows = np.arange(32, dtype=np.uint8).reshape(2, 16)
    same = identity_rows(rows)
    assert np.array_equal(same, rows)
    assert not np.shares_memory(same, rows)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 200), st.integers(0, 2**32))
def test_the_crc_of_a_loop_is_that_of_its_bytes(
    distinct: int, size: int, events: int, seed: int
) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    rows = rng.integers(0, 256, (distinct, size), dtype=np.uint8)
    played = b"".join(rows[event % distinct].tobytes() for event in range(events))
    assert crc32_of_looped(rows, events) == zlib.crc32(played)


def test_the_crc_of_columns_out_of_order_in_memory() -> None:
    rows = np.asfortranarray(np.arange(48, dtype=np.uint8).reshape(3, 16))
    assert crc32_of_looped(rows, 3) == zlib.crc32(bytes(range(48)))


def test_a_long_loop_by_streaming() -> None:
    rows = (np.arange(4096 * 16) % 251).astype(np.uint8).reshape(4096, 16)
    crc = 0
    for _ in range(200):
        crc = zlib.crc32(rows.tobytes(), crc)
    crc = zlib.crc32(rows[:123].tobytes(), crc)
    assert crc32_of_looped(rows, 200 * 4096 + 123) == crc


def test_a_billion_events_split_anywhere_give_the_same_crc() -> None:
    """No reference touches 16 GB; but two rows played n times are one row of twice the size."""
    rng = np.random.Generator(np.random.PCG64(0))
    rows = rng.integers(0, 256, (6, 16), dtype=np.uint8)
    whole = crc32_of_looped(rows, 1_000_000_002)
    assert whole == crc32_of_looped(rows.reshape(3, 32), 500_000_001)
    assert whole == crc32_of_looped(np.tile(rows, (7, 1)), 1_000_000_002)


@pytest.mark.parametrize(("rows", "events"), [((0, 16), 1), ((2, 16), -1)])
def test_nothing_to_send_is_refused(rows: tuple[int, int], events: int) -> None:
    with pytest.raises(OverlayError, match="cannot send"):
        crc32_of_looped(np.zeros(rows, dtype=np.uint8), events)
