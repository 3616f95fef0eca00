from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accelerators import NumberFormat, Overflow, Rounding, pack_fields
from harness.errors import OverlayError

formats = st.builds(
    NumberFormat,
    width=st.integers(1, 63),
    integer=st.integers(-20, 70),
    signed=st.booleans(),
)
roundings: st.SearchStrategy[Rounding] = st.sampled_from(["floor", "half_up"])
overflows: st.SearchStrategy[Overflow] = st.sampled_from(["saturate", "wrap"])


def naive(value: float, number_format: NumberFormat, rounding: Rounding, overflow: Overflow) -> int:
    """The definition, in rationals."""
    scaled = Fraction(value) * Fraction(2) ** number_format.fraction
    raw = math.floor(scaled + Fraction(1, 2) if rounding == "half_up" else scaled)
    if overflow == "saturate":
        return max(number_format.minimum, min(number_format.maximum, raw))
    raw %= 1 << number_format.width
    return raw - (1 << number_format.width) if raw > number_format.maximum else raw


@settings(deadline=None)
@given(formats, st.lists(st.floats(-1e12, 1e12), min_size=1), roundings, overflows)
def test_quantise_agrees_with_rationals(
    number_format: NumberFormat, values: list[float], rounding: Rounding, overflow: Overflow
) -> None:
    got = number_format.quantise(np.array(values), rounding, overflow)
    assert got.dtype == np.int64
    assert got.tolist() == [naive(v, number_format, rounding, overflow) for v in values]


@settings(deadline=None)
@given(formats, st.data())
def test_quantise_agrees_next_to_every_edge(
    number_format: NumberFormat, data: st.DataObject
) -> None:
    lsb = 2.0**-number_format.fraction
    edge = data.draw(st.sampled_from([number_format.minimum, 0, number_format.maximum])) * lsb
    value = edge + data.draw(st.sampled_from([-1.5, -1, -0.5, 0, 0.5, 1])) * lsb
    near = [np.nextafter(value, -math.inf), value, np.nextafter(value, math.inf)]
    for rounding in ("floor", "half_up"):
        for overflow in ("saturate", "wrap"):
            got = number_format.quantise(np.array(near), rounding, overflow)
            assert got.tolist() == [naive(v, number_format, rounding, overflow) for v in near]


def test_half_up_does_not_round_twice() -> None:
    whole = NumberFormat(8, 8, signed=True)
    below = np.nextafter(0.5, 0)
    got = whole.quantise(np.array([below, 0.5, -0.5, -1.5, 1.5]), "half_up")
    assert got.tolist() == [0, 1, 0, -1, 2]


def test_floor_and_wrap_are_ap_fixed_defaults() -> None:
    jet = NumberFormat(16, 6, signed=True)
    assert (jet.fraction, jet.minimum, jet.maximum, str(jet)) == (
        10,
        -32768,
        32767,
        "ap_fixed<16,6>",
    )
    values = np.array([31.9999, 32.0, -32.0, -32.0005, -0.0001, 96.5])
    assert jet.quantise(values, "floor", "wrap").tolist() == [
        32767,
        -32768,
        -32768,
        32767,
        -1,
        -31 * 1024 - 512,
    ]
    assert jet.quantise(values).tolist() == [32767, 32767, -32768, -32768, -1, 32767]


def test_infinities_saturate_and_nothing_else() -> None:
    byte = NumberFormat(8, 8, signed=False)
    assert byte.quantise(np.array([np.inf, -np.inf]), "half_up").tolist() == [255, 0]
    with pytest.raises(OverlayError, match="infinite"):
        byte.quantise(np.array([np.inf]), "floor", "wrap")
    with pytest.raises(OverlayError, match="not a number"):
        byte.quantise(np.array([np.nan]))


@settings(deadline=None)
@given(formats.filter(lambda f: f.width <= 53), st.data())
def test_to_float_inverts_quantise(number_format: NumberFormat, data: st.DataObject) -> None:
    raw = data.draw(st.lists(st.integers(number_format.minimum, number_format.maximum), min_size=1))
    values = number_format.to_float(np.array(raw))
    assert number_format.quantise(values, "floor", "wrap").tolist() == raw
    assert Fraction(values[0]) == Fraction(raw[0]) / Fraction(2) ** number_format.fraction


@settings(deadline=None)
@given(
    st.integers(1, 63),
    st.booleans(),
    st.sampled_from([8, 32, 64, 128, 256, 1024]),
    st.integers(1, 20),
    st.data(),
)
def test_pack_is_one_big_little_endian_integer(
    width: int, signed: bool, stream: int, values: int, data: st.DataObject
) -> None:
    number_format = NumberFormat(width, width, signed)
    value = st.integers(number_format.minimum, number_format.maximum)
    events = data.draw(st.lists(st.lists(value, min_size=values, max_size=values), min_size=1))
    packed = number_format.pack(np.array(events, dtype=np.int64), stream)
    size = -(-values * width // stream) * stream // 8
    assert packed.dtype == np.uint8
    assert packed.shape == (len(events), size)
    mask = (1 << width) - 1
    for row, event in zip(packed, events, strict=True):
        whole = sum((item & mask) << (index * width) for index, item in enumerate(event))
        assert row.tobytes() == whole.to_bytes(size, "little")
    assert number_format.unpack(packed, values).tolist() == events


@pytest.mark.parametrize("width", range(1, 64))
def test_every_width_crosses_words_at_every_offset(width: int) -> None:
    number_format = NumberFormat(width, width, signed=False)
    event = [number_format.maximum - index % 2 for index in range(64)]
    (row,) = number_format.pack(np.array([event], dtype=np.int64), 64)
    whole = sum(item << (index * width) for index, item in enumerate(event))
    assert row.tobytes() == whole.to_bytes(8 * width, "little")
    assert number_format.unpack(row[None], 64).tolist() == [event]


def test_pack_takes_narrow_arrays_and_refuses_what_does_not_fit() -> None:
    nibble = NumberFormat(4, 4, signed=False)
    assert nibble.pack(np.array([[1, 2, 3]], dtype=np.int8), 16).tolist() == [[0x21, 0x03]]
    with pytest.raises(OverlayError, match=r"0\.\.16 do not fit ap_ufixed<4,4>"):
        nibble.pack(np.array([[0, 16]]), 16)
    with pytest.raises(OverlayError, match="in beats of 12 bits"):
        nibble.pack(np.array([[0]]), 12)
    with pytest.raises(OverlayError, match="do not fit in events of 1 bytes"):
        nibble.unpack(np.zeros((1, 1), dtype=np.uint8), 3)


def test_fields_of_different_widths_lie_side_by_side() -> None:
    fields = [np.array([-1, 0]), np.array([2, 1]), np.array([1 << 40, 5])]
    rows = pack_fields(fields, [7, 3, 62], 128)
    whole = [int.from_bytes(row.tobytes(), "little") for row in rows]
    assert whole == [127 | 2 << 7 | 1 << 50, 1 << 7 | 5 << 10]


@pytest.mark.parametrize(
    ("width", "integer", "signed"),
    [(0, 0, True), (64, 6, True), (True, 1, True), (8, 4.0, True), (8, 9999, True), (8, 4, 1)],
)
def test_impossible_formats_are_refused(width: int, integer: int, signed: bool) -> None:
    with pytest.raises(OverlayError, match="of a number format"):
        NumberFormat(width, integer, signed)
