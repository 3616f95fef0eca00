"""Train the qubit readout: a ternary 800-4-1 network, from seeded shots to its two files.

The network is that of QICK's readout (arXiv 2501.14663): 400 pairs of samples, four hidden values,
one number whose sign is the state. It is trained in floating point first. Then weights become -1, 0
or 1 by the threshold of ternary weight networks (Li and Liu, arXiv 1605.04711), hidden values
8-bit, and training goes on with all of the fabric's rounding in the forward pass and gradients that
pass straight through it (Bengio et al., arXiv 1308.3432).

Run `python overlays/qubit_readout/train.py` with the extra `train` installed; it takes a minute or
two, and `--help` lists its options. Nothing imports this file at run time. The same seed gives the
same model on the same machine and version of PyTorch; what is checked elsewhere is the model
written, bit by bit.
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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.accelerators import Model, NumberFormat, parse_model
from harness.errors import OverlayError
from harness.traffic import Events
from harness.traffic.iq_windows import IQ_FORMAT, IqWindows

LOG = logging.getLogger("train")

HIDDEN = 4
LANES = 2  # I and Q: a beat is a sample of the ADC
HIDDEN_BITS = 8
OUTPUT_BITS = 16
TERNARY = NumberFormat(width=2, integer=2, signed=True)
THRESHOLD = 0.7  # of the mean magnitude of a row: weights below are 0
SCALE = 1024.0  # counts that are 1 in floating point
COVERAGE = 0.999  # share of hidden values that their format must hold; the rest saturates
BATCH = 512
FLOAT_RATE = 1e-3
TERNARY_RATE = 3e-4


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights and the order of shots; the shots themselves come from the
            next.
        events: To train on.
        held_out_events: To test on, from the seed after that.
        epochs: Passes over the shots with ternary weights; as many precede them without.
    """

    seed: int
    events: int
    held_out_events: int
    epochs: int


class Readout(nn.Module):
    """The network, in floating point until `quantise` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(IqWindows().values, HIDDEN)
        self.decision = nn.Linear(HIDDEN, 1)
        self.shift: int | None = None
        self.gain = 1.0

    def forward(self, counts: Tensor) -> Tensor:
        """Return a number a shot, positive for state 1; [events] of counts [events, 800]."""
        if self.shift is None:
            found: Tensor = self.decision(torch.relu(self.hidden(counts / SCALE)))
            return found[:, 0]
        values = nn.functional.linear(counts, _ternary(self.hidden.weight), self._bias())
        values = _through(values / 2.0**self.shift, 0, (1 << HIDDEN_BITS) - 1)
        found = nn.functional.linear(values, _ternary(self.decision.weight), self._last_bias())
        return found[:, 0] * self.gain

    def _bias(self) -> Tensor:
        """Bias of the hidden values in counts, as a whole number."""
        exact = self.hidden.bias * SCALE
        return exact + (torch.round(exact) - exact).detach()

    def _last_bias(self) -> Tensor:
        """Bias of the decision in steps of a hidden value, as a whole number."""
        exact = self.decision.bias / self.gain
        return exact + (torch.round(exact) - exact).detach()

    @torch.no_grad()
    def quantise(self, counts: Tensor) -> None:
        """Make weights ternary and fix the format of the hidden values by those of some shots."""
        row = self.hidden.weight
        kept = _ternary(row) != 0
        size = (row.abs() * kept).sum(dim=1) / kept.sum(dim=1)
        # A row in units of its kept weights: what it loses in size, the decision's weights gain.
        self.hidden.weight /= size[:, None]
        self.hidden.bias /= size
        self.decision.weight *= size
        values = nn.functional.linear(counts, _ternary(self.hidden.weight), self._bias())
        largest = float(np.quantile(values.relu().numpy(), COVERAGE))
        self.shift = max(0, int(np.ceil(np.log2(largest + 1))) - HIDDEN_BITS)
        row = self.decision.weight
        kept = _ternary(row) != 0
        self.gain = float((row.abs() * kept).sum() / kept.sum()) * 2.0**self.shift / SCALE
        self.decision.weight /= (row.abs() * kept).sum() / kept.sum()

    @torch.no_grad()
    def export(self) -> dict[str, Any]:
        """Return the content of `model.json`."""
        if self.shift is None:
            raise OverlayError("a network without formats cannot be exported")
        hidden = NumberFormat(HIDDEN_BITS, HIDDEN_BITS + self.shift, signed=False)
        output = NumberFormat(OUTPUT_BITS, OUTPUT_BITS + self.shift, signed=True)
        layers = [
            _table(self.hidden.weight, self._bias(), self.shift, hidden, "relu"),
            _table(self.decision.weight, self._last_bias(), 0, output, "none"),
        ]
        return {
            "schema": 2,
            "name": "qubit_readout",
            "input": {"values": IqWindows().values, "format": asdict(IQ_FORMAT), "lanes": LANES},
            "layers": layers,
            "output": {"kind": "values"},
        }


def _table(
    weight: Tensor, bias: Tensor, shift: int, output_format: NumberFormat, activation: str
) -> dict[str, Any]:
    return {
        "kind": "dense",
        "inputs": weight.shape[1],
        "outputs": weight.shape[0],
        "weight_format": asdict(TERNARY),
        "weights": _ternary(weight).int().tolist(),
        "bias": bias.int().tolist(),
        "shift": shift,
        "rounding": "half_up" if shift else "floor",
        "overflow": "saturate",
        "activation": activation,
        "output_format": asdict(output_format),
    }


def _ternary(weight: Tensor) -> Tensor:
    """Return -1, 0 and 1; gradients pass as if nothing had been done."""
    exact = weight.detach()
    large = exact.abs() > THRESHOLD * exact.abs().mean(dim=1, keepdim=True)
    return weight + (torch.sign(exact) * large - exact)


def _through(values: Tensor, low: int, high: int) -> Tensor:
    """Round half up with saturation; gradients pass as if only the saturation were there."""
    kept = values.clamp(low, high)
    return kept + (torch.floor(values.detach() + 0.5).clamp(low, high) - kept.detach())


def _fit(network: Readout, events: Events, epochs: int, rate: float, order: Any) -> None:
    """Minimise the cross entropy with Adam and a cosine schedule."""
    counts, truth = torch.from_numpy(events.raw), torch.from_numpy(events.truth.astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * -(-len(truth) // BATCH))
    for epoch in range(epochs):
        total = 0.0
        shuffled = torch.randperm(len(truth), generator=order)
        for rows in shuffled.split(BATCH):
            optimiser.zero_grad()
            found = network(counts[rows].float())
            loss = nn.functional.binary_cross_entropy_with_logits(found, truth[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            total += float(loss.detach()) * len(rows)
        LOG.info("epoch %d of %d: cross entropy %.4f", epoch + 1, epochs, total / len(truth))


@torch.no_grad()
def _states(network: Readout, events: Events) -> NDArray[np.int64]:
    """Return the state that the network in PyTorch finds for each shot."""
    parts = torch.from_numpy(events.raw).split(64 * BATCH)
    return np.concatenate([(network(part.float()) > 0).numpy() for part in parts]).astype(np.int64)


def _confusion(states: NDArray[np.int64], events: Events) -> NDArray[np.int64]:
    """Return shots by prepared state (row) and state found (column), int64 [2, 2]."""
    return np.bincount(2 * events.truth.astype(np.int64) + states, minlength=4).reshape(2, 2)


def _fidelity(confusion: NDArray[np.int64]) -> float:
    """Return the mean over prepared states of the probability to find them."""
    return float((np.diag(confusion) / confusion.sum(axis=1)).mean())


def _json(content: dict[str, Any]) -> str:
    """Return JSON with a line for each weight row, so that differences can be read."""
    text = json.dumps(content)
    for mark in ('"layers": [', '"output": ', '"weights": [', "], [", '"bias"', '{"kind": "dense"'):
        text = text.replace(mark, "\n" + mark if mark != "], [" else "],\n[")
    return text + "\n"


def _report(
    settings: Settings, events: Events, held_out: Events, float_fidelity: float, model: Model
) -> str:
    """Return the content of `training.toml` but for the digest of the model file."""
    confusion = _confusion((model.forward(held_out.raw)[:, 0] > 0).astype(np.int64), held_out)
    return f"""\
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

# Fidelity: mean over prepared states of the probability to find them. Some 97.5 % is all there is:
# qubits that relax early look like the other state.
[held_out]
events = {len(held_out.raw)}
events_seed = {held_out.seed}
events_sha256 = "{held_out.sha256}"
float_fidelity = {float_fidelity:.6f}
quantised_fidelity = {_fidelity(confusion):.6f}
loss = {float_fidelity - _fidelity(confusion):.6f}
# Rows: prepared state; columns: state found by the bit-exact model.
confusion = {confusion.tolist()}
"""


def train(settings: Settings, output: Path) -> None:
    """Train, check the export against the golden model, and write both files.

    Args:
        settings: What the training depends on.
        output: Folder for `model.json` and `training.toml`.

    Raises:
        OverlayError: PyTorch and the golden model disagree on a held-out shot.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    order = torch.Generator().manual_seed(settings.seed)
    source = IqWindows()
    events = source.generate(settings.events, settings.seed + 1)
    held_out = source.generate(settings.held_out_events, settings.seed + 2)
    network = Readout()
    _fit(network, events, settings.epochs, FLOAT_RATE, order)
    fidelity = _fidelity(_confusion(_states(network, held_out), held_out))
    LOG.info("fidelity in floating point: %.4f", fidelity)
    network.quantise(torch.from_numpy(events.raw[: 16 * BATCH]).float())
    _fit(network, events, settings.epochs, TERNARY_RATE, order)
    content = network.export()
    model = parse_model(content, where="model.json")
    reference = (model.forward(held_out.raw)[:, 0] > 0).astype(np.int64)
    differ = np.count_nonzero(_states(network, held_out) != reference)
    if differ:
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out events",
            why=f"on {differ} of {len(reference)}",
        )
    text = _json(content)
    (output / "model.json").write_text(text, encoding="utf-8")
    head = f"""\
# Written by train.py; do not edit.
schema = 1
date = {datetime.now(timezone.utc).date().isoformat()}
model_sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"

"""
    report = _report(settings, events, held_out, fidelity, model)
    (output / "training.toml").write_text(head + report, encoding="utf-8")
    LOG.info("%s", report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the qubit readout.")
    parser.add_argument("--seed", type=int, default=14663)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--held-out", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = Settings(options.seed, options.events, options.held_out, options.epochs)
    train(settings, options.output)


if __name__ == "__main__":
    main()
