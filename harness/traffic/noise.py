"""Uniform noise: every bit of every value random, for paths and accelerators without a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.errors import BenchmarkError
from harness.traffic.events import BLOCK_EVENTS, Block, Events, in_blocks, random_words


@dataclass(frozen=True, slots=True)
class Noise:
    """Values uniform over all that a number format can hold.

    Args:
        number_format: Format of the values.
        values: Values of an event, at least 1.

    Raises:
        BenchmarkError: There are no values.
    """

    number_format: NumberFormat
    values: int
    name: str = "noise"
    version: int = 1
    labels: tuple[str, ...] = ()
    truth_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values < 1:
            raise BenchmarkError(f"{self.values} values in an event of noise")

    def generate(self, events: int, seed: int) -> Events:
        """Make events; see `Source.generate`."""
        return in_blocks(self, self._block, events, seed)

    def _dtype(self) -> np.dtype[Any]:
        """Return the narrowest integer type that holds the format."""
        size = next(size for size in (1, 2, 4, 8) if self.number_format.width <= 8 * size)
        return np.dtype(f"{'i' if self.number_format.signed else 'u'}{size}")

    def _block(self, seed: int, block: int) -> Block:
        """Return one block: the low bits of random fields, seen as the format sees them."""
        dtype = self._dtype()
        count = BLOCK_EVENTS * self.values
        words = random_words(seed, block, -(-count * dtype.itemsize // 8))
        fields = words.view(dtype.newbyteorder("<"))[:count].reshape(BLOCK_EVENTS, self.values)
        spare = 8 * dtype.itemsize - self.number_format.width
        # Down from the top of the field: arithmetic for signed types, so the sign is right as well.
        values: NDArray[np.integer[Any]] = fields.astype(dtype, copy=False) >> dtype.type(spare)
        return values, np.full(BLOCK_EVENTS, -1, dtype=np.int8)
