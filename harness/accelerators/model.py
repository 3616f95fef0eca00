"""Bit-exact models of the networks in the fabric.

A model is a chain of layers over raw fixed-point integers. What the fabric computes is defined by
the layers' `apply`, in exact arithmetic, and the gateware must agree in every bit; when it computes
it is defined by their `departures` and `interval`, and the gateware must agree in every cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat
from harness.accelerators.gearbox import Gearbox
from harness.accelerators.layer import Block, Layer, Tensor
from harness.accelerators.outputs import OUTPUTS, Stage
from harness.errors import OverlayError

_CHUNK_VALUES = 1 << 19  # activations of a chunk stay near the cores


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network as the fabric computes it.

    Args:
        name: The overlay's name.
        input: What an event is.
        layers: At least one; each takes what the one before returns.
        output_kind: What the accelerator sends, one of `OUTPUTS`.

    Raises:
        OverlayError: The last layer's values are not what the output needs.
    """

    name: str
    input: Tensor
    layers: tuple[Layer, ...]
    output_kind: str

    def __post_init__(self) -> None:
        _ = self.stage

    @property
    def output(self) -> Tensor:
        """The last layer's values."""
        return self.layers[-1].output

    @property
    def inputs(self) -> int:
        """Values of an event."""
        return self.input.values

    @property
    def outputs(self) -> int:
        """Values of a result."""
        return self.output.values

    @property
    def input_format(self) -> NumberFormat:
        """Format of the values of an event."""
        return self.input.format

    @property
    def output_format(self) -> NumberFormat:
        """Format of the values of a result."""
        return self.output.format

    @property
    def stage(self) -> Stage:
        """What follows the last layer."""
        return OUTPUTS[self.output_kind](self.output)

    @property
    def stateful(self) -> bool:
        """True if an event's result depends on the events before it."""
        return any(layer.stateful for layer in self.layers)

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """Yield the gateware from input to output, each block with the number of its layer."""
        for number, layer in enumerate(self.layers):
            for block in layer.blocks():
                yield number, block
        if self.stage.block is not None:
            yield len(self.layers), self.stage.block

    @property
    def library(self) -> tuple[str, ...]:
        """The files of its blocks below `overlays/lib/rtl`, each once, sorted."""
        modules = {"nn_gearbox", "nn_pack", "nn_unpack"}
        for _, block in self.blocks():
            modules |= {block.module, *block.needs}
        return tuple(f"nn/{module}.sv" for module in sorted(modules))

    def unpack(self, width_bits: int) -> Gearbox:
        """Return what makes lanes of input beats of so many bits."""
        total = self.inputs * self.input.format.width
        beats = -(-total // width_bits)
        lane_bits = self.input.lanes * self.input.format.width
        return Gearbox(total if beats == 1 else width_bits, beats, lane_bits, self.input.beats)

    def pack(self, width_bits: int) -> Gearbox:
        """Return what makes output beats of so many bits; from one beat to one it is only wires."""
        lane_bits = self.output.lanes * self.output.format.width + self.stage.field_bits
        total = self.output.beats * lane_bits
        beats = -(-total // width_bits)
        return Gearbox(lane_bits, self.output.beats, total if beats == 1 else width_bits, beats)

    def interval_cycles(self, in_bits: int, out_bits: int) -> int | None:
        """Return the cycles from an event to the next; none if they depend on the data.

        Args:
            in_bits: Width of the input stream.
            out_bits: Width of the output stream.
        """
        paces = [layer.interval for layer in self.layers]
        paces += [self.unpack(in_bits).interval, self.pack(out_bits).interval]
        known = [pace for pace in paces if pace is not None]
        return max(known) if len(known) == len(paces) else None

    def latency_cycles(self, in_bits: int, out_bits: int) -> int | None:
        """Return the cycles from the first input beat to the last output beat of a lone event.

        None if they depend on the data; widths as in `interval_cycles`.
        """
        if any(layer.interval is None for layer in self.layers):
            return None
        unpack, pack = self.unpack(in_bits), self.pack(out_bits)
        cycles = unpack.departures(range(unpack.in_beats))
        for layer in self.layers:
            cycles = layer.departures(cycles)
        cycles = [cycle + self.stage.latency for cycle in cycles]
        if pack.in_beats > 1 or pack.out_beats > 1:
            cycles = pack.departures(cycles)
        return cycles[-1]

    def forward(self, raw: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the last layer's raw outputs.

        Args:
            raw: Raw inputs, [events, inputs], in the order in which they are played.

        Returns:
            Raw outputs, [events, outputs].

        Raises:
            OverlayError: The events have another shape, or values outside the input format.
        """
        if raw.ndim != 2 or raw.shape[1] != self.inputs:
            raise OverlayError(
                f"events of shape {raw.shape} where the model {self.name} takes [n, {self.inputs}]"
            )
        self.input.format.check(raw, f"input of model {self.name}")
        out = np.empty((len(raw), self.outputs), dtype=np.int64)
        chunk = max(len(raw), 1) if self.stateful else self._chunk
        for start in range(0, len(raw), chunk):
            values: NDArray[Any] = raw[start : start + chunk]
            for layer in self.layers:
                values = layer.apply(values)
            out[start : start + chunk] = values
        return out

    @property
    def _chunk(self) -> int:
        """Events that go through the layers at once."""
        widest = max(self.inputs, *(layer.output.values for layer in self.layers))
        return max(_CHUNK_VALUES // widest, 16)
