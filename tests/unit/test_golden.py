from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.accelerators import (
    Block,
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


def test_a_score_follows_the_values_of_any_sign() -> None:
    squares = dataclasses.replace(copying(3, 12), output_kind="sum_of_squares")
    rows = golden_rows(squares, np.array([[-2048, 2047, -1], [0, 0, 0]]), 128)
    whole = [int.from_bytes(row.tobytes(), "little") for row in rows]
    assert whole[0] == 0x800 | 0x7FF << 12 | 0xFFF << 24 | (2048**2 + 2047**2 + 1) << 36
    assert whole[1] == 0


def test_values_alone_have_nothing_above_them() -> None:
    values = dataclasses.replace(copying(3, 16), output_kind="values")
    rows = golden_rows(values, np.array([[1, 2, -1]]), 32)
    assert rows.tobytes().hex() == "01000200ffff0000"


@dataclass(frozen=True)
class Running:
    """A layer that adds up everything since the last event whose first value is 0."""

    input: Tensor
    stateful: bool = True
    interval: int = 1
    work: None = None

    @property
    def output(self) -> Tensor:
        return self.input

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        out, state = values.astype(np.int64), np.zeros(values.shape[1], np.int64)
        for row in out:
            state = row + state * (row[0] != 0)
            row[:] = state
        return out

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        return list(arrivals)

    def blocks(self) -> tuple[Block, ...]:
        return ()


def test_events_in_a_loop_must_not_remember_the_round_before() -> None:
    tensor = Tensor(1, 2, NumberFormat(16, 16, signed=True))
    model = Model("running", tensor, (Running(tensor),), "values")
    rows = golden_rows(model, np.array([[0, 7], [1, 1], [1, 2]]), 32)
    assert rows.view("<i2").tolist() == [[0, 7], [1, 8], [2, 10]]
    with pytest.raises(OverlayError, match="event 0 gives another result in the second round"):
        golden_rows(model, np.array([[1, 7], [1, 1]]), 32)


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
