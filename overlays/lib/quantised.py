"""Layers for training with the fabric's arithmetic in the loop, shared by the overlays' `train.py`.

Needs PyTorch, the extra `train`. A network is trained in floating point first; the magnitudes
found then fix the binary points; after that every rounding and saturation of the fabric is in the
loop, and gradients pass them as if only the saturation were there (Bengio et al., arXiv 1308.3432).
What `export` returns goes into `model.json`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.accelerators import NumberFormat
from harness.errors import OverlayError


class QuantisedDense(nn.Module):
    """A dense layer that computes what the fabric will, once its formats are set.

    Args:
        inputs: Values that come in.
        outputs: Values that go out.
        relu: Negative results become 0.
        reuse: Steps in which the fabric multiplies a beat.
    """

    def __init__(self, inputs: int, outputs: int, *, relu: bool, reuse: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.relu = relu
        self.reuse = reuse
        self.loadable = False
        self.formats: tuple[NumberFormat, NumberFormat, NumberFormat] | None = None

    def set_formats(self, coming: NumberFormat, weights: NumberFormat, going: NumberFormat) -> None:
        """Fix the formats of inputs, weights and outputs; from now on they are obeyed."""
        self.formats = coming, weights, going

    @property
    def shift(self) -> int:
        """LSBs of the accumulator that its output drops."""
        coming, weights, going = self._fixed()
        return coming.fraction + weights.fraction - going.fraction

    def forward(self, values: Tensor) -> Tensor:
        """Compute the layer on real values, [events, inputs] to [events, outputs]."""
        if self.formats is None:
            result: Tensor = self.linear(values)
            return torch.relu(result) if self.relu else result
        coming, weights, going = self.formats
        lsb = 2.0 ** -(coming.fraction + weights.fraction)
        exact = self.linear.bias
        bias = exact + (torch.round(exact / lsb) * lsb - exact).detach()
        rounded = through(self.linear.weight, weights, 0.5)
        acc = nn.functional.linear(values, rounded, bias)
        acc = torch.relu(acc) if self.relu and going.signed else acc
        return through(acc, going, 0.5 if self.shift else 0.0)

    def export(self) -> dict[str, Any]:
        """Return the layer as `model.json` describes it."""
        coming, weights, going = self._fixed()
        raw = through(self.linear.weight, weights, 0.5) * 2.0**weights.fraction
        bias = torch.round(self.linear.bias * 2.0 ** (coming.fraction + weights.fraction))
        return {
            "kind": "dense",
            "inputs": self.linear.in_features,
            "outputs": self.linear.out_features,
            **({"loadable": True} if self.loadable else {"reuse": self.reuse}),
            "weight_format": asdict(weights),
            "weights": raw.int().tolist(),
            "bias": bias.int().tolist(),
            "shift": self.shift,
            "rounding": "half_up" if self.shift else "floor",
            "overflow": "saturate",
            "activation": "relu" if self.relu else "none",
            "output_format": asdict(going),
        }

    def _fixed(self) -> tuple[NumberFormat, NumberFormat, NumberFormat]:
        if self.formats is None:
            raise OverlayError("a layer without formats cannot be exported")
        return self.formats


def through(values: Tensor, number_format: NumberFormat, offset: float) -> Tensor:
    """Quantise with saturation; gradients pass as if only the saturation were there.

    Args:
        values: Real numbers.
        number_format: What holds the result.
        offset: Added in units of the last place before the floor: 0.5 rounds half up.
    """
    lsb = 2.0**-number_format.fraction
    kept = values.clamp(number_format.minimum * lsb, number_format.maximum * lsb)
    raw = torch.floor(values.detach() / lsb + offset)
    rounded = raw.clamp(number_format.minimum, number_format.maximum) * lsb
    return kept + (rounded - kept).detach()


def covering(magnitude: float, width: int, *, signed: bool) -> NumberFormat:
    """Return the finest format of so many bits that holds a magnitude."""
    integer = int(np.ceil(np.log2(max(magnitude, 2.0**-8))))
    return NumberFormat(width, integer + signed, signed=signed)


def weight_format(layer: QuantisedDense, width: int, coverage: float) -> NumberFormat:
    """Return the format that holds a share of the layer's weights; the rest saturates."""
    magnitudes = layer.linear.weight.detach().abs()
    return covering(float(torch.quantile(magnitudes, coverage)), width, signed=True)


def readable_json(content: Any, indent: str = "") -> str:
    """Return JSON with a line for each matrix row, so that differences can be read."""
    deeper = indent + "  "
    flat = json.dumps(content)
    if not isinstance(content, (dict, list)) or len(indent + flat) <= 100:
        return flat
    if isinstance(content, list) and not isinstance(content[0], (dict, list)):
        return flat
    if isinstance(content, list):
        body = [deeper + readable_json(item, deeper) for item in content]
        return "[\n" + ",\n".join(body) + f"\n{indent}]"
    body = [
        f"{deeper}{json.dumps(key)}: {readable_json(item, deeper)}" for key, item in content.items()
    ]
    return "{\n" + ",\n".join(body) + f"\n{indent}}}"
