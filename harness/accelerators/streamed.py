"""A network whose weights lie in memory: how they are laid out, and the image that the host writes.

All layers share one row of `lanes` multipliers. The outputs of a layer are spread over `spread`
lanes, the next power of two, and a row holds the weights of `lanes / spread` inputs: lane j of row
r weighs input `r * lanes / spread + j // spread` for output `j % spread`. Rows follow one another
without padding, as signed fields, least significant bit and byte first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from harness.accelerators.layers.dense import Dense
from harness.errors import OverlayError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.accelerators.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """The layout of a model's weights.

    Args:
        model: What is computed.
        lanes: Weights of a row, a power of two.
        beat_bytes: Bytes of a beat of the memory port.

    Raises:
        OverlayError: A layer has more outputs than lanes, or the weights are no whole beats.
    """

    model: Model
    lanes: int
    beat_bytes: int

    def __post_init__(self) -> None:
        for number, layer in enumerate(self.model.layers):
            most = max(layer.input.values, layer.output.values)
            if (
                not isinstance(layer, Dense)
                or most > self.lanes
                or layer.requantise.overflow != "saturate"
                or not layer.weight_format.signed
            ):
                raise OverlayError(
                    f"layer {number} cannot be streamed",
                    where=f"model {self.model.name}",
                    why=f"it is a {type(layer).__name__} of up to {most} values",
                    hint=f"dense layers of at most {self.lanes} values, signed and saturating",
                )
        if self.image_bytes % self.beat_bytes or self.row_bits % 32:
            raise OverlayError(
                f"{self.rows} rows of {self.row_bits} bits are no whole beats",
                where=f"model {self.model.name}",
                why=f"a beat has {self.beat_bytes} bytes",
                hint="take another width of the memory port, or other lanes",
            )

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers, dense as they all are."""
        return tuple(layer for layer in self.model.layers if isinstance(layer, Dense))

    @property
    def weight_bits(self) -> int:
        """Bits of a weight."""
        return max(layer.weight_format.width for layer in self.layers)

    @property
    def row_bits(self) -> int:
        """Bits of a row."""
        return self.lanes * self.weight_bits

    @property
    def layer_rows(self) -> tuple[int, ...]:
        """Rows of each layer."""
        return tuple(
            -(-layer.input.values * self.spread(layer) // self.lanes) for layer in self.layers
        )

    @property
    def rows(self) -> int:
        """Rows of all layers."""
        return sum(self.layer_rows)

    @property
    def image_bytes(self) -> int:
        """Bytes of all weights; a partial byte counts as one."""
        return -(-self.rows * self.row_bits // 8)

    @property
    def beats(self) -> int:
        """Beats of all weights."""
        return self.image_bytes // self.beat_bytes

    @property
    def unit_bits(self) -> int:
        """The largest number of bits that beats and rows are multiples of."""
        return gcd(self.row_bits, 8 * self.beat_bytes)

    @property
    def group_rows(self) -> int:
        """Fewest rows that are whole beats; what is resident is a multiple of it."""
        return 8 * self.beat_bytes // self.unit_bits

    @property
    def group_beats(self) -> int:
        """The beats that they are."""
        return self.row_bits // self.unit_bits

    def spread(self, layer: Dense) -> int:
        """Return the lanes that hold one input's weights."""
        return 1 << (layer.output.values - 1).bit_length()

    def resident_rows(self, asked: int) -> int:
        """Return how many rows stay on chip if the register says `asked`."""
        return min(asked, self.rows) // self.group_rows * self.group_rows

    def streamed_beats(self, resident_rows: int) -> int:
        """Return the beats that an event takes from memory with so many rows resident."""
        return self.beats - resident_rows // self.group_rows * self.group_beats

    def image(self) -> NDArray[np.uint8]:
        """Return the weights as they lie in memory, uint8 [image_bytes]."""
        fields = np.concatenate([self._rows(layer).ravel() for layer in self.layers])
        bits = fields[:, None] >> np.arange(self.weight_bits) & 1
        return np.packbits(bits.astype(np.uint8), bitorder="little")

    def _rows(self, layer: Dense) -> NDArray[np.int64]:
        """Return a layer's rows, int64 [rows, lanes]."""
        spread = self.spread(layer)
        per_row = self.lanes // spread
        rows = -(-layer.input.values // per_row)
        laid = np.zeros((rows * per_row, spread), np.int64)
        laid[: layer.input.values, : layer.output.values] = layer.weights.T
        return laid.reshape(rows, self.lanes)
