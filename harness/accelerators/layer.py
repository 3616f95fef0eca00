"""What a layer is: an exact reference, and blocks of gateware that compute the same.

The tensor of an event travels as a fixed number of beats of so many lanes; value i is lane
`i % lanes` of beat `i // lanes`. Every block has the same ports: `clk_i`, `rst_ni`, `in_valid_i`,
`in_ready_o`, `in_data_i [InLanes]`, and the same outwards. There is no last: a block counts beats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.accelerators.fixed import NumberFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_VALUES = 65536
"""Refuses a typing error in a model file before it becomes an allocation."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """The values of an event between two layers.

    Args:
        beats: Cycles in which it is handed over.
        lanes: Values in each.
        format: Of a value.
    """

    beats: int
    lanes: int
    format: NumberFormat

    @property
    def values(self) -> int:
        """Values of an event."""
        return self.beats * self.lanes


@dataclass(frozen=True, slots=True)
class Array:
    """Integers that a block takes as a parameter.

    Args:
        values: Nested sequences or an array, of any depth; whole numbers of any size.
        width: Bits of each.
        signed: Two's complement if true.
    """

    values: Any
    width: int
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """One instance of a module of `overlays/lib/rtl/nn`.

    Args:
        module: Its name; its file is `nn/<module>.sv`.
        lanes: Values it gives in a beat.
        width: Bits of each.
        parameters: Numbers, by the module's names.
        arrays: Integers that go into the weights package, by the module's names.
        needs: Other modules of the library that it instantiates.
        cfg_words: Words of its registers; 0 for a block without the ports `cfg_we_i`,
            `cfg_addr_i [13:0]`, `cfg_wdata_i [31:0]` and `cfg_rdata_o [31:0]`. Addresses count from
            the block's first word; a word is read one cycle after its address is set.
        loading: What the host writes to give it the weights it was made with: words and values.
    """

    module: str
    lanes: int
    width: int
    parameters: Mapping[str, int]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    cfg_words: int = 0
    loading: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a layer keeps, and does for an event.

    Args:
        fan_in: Products that are summed up for one output.
        weights: Integers that products are made with, each counted once however often it is used.
        biases: Integers that are added, thresholds among them.
        multiplications: Products of an event.
        weight_bits: Bits of a weight.
        bias_bits: Bits of a bias, as wide as the widest needs.
        nonzero: Weights that are not zero.
    """

    fan_in: int
    weights: int
    biases: int
    multiplications: int
    weight_bits: int
    bias_bits: int
    nonzero: int


def bits_of(values: NDArray[np.integer[Any]]) -> int:
    """Return the bits of a two's complement number that holds every one of these integers."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return 1 + max((-low - 1).bit_length() if low < 0 else 0, high.bit_length())


class Layer(Protocol):
    """A layer with all its integers; frozen once it is made."""

    @property
    def input(self) -> Tensor:
        """What it takes."""

    @property
    def output(self) -> Tensor:
        """What it gives."""

    @property
    def stateful(self) -> bool:
        """True if an event's result depends on the events before it.

        `apply` then gets all events at once, in the order in which they are played.
        """

    @property
    def interval(self) -> int | None:
        """Cycles from an event to the next at its own pace; none if it depends on the data."""

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer, exactly.

        Args:
            values: Raw inputs as integers, or as floats with integer values, [events, values]. Not
                to be changed.

        Returns:
            Raw outputs, in whatever numeric type is exact and fastest, [events, values].
        """

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when an event's output beats are first offered, in an idle layer.

        Args:
            arrivals: Cycles in which its input beats are first offered, increasing.

        Returns:
            One cycle an output beat; results are taken as soon as they are there. The worst case
            where it depends on the data.
        """

    @property
    def work(self) -> Work | None:
        """What it keeps and does; none if it has no weights."""

    def blocks(self) -> tuple[Block, ...]:
        """Return the gateware, in the order in which values pass through it."""
