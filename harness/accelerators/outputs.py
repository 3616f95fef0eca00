"""What an accelerator sends: the last layer's values from bit 0, and what is derived from them.

The derived field lies right above the values; zeros fill the last beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.layer import Block, Tensor
from harness.errors import OverlayError

_CLASS_BITS = 8
_SCORE_BITS = 32


@dataclass(frozen=True, slots=True)
class Stage:
    """The last stage of an accelerator, for one shape of values.

    Args:
        derive: The derived field of each event from raw values [events, values], int64 [events].
        block: Gateware; passes the values on.
        port: Of the block, the derived number.
        port_bits: Its bits.
        field_bits: Bits of the field that it goes out in.
        latency: Cycles of the block.
    """

    derive: Callable[[NDArray[np.integer[Any]]], NDArray[np.int64]] | None = None
    block: Block | None = None
    port: str = ""
    port_bits: int = 0
    field_bits: int = 0
    latency: int = 0


def classify(logits: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the index of the largest logit of each event; the lowest index wins a tie."""
    index: NDArray[np.int64] = np.argmax(logits, axis=1).astype(np.int64)
    return index


def sum_of_squares(values: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the sum of the squares of each event's raw values."""
    wide = values.astype(np.int64, copy=False)
    total: NDArray[np.int64] = np.einsum("ij,ij->i", wide, wide)
    return total


def _values(_tensor: Tensor) -> Stage:
    return Stage()


def _logits_argmax(tensor: Tensor) -> Stage:
    _one_beat(tensor, "logits_argmax")
    if tensor.values > 1 << _CLASS_BITS:
        raise OverlayError(f"{tensor.values} classes, {1 << _CLASS_BITS} fit the stream")
    if not tensor.format.signed:
        raise OverlayError("logits have no sign", why="nn_argmax compares signed numbers")
    width = tensor.format.width
    block = Block("nn_argmax", tensor.lanes, width, {"Values": tensor.lanes, "Width": width})
    bits = max(1, (tensor.lanes - 1).bit_length())
    return Stage(classify, block, "out_index_o", bits, _CLASS_BITS, 1)


def _sum_of_squares(tensor: Tensor) -> Stage:
    _one_beat(tensor, "sum_of_squares")
    largest = max(abs(tensor.format.minimum), tensor.format.maximum)
    bits = (tensor.values * largest**2).bit_length()
    if bits > _SCORE_BITS:
        raise OverlayError(f"the score needs {bits} bits, {_SCORE_BITS} fit the stream")
    width = tensor.format.width
    parameters = {
        "Values": tensor.lanes,
        "Width": width,
        "Signed": int(tensor.format.signed),
        "ScoreWidth": bits,
    }
    block = Block("nn_sum_of_squares", tensor.lanes, width, parameters)
    return Stage(sum_of_squares, block, "out_score_o", bits, _SCORE_BITS, 2)


def _one_beat(tensor: Tensor, kind: str) -> None:
    if tensor.beats != 1:
        raise OverlayError(
            f"{kind} needs its values in one beat, they come in {tensor.beats}",
            hint=f'put a layer {{"kind": "regroup", "lanes": {tensor.values}}} before it',
        )


OUTPUTS: Mapping[str, Callable[[Tensor], Stage]] = MappingProxyType(
    {
        "values": _values,
        "logits_argmax": _logits_argmax,
        "sum_of_squares": _sum_of_squares,
    }
)
"""What makes the last stage for a shape, by the name in `model.json`; no derived field: `values`,
the index of the largest in 8 bits: `logits_argmax`, the score in 32 bits: `sum_of_squares`."""
