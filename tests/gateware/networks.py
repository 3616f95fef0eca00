"""Random dense layers as one design; each chain has shape, formats and reuse of its own."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass

from tests.gateware.rtl import ROOT, Design, library

CHAINS = 6
LIBRARY = ROOT / "overlays" / "lib" / "rtl" / "nn"
SOURCES = (
    *library("axis_check"),
    *(LIBRARY / f"nn_{name}.sv" for name in ("dense", "requantise", "argmax")),
)


@dataclass(frozen=True)
class Chain:
    """A dense layer, its requantiser and an argmax; integers as the RTL gets them.

    Args:
        inputs: Values in.
        outputs: Values out.
        in_width: Bits of an input.
        in_signed: Whether inputs have a sign.
        weight_width: Bits of a weight.
        acc_width: Bits of a sum, the least that cannot overflow.
        reuse: Steps of a vector.
        shift: Bits dropped.
        out_width: Bits of an output.
        out_signed: Whether outputs have a sign.
        half_up: Round half up instead of down.
        relu: Negative sums become zero.
        saturate: Clip instead of wrap.
        weights: [inputs][outputs].
        biases: [outputs].
    """

    inputs: int
    outputs: int
    in_width: int
    in_signed: bool
    weight_width: int
    acc_width: int
    reuse: int
    shift: int
    out_width: int
    out_signed: bool
    half_up: bool
    relu: bool
    saturate: bool
    weights: tuple[tuple[int, ...], ...]
    biases: tuple[int, ...]

    def forward(self, values: list[int]) -> tuple[list[int], int]:
        """Return outputs, as unsigned fields, and the index of the largest read as signed."""
        fields = []
        for o in range(self.outputs):
            total = self.biases[o] + sum(
                value * row[o] for value, row in zip(values, self.weights, strict=True)
            )
            half = 1 << (self.shift - 1) if self.half_up and self.shift else 0
            total = (total + half) >> self.shift
            if self.relu:
                total = max(total, 0)
            if self.saturate:
                highest = (1 << (self.out_width - self.out_signed)) - 1
                lowest = -highest - 1 if self.out_signed else 0
                total = min(max(total, lowest), highest)
            fields.append(total & ((1 << self.out_width) - 1))
        sign = 1 << (self.out_width - 1)
        read = [(field ^ sign) - sign for field in fields]
        return fields, read.index(max(read))


def chains(seed: int = 7) -> list[Chain]:
    """Return the chains under test, the same ones for the same seed."""
    source = random.Random(seed)
    return [_chain(source, number) for number in range(CHAINS)]


def _chain(source: random.Random, number: int) -> Chain:
    inputs, outputs = source.randint(1, 13), source.randint(1, 9)
    in_width, weight_width = source.randint(2, 16), source.randint(2, 8)
    in_signed = source.random() < 0.5
    top = 1 << (weight_width - 1)
    # The extremes are where adders and sign extension go wrong: let them be frequent.
    pick = [-top, top - 1, 0, *(source.randrange(-top, top) for _ in range(5))]
    weights = tuple(tuple(source.choice(pick) for _ in range(outputs)) for _ in range(inputs))
    biases = tuple(source.randint(-(1 << in_width), 1 << in_width) for _ in range(outputs))
    reach = (1 << in_width) * top * inputs + (1 << in_width)
    shift = source.choice([0, 1, source.randint(0, 10)])
    acc_width = (reach + (1 << shift)).bit_length() + 1
    return Chain(
        inputs, outputs, in_width, in_signed, weight_width, acc_width,
        [1, 2, 3, 4, inputs, inputs + 2][number],
        min(shift, acc_width - 1), source.randint(2, 16), source.random() < 0.5,
        source.random() < 0.5, source.random() < 0.5, source.random() < 0.5, weights, biases,
    )  # fmt: skip


def _literal(value: int, bits: int) -> str:
    return f"{bits}'h{value & ((1 << bits) - 1):x}"


def _text(number: int, chain: Chain) -> str:
    c, p = chain, f"c{number}"
    index_bits = max(1, (c.outputs - 1).bit_length())
    rows = ", ".join(
        "'{" + ", ".join(_literal(w, c.weight_width) for w in row) + "}" for row in c.weights
    )
    biases = ", ".join(_literal(b, c.acc_width) for b in c.biases)
    return f"""
module {p}_chain (
  input  logic clk_i, input logic rst_ni,
  input  logic in_valid_i, output logic in_ready_o,
  input  logic [{c.inputs * c.in_width - 1}:0] in_data_i,
  output logic out_valid_o, input logic out_ready_i,
  output logic [{c.outputs * c.out_width + index_bits - 1}:0] out_data_o
);
  localparam logic signed [{c.weight_width - 1}:0] W [{c.inputs}][{c.outputs}] = '{{{rows}}};
  localparam logic signed [{c.acc_width - 1}:0] B [{c.outputs}] = '{{{biases}}};
  logic [{c.in_width - 1}:0] x [{c.inputs}];
  logic signed [{c.acc_width - 1}:0] sums [{c.outputs}];
  logic [{c.out_width - 1}:0] y [{c.outputs}], z [{c.outputs}];
  logic sv, sr, yv, yr;
  logic [{index_bits - 1}:0] index;
  always_comb for (int i = 0; i < {c.inputs}; i++) x[i] = in_data_i[i*{c.in_width}+:{c.in_width}];
  nn_dense #(
    .Inputs({c.inputs}), .Outputs({c.outputs}), .InWidth({c.in_width}), .InSigned({c.in_signed:d}),
    .WeightWidth({c.weight_width}), .AccWidth({c.acc_width}), .Reuse({c.reuse}), .Weights(W),
    .Biases(B)
  ) u_dense (.clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i(x),
    .out_valid_o(sv), .out_ready_i(sr), .out_data_o(sums));
  nn_requantise #(
    .Values({c.outputs}), .InWidth({c.acc_width}), .OutWidth({c.out_width}), .Shift({c.shift}),
    .OutSigned({c.out_signed:d}), .HalfUp({c.half_up:d}), .Relu({c.relu:d}),
    .Saturate({c.saturate:d})
  ) u_requantise (.clk_i, .rst_ni, .in_valid_i(sv), .in_ready_o(sr), .in_data_i(sums),
    .out_valid_o(yv), .out_ready_i(yr), .out_data_o(y));
  nn_argmax #(.Values({c.outputs}), .Width({c.out_width})) u_argmax (
    .clk_i, .rst_ni, .in_valid_i(yv), .in_ready_o(yr), .in_data_i(y),
    .out_valid_o, .out_ready_i, .out_data_o(z), .out_index_o(index));
  always_comb begin
    out_data_o = '0;
    for (int o = 0; o < {c.outputs}; o++) out_data_o[o*{c.out_width}+:{c.out_width}] = z[o];
    out_data_o[{c.outputs * c.out_width}+:{index_bits}] = index;
  end
  axis_check #(.Width({c.outputs * c.out_width + index_bits})) u_check (
    .clk_i, .rst_ni, .valid_i(out_valid_o), .ready_i(out_ready_i), .data_i(out_data_o),
    .last_i(1'b1));
endmodule
"""


def design() -> Design:
    """Return one top with all chains side by side, ports prefixed c0_, c1_, ..."""
    found = chains()
    ports, body = ["input logic clk_i", "input logic rst_ni"], []
    for number, c in enumerate(found):
        p = f"c{number}"
        width = c.outputs * c.out_width + max(1, (c.outputs - 1).bit_length())
        ports += [
            f"input logic {p}_in_valid_i", f"output logic {p}_in_ready_o",
            f"input logic [{c.inputs * c.in_width - 1}:0] {p}_in_data_i",
            f"output logic {p}_out_valid_o", f"input logic {p}_out_ready_i",
            f"output logic [{width - 1}:0] {p}_out_data_o",
        ]  # fmt: skip
        names = (
            "in_valid_i",
            "in_ready_o",
            "in_data_i",
            "out_valid_o",
            "out_ready_i",
            "out_data_o",
        )
        links = ", ".join(f".{name}({p}_{name})" for name in names)
        body.append(f"  {p}_chain u_{p} (.clk_i, .rst_ni, {links});")
    texts = {f"c{number}_chain.sv": _text(number, chain) for number, chain in enumerate(found)}
    joined = ",\n  ".join(ports)
    top = f"module network_top (\n  {joined}\n);\n" + "\n".join(body) + "\nendmodule\n"
    return Design("network_top", SOURCES, {**texts, "network_top.sv": top})


def environment() -> dict[str, str]:
    """Return the chains for the simulated side."""
    return {"NETWORK_CHAINS": json.dumps([asdict(chain) for chain in chains()])}
