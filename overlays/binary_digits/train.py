"""Train the network of bits: from the digits to `model.json` and `training.toml`.

A 64-128-64-10 perceptron whose inputs, weights and activations are +1 or -1. Weights are real
numbers of which the forward pass sees the sign and whose gradients pass straight through it
(Courbariaux et al., arXiv 1602.02830); batch normalisation before every sign becomes a threshold,
by negating the weights of a neuron whose scale is negative. After a third of the training the
smallest weights of each layer are removed, and the others trained further: the connections that
are left are the model's mask. Images are moved by a pixel and bits of them turned over while
training, for there are only 1197.

Run `python overlays/binary_digits/train.py` with the extra `train` installed; it takes a minute or
two. Nothing imports this file at run time. The same seed gives the same model on the same machine
and version of PyTorch; what is checked elsewhere is the model written, bit by bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.accelerators import Model, classify, parse_model
from harness.architecture.network import of_model
from harness.errors import OverlayError
from harness.traffic import Events
from harness.traffic.digits import DIGIT_FORMAT, DIGIT_SIDE, DigitBits

LOG = logging.getLogger("train")

SIZES = (DIGIT_SIDE**2, 128, 64, 10)
REUSE = 4  # steps a layer, hence cycles an event
LOGIT_BITS = 8
BATCH = 64
FLOAT_RATE = 3e-3
BIT_RATE = 2e-2
SPREAD = 0.1  # of the first weights that signs are taken of: small, so that they turn over easily
TURNED = 0.02  # share of the bits that are turned over
TRAIN_IMAGES, HELD_OUT_IMAGES = 1197, 600


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights, the order of images and what happens to them.
        epochs: Passes over the images.
        kept: Share of the connections that are left, of every layer but the last, which keeps all.
    """

    seed: int
    epochs: int
    kept: float


class BitDense(nn.Module):
    """A layer of bits, once it is told to be one; before that of real numbers, for comparison.

    Args:
        inputs: Values that come in.
        outputs: Values that go out.
        last: It gives sums instead of signs.
        bits: Weights and activations are signs.
    """

    def __init__(self, inputs: int, outputs: int, *, last: bool, bits: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-SPREAD, SPREAD))
        if not bits:
            nn.init.kaiming_uniform_(self.weight)
        self.norm = nn.BatchNorm1d(outputs)
        self.last, self.bits = last, bits
        self.register_buffer("mask", torch.ones(outputs, inputs))

    def forward(self, values: Tensor) -> Tensor:
        """Compute the layer on [events, inputs]; what the last one gives is scaled for training."""
        weight = _sign(self.weight) if self.bits else self.weight
        sums: Tensor = nn.functional.linear(values, weight * self.mask)
        if self.last and self.bits:
            return sums * (2 / values.shape[1] ** 0.5)
        sums = self.norm(sums)
        if self.last:
            return sums
        return _sign(sums) if self.bits else torch.relu(sums)

    @torch.no_grad()
    def prune(self, kept: float) -> None:
        """Remove the smallest weights but a share of them."""
        magnitudes = self.weight.abs()
        self.mask.copy_(magnitudes >= torch.quantile(magnitudes, 1 - kept))

    @torch.no_grad()
    def export(self) -> dict[str, Any]:
        """Return the layer as `model.json` describes it."""
        ones, mask = (self.weight >= 0).numpy(), self.mask.numpy() > 0
        bias = np.zeros(len(ones), dtype=np.int64)
        width, signed, activation = LOGIT_BITS, True, "none"
        if not self.last:
            # scale * (sum - mean) / deviation + shift >= 0, in whole numbers.
            scale, shift = self.norm.weight.double(), self.norm.bias.double()
            deviation = (self.norm.running_var.double() + self.norm.eps).sqrt()
            limit = (self.norm.running_mean.double() - shift * deviation / scale).numpy()
            negative = (scale < 0).numpy()
            threshold = np.ceil(np.where(negative, -limit, limit)).astype(np.int64)
            ones = ones ^ negative[:, None]
            bias = 1 - np.clip(threshold, -ones.shape[1], ones.shape[1] + 1)
            width, signed, activation = 1, False, "relu"
        return {
            "kind": "xnor_dense",
            "inputs": ones.shape[1],
            "outputs": len(ones),
            "reuse": REUSE,
            "weights": [_hex(row) for row in ones & mask],
            "mask": [_hex(row) for row in mask],
            "bias": bias.tolist(),
            "shift": 0,
            "rounding": "floor",
            "overflow": "saturate",
            "activation": activation,
            "output_format": {"width": width, "integer": width, "signed": signed},
        }


def _sign(values: Tensor) -> Tensor:
    """Return +1 or -1; gradients pass where the value is between them."""
    kept = values.clamp(-1, 1)
    return kept + (torch.where(values >= 0, 1.0, -1.0) - kept).detach()


def _hex(bits: Any) -> str:
    """Return bits as a hexadecimal number, bit i the i-th."""
    number = sum(1 << index for index, bit in enumerate(bits.tolist()) if bit)
    return f"{number:0{-(-len(bits) // 4)}x}"


def _network(*, bits: bool) -> nn.Sequential:
    last = len(SIZES) - 2
    return nn.Sequential(
        *(
            BitDense(inputs, outputs, last=index == last, bits=bits)
            for index, (inputs, outputs) in enumerate(pairwise(SIZES))
        )
    )


def _signs(events: Events) -> Tensor:
    return torch.from_numpy(events.raw.astype(np.float32)) * 2 - 1


def _varied(images: Tensor, chance: torch.Generator) -> Tensor:
    """Move each image by at most a pixel each way, and turn over a few of its bits."""
    square = nn.functional.pad(images.view(-1, 1, DIGIT_SIDE, DIGIT_SIDE), [1] * 4, value=-1.0)
    moves = torch.tensor([(1, 1)] * 4 + [(0, 1), (2, 1), (1, 0), (1, 2)])
    which = torch.randint(len(moves), (len(images),), generator=chance)
    moved = torch.empty_like(images)
    for number, (down, right) in enumerate(moves.tolist()):
        part = square[which == number, 0, down : down + DIGIT_SIDE, right : right + DIGIT_SIDE]
        moved[which == number] = part.reshape(-1, DIGIT_SIDE**2)
    turned = torch.rand(images.shape, generator=chance) < TURNED
    return torch.where(turned, -moved, moved)


def _fit(network: nn.Sequential, events: Events, settings: Settings, rate: float) -> None:
    """Minimise the cross entropy with Adam and a cosine schedule."""
    chance = torch.Generator().manual_seed(settings.seed)
    inputs, truth = _signs(events), torch.from_numpy(events.truth.astype(np.int64))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    steps = settings.epochs * -(-len(inputs) // BATCH)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(settings.epochs):
        if epoch == settings.epochs // 3:
            for layer in list(network)[:-1]:
                layer.prune(settings.kept)
        total = 0.0
        for rows in torch.randperm(len(inputs), generator=chance).split(BATCH):
            if len(rows) < 2:  # no variance to normalise by
                continue
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(_varied(inputs[rows], chance)), truth[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            with torch.no_grad():
                for layer in network:
                    if layer.bits:
                        layer.weight.clamp_(-1, 1)
            total += float(loss.detach()) * len(rows)
        if epoch % 10 == 9:
            LOG.info("epoch %d: cross entropy %.4f", epoch + 1, total / len(inputs))


@torch.no_grad()
def _guesses(network: nn.Sequential, events: Events) -> Any:
    return classify(network.eval()(_signs(events)).numpy())


def _export(network: nn.Sequential) -> dict[str, Any]:
    """Return the content of `model.json`."""
    return {
        "schema": 2,
        "name": "binary_digits",
        "input": {"values": SIZES[0], "format": asdict(DIGIT_FORMAT)},
        "layers": [layer.export() for layer in network],
        "output": {"kind": "logits_argmax"},
    }


def _json(content: dict[str, Any]) -> str:
    """Return JSON with a line for each key of a layer, so that differences can be read."""
    layers = [
        "    {\n" + ",\n".join(f"      {json.dumps(k)}: {json.dumps(v)}" for k, v in layer.items())
        for layer in content["layers"]
    ]
    body = "\n    },\n".join(layers) + "\n    }"
    parts = [
        f"  {json.dumps(key)}: " + (f"[\n{body}\n  ]" if key == "layers" else json.dumps(value))
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _sizes(model: Model) -> str:
    """Return the lines about what the weights cost."""
    network = of_model(model)
    possible = sum(layer.weights for layer in network.layers)
    connections = [layer.multiplications for layer in network.layers]
    return f"""\
possible_connections = {possible}
connections = {sum(connections)}
connections_by_layer = {connections}
share_connected = {sum(connections) / possible:.4f}
# With what it costs to say which connections exist, see Layer.stored_bits in
# harness/architecture/network.py.
stored_bits = {sum(layer.stored_bits or 0 for layer in network.layers)}
bits_per_weight = {network.bits_per_weight:.4f}
"""


def _report(settings: Settings, train: Events, held_out: Events, results: Any, text: str) -> str:
    """Return the content of `training.toml`."""
    model, float_accuracy, found = results
    pairs = np.bincount(held_out.truth.astype(np.int64) * 10 + found, minlength=100)
    confusion = pairs.reshape(10, 10)
    accuracy = np.trace(confusion) / confusion.sum()
    rows = "".join(f"  {row},\n" for row in confusion.tolist())
    return f"""\
# Written by train.py; do not edit.
schema = 1
date = {datetime.now(timezone.utc).date().isoformat()}
model_sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"

[training]
seed = {settings.seed}
epochs = {settings.epochs}
source = "{train.name}"
source_version = {train.version}
events = {len(train.raw)}
events_seed = {train.seed}
events_sha256 = "{train.sha256}"
python = "{platform.python_version()}"
numpy = "{np.__version__}"
torch = "{torch.__version__}"

[weights]
{_sizes(model)}
[held_out]
source = "{held_out.name}"
events = {len(held_out.raw)}
events_seed = {held_out.seed}
events_sha256 = "{held_out.sha256}"
# The same layers in floating point, ReLU between them and all connections, on the same bits.
float_accuracy = {float_accuracy:.6f}
quantised_accuracy = {accuracy:.6f}
loss = {float_accuracy - accuracy:.6f}
# Rows: true digit; columns: digit found by the bit-exact model.
confusion = [
{rows}]
"""


def train(settings: Settings, output: Path) -> None:
    """Train, check the export against the golden model, and write both files.

    Args:
        settings: What the training depends on.
        output: Folder for `model.json` and `training.toml`.

    Raises:
        OverlayError: PyTorch and the golden model disagree on a held-out image.
    """
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    events = DigitBits("digit_bits_train", "train").generate(TRAIN_IMAGES, 1)
    held_out = DigitBits().generate(HELD_OUT_IMAGES, 1)
    torch.manual_seed(settings.seed)
    real = _network(bits=False)
    _fit(real, events, Settings(settings.seed, settings.epochs // 3, 1.0), FLOAT_RATE)
    float_accuracy = float((_guesses(real, held_out) == held_out.truth).mean())
    LOG.info("accuracy in floating point: %.4f", float_accuracy)
    network = _network(bits=True)
    _fit(network, events, settings, BIT_RATE)
    content = _export(network)
    model = parse_model(content, where="model.json")
    found, reference = _guesses(network, held_out), classify(model.forward(held_out.raw))
    if not np.array_equal(found, reference):
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out images",
            why=f"on {np.count_nonzero(found != reference)} of {len(found)}",
        )
    text = _json(content)
    (output / "model.json").write_text(text, encoding="utf-8")
    report = _report(settings, events, held_out, (model, float_accuracy, reference), text)
    (output / "training.toml").write_text(report, encoding="utf-8")
    LOG.info("%s", report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the network of bits.")
    parser.add_argument("--seed", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=240)
    parser.add_argument("--kept", type=float, default=0.5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(Settings(options.seed, options.epochs, options.kept), options.output)


if __name__ == "__main__":
    main()
