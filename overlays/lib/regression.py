"""Training of chains of quantised layers that estimate quantities; shared by some `train.py`.

Needs PyTorch, the extra `train`. `quantised.py` says how the fabric gets into the loop.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from quantised import QuantisedDense, covering, readable_json, weight_format
from torch import Tensor, nn

from harness.accelerators import Model, NumberFormat, parse_model
from harness.errors import OverlayError
from harness.traffic.events import Events, Source

LOG = logging.getLogger("train")

BATCH = 256
FLOAT_RATE = 2e-3
QUANTISED_RATE = 1e-3
# Shares of weights and activations that the formats must hold; the rest saturates.
WEIGHT_COVERAGE = 0.998
ACTIVATION_COVERAGE = 0.9995


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights and the order of events; events come from the next two.
        events: To train on.
        held_out_events: To test on.
        epochs: Passes over the events in floating point, and as many with quantisation.
        output: Folder for `model.json` and `training.toml`.
    """

    seed: int
    events: int
    held_out_events: int
    epochs: int
    output: Path


class Chain(nn.Module):
    """Quantised layers one after another.

    Args:
        layers: From input to output.
    """

    def __init__(self, layers: Sequence[QuantisedDense]) -> None:
        super().__init__()
        self.layers = list(layers)
        self.registered = nn.ModuleList(self.layers)

    def forward(self, values: Tensor) -> Tensor:
        """Return real outputs, [events, outputs], of real inputs, [events, inputs]."""
        for layer in self.layers:
            values = layer(values)
        return values


def settings_of(
    arguments: Sequence[str] | None, folder: Path, *, seed: int, events: int, epochs: int
) -> Settings:
    """Return what the command line asks for; `events` and the others are its defaults."""
    parser = argparse.ArgumentParser(description=f"Train {folder.name}.")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--events", type=int, default=events)
    parser.add_argument("--held-out", type=int, default=16_384)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--output", type=Path, default=folder)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return Settings(options.seed, options.events, options.held_out, options.epochs, options.output)


def begin(settings: Settings, source: Source) -> tuple[Events, Events, Any]:
    """Return events to train on, others to test on, and what shuffles; seed PyTorch."""
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    events = source.generate(settings.events, settings.seed + 1)
    held_out = source.generate(settings.held_out_events, settings.seed + 2)
    return events, held_out, torch.Generator().manual_seed(settings.seed)


def inputs_of(events: Events, form: NumberFormat) -> Tensor:
    """Return the events' values as the network sees them, float32 [events, values]."""
    return torch.from_numpy(form.to_float(events.raw).astype(np.float32))


def fit(
    network: nn.Module, pairs: tuple[Tensor, Tensor], epochs: int, rate: float, order: Any
) -> None:
    """Minimise the mean squared error with Adam and a cosine schedule.

    Args:
        network: What is trained.
        pairs: Inputs and what they should give, [events, ...].
        epochs: Passes over them.
        rate: Learning rate to begin with.
        order: Generator of the orders of events.
    """
    inputs, targets = pairs
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = epochs * -(-len(inputs) // BATCH)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for epoch in range(epochs):
        total = 0.0
        shuffled = torch.randperm(len(inputs), generator=order)
        for start in range(0, len(inputs), BATCH):
            rows = shuffled[start : start + BATCH]
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(network(inputs[rows]), targets[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            total += float(loss.detach()) * len(rows)
        LOG.info("epoch %d of %d: squared error %.6f", epoch + 1, epochs, total / len(inputs))


@torch.no_grad()
def calibrate(
    chain: Chain, inputs: Tensor, coming: NumberFormat, bits: tuple[int, int], last: NumberFormat
) -> None:
    """Set every layer's formats by the magnitudes found on some events.

    Args:
        chain: The layers.
        inputs: Events to look at.
        coming: Their format.
        bits: Of a weight and of an activation.
        last: Format of what a layer without `relu` gives.
    """
    values = inputs
    for layer in chain.layers:
        values = layer(values)
        weights = weight_format(layer, bits[0], WEIGHT_COVERAGE)
        largest = float(np.quantile(values.numpy(), ACTIVATION_COVERAGE))
        going = covering(largest, bits[1], signed=False) if layer.relu else last
        layer.set_formats(coming, weights, going)
        LOG.info("weights %s, output %s", weights, going)
        coming = going


@torch.no_grad()
def outputs_of(chain: nn.Module, inputs: Tensor) -> NDArray[np.float64]:
    """Return what PyTorch computes, in double precision so that sums are exact."""
    chain.double()
    parts = [chain(part.double()).numpy() for part in inputs.split(1024)]
    chain.float()
    return np.concatenate(parts)


def exported(chain: Chain, name: str, head: dict[str, Any], held_out: Events) -> tuple[Model, str]:
    """Return the model and the text of its file, after it agreed with PyTorch.

    Args:
        chain: The trained layers.
        name: Of the overlay.
        head: `input` of the model file; a `regroup` to its `lanes` is not needed.
        held_out: Events on which both must give the same.

    Raises:
        OverlayError: They do not.
    """
    content = {
        "schema": 2,
        "name": name,
        "input": head,
        "layers": [layer.export() for layer in chain.layers],
        "output": {"kind": "values"},
    }
    model = parse_model(content, where="model.json")
    inputs = inputs_of(held_out, model.input_format)
    found = np.ldexp(outputs_of(chain, inputs), model.output_format.fraction)
    differs = (found != model.forward(held_out.raw)).any(axis=1)
    if differs.any():
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out events",
            why=f"on {np.count_nonzero(differs)} of {len(found)}",
        )
    return model, readable_json(content) + "\n"


def write(
    settings: Settings, used: tuple[Events, Events], text: str, figures: dict[str, str]
) -> None:
    """Write `model.json` and `training.toml`.

    Args:
        settings: What the training depended on.
        used: Events trained on, and held out.
        text: Of `model.json`.
        figures: Found on the held-out events, as TOML values.
    """
    events, held_out = used
    lines = "\n".join(f"{key} = {value}" for key, value in figures.items())
    report = f"""\
# Written by train.py; do not edit.
schema = 1
date = {datetime.now(timezone.utc).date().isoformat()}
model_sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"

[training]
seed = {settings.seed}
epochs = {settings.epochs}
source = "{events.name}"
source_version = {events.version}
events = {len(events.raw)}
events_seed = {events.seed}
events_sha256 = "{events.sha256}"
python = "{platform.python_version()}"
numpy = "{np.__version__}"
torch = "{torch.__version__}"

[held_out]
events = {len(held_out.raw)}
events_seed = {held_out.seed}
events_sha256 = "{held_out.sha256}"
{lines}
"""
    (settings.output / "model.json").write_text(text, encoding="utf-8")
    (settings.output / "training.toml").write_text(report, encoding="utf-8")
    LOG.info("%s", report)


def input_head(values: int, form: NumberFormat, lanes: int) -> dict[str, Any]:
    """Return the `input` of a model file."""
    return {"values": values, "format": asdict(form), "lanes": lanes}
