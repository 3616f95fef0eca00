"""Train the calorimeter's compressor: from seeded modules to `model.json` and `training.toml`.

The encoder of an autoencoder, as on ECON-T: a convolution of 3 x 3 over the 4 x 4 x 3 trigger cells
to 8 channels, then a dense layer to 16 values. Weights have 6 bits, what the convolution gives has
6, a code has 9 or as many as asked for. The decoder, a perceptron off the detector, is trained with
it and kept in `decoder.npz`; its error is what the code is worth, and what runs are held against
(`quality.toml`). Trained in floating point first, then with
the fabric's rounding and saturation in the loop (see `overlays/lib/quantised.py`).

Run `python overlays/ecal_compressor/train.py` with the extra `train` installed; it takes some
minutes, and `--help` lists its options. Nothing imports this file at run time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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
    settings_of,
    write,
)

from harness.accelerators import NumberFormat
from harness.traffic.trigger_cells import CELL_FORMAT, TriggerCells

BITS = (6, 6)  # of a weight, of an activation
CODES = 16
CODE_FORMAT = NumberFormat(width=4, integer=2, signed=False)
CELLS = (4, 4, 3)


class Shares(nn.Module):
    """Shares of a whole, of which a part may be nowhere: what cells of a module are.

    Args:
        inputs: Values that come in.
        outputs: Shares that go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs + 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return the shares, each from 0 and all of them up to 1."""
        return torch.softmax(self.linear(values), 1)[:, :-1]


class Autoencoder(nn.Module):
    """The encoder that the fabric has, and a decoder to train it with."""

    def __init__(self) -> None:
        super().__init__()
        first = QuantisedConv(CELLS, 8)
        values = int(np.prod(first.output_shape))
        self.encoder = Chain([first, QuantisedDense(values, CODES, relu=True)])
        for layer in self.encoder.layers:
            layer.loadable = True
        self.decoder = nn.Sequential(
            nn.Linear(CODES, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), Shares(96, 48)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return the cells as they can be told from their code, [events, 48] both."""
        result: Tensor = self.decoder(self.encoder(values))
        return result


@torch.no_grad()
def figures(decoder: nn.Module, codes: Tensor, cells: Tensor) -> dict[str, str]:
    """Return how far the decoded cells are from the true ones, and how much of them is missed."""
    hit = cells.sum(1) > 0
    away = decoder(codes) - cells
    rms = float(away.square().mean().sqrt())
    missed = float(away[hit].square().sum() / cells[hit].square().sum())
    energy = float((away[hit].abs().sum(1) / cells[hit].sum(1)).mean())
    return {
        "rms_error": f"{rms:.6f}",
        "missed_share_of_squares": f"{missed:.5f}",
        "misplaced_share_of_charge": f"{energy:.5f}",
    }


def keep(decoder: nn.Sequential, path: Path) -> None:
    """Write the decoder's layers, float32: `weights_0` [inputs, outputs], `bias_0` and so on."""
    layers = [
        getattr(layer, "linear", layer) for layer in decoder if not isinstance(layer, nn.ReLU)
    ]
    arrays: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        arrays[f"weights_{number}"] = layer.weight.detach().numpy().T
        arrays[f"bias_{number}"] = layer.bias.detach().numpy()
    np.savez_compressed(path, **arrays)


def train(settings: Settings) -> None:
    """Train, check the export against the golden model, and write the files."""
    events, held_out, order = begin(settings, TriggerCells())
    cells = inputs_of(events, CELL_FORMAT)
    network = Autoencoder()
    fit(network, (cells, cells), settings.epochs, FLOAT_RATE, order)
    true = inputs_of(held_out, CELL_FORMAT)
    with torch.no_grad():
        floating = figures(network.decoder, network.encoder(true), true)
    LOG.info("in floating point: %s", floating)
    calibrate(network.encoder, cells[:65536], CELL_FORMAT, BITS, CODE_FORMAT)
    last = network.encoder.layers[-1]
    if last.formats is not None:
        code = replace(CODE_FORMAT, integer=last.formats[2].integer)
        last.set_formats(last.formats[0], last.formats[1], code)
    fit(network, (cells, cells), settings.epochs, QUANTISED_RATE, order)
    head = input_head(int(np.prod(CELLS)), CELL_FORMAT, CELLS[1] * CELLS[2])
    model, text = exported(network.encoder, "ecal_compressor", head, held_out)
    codes = model.output_format.to_float(model.forward(held_out.raw)).astype(np.float32)
    quantised = figures(network.decoder, torch.from_numpy(codes), true)
    keep(network.decoder, settings.output / "decoder.npz")
    before = true.shape[1] * CELL_FORMAT.width
    after = CODES * model.output_format.width
    write(
        settings,
        (events, held_out),
        text,
        {
            "modules_hit": f"{float((true.sum(1) > 0).float().mean()):.4f}",
            **{f"float_{key}": value for key, value in floating.items()},
            **{f"quantised_{key}": value for key, value in quantised.items()},
            "input_bits": str(before),
            "code_bits": str(after),
            "compression": f"{before / after:.3f}",
        },
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    folder = Path(__file__).parent
    train(settings_of(arguments, folder, seed=4800, events=131_072, epochs=8))


if __name__ == "__main__":
    main()
