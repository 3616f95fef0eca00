"""Train the jet tagger: quantisation-aware, from seeded events to `model.json` and `training.toml`.

The network is the 16-64-32-32-5 perceptron of the LHC's jet tagging benchmark with 6-bit weights
and 6-bit unsigned activations. It is trained in floating point first; the magnitudes found then
fix each layer's binary point, all scales being powers of two so that the fabric requantises by
shifting. After that it is trained further with every rounding and saturation of the fabric in the
forward pass and gradients that pass straight through them (Bengio et al., arXiv 1308.3432).

Run `python overlays/jet_tagger/train.py` with the extra `train` installed; it takes a minute, and
`--help` lists its options. Nothing imports this file at run time. The same seed gives the same
model on the same machine and version of PyTorch; what is checked elsewhere is the model written,
bit by bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[1] / "lib"))

from quantised import QuantisedDense, covering, readable_json, weight_format

from harness.accelerators import Model, NumberFormat, classify, parse_model
from harness.errors import OverlayError
from harness.traffic import JET_FORMAT, JET_LABELS, Events, Jets

LOG = logging.getLogger("train")

HIDDEN = (64, 32, 32)
REUSE = 4  # steps a layer, hence cycles an event
WEIGHT_BITS = 6
ACTIVATION_BITS = 6
LOGIT_BITS = 16
BATCH = 1024
FLOAT_RATE = 3e-3
QUANTISED_RATE = 1e-3
# Shares of weights and activations that the formats must hold; the rest saturates.
WEIGHT_COVERAGE = 0.995
ACTIVATION_COVERAGE = 0.999


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights and the order of events; the events themselves come from the
            next.
        events: To train on.
        held_out_events: To test on, from the seed after that.
        epochs: Passes over the events with quantisation; half as many precede them without.
    """

    seed: int
    events: int
    held_out_events: int
    epochs: int

    @property
    def events_seed(self) -> int:
        """Seed of the events to train on."""
        return self.seed + 1

    @property
    def held_out_seed(self) -> int:
        """Seed of the events to test on."""
        return self.seed + 2


class Tagger(nn.Module):
    """The network: dense layers one after another."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (Jets().values, *HIDDEN, len(JET_LABELS))
        last = len(sizes) - 2
        self.dense = [
            QuantisedDense(inputs, outputs, relu=index != last, reuse=REUSE)
            for index, (inputs, outputs) in enumerate(pairwise(sizes))
        ]
        self.registered = nn.ModuleList(self.dense)

    def forward(self, values: Tensor) -> Tensor:
        """Return real logits, [events, classes], of real inputs, [events, values]."""
        for layer in self.dense:
            values = layer(values)
        return values


def _inputs(events: Events) -> Tensor:
    return torch.from_numpy(JET_FORMAT.to_float(events.raw).astype(np.float32))


def _fit(network: Tagger, events: Events, epochs: int, rate: float, order: Any) -> None:
    """Minimise the cross entropy with Adam and a cosine schedule."""
    inputs, truth = _inputs(events), torch.from_numpy(events.truth.astype(np.int64))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = epochs * -(-len(inputs) // BATCH)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for epoch in range(epochs):
        total = 0.0
        shuffled = torch.randperm(len(inputs), generator=order)
        for start in range(0, len(inputs), BATCH):
            rows = shuffled[start : start + BATCH]
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(inputs[rows]), truth[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            total += float(loss.detach()) * len(rows)
        LOG.info("epoch %d of %d: cross entropy %.4f", epoch + 1, epochs, total / len(inputs))


@torch.no_grad()
def _calibrate(network: Tagger, events: Events) -> None:
    """Set every layer's formats, from the first to the last."""
    values, coming = _inputs(events)[: 64 * BATCH], JET_FORMAT
    for layer in network.dense:
        values = layer(values)
        weights = weight_format(layer, WEIGHT_BITS, WEIGHT_COVERAGE)
        if layer.relu:
            largest = float(np.quantile(values.numpy(), ACTIVATION_COVERAGE))
            going = covering(largest, ACTIVATION_BITS, signed=False)
        else:
            # Logits keep every fraction bit of the accumulator: no shift.
            fraction = coming.fraction + weights.fraction
            going = NumberFormat(LOGIT_BITS, LOGIT_BITS - fraction, signed=True)
        layer.set_formats(coming, weights, going)
        LOG.info("weights %s, output %s", weights, going)
        coming = going


@torch.no_grad()
def _guesses(network: Tagger, events: Events) -> NDArray[np.int64]:
    """Return the class that the network in PyTorch finds for each event."""
    return classify(network(_inputs(events)).numpy())


def _export(network: Tagger) -> dict[str, Any]:
    """Return the content of `model.json`."""
    return {
        "schema": 2,
        "name": "jet_tagger",
        "input": {"values": Jets().values, "format": asdict(JET_FORMAT)},
        "layers": [layer.export() for layer in network.dense],
        "output": {"kind": "logits_argmax"},
    }


def _report(
    settings: Settings, events: Events, held_out: Events, accuracy: float, model: Model, text: str
) -> str:
    """Return the content of `training.toml`; the reference accuracy is that of `Model.forward`."""
    classes = len(JET_LABELS)
    guesses = classify(model.forward(held_out.raw))
    pairs = np.bincount(held_out.truth * classes + guesses, minlength=classes * classes)
    confusion = pairs.reshape(classes, classes)
    rows = "".join(f"  {row},\n" for row in confusion.tolist())
    return f"""\
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
float_accuracy = {accuracy:.6f}
quantised_accuracy = {np.trace(confusion) / confusion.sum():.6f}
classes = {json.dumps(JET_LABELS)}
# Rows: true class; columns: class found by the bit-exact model.
confusion = [
{rows}]
"""


def train(settings: Settings, output: Path) -> None:
    """Train, check the export against the golden model, and write both files.

    Args:
        settings: What the training depends on.
        output: Folder for `model.json` and `training.toml`.

    Raises:
        OverlayError: PyTorch and the golden model disagree on a held-out event.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    order = torch.Generator().manual_seed(settings.seed)
    source = Jets()
    events = source.generate(settings.events, settings.events_seed)
    held_out = source.generate(settings.held_out_events, settings.held_out_seed)
    network = Tagger()
    _fit(network, events, -(-settings.epochs // 2), FLOAT_RATE, order)
    accuracy = float((_guesses(network, held_out) == held_out.truth).mean())
    LOG.info("accuracy in floating point: %.4f", accuracy)
    _calibrate(network, events)
    _fit(network, events, settings.epochs, QUANTISED_RATE, order)
    content = _export(network)
    model = parse_model(content, where="model.json")
    found, reference = _guesses(network, held_out), classify(model.forward(held_out.raw))
    if not np.array_equal(found, reference):
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out events",
            why=f"on {np.count_nonzero(found != reference)} of {len(found)}",
        )
    text = readable_json(content) + "\n"
    (output / "model.json").write_text(text, encoding="utf-8")
    report = _report(settings, events, held_out, accuracy, model, text)
    (output / "training.toml").write_text(report, encoding="utf-8")
    LOG.info("%s", report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the jet tagger.")
    parser.add_argument("--seed", type=int, default=20240)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--held-out", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = Settings(options.seed, options.events, options.held_out, options.epochs)
    train(settings, options.output)


if __name__ == "__main__":
    main()
