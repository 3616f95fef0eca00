"""Train the spiking network: from trains of spikes of digits to `model.json` and `training.toml`.

A 64-32-10 network of leaky integrate-and-fire neurons over 16 time steps, whose class is the output
neuron that spikes most, as soon as it leads by three spikes. It is trained through time with a
surrogate for the gradient of a spike (Neftci et al., arXiv 1901.09948): first with real weights,
then with weights rounded to six bits and a leak that drops what the fabric's shift drops.
Potentials are whole numbers then, so PyTorch computes what the fabric will, spike for spike; there
is nothing left to convert. In every pass the same images spike differently. All steps are trained;
the margin is only how the counts are read.

Run `python overlays/spiking_digits/train.py` with the extra `train` installed; it takes a minute.
Nothing imports this file at run time. The same seed gives the same model on the same machine and
version of PyTorch; what is checked elsewhere is the model written, bit by bit.
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
from torch import Tensor, nn

from harness.accelerators import Model, classify, parse_model
from harness.errors import OverlayError
from harness.traffic import Events
from harness.traffic.digits import DIGIT_FORMAT, DIGIT_SIDE, SPIKE_STEPS, DigitSpikes

LOG = logging.getLogger("train")

HIDDEN, CLASSES = 32, 10
PARALLEL = (4, 4)
WEIGHT_BITS, POTENTIAL_BITS = 6, 12
LEAK = 3
THRESHOLD = 32  # in steps of a weight: the largest weight alone nearly makes a neuron spike
MARGIN = 3  # the least that loses next to nothing: 1 loses 6 points, 2 a sixth of a point
BATCH, RATE = 64, 3e-3
IMAGES = 1197


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights and the order of events; the spikes come from the next.
        passes: Over all images with whole weights; half as many precede them with real ones.
        held_out_passes: Over all held-out images, with other spikes each time.
    """

    seed: int
    passes: int
    held_out_passes: int


@dataclass(frozen=True)
class Reached:
    """What was reached on held-out events.

    Args:
        real: Accuracy with real weights, all steps counted.
        all_steps: Accuracy of the fabric's integers, all steps counted.
        mean_steps: Steps until a neuron leads by the margin.
    """

    real: float
    all_steps: float
    mean_steps: float


class _Spike(torch.autograd.Function):
    """A step forward, the derivative of a fast sigmoid backward."""

    @staticmethod
    def forward(context: Any, above: Tensor) -> Tensor:
        context.save_for_backward(above)
        return (above >= 0).float()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (above,) = context.saved_tensors
        return gradient / (1 + 4 * (above / THRESHOLD).abs()) ** 2 * 4 / THRESHOLD


class Neurons(nn.Module):
    """A layer of spiking neurons, in units of a weight's step.

    Args:
        inputs: Sources of spikes.
        outputs: Neurons.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * THRESHOLD * 0.6 / inputs**0.5)
        self.whole = False

    def integers(self) -> Tensor:
        """Return the weights as the fabric has them, gradients passing through the rounding."""
        limit = 1 << (WEIGHT_BITS - 1)
        kept = self.weight.clamp(-limit, limit - 1)
        return kept + (torch.round(kept) - kept).detach()

    def forward(self, spikes: Tensor) -> Tensor:
        """Compute [events, steps, inputs] to [events, steps, outputs]."""
        currents = nn.functional.linear(spikes, self.integers() if self.whole else self.weight)
        potential = torch.zeros_like(currents[:, 0])
        limit = 1 << (POTENTIAL_BITS - 1)
        fired = []
        for current in currents.unbind(1):
            loss = potential / (1 << LEAK)
            if self.whole:
                loss = loss + (torch.floor(loss) - loss).detach()
            potential = (potential - loss + current).clamp(-limit, limit - 1)
            spike = _Spike.apply(potential - THRESHOLD)
            potential = potential - THRESHOLD * spike
            fired.append(spike)
        return torch.stack(fired, 1)


def _network() -> nn.Sequential:
    return nn.Sequential(Neurons(DIGIT_SIDE**2, HIDDEN), Neurons(HIDDEN, CLASSES))


def _spikes(events: Events) -> Tensor:
    return torch.from_numpy(events.raw.astype(np.float32)).view(-1, SPIKE_STEPS, DIGIT_SIDE**2)


def _fit(network: nn.Sequential, events: Events, passes: int, order: torch.Generator) -> None:
    """Minimise the cross entropy of the counts with Adam and a cosine schedule, a pass a time."""
    truth = torch.from_numpy(events.truth.astype(np.int64))
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE * THRESHOLD)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, passes * -(-IMAGES // BATCH))
    spikes = _spikes(events)
    for number in range(passes):
        start, total = number * IMAGES % len(spikes), 0.0
        for rows in (start + torch.randperm(IMAGES, generator=order)).split(BATCH):
            optimiser.zero_grad()
            counts = network(spikes[rows]).sum(1)
            loss = nn.functional.cross_entropy(counts, truth[rows])
            torch.autograd.backward(loss)
            optimiser.step()
            decay.step()
            total += float(loss.detach()) * len(rows)
        if number % 10 == 9:
            LOG.info("pass %d of %d: cross entropy %.4f", number + 1, passes, total / IMAGES)


@torch.no_grad()
def _guesses(network: nn.Sequential, events: Events, margin: int = 0) -> tuple[Any, Any]:
    """Return the class that the network in PyTorch finds for each event, and the steps it takes."""
    found, steps = [], []
    for part in _spikes(events).split(4096):
        counts = network(part).cumsum(1)
        best = counts.topk(2, dim=2).values
        ended = best[:, :, 0] - best[:, :, 1] >= (margin or SPIKE_STEPS + 1)
        ended[:, -1] = True
        ends = ended.int().argmax(1)  # the first of equals
        found.append(counts[torch.arange(len(part)), ends])
        steps.append(ends + 1)
    return classify(torch.cat(found).numpy()), torch.cat(steps).numpy()


def _export(network: nn.Sequential) -> dict[str, Any]:
    """Return the content of `model.json`."""
    layers = []
    for neurons, parallel, output in zip(network, PARALLEL, ("spikes", "counts"), strict=True):
        weights = neurons.integers().int()
        layers.append(
            {
                "kind": "lif",
                "inputs": weights.shape[1],
                "outputs": weights.shape[0],
                "parallel": parallel,
                "weight_bits": WEIGHT_BITS,
                "weights": weights.tolist(),
                "thresholds": [THRESHOLD] * weights.shape[0],
                "leak": LEAK,
                "reset": "subtract",
                "potential_bits": POTENTIAL_BITS,
                "output": output,
                **({"margin": MARGIN} if output == "counts" else {}),
            }
        )
    lanes = DIGIT_SIDE**2
    return {
        "schema": 2,
        "name": "spiking_digits",
        "input": {
            "values": SPIKE_STEPS * lanes,
            "format": asdict(DIGIT_FORMAT),
            "lanes": lanes,
        },
        "layers": layers,
        "output": {"kind": "logits_argmax"},
    }


def _json(content: Any, indent: str = "") -> str:
    """Return JSON with a line for each matrix row, so that differences can be read."""
    deeper = indent + "  "
    flat = json.dumps(content)
    if len(indent + flat) <= 100 or (isinstance(content, list) and isinstance(content[0], int)):
        return flat
    if isinstance(content, list):
        body = [deeper + _json(item, deeper) for item in content]
        return "[\n" + ",\n".join(body) + f"\n{indent}]"
    body = [f"{deeper}{json.dumps(key)}: {_json(item, deeper)}" for key, item in content.items()]
    return "{\n" + ",\n".join(body) + f"\n{indent}}}"


def _report(
    settings: Settings,
    events: Events,
    held_out: Events,
    reached: Reached,
    model: Model,
    text: str,
) -> str:
    """Return the content of `training.toml`; the reference accuracy is that of `Model.forward`."""
    found = classify(model.forward(held_out.raw))
    pairs = np.bincount(held_out.truth.astype(np.int64) * CLASSES + found, minlength=CLASSES**2)
    confusion = pairs.reshape(CLASSES, CLASSES)
    quantised = np.trace(confusion) / confusion.sum()
    rows = "".join(f"  {row},\n" for row in confusion.tolist())
    return f"""\
# Written by train.py; do not edit.
schema = 1
date = {datetime.now(timezone.utc).date().isoformat()}
model_sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"

[training]
seed = {settings.seed}
passes = {settings.passes}
source = "{events.name}"
source_version = {events.version}
# {IMAGES} images, each with other spikes in every pass.
events = {len(events.raw)}
events_seed = {events.seed}
events_sha256 = "{events.sha256}"
python = "{platform.python_version()}"
numpy = "{np.__version__}"
torch = "{torch.__version__}"

[held_out]
source = "{held_out.name}"
# 600 images, each with several trains of spikes.
events = {len(held_out.raw)}
events_seed = {held_out.seed}
events_sha256 = "{held_out.sha256}"
# The same neurons with real weights and potentials.
float_accuracy = {reached.real:.6f}
quantised_accuracy = {quantised:.6f}
loss = {reached.real - quantised:.6f}
# Were all {SPIKE_STEPS} steps counted; and steps on average until a neuron leads by {MARGIN}.
all_steps_accuracy = {reached.all_steps:.6f}
mean_steps = {reached.mean_steps:.3f}
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
        OverlayError: PyTorch and the golden model disagree on a held-out event.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    order = torch.Generator().manual_seed(settings.seed)
    source = DigitSpikes("digit_spikes_train", "train")
    events = source.generate(settings.passes * IMAGES, settings.seed + 1)
    held_out = DigitSpikes().generate(settings.held_out_passes * 600, settings.seed + 2)
    network = _network()
    _fit(network, events, settings.passes // 2, order)
    real = float((_guesses(network, held_out)[0] == held_out.truth).mean())
    LOG.info("accuracy with real weights: %.4f", real)
    for neurons in network:
        neurons.whole = True
    _fit(network, events, settings.passes, order)
    content = _export(network)
    model = parse_model(content, where="model.json")
    all_steps = float((_guesses(network, held_out)[0] == held_out.truth).mean())
    found, steps = _guesses(network, held_out, MARGIN)
    reference = classify(model.forward(held_out.raw))
    if not np.array_equal(found, reference):
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out events",
            why=f"on {np.count_nonzero(found != reference)} of {len(found)}",
        )
    text = _json(content) + "\n"
    (output / "model.json").write_text(text, encoding="utf-8")
    reached = Reached(real, all_steps, float(steps.mean()))
    report = _report(settings, events, held_out, reached, model, text)
    (output / "training.toml").write_text(report, encoding="utf-8")
    LOG.info("%s", report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the spiking network.")
    parser.add_argument("--seed", type=int, default=1616)
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--held-out-passes", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(Settings(options.seed, options.passes, options.held_out_passes), options.output)


if __name__ == "__main__":
    main()
