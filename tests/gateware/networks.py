"""Random networks for the tests of `overlays/lib/rtl/nn`: chains of layers, generated, in one top.

A kind of layer joins in with a line in `MAKERS`: a function that draws its table in `model.json`,
given what arrives, or nothing where that does not suit it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import Dense, Model, NumberFormat, Tensor, parse_model
from harness.accelerators.golden import output_rows
from harness.accelerators.layers.conv2d import Conv2d
from harness.accelerators.layers.regroup import Regroup
from harness.generate.accelerator import network_top
from harness.generate.network import weights_package
from tests.gateware.rtl import ROOT, Design

NN = ROOT / "overlays" / "lib" / "rtl" / "nn"
SOURCES = tuple(sorted(NN.glob("*.sv")))
Table = dict[str, Any]


def table_of(number_format: NumberFormat) -> Table:
    """Return a format as `model.json` spells it."""
    return {
        "width": number_format.width,
        "integer": number_format.integer,
        "signed": number_format.signed,
    }


def integers(rng: random.Random, shape: tuple[int, ...], low: int, high: int) -> list[Any]:
    """Return nested lists of integers, the extremes often among them."""
    if len(shape) > 1:
        return [integers(rng, shape[1:], low, high) for _ in range(shape[0])]
    return [rng.choice((low, high, rng.randint(low, high))) for _ in range(shape[0])]


def requantise(rng: random.Random, bound: int, fraction: int) -> Table:
    """Return a random end of a layer.

    Args:
        rng: Source of randomness.
        bound: Of the accumulator's magnitude; about half of the results fit the output, the others
            show what overflow does.
        fraction: Bits right of the accumulator's binary point.
    """
    width = rng.choice((1, 3, 5, 6, 8, 16, 31, 32))
    shift = max(0, bound.bit_length() - width - rng.randint(0, 2))
    return {
        "shift": shift,
        "rounding": rng.choice(("floor", "half_up")),
        "overflow": rng.choice(("saturate", "wrap")),
        "activation": rng.choice(("relu", "none")),
        "output_format": {
            "width": width,
            "integer": width - (fraction - shift),
            "signed": rng.random() < 0.5,
        },
    }


def dense(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return a dense layer, in more steps than it has lanes at times."""
    if tensor.format.width > 16 and tensor.values > 8:
        return None
    outputs, loadable = rng.randint(1, 8), rng.random() < 0.3
    weight = NumberFormat(rng.choice((1, 2, 4, 6, 16)), rng.randint(-1, 3), rng.random() < 0.8)
    bound = tensor.values << (tensor.format.width + weight.width - 1)
    return {
        "kind": "dense",
        "inputs": tensor.values,
        "outputs": outputs,
        "reuse": 1 if loadable else rng.choice((1, 1, 2, 3, 4, 7)),
        "loadable": loadable,
        "weight_format": table_of(weight),
        "weights": integers(rng, (outputs, tensor.values), weight.minimum, weight.maximum),
        "bias": integers(rng, (outputs,), *biases(bound, loadable)),
        **requantise(rng, bound, tensor.format.fraction + weight.fraction),
    }


def biases(bound: int, loadable: bool) -> tuple[int, int]:
    """Return the limits of a random bias: registers have 24 bits."""
    return (max(-bound, -(1 << 23)), min(bound, (1 << 23) - 1)) if loadable else (-bound, bound)


def conv2d(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return a convolution over any image that the beats make, in one dimension at times."""
    if tensor.format.width > 16 or tensor.values > 32 or tensor.beats == 1:
        return None
    loadable = rng.random() < 0.4
    if loadable and rng.random() < 0.7:  # a row a beat
        rows = tensor.beats
        columns = rng.choice(divisors(tensor.lanes))
    else:
        rows = rng.choice(divisors(tensor.beats))
        columns = tensor.beats // rows
    channels = tensor.values // (rows * columns)
    padding = rng.choice(("same", "valid"))
    kernel = [
        rng.randint(1, min(3 if padding == "same" else length, 3)) for length in (rows, columns)
    ]
    filters = rng.randint(1, 3)
    weight = NumberFormat(rng.choice((1, 4, 6)), rng.randint(-1, 3), rng.random() < 0.8)
    bound = kernel[0] * kernel[1] * channels << (tensor.format.width + weight.width - 1)
    shape = (filters, *kernel, channels)
    return {
        "kind": "conv2d",
        "rows": rows,
        "columns": columns,
        "channels": channels,
        "filters": filters,
        "kernel": kernel,
        "stride": [rng.randint(1, 2), rng.randint(1, 3)],
        "padding": padding,
        "reuse": 1 if loadable else rng.choice((1, 1, 2, 3)),
        "loadable": loadable,
        "weight_format": table_of(weight),
        "weights": integers(rng, shape, weight.minimum, weight.maximum),
        "bias": integers(rng, (filters,), *biases(bound, loadable)),
        **requantise(rng, bound, tensor.format.fraction + weight.fraction),
    }


def dense_per_beat(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return a dense layer for each of some beats."""
    table = dense(rng, Tensor(1, tensor.lanes, tensor.format)) if tensor.beats > 1 else None
    return None if table is None else {**table, "kind": "dense_per_beat"}


def recurrent(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return a cell of a few channels, its flag among values that are often 0."""
    inputs = [n for n in divisors(tensor.values - 1) if n <= 3] if tensor.values > 1 else []
    if tensor.beats != 1 or tensor.format.width > 16 or not inputs:
        return None
    taken, units = rng.choice(inputs), rng.randint(1, 3)
    channels = (tensor.values - 1) // taken
    kept = NumberFormat(rng.choice((1, 3, 8)), rng.randint(-1, 3), rng.random() < 0.8)
    end = requantise(rng, 1 << 20, rng.randint(-4, 20))
    state = NumberFormat(**end["output_format"])
    end["output_format"]["width"] = min(state.width, 16)
    end["output_format"]["integer"] = end["output_format"]["width"] - state.fraction
    # Both products have one binary point: that of the state's decides on the input's weights.
    kept = NumberFormat(kept.width, kept.width - end["shift"], kept.signed)
    fraction = state.fraction + kept.fraction - tensor.format.fraction
    width = rng.choice((2, 5, 9))
    incoming = NumberFormat(width, width - fraction, rng.random() < 0.8)
    return {
        "kind": "recurrent",
        "channels": channels,
        "inputs": taken,
        "units": units,
        "steps": rng.choice(divisors(channels)),
        "input_weight_format": table_of(incoming),
        "input_weights": integers(rng, (units, taken), incoming.minimum, incoming.maximum),
        "state_weight_format": table_of(kept),
        "state_weights": integers(rng, (units, units), kept.minimum, kept.maximum),
        "bias": integers(rng, (units,), -(1 << 12), 1 << 12),
        **end,
    }


def regroup(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return any other number of lanes."""
    lanes = [n for n in divisors(tensor.values) if n != tensor.lanes]
    return {"kind": "regroup", "lanes": rng.choice(lanes)} if lanes else None


def xnor_dense(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return a layer of bits, every second time with connections missing."""
    if tensor.format.width != 1:
        return None
    outputs = rng.randint(1, 8)

    def bits() -> list[str]:
        digits = -(-tensor.values // 4)
        return [f"{rng.getrandbits(tensor.values):0{digits}x}" for _ in range(outputs)]

    return {
        "kind": "xnor_dense",
        "inputs": tensor.values,
        "outputs": outputs,
        "reuse": rng.choice((1, 1, 2, 3, 4, 7)),
        "weights": bits(),
        **({"mask": bits()} if rng.random() < 0.5 else {}),
        "bias": integers(rng, (outputs,), -tensor.values, tensor.values),
        **requantise(rng, 2 * tensor.values, 0),
    }


def lif(rng: random.Random, tensor: Tensor) -> Table | None:
    """Return spiking neurons, some of which overflow."""
    if tensor.format.width != 1:
        return None
    outputs, bits = rng.randint(1, 6), rng.choice((1, 4, 6))
    potential_bits = rng.choice((4, 6, 12))
    weight = NumberFormat(bits, bits, signed=True)
    early = rng.random() < 0.5 and outputs > 1
    return {
        "kind": "lif",
        "inputs": tensor.lanes,
        "outputs": outputs,
        "parallel": rng.randint(1, tensor.lanes),
        "weight_bits": bits,
        "weights": integers(rng, (outputs, tensor.lanes), weight.minimum, weight.maximum),
        "thresholds": [rng.randint(1, 7) for _ in range(outputs)],
        "leak": rng.choice((0, 1, 2, 3)),
        "reset": rng.choice(("subtract", "zero")),
        "potential_bits": potential_bits,
        "output": "counts" if early else rng.choice(("spikes", "counts")),
        **({"margin": rng.randint(1, min(3, tensor.beats))} if early else {}),
    }


MAKERS: dict[str, Callable[[random.Random, Tensor], Table | None]] = {
    "conv2d": conv2d,
    "dense": dense,
    "dense_per_beat": dense_per_beat,
    "lif": lif,
    "recurrent": recurrent,
    "regroup": regroup,
    "xnor_dense": xnor_dense,
}


def divisors(number: int) -> list[int]:
    """Return all of them."""
    return [n for n in range(1, number + 1) if number % n == 0]


@dataclass(frozen=True)
class Network:
    """A network on pins `<name>_in_*` and `<name>_out_*` of the top; last is the data's top bit.

    Args:
        model: The network.
        in_bits: Width of the input stream.
        out_bits: Width of the output stream.
    """

    model: Model
    in_bits: int
    out_bits: int

    @property
    def name(self) -> str:
        """Prefix of the pins."""
        return self.model.name

    @property
    def in_beats(self) -> int:
        """Input beats of an event."""
        return self.model.unpack(self.in_bits).in_beats

    @property
    def out_beats(self) -> int:
        """Output beats of an event."""
        return self.model.pack(self.out_bits).out_beats

    @property
    def interval(self) -> int | None:
        """Cycles from an event to the next, none if that depends on the data."""
        return self.model.interval_cycles(self.in_bits, self.out_bits)

    @property
    def latency(self) -> int | None:
        """Cycles from first beat in to last beat out, none if that depends on the data."""
        return self.model.latency_cycles(self.in_bits, self.out_bits)

    @property
    def timed(self) -> bool:
        """Whether the slowest layer alone sets the pace.

        Windows of a convolution come in bursts, and nothing stores them: where a neighbour does not
        keep up with a burst, both are slower together than either is alone.
        """
        convolutions = sum(isinstance(layer, Conv2d) for layer in self.model.layers)
        if not convolutions:
            return self.interval is not None
        tensors = [self.model.input, *(layer.output for layer in self.model.layers)]
        beats = [self.in_beats, *(tensor.beats for tensor in tensors), self.out_beats]
        prompt = (
            isinstance(layer, Conv2d | Regroup) or (isinstance(layer, Dense) and layer.reuse == 1)
            for layer in self.model.layers
        )
        return (
            convolutions == 1
            and beats[0] <= beats[1]
            and beats[1:] == sorted(beats[1:], reverse=True)
            and all(prompt)
        )

    def events(self, count: int, seed: int) -> NDArray[np.int64]:
        """Return random events, one in four of nothing but extreme values."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        form, shape = self.model.input_format, (count, self.model.inputs)
        raw = rng.integers(form.minimum, form.maximum, shape, np.int64, endpoint=True)
        near = np.clip([form.minimum, -1, 0, 1, form.maximum], form.minimum, form.maximum)
        raw[::4] = rng.choice(near, raw[::4].shape)
        return raw

    def beats(self, count: int, seed: int) -> list[int]:
        """Return the input beats of random events."""
        return _beats(
            self.model.input_format.pack(self.events(count, seed), self.in_bits), self.in_bits
        )

    def results(self, count: int, seed: int) -> list[int]:
        """Return the output beats that the reference gives for them."""
        rows = output_rows(self.model, self.events(count, seed), self.out_bits)
        beats = _beats(rows, self.out_bits)
        last = 1 << self.out_bits
        ends = itertools.cycle([0] * (self.out_beats - 1) + [last])
        return [beat | end for beat, end in zip(beats, ends, strict=False)]


def _beats(rows: NDArray[np.uint8], bits: int) -> list[int]:
    size = bits // 8
    return [
        int.from_bytes(row[at : at + size].tobytes(), "little")
        for row in rows
        for at in range(0, len(row), size)
    ]


def network(rng: random.Random, name: str, wanted: tuple[str, ...]) -> Network | None:
    """Return a random chain with layers of the kinds wanted, or none if one did not suit it."""
    width, values = rng.choice((1, 4, 6, 8, 12, 16)), rng.choice((1, 2, 4, 5, 6, 12))
    form = NumberFormat(width, rng.randint(-2, 6), rng.random() < 0.5)
    lanes = rng.choice(divisors(values))
    source = {"values": values, "format": table_of(form), "lanes": lanes}
    tensor = Tensor(values // lanes, lanes, form)
    kinds = [*wanted, *rng.choices(list(MAKERS), k=rng.randint(0, 2))]
    rng.shuffle(kinds)
    content: Table = {"schema": 2, "name": name, "input": source, "layers": []}
    content["output"] = {"kind": "values"}
    for kind in kinds:
        table = MAKERS[kind](rng, tensor)
        if table is None and kind in wanted:
            return None
        if table is not None:
            content["layers"].append(table)
            tensor = parse_model(content).output
    if tensor.beats == 1:
        square = tensor.format.width <= 12
        suits = {"values": True, "logits_argmax": tensor.format.signed, "sum_of_squares": square}
        content["output"]["kind"] = rng.choice([kind for kind, does in suits.items() if does])
    return Network(parse_model(content), rng.choice((8, 16, 32, 64)), rng.choice((8, 32, 64)))


def networks(count: int, seed: int) -> tuple[Network, ...]:
    """Return random networks, every kind of layer in at least one of them."""
    rng = random.Random(seed)
    kinds = itertools.cycle(MAKERS)
    return tuple(_suitable(rng, f"n{number}", next(kinds)) for number in range(count))


def _suitable(rng: random.Random, name: str, kind: str) -> Network:
    """Draw until the kind is in the chain: it may not suit what arrives at it."""
    for _ in range(100):
        drawn = network(rng, name, (kind, "dense"))
        if drawn is not None:
            return drawn
    raise AssertionError(f"no random network has a layer of kind {kind}")


def images(count: int, seed: int) -> tuple[Network, ...]:
    """Return convolutions over random images, alone, so that their cycles can be told."""
    rng = random.Random(seed)
    found: list[Network] = []
    while len(found) < count:
        beats, lanes = rng.choice((3, 4, 6, 8, 9, 12, 16, 20, 24)), rng.randint(1, 4)
        form = NumberFormat(rng.choice((1, 4, 8)), 2, rng.random() < 0.5)
        table = conv2d(rng, Tensor(beats, lanes, form))
        if table is not None:
            source = {"values": beats * lanes, "format": table_of(form), "lanes": lanes}
            content = {"schema": 2, "name": f"i{len(found)}", "input": source, "layers": [table]}
            model = parse_model({**content, "output": {"kind": "values"}})
            drawn = Network(model, 32, 64)
            found += [drawn] if drawn.timed else []
    return tuple(found)


def trains(count: int, seed: int) -> tuple[Network, ...]:
    """Return rows of spiking layers whose steps are beats of the stream, all of them followable."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        form, lanes, steps = (
            NumberFormat(1, 1, signed=False),
            rng.choice((8, 16)),
            rng.randint(1, 9),
        )
        source = {"values": steps * lanes, "format": table_of(form), "lanes": lanes}
        content: Table = {"schema": 2, "name": f"s{number}", "input": source, "layers": []}
        content["output"] = {"kind": "values"}
        tensor, rows = Tensor(steps, lanes, form), 1 + number % 3
        for row in range(rows):
            table = lif(rng, tensor)
            assert table is not None
            if row < rows - 1:
                table.pop("margin", None)
            table["output"] = "counts" if row == rows - 1 else "spikes"
            content["layers"].append(table)
            tensor = parse_model(content).output
        found.append(Network(parse_model(content), lanes, 64))
    return tuple(found)


NETWORKS = networks(14, 11) + images(10, 84) + trains(9, 7)


def _ports(item: Network) -> Iterator[str]:
    p = item.name
    yield f"  input logic {p}_in_valid_i, output logic {p}_in_ready_o"
    yield f"  input logic [{item.in_bits - 1}:0] {p}_in_data_i"
    yield f"  output logic {p}_out_valid_o, input logic {p}_out_ready_i"
    yield f"  output logic [{item.out_bits}:0] {p}_out_data_o"


def _instance(item: Network) -> str:
    p = item.name
    return (
        f"  logic [31:0] unused_{p};\n"
        f"  {p} u_{p} (.clk_i, .rst_ni, .in_valid_i({p}_in_valid_i), .in_ready_o({p}_in_ready_o),"
        f" .in_data_i({p}_in_data_i), .in_last_i(1'b0), .out_valid_o({p}_out_valid_o),"
        f" .out_ready_i({p}_out_ready_i), .out_data_o({p}_out_data_o[{item.out_bits - 1}:0]),"
        f" .out_last_o({p}_out_data_o[{item.out_bits}]), .cfg_we_i(1'b0), .cfg_addr_i('0),"
        f" .cfg_wdata_i('0), .cfg_rdata_o(unused_{p}));"
    )


def design(items: tuple[Network, ...]) -> Design:
    """Return a top with all of the networks side by side."""
    ports = ["  input logic clk_i, input logic rst_ni", *itertools.chain(*map(_ports, items))]
    lines = ["module nn_top (", ",\n".join(ports), ");", *map(_instance, items), "endmodule", ""]
    texts = {}
    for item in items:
        texts[f"{item.name}_weights_pkg.sv"] = weights_package(item.model)
        texts[f"{item.name}.sv"] = network_top(item.model, item.in_bits, item.out_bits)
    return Design("nn_top", SOURCES, {**texts, "nn_top.sv": "\n".join(lines)}, closed=True)


DESIGN = design(NETWORKS)
