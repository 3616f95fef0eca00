"""Train the tokamak camera: from seeded frames to `model.json` and `training.toml`.

Two convolutions of 3 x 3 with stride 2, to 4 and to 8 channels, then dense layers of 16 and of 2:
sine and cosine part of the mode. Weights and activations have 8 bits. It is trained in floating
point first, then with the fabric's rounding and saturation in the loop (see
`overlays/lib/quantised.py`).

Run `python overlays/tokamak_camera/train.py` with the extra `train` installed; it takes some
minutes, and `--help` lists its options. Nothing imports this file at run time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

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
from harness.traffic.plasma_frames import FRAME_FORMAT, FRAME_SIDE, PlasmaFrames

BITS = (8, 8)  # of a weight, of an activation
OUTPUT_FORMAT = NumberFormat(width=16, integer=4, signed=True)


def network() -> Chain:
    """Return the layers, not yet trained."""
    first = QuantisedConv((FRAME_SIDE, FRAME_SIDE, 1), 4, stride=2, reuse=2)
    second = QuantisedConv(first.output_shape, 8, stride=2, reuse=4)
    values = int(np.prod(second.output_shape))
    dense = QuantisedDense(values, 16, relu=True, reuse=4)
    return Chain([first, second, dense, QuantisedDense(16, 2, relu=False, reuse=4)])


def figures(found: NDArray[np.float64], truth: NDArray[np.float32]) -> tuple[float, float]:
    """Return root mean square errors: of sine and cosine part, and of the phase in degrees.

    The phase is that of frames whose mode has at least a quarter of the largest amplitude.
    """
    error = float(np.sqrt(np.square(found - truth).mean()))
    strong = np.hypot(*truth.T) >= 0.25
    phases = [np.arctan2(*part[strong].T) for part in (found, truth)]
    turned = np.angle(np.exp(1j * (phases[0] - phases[1])), deg=True)
    return error, float(np.sqrt(np.square(turned).mean()))


def train(settings: Settings) -> None:
    """Train, check the export against the golden model, and write both files."""
    events, held_out, order = begin(settings, PlasmaFrames())
    pairs = inputs_of(events, FRAME_FORMAT), torch.from_numpy(events.truth)
    chain = network()
    fit(chain, pairs, settings.epochs, FLOAT_RATE, order)
    inputs = inputs_of(held_out, FRAME_FORMAT)
    floating = figures(outputs_of(chain, inputs), held_out.truth)
    LOG.info("in floating point: %s", floating)
    calibrate(chain, pairs[0][:4096], FRAME_FORMAT, BITS, OUTPUT_FORMAT)
    fit(chain, pairs, settings.epochs, QUANTISED_RATE, order)
    head = input_head(FRAME_SIDE**2, FRAME_FORMAT, 1)
    model, text = exported(chain, "tokamak_camera", head, held_out)
    quantised = figures(OUTPUT_FORMAT.to_float(model.forward(held_out.raw)), held_out.truth)
    write(
        settings,
        (events, held_out),
        text,
        {
            "float_rms_error": f"{floating[0]:.6f}",
            "quantised_rms_error": f"{quantised[0]:.6f}",
            "float_phase_error_deg": f"{floating[1]:.4f}",
            "quantised_phase_error_deg": f"{quantised[1]:.4f}",
        },
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    folder = Path(__file__).parent
    train(settings_of(arguments, folder, seed=1200, events=24_576, epochs=8))


if __name__ == "__main__":
    main()
