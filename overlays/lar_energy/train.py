"""Train the energy reconstruction: a recurrent network a channel, from seeded orbits to two files.

The network is of the kind that ATLAS built for its calorimeter (arXiv 2302.07555): one sample in,
8 units of h' = relu(Wx x + Wh h + b), one energy out, 89 numbers in all, the same for all channels.
A pulse rises for two crossings, so the energy that is put out in a crossing is that of `DELAY`
crossings before. It is trained in floating point first, on windows of the sample stream; then with
all of the fabric's rounding in the forward pass and gradients that pass straight through it (Bengio
et al., arXiv 1308.3432).

Run `python overlays/lar_energy/train.py` with the extra `train` installed; it takes some minutes,
and `--help` lists its options. Nothing imports this file at run time. The same seed gives the same
model on the same machine and version of PyTorch; what is checked elsewhere is the model written,
bit by bit.
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

from harness.accelerators import NumberFormat, parse_model
from harness.errors import OverlayError
from harness.traffic import SLOTS, Events
from harness.traffic.lar_samples import COUNTS_PER_GEV, LAR_CHANNELS, LAR_FORMAT, LarSamples

LOG = logging.getLogger("train")

UNITS = 8
DELAY = 2  # crossings from a deposit to its energy
STEPS = 4  # two channels at a time: four cycles at 200 MHz are below 25 ns
STATE = NumberFormat(width=16, integer=14, signed=False)
ENERGY = NumberFormat(width=16, integer=14, signed=True)
STATE_WEIGHT = NumberFormat(width=11, integer=2, signed=True)
INPUT_WEIGHT = NumberFormat(width=13, integer=2, signed=True)
OUTPUT_WEIGHT = NumberFormat(width=11, integer=2, signed=True)
WINDOW = 128  # crossings of a piece of stream to learn from
WARM_UP = 32  # of these, at its beginning: deposits before it are not known
BATCH = 512
FLOAT_RATE = 1e-2
QUANTISED_RATE = 2e-3
SOFTNESS = 4.0  # GeV; larger errors count by their size, not by its square
LARGE = 1.0  # GeV; deposits above have a resolution of their own


@dataclass(frozen=True)
class Settings:
    """What a training depends on.

    Args:
        seed: Of the initial weights and the choice of windows; events come from the next.
        orbits: To train on.
        held_out_orbits: To test on, from the seed after that.
        rounds: Batches with quantisation; as many precede them without.
    """

    seed: int
    orbits: int
    held_out_orbits: int
    rounds: int


class Cell(nn.Module):
    """The network, in floating point until `quantised` is set; values are in counts."""

    def __init__(self) -> None:
        super().__init__()
        # Units begin as taps of a delay line that leaks: what the filter is made of is at hand.
        taps = torch.diag(torch.full((UNITS - 1,), 0.5), -1) + torch.diag(torch.full((UNITS,), 0.2))
        self.state_weight = nn.Parameter((taps + 0.06 * torch.randn(UNITS, UNITS)).double())
        self.input_weight = nn.Parameter((0.3 * torch.randn(UNITS, 1)).double())
        self.bias = nn.Parameter(torch.full((UNITS,), 0.2).double())  # GeV, as the other
        self.output_weight = nn.Parameter((0.3 * torch.randn(1, UNITS)).double())
        self.output_bias = nn.Parameter(torch.zeros(1).double())
        self.quantised = False

    def forward(self, counts: Tensor) -> Tensor:
        """Return energies in counts, [crossings, channels], of samples of that shape."""
        weight, kept, bias = self._cell()
        state = counts.new_zeros(counts.shape[1], UNITS)
        states = []
        for sample in counts[:, :, None]:
            state = self._round(
                torch.relu(torch.addmm(sample @ weight.T + bias, state, kept.T)), STATE
            )
            states.append(state)
        weight, bias = self._output()
        return self._round(torch.stack(states) @ weight.T + bias, ENERGY)[:, :, 0]

    def _cell(self) -> tuple[Tensor, Tensor, Tensor]:
        bias = self.bias * COUNTS_PER_GEV
        if not self.quantised:
            return self.input_weight, self.state_weight, bias
        lsb = 2.0 ** -(STATE.fraction + STATE_WEIGHT.fraction)
        return (
            _through(self.input_weight, INPUT_WEIGHT),
            _through(self.state_weight, STATE_WEIGHT),
            bias + (torch.round(bias / lsb) * lsb - bias).detach(),
        )

    def _output(self) -> tuple[Tensor, Tensor]:
        bias = self.output_bias * COUNTS_PER_GEV
        if not self.quantised:
            return self.output_weight, bias
        lsb = 2.0 ** -(STATE.fraction + OUTPUT_WEIGHT.fraction)
        weight = _through(self.output_weight, OUTPUT_WEIGHT)
        return weight, bias + (torch.round(bias / lsb) * lsb - bias).detach()

    def _round(self, values: Tensor, number_format: NumberFormat) -> Tensor:
        return _through(values, number_format) if self.quantised else values

    @torch.no_grad()
    def export(self) -> dict[str, Any]:
        """Return the content of `model.json`."""
        weight, kept, bias = self._cell()
        output, output_bias = self._output()
        scale = 2.0 ** (STATE.fraction + STATE_WEIGHT.fraction)
        output_scale = 2.0 ** (STATE.fraction + OUTPUT_WEIGHT.fraction)
        together = LAR_CHANNELS // STEPS
        blocks = torch.block_diag(*[output] * together)
        return {
            "schema": 2,
            "name": "lar_energy",
            "input": {"values": LAR_CHANNELS + 1, "format": asdict(LAR_FORMAT)},
            "layers": [
                {
                    "kind": "recurrent",
                    "channels": LAR_CHANNELS,
                    "inputs": 1,
                    "units": UNITS,
                    "steps": STEPS,
                    "input_weight_format": asdict(INPUT_WEIGHT),
                    "input_weights": _raw(weight, 2.0**INPUT_WEIGHT.fraction),
                    "state_weight_format": asdict(STATE_WEIGHT),
                    "state_weights": _raw(kept, 2.0**STATE_WEIGHT.fraction),
                    "bias": _raw(bias, scale),
                    **_end(STATE_WEIGHT.fraction, "relu", STATE),
                },
                {
                    "kind": "dense_per_beat",
                    "inputs": together * UNITS,
                    "outputs": together,
                    "weight_format": asdict(OUTPUT_WEIGHT),
                    "weights": _raw(blocks, 2.0**OUTPUT_WEIGHT.fraction),
                    "bias": _raw(output_bias.repeat(together), output_scale),
                    **_end(OUTPUT_WEIGHT.fraction, "none", ENERGY),
                },
            ],
            "output": {"kind": "values"},
        }


def _end(shift: int, activation: str, output_format: NumberFormat) -> dict[str, Any]:
    return {
        "shift": shift,
        "rounding": "half_up",
        "overflow": "saturate",
        "activation": activation,
        "output_format": asdict(output_format),
    }


def _raw(values: Tensor, scale: float) -> list[Any]:
    raw: list[Any] = torch.round(values * scale).long().tolist()
    return raw


def _through(values: Tensor, number_format: NumberFormat) -> Tensor:
    """Round half up with saturation; gradients pass as if only the saturation were there."""
    lsb = 2.0**-number_format.fraction
    low, high = number_format.minimum, number_format.maximum
    kept = values.clamp(low * lsb, high * lsb)
    rounded = torch.floor(values.detach() / lsb + 0.5).clamp(low, high) * lsb
    return kept + (rounded - kept).detach()


def _streams(events: Events) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return samples and true energies in counts, float64 [crossings, orbits * channels]."""
    shape = (-1, SLOTS, LAR_CHANNELS)
    samples = events.raw[:, :-1].reshape(shape).swapaxes(0, 1).reshape(SLOTS, -1)
    energies = events.truth.reshape(shape).swapaxes(0, 1).reshape(SLOTS, -1)
    return samples.astype(np.float64), energies.astype(np.float64) * COUNTS_PER_GEV


def _fit(network: Cell, events: Events, rounds: int, rate: float, random: Any) -> None:
    """Minimise a smooth absolute error with Adam and a cosine schedule, on random windows."""
    samples, energies = map(torch.from_numpy, _streams(events))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, rounds)
    total = 0.0
    for number in range(1, rounds + 1):
        first = torch.randint(SLOTS - WINDOW, (BATCH,), generator=random)
        stream = torch.randint(samples.shape[1], (BATCH,), generator=random)
        rows = first + torch.arange(WINDOW)[:, None]
        optimiser.zero_grad()
        found = network(samples[rows, stream])[WARM_UP:]
        wanted = energies[rows, stream][WARM_UP - DELAY : -DELAY]
        errors = (found - wanted) / COUNTS_PER_GEV
        loss = nn.functional.smooth_l1_loss(errors, torch.zeros_like(errors), beta=SOFTNESS)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        decay.step()
        total += float(loss.detach())
        if number % 100 == 0:
            LOG.info("batch %d of %d: loss %.5f", number, rounds, total / 100)
            total = 0.0


@torch.no_grad()
def _energies(network: Cell, events: Events) -> NDArray[np.float64]:
    """Return what the network in PyTorch finds, in counts, [events, channels]."""
    found = network(torch.from_numpy(_streams(events)[0])).numpy()
    return found.reshape(SLOTS, -1, LAR_CHANNELS).swapaxes(0, 1).reshape(-1, LAR_CHANNELS)


def resolution(counts: NDArray[np.float64], events: Events) -> dict[str, float]:
    """Return errors in GeV: of all crossings, and of those with a deposit above `LARGE`.

    Args:
        counts: Energies found, [events, channels]; those of an event are of `DELAY` before.
        events: Whole orbits.
    """
    shape = (-1, SLOTS, LAR_CHANNELS)
    truth = events.truth.reshape(shape)[:, :-DELAY].astype(np.float64)
    errors = (counts / COUNTS_PER_GEV).reshape(shape)[:, DELAY:] - truth
    large = errors[truth > LARGE]
    return {
        "rms": float(np.sqrt((errors**2).mean())),
        "half_width": float(np.quantile(np.abs(errors), 0.68)),
        "large_bias": float(np.median(large)),
        "large_half_width": float(np.quantile(np.abs(large), 0.68)),
    }


def _json(content: dict[str, Any]) -> str:
    """Return JSON with a line for each key of a layer, so that differences can be read."""
    lines = ",\n".join(
        "  {\n" + ",\n".join(f'   "{k}": {json.dumps(v)}' for k, v in layer.items()) + "\n  }"
        for layer in content["layers"]
    )
    text = json.dumps({**content, "layers": None}).replace(', "output"', ',\n "output"')
    return text.replace('"layers": null', '\n "layers": [\n' + lines + "\n ]") + "\n"


def _report(
    settings: Settings,
    events: Events,
    held_out: Events,
    exact: dict[str, float],
    found: dict[str, float],
) -> str:
    """Return the content of `training.toml` but for its head."""
    numbers = "".join(
        f"float_{name}_gev = {exact[name]:.6f}\nquantised_{name}_gev = {found[name]:.6f}\n"
        for name in exact
    )
    return f"""\
[training]
seed = {settings.seed}
rounds = {settings.rounds}
source = "{events.name}"
source_version = {events.version}
events = {len(events.raw)}
events_seed = {events.seed}
events_sha256 = "{events.sha256}"
delay_crossings = {DELAY}
python = "{platform.python_version()}"
numpy = "{np.__version__}"
torch = "{torch.__version__}"

# Errors in GeV of the energy of {DELAY} crossings before: rms and 68 % half width of all channels
# and crossings; median and 68 % half width of deposits above {LARGE} GeV. loss: by how much the
# quantised rms exceeds that of the same weights in floating point, relative.
[held_out]
events = {len(held_out.raw)}
events_seed = {held_out.seed}
events_sha256 = "{held_out.sha256}"
{numbers}loss = {found["rms"] / exact["rms"] - 1:.6f}
"""


def train(settings: Settings, output: Path) -> None:
    """Train, check the export against the golden model, and write both files.

    Args:
        settings: What the training depends on.
        output: Folder for `model.json` and `training.toml`.

    Raises:
        OverlayError: PyTorch and the golden model disagree on a held-out energy.
    """
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in parallel would depend on the number of cores
    random = torch.Generator().manual_seed(settings.seed)
    source = LarSamples()
    events = source.generate(settings.orbits * SLOTS, settings.seed + 1)
    held_out = source.generate(settings.held_out_orbits * SLOTS, settings.seed + 2)
    network = Cell()
    _fit(network, events, settings.rounds, FLOAT_RATE, random)
    LOG.info("before quantisation: %s", resolution(_energies(network, held_out), held_out))
    network.quantised = True
    _fit(network, events, settings.rounds, QUANTISED_RATE, random)
    network.quantised = False
    exact = resolution(_energies(network, held_out), held_out)
    network.quantised = True
    content = network.export()
    model = parse_model(content, where="model.json")
    reference = ENERGY.to_float(model.forward(held_out.raw))
    differ = np.count_nonzero(_energies(network, held_out) != reference)
    if differ:
        raise OverlayError(
            "PyTorch and the golden model disagree",
            where="held-out events",
            why=f"on {differ} of {reference.size} energies",
        )
    text = _json(content)
    (output / "model.json").write_text(text, encoding="utf-8")
    head = f"""\
# Written by train.py; do not edit.
schema = 1
date = {datetime.now(timezone.utc).date().isoformat()}
model_sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"

"""
    report = _report(settings, events, held_out, exact, resolution(reference, held_out))
    (output / "training.toml").write_text(head + report, encoding="utf-8")
    LOG.info("%s", report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the energy reconstruction.")
    parser.add_argument("--seed", type=int, default=7555)
    parser.add_argument("--orbits", type=int, default=64)
    parser.add_argument("--held-out", type=int, default=28)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = Settings(options.seed, options.orbits, options.held_out, options.rounds)
    train(settings, options.output)


if __name__ == "__main__":
    main()
