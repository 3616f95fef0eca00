"""A convolution in two dimensions over an image that streams in; in one, with an image of one row.

    {"kind": "conv2d", "rows": 32, "columns": 32, "channels": 1, "filters": 4, "kernel": [3, 3],
     "stride": [2, 2], "padding": "same", "reuse": 2, "weight_format": {...},
     "weights": [[[[...], ...], ...], ...], "bias": [...], "shift": 7, ...}

`weights` is [filters][kernel rows][kernel columns][channels]. Pixels come row by row, channels
last, one a beat; windows go out the same way. `stride` is [1, 1] and `reuse`, the steps in which a
window is multiplied, is 1 if they are not given. `padding` is `valid` or `same`: as many windows in
a row as there are strides, the first with (kernel - 1) / 2 zeros before it, as PyTorch has it. With
`"loadable": true`, as in `dense.py`, a beat may also be a whole row, and so goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.layer import MAX_VALUES, Block, Tensor, Work
from harness.accelerators.layers.axis import Axis
from harness.accelerators.layers.dense import Dense
from harness.accelerators.node import Node
from harness.accelerators.requantise import KEYS as REQUANTISE_KEYS

_SHAPE = ("rows", "columns", "channels", "filters", "kernel", "padding")
_KEYS = ("kind", *_SHAPE, "weight_format", "weights", "bias", *REQUANTISE_KEYS)
_SUMMED_AND_REQUANTISED = 3  # cycles from a window's last step to its output
_SETTLED = 4  # events after which one follows another like the one before


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d:
    """A convolution with requantisation and activation.

    Args:
        input: What comes in: a pixel a beat, or a row.
        rows: The image from top to bottom.
        columns: From left to right.
        dense: What is done with a window: its values, row by row and channels last, to filters.
    """

    input: Tensor
    rows: Axis
    columns: Axis
    dense: Dense
    stateful: ClassVar[bool] = False

    @classmethod
    def parse(cls, node: Node, tensor: Tensor) -> Conv2d:
        """Read the layer that takes `tensor`."""
        members = node.table(_KEYS, ("stride", "reuse", "loadable"))
        height, width, channels, filters = (
            members[key].integer(1, MAX_VALUES) for key in _SHAPE[:4]
        )
        if height * width * channels != tensor.values:
            node.fail(f"{height} x {width} x {channels} values, but {tensor.values} arrive")
        loadable = "loadable" in members and members["loadable"].flag()
        if tensor.lanes not in {channels, width * channels if loadable else channels}:
            node.fail(
                f"{tensor.lanes} values a beat, where a pixel has {channels}",
                f'put {{"kind": "regroup", "lanes": {channels}}} before it',
            )
        kernel = members["kernel"].integers((2,), 1, MAX_VALUES).tolist()
        stride = (
            members["stride"].integers((2,), 1, MAX_VALUES).tolist()
            if "stride" in members
            else [1, 1]
        )
        same = members["padding"].choice(("same", "valid")) == "same"
        for size, length in zip(kernel, (height, width), strict=True):
            if not same and size > length:
                members["kernel"].fail(f"{size} is more than the image's {length}")
        rows, columns = (
            Axis(length, size, step, same)
            for length, size, step in zip((height, width), kernel, stride, strict=True)
        )
        window = Tensor(1, kernel[0] * kernel[1] * channels, tensor.format)
        dense = Dense.of(members, window, (filters, *kernel, channels))
        return cls(tensor, rows, columns, dense)

    @property
    def channels(self) -> int:
        """Values of a pixel that comes in."""
        return self.input.values // (self.rows.length * self.columns.length)

    @property
    def row_at_once(self) -> bool:
        """Whether a beat is a row; else it is a pixel."""
        return self.input.lanes != self.channels

    @property
    def _across(self) -> Axis:
        """The beats of a row."""
        return Axis(1, 1, 1, same=False) if self.row_at_once else self.columns

    @property
    def filters(self) -> int:
        """Values of a pixel that goes out."""
        return len(self.dense.weights)

    @property
    def output(self) -> Tensor:
        """Pixels or rows, as they come in."""
        beats = self.rows.windows * self._across.windows
        lanes = self.filters * self.columns.windows // self._across.windows
        return Tensor(beats, lanes, self.dense.requantise.output_format)

    @property
    def _lag(self) -> int:
        """Steps without a beat that windows beyond the end of the image need."""
        return self.rows.after * self._across.length + self._across.after

    @property
    def _emitting(self) -> list[int]:
        """Steps of an event that complete a window, or a row of them."""
        across = self._across
        return [
            (row + self.rows.after) * across.length + column + across.after
            for row in self.rows.ends
            for column in across.ends
        ]

    @property
    def interval(self) -> int:
        """A cycle a step, or what the windows' products take if that is more."""
        beats = self.input.beats
        ends: list[int] = []
        cycle = taken = -1
        for event in range(_SETTLED):
            # The last step of an event is the first of the next if it needs no pixel.
            first = 1 if event and self._lag else 0
            cycle, taken, _ = self._walk(cycle, taken, first, [0] * beats)
            ends.append(cycle)
        return ends[-1] - ends[-2]

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when each window's outputs are there."""
        return self._walk(-1, -1, 0, arrivals)[2]

    def _walk(
        self, cycle: int, taken: int, first: int, arrivals: Sequence[int]
    ) -> tuple[int, int, list[int]]:
        """Step through an event as the fabric does.

        Args:
            cycle: Of the step before.
            taken: When the last window's products were done.
            first: The step to begin with.
            arrivals: When pixels are first offered.

        Returns:
            The first two as they are then, and when the outputs are there.
        """
        out, emitting = [], set(self._emitting)
        for step in range(first, self.input.beats + self._lag):
            cycle += 1
            if step < self.input.beats:
                cycle = max(cycle, arrivals[step])
            if step in emitting:
                cycle = max(cycle, taken)
                taken = cycle + self.dense.reuse
                out.append(taken + _SUMMED_AND_REQUANTISED)
        return cycle, taken, out

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Compute the layer: raw [events, inputs] to raw [events, outputs]."""
        dense, kind = self.dense, self.dense.arithmetic
        rows, columns = self.rows, self.columns
        image = np.zeros((len(values), rows.padded, columns.padded, self.channels), dtype=kind)
        inner = image[:, rows.before :, columns.before :]
        inner[:, : rows.length, : columns.length] = values.reshape(
            len(values), rows.length, columns.length, self.channels
        )
        acc: NDArray[Any] = np.empty(
            (len(values), rows.windows, columns.windows, self.filters), dtype=kind
        )
        acc[...] = (dense.bias + dense.requantise.half).astype(kind)
        taps: NDArray[Any] = dense.weights.astype(kind).reshape(
            self.filters, rows.kernel, columns.kernel, self.channels
        )
        for i, j in _places(rows.kernel, columns.kernel):
            acc += image[:, rows.strided(i), columns.strided(j)] @ taps[:, i, j].T
        return dense.requantise.apply(acc.reshape(len(values), -1))

    @property
    def work(self) -> Work:
        """A product for each weight and window."""
        inner, pixels = self.dense.work, self.rows.windows * self.columns.windows
        return Work(
            fan_in=inner.fan_in,
            weights=inner.weights,
            biases=inner.biases,
            multiplications=inner.multiplications * pixels,
            weight_bits=inner.weight_bits,
            bias_bits=inner.bias_bits,
            nonzero=inner.nonzero,
        )

    def blocks(self) -> tuple[Block, ...]:
        """Return what makes windows, then a dense layer's blocks for each."""
        rows, columns, width = self.rows, self.columns, self.input.format.width
        groups = self.columns.windows // self._across.windows
        window = Block(
            "nn_window",
            self.dense.input.lanes * groups,
            width,
            {
                "Rows": rows.length,
                "Columns": columns.length,
                "Channels": self.channels,
                "Width": width,
                "KernelRows": rows.kernel,
                "KernelColumns": columns.kernel,
                "StrideRows": rows.stride,
                "StrideColumns": columns.stride,
                "PadTop": rows.before,
                "PadBottom": rows.after,
                "PadLeft": columns.before,
                "PadRight": columns.after,
                "RowAtOnce": int(self.row_at_once),
            },
        )
        dense, requantise = self.dense.blocks()
        if self.row_at_once:
            lanes = self.output.lanes
            dense = replace(dense, lanes=lanes, parameters={**dense.parameters, "Groups": groups})
            requantise = self.dense.requantise.block(lanes, dense.width)
        return window, dense, requantise


def _places(rows: int, columns: int) -> Iterable[tuple[int, int]]:
    return ((i, j) for i in range(rows) for j in range(columns))
