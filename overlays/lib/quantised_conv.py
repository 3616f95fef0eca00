"""A convolution for training with the fabric's arithmetic in the loop; see `quantised.py`."""

from __future__ import annotations

from typing import Any

import torch
from quantised import QuantisedDense, through
from torch import Tensor, nn


class QuantisedConv(QuantisedDense):
    """A convolution that computes what the fabric will, once its formats are set.

    Args:
        shape: Rows, columns and channels of the image that comes in.
        filters: Channels that go out.
        kernel: Rows and columns alike; odd, so that `same` means the same everywhere.
        stride: Along both.
        same: Zeros around the image; else none.
        reuse: Steps in which the fabric multiplies a window.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        filters: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        same: bool = True,
        reuse: int = 1,
    ) -> None:
        super().__init__(kernel * kernel * shape[2], filters, relu=True, reuse=reuse)
        self.shape, self.kernel, self.stride, self.same = shape, kernel, stride, same

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of the image that goes out."""
        rest = 1 if self.same else self.kernel
        rows, columns = ((size - rest) // self.stride + 1 for size in self.shape[:2])
        return rows, columns, self.linear.out_features

    def forward(self, values: Tensor) -> Tensor:
        """Compute the layer on real images, [events, values] both, channels last."""
        rows, columns, channels = self.shape
        images = values.reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)
        weight, bias = self.linear.weight, self.linear.bias
        if self.formats is not None:
            coming, weights, _ = self.formats
            lsb = 2.0 ** -(coming.fraction + weights.fraction)
            bias = bias + (torch.round(bias / lsb) * lsb - bias).detach()
            weight = through(weight, weights, 0.5)
        kernel = weight.reshape(-1, self.kernel, self.kernel, channels).permute(0, 3, 1, 2)
        padding = (self.kernel - 1) // 2 if self.same else 0
        acc = nn.functional.conv2d(images, kernel, bias, self.stride, padding)
        if self.formats is None:
            acc = torch.relu(acc)
        else:
            acc = through(acc, self.formats[2], 0.5 if self.shift else 0.0)
        return acc.permute(0, 2, 3, 1).reshape(len(values), -1)

    def export(self) -> dict[str, Any]:
        """Return the layer as `model.json` describes it."""
        rows, columns, channels = self.shape
        table = super().export()
        shape = (-1, self.kernel, self.kernel, channels)
        table["weights"] = torch.tensor(table["weights"]).reshape(shape).tolist()
        del table["inputs"], table["outputs"]
        place = {
            "kind": "conv2d",
            "rows": rows,
            "columns": columns,
            "channels": channels,
            "filters": self.linear.out_features,
            "kernel": [self.kernel, self.kernel],
            "stride": [self.stride, self.stride],
            "padding": "same" if self.same else "valid",
        }
        return {**table, **place}
