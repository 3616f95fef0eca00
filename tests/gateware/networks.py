"""Networks for the tests of `overlays/lib/rtl/nn`: random shapes, exact references, one top.

The references compute with Python's integers, straight from the blocks' documentation.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.gateware.rtl import ROOT, Design

NN = ROOT / "overlays" / "lib" / "rtl" / "nn"
SOURCES = tuple(NN / f"{name}.sv" for name in ("nn_dense", "nn_requantise", "nn_argmax"))


def signed(value: int, width: int) -> int:
    """Return the two's complement number that the low bits of a value stand for."""
    return ((value + (1 << (width - 1))) & ((1 << width) - 1)) - (1 << (width - 1))


def pack(values: list[int], width: int) -> int:
    """Return the values side by side, the first one lowest."""
    return sum((value & ((1 << width) - 1)) << (i * width) for i, value in enumerate(values))


def unpack(packed: int, width: int, count: int) -> list[int]:
    """Return unsigned fields of a packed number."""
    return [packed >> (i * width) & ((1 << width) - 1) for i in range(count)]


@dataclass(frozen=True)
class Layer:
    """nn_dense and nn_requantise behind it."""

    weights: tuple[tuple[int, ...], ...]  # [inputs][outputs]
    biases: tuple[int, ...]
    in_width: int
    in_signed: bool
    weight_width: int
    reuse: int
    shift: int
    out_width: int
    out_signed: bool
    half_up: bool
    relu: bool
    saturate: bool

    @property
    def acc_width(self) -> int:
        """Bits that hold every partial sum, and that the shift leaves something of."""
        largest = max(abs(bias) for bias in self.biases)
        largest += max(map(sum, zip(*self.magnitudes(), strict=True))) << self.in_width
        return max(largest.bit_length() + 1, self.shift + 1)

    def magnitudes(self) -> Iterator[list[int]]:
        """Yield the weights without their signs, a row for each input."""
        return ([abs(weight) for weight in row] for row in self.weights)

    def forward(self, values: list[int]) -> list[int]:
        """Return the raw output fields for raw input fields."""
        numbers = [signed(v, self.in_width) for v in values] if self.in_signed else values
        return [
            self.requantise(
                bias + sum(row[o] * x for row, x in zip(self.weights, numbers, strict=True))
            )
            for o, bias in enumerate(self.biases)
        ]

    def requantise(self, acc: int) -> int:
        """Round, shift, rectify, then clip or wrap."""
        value = acc + (1 << self.shift >> 1 if self.half_up else 0) >> self.shift
        value = max(value, 0) if self.relu else value
        if self.saturate:
            least = -(1 << (self.out_width - 1)) if self.out_signed else 0
            value = min(max(value, least), (1 << (self.out_width - self.out_signed)) - 1)
        return value & ((1 << self.out_width) - 1)


@dataclass(frozen=True)
class Block:
    """Something on pins `<name>_in_*` and `<name>_out_*` of the top.

    Args:
        name: Prefix of the pins.
        layers: In order; none for an argmax.
        values: Of the input.
        width: Bits of an input value.
    """

    name: str
    layers: tuple[Layer, ...]
    values: int
    width: int

    @property
    def latency(self) -> int:
        """Cycles from an input's first offer to its output's, with nothing in the way."""
        return sum(layer.reuse + 2 for layer in self.layers) if self.layers else 1

    @property
    def interval(self) -> int:
        """Cycles between results when nothing is in the way."""
        return max((layer.reuse for layer in self.layers), default=1)

    def forward(self, packed: int) -> int:
        """Return the output pins for the input pins."""
        values = unpack(packed, self.width, self.values)
        if not self.layers:
            numbers = [signed(value, self.width) for value in values]
            return packed | numbers.index(max(numbers)) << (self.values * self.width)
        for layer in self.layers:
            values = layer.forward(values)
        return pack(values, self.layers[-1].out_width)

    def events(self, count: int, seed: int) -> list[int]:
        """Return random inputs, one in four of nothing but extreme values."""
        rng = random.Random(seed)
        top = 1 << (self.width - 1)
        extremes = (0, top, top - 1, 2 * top - 1)
        return [
            pack(
                [
                    rng.choice(extremes) if event % 4 == 0 else rng.getrandbits(self.width)
                    for _ in range(self.values)
                ],
                self.width,
            )
            for event in range(count)
        ]


# (input width, signed), then each layer's (inputs, outputs, weight width, reuse, output width).
_SHAPES: tuple[tuple[tuple[int, bool], tuple[tuple[int, int, int, int, int], ...]], ...] = (
    ((1, False), ((1, 1, 2, 1, 1),)),
    ((4, True), ((2, 3, 4, 2, 6),)),  # half of the last place is the only place dropped
    ((8, True), ((5, 3, 6, 4, 8),)),  # the last step has no inputs left
    ((4, False), ((3, 2, 3, 7, 3),)),  # fewer inputs than steps
    ((16, True), ((7, 4, 16, 3, 31),)),  # sums of more than 32 bits
    ((24, True), ((3, 2, 18, 2, 32),)),
    ((8, False), ((9, 8, 6, 4, 6), (8, 7, 5, 4, 7), (7, 3, 6, 4, 16))),
    ((6, True), ((4, 5, 4, 1, 5), (5, 3, 4, 1, 9))),  # a result in every cycle
    ((16, True), ((10, 6, 6, 2, 8), (6, 5, 6, 5, 8), (5, 4, 6, 3, 12))),
    ((8, False), ((6, 6, 8, 3, 8), (6, 6, 8, 3, 8), (6, 2, 8, 2, 8))),
)
_ARGMAX = ((1, 4), (2, 1), (3, 2), (5, 16), (8, 3))


def _layer(
    rng: random.Random, shape: tuple[int, ...], coming: tuple[int, bool], how: tuple[bool, ...]
) -> Layer:
    inputs, outputs, weight_width, reuse, out_width = shape
    half_up, relu, saturate, out_signed = reversed(how)
    low, high = -(1 << (weight_width - 1)), (1 << (weight_width - 1)) - 1
    weights = tuple(
        tuple(rng.choice((low, high, rng.randint(low, high))) for _ in range(outputs))
        for _ in range(inputs)
    )
    bound = inputs << (coming[0] + weight_width - 1)
    biases = tuple(rng.randint(-bound, bound) for _ in range(outputs))
    # About half of the results then fit the output; the others show what overflow does.
    shift = max(0, bound.bit_length() - out_width - 2)
    return Layer(
        weights, biases, *coming, weight_width, reuse, shift, out_width, out_signed, half_up, relu,
        saturate,
    )  # fmt: skip


def _blocks() -> Iterator[Block]:
    rng = random.Random(11)
    every = itertools.cycle(itertools.product((False, True), repeat=4))
    for number, (coming, shapes) in enumerate(_SHAPES):
        layers: list[Layer] = []
        for shape in shapes:
            entering = (layers[-1].out_width, layers[-1].out_signed) if layers else coming
            layers.append(_layer(rng, shape, entering, next(every)))
        yield Block(f"n{number}", tuple(layers), shapes[0][0], coming[0])
    for number, (values, width) in enumerate(_ARGMAX):
        yield Block(f"a{number}", (), values, width)


BLOCKS = tuple(_blocks())


def _out_bits(block: Block) -> int:
    if block.layers:
        return len(block.layers[-1].biases) * block.layers[-1].out_width
    return block.values * block.width + max(1, (block.values - 1).bit_length())


def _ports(block: Block) -> Iterator[str]:
    p = block.name
    yield f"  input logic {p}_in_valid_i, output logic {p}_in_ready_o"
    yield f"  input logic [{block.values * block.width - 1}:0] {p}_in_data_i"
    yield f"  output logic {p}_out_valid_o, input logic {p}_out_ready_i"
    yield f"  output logic [{_out_bits(block) - 1}:0] {p}_out_data_o"


def _table(width: int, values: tuple[int, ...]) -> str:
    return "'{" + ", ".join(f"{width}'h{v & ((1 << width) - 1):x}" for v in values) + "}"


def _network(block: Block) -> Iterator[str]:
    """Yield a chain of layers; x<n> are the values into layer n, s<n> its sums."""
    p, last = block.name, len(block.layers)
    yield f"  logic {p}_v [{last + 1}], {p}_r [{last + 1}];"
    yield f"  logic [{block.width - 1}:0] {p}_x0 [{block.values}];"
    yield f"  assign {p}_v[0] = {p}_in_valid_i, {p}_in_ready_o = {p}_r[0];"
    yield f"  assign {p}_out_valid_o = {p}_v[{last}], {p}_r[{last}] = {p}_out_ready_i;"
    yield f"  always_comb for (int i = 0; i < {block.values}; i++)"
    yield f"    {p}_x0[i] = {p}_in_data_i[i*{block.width}+:{block.width}];"
    for n, layer in enumerate(block.layers):
        inputs, outputs, acc = len(layer.weights), len(layer.biases), layer.acc_width
        rows = ", ".join(_table(layer.weight_width, row) for row in layer.weights)
        yield f"  logic {p}_sv{n}, {p}_sr{n};"
        yield f"  logic signed [{acc - 1}:0] {p}_s{n} [{outputs}];"
        yield f"  logic [{layer.out_width - 1}:0] {p}_x{n + 1} [{outputs}];"
        yield (
            f"  localparam logic signed [{layer.weight_width - 1}:0] {p}_W{n} [{inputs}][{outputs}]"
            f" = '{{{rows}}};"
        )
        yield (
            f"  localparam logic signed [{acc - 1}:0] {p}_B{n} [{outputs}]"
            f" = {_table(acc, layer.biases)};"
        )
        yield (
            f"  nn_dense #(.Inputs({inputs}), .Outputs({outputs}), .InWidth({layer.in_width}),"
            f" .InSigned({layer.in_signed:d}), .WeightWidth({layer.weight_width}),"
            f" .AccWidth({acc}), .Reuse({layer.reuse}), .Weights({p}_W{n}), .Biases({p}_B{n}))"
            f" u_{p}_dense{n} (.clk_i, .rst_ni, .in_valid_i({p}_v[{n}]), .in_ready_o({p}_r[{n}]),"
            f" .in_data_i({p}_x{n}), .out_valid_o({p}_sv{n}), .out_ready_i({p}_sr{n}),"
            f" .out_data_o({p}_s{n}));"
        )
        yield (
            f"  nn_requantise #(.Values({outputs}), .InWidth({acc}), .OutWidth({layer.out_width}),"
            f" .Shift({layer.shift}), .OutSigned({layer.out_signed:d}), .HalfUp({layer.half_up:d}),"
            f" .Relu({layer.relu:d}), .Saturate({layer.saturate:d})) u_{p}_requantise{n} ("
            f".clk_i, .rst_ni, .in_valid_i({p}_sv{n}), .in_ready_o({p}_sr{n}),"
            f" .in_data_i({p}_s{n}), .out_valid_o({p}_v[{n + 1}]), .out_ready_i({p}_r[{n + 1}]),"
            f" .out_data_o({p}_x{n + 1}));"
        )
    width, count = block.layers[-1].out_width, len(block.layers[-1].biases)
    yield f"  always_comb for (int i = 0; i < {count}; i++)"
    yield f"    {p}_out_data_o[i*{width}+:{width}] = {p}_x{last}[i];"


def _argmax(block: Block) -> Iterator[str]:
    p, width, bits = block.name, block.width, block.values * block.width
    yield f"  logic [{width - 1}:0] {p}_x [{block.values}], {p}_y [{block.values}];"
    yield f"  logic [{_out_bits(block) - bits - 1}:0] {p}_index;"
    yield f"  always_comb for (int i = 0; i < {block.values}; i++) begin"
    yield f"    {p}_x[i] = {p}_in_data_i[i*{width}+:{width}];"
    yield f"    {p}_out_data_o[i*{width}+:{width}] = {p}_y[i];"
    yield "  end"
    yield f"  assign {p}_out_data_o[{_out_bits(block) - 1}:{bits}] = {p}_index;"
    yield (
        f"  nn_argmax #(.Values({block.values}), .Width({width})) u_{p} (.clk_i, .rst_ni,"
        f" .in_valid_i({p}_in_valid_i), .in_ready_o({p}_in_ready_o), .in_data_i({p}_x),"
        f" .out_valid_o({p}_out_valid_o), .out_ready_i({p}_out_ready_i), .out_data_o({p}_y),"
        f" .out_index_o({p}_index));"
    )


def _top() -> str:
    ports = ["  input logic clk_i, input logic rst_ni", *itertools.chain(*map(_ports, BLOCKS))]
    bodies = (_network(block) if block.layers else _argmax(block) for block in BLOCKS)
    lines = ["module nn_top (", ",\n".join(ports), ");", *itertools.chain(*bodies), "endmodule", ""]
    return "\n".join(lines)


DESIGN = Design("nn_top", SOURCES, {"nn_top.sv": _top()})
