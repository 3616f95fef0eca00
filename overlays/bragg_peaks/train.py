"""Train the finder of Bragg peaks: from seeded patches to `model.json` and `training.toml`.

Convolutions of 3 x 3 without zeros around, to 8 channels each, the second with stride 2, then dense
layers of 16 and of 2: row and column of the peak's centre in pixels. Weights and activations have 8
bits. It is trained in floating point first, then with the fabric's rounding and saturation in the
loop (see `overlays/lib/quantised.py`).

Run `python overlays/bragg_peaks/train.py` with the extra `train` installed; it takes some minutes,
and `--help` lists its options. Nothing imports this file at run time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

sys.path.append(str(Path(__file__).parents[1] / "lib"))

from quantised import QuantisedDense
from quantised_conv import QuantisedConv
from regression import (
    FLOAT_RATE,
    LOG,
    QUANTISED_RATE,
    Chain,
    Settings,
    begin,
    calibrate,
    exported,
    fit,
    input_head,
    inputs_of,
    outputs_of,
    settings_of,
    write,
)

from harness.accelerators import NumberFormat
from harness.traffic.bragg_patches import PATCH_FORMAT, PATCH_SIDE, BraggPatches

BITS = (8, 8)  # of a weight, of an activation
OUTPUT_FORMAT = NumberFormat(width=16, integer=5, signed=True)


def network() -> Chain:
    """Return the layers, not yet trained, that guess the middle of the patch."""
    first = QuantisedConv((PATCH_SIDE, PATCH_SIDE, 1), 8, same=False)
    second = QuantisedConv(first.output_shape, 8, stride=2, same=False, reuse=2)
    values = int(np.prod(second.output_shape))
    last = QuantisedDense(16, 2, relu=False, reuse=4)
    nn.init.constant_(last.linear.bias, PATCH_SIDE // 2)
    return Chain([first, second, QuantisedDense(values, 16, relu=True, reuse=2), last])


def figures(found: NDArray[np.float64], truth: NDArray[np.float32]) -> tuple[float, ...]:
    """Return distances from the true centre in pixels: mean, median, and three quarters below."""
    away = np.hypot(*(found - truth).T)
    return float(away.mean()), float(np.median(away)), float(np.quantile(away, 0.75))


def train(settings: Settings) -> None:
    """Train, check the export against the golden model, and write both files."""
    events, held_out, order = begin(settings, BraggPatches())
    pairs = inputs_of(events, PATCH_FORMAT), torch.from_numpy(events.truth)
    chain = network()
    fit(chain, pairs, settings.epochs, FLOAT_RATE, order)
    inputs = inputs_of(held_out, PATCH_FORMAT)
    floating = figures(outputs_of(chain, inputs), held_out.truth)
    LOG.info("in floating point: %s", floating)
    calibrate(chain, pairs[0][:4096], PATCH_FORMAT, BITS, OUTPUT_FORMAT)
    fit(chain, pairs, settings.epochs, QUANTISED_RATE, order)
    head = input_head(PATCH_SIDE**2, PATCH_FORMAT, 1)
    model, text = exported(chain, "bragg_peaks", head, held_out)
    quantised = figures(OUTPUT_FORMAT.to_float(model.forward(held_out.raw)), held_out.truth)
    names = ("mean_error_pixels", "median_error_pixels", "error_pixels_p75")
    found = {f"float_{name}": f"{value:.5f}" for name, value in zip(names, floating, strict=True)}
    found |= {
        f"quantised_{name}": f"{value:.5f}" for name, value in zip(names, quantised, strict=True)
    }
    write(settings, (events, held_out), text, found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    folder = Path(__file__).parent
    train(settings_of(arguments, folder, seed=1100, events=65_536, epochs=12))


if __name__ == "__main__":
    main()
