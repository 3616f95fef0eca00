"""A network's integers as a SystemVerilog package, the parameters of an overlay's RTL."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.accelerators import Dense, Model

_COLUMNS = 96


def weights_package(model: Model) -> str:
    """Return `<name>_weights_pkg`: shapes, widths, shifts, weights and biases of each layer.

    Weights are indexed [input][output], biases are aligned to the accumulator. Accumulator widths
    are the least that these weights cannot overflow.
    """
    body = "\n\n".join(
        "\n".join(_layer(number, layer)) for number, layer in enumerate(model.layers)
    )
    digest = hashlib.sha256(body.encode()).hexdigest()[:32]
    name = f"{model.name}_weights_pkg"
    return (
        "`default_nettype none\n\n"
        f"// Generated from the model of {model.name} by `harness generate`; do not edit.\n"
        f"// Content digest {digest}.\n\n"
        f"/// The trained integers of {model.name}, {len(model.layers)} dense layers.\n"
        f"package {name};\n\n"
        f"{body}\n\n"
        "endpackage\n\n"
        "`default_nettype wire\n"
    )


def _layer(number: int, layer: Dense) -> Iterator[str]:
    prefix = f"L{number}_"
    acc_bits, weight_bits = layer.accumulator_bits, layer.weight_format.width
    yield f"  // {layer.inputs} -> {layer.outputs}, {layer.weight_format} weights"
    for kind, name, value in (
        ("int unsigned", "INPUTS", layer.inputs),
        ("int unsigned", "OUTPUTS", layer.outputs),
        ("int unsigned", "IN_WIDTH", layer.input_format.width),
        ("bit", "IN_SIGNED", int(layer.input_format.signed)),
        ("int unsigned", "WEIGHT_WIDTH", weight_bits),
        ("int unsigned", "ACC_WIDTH", acc_bits),
        ("int unsigned", "SHIFT", layer.shift),
        ("int unsigned", "OUT_WIDTH", layer.output_format.width),
        ("bit", "OUT_SIGNED", int(layer.output_format.signed)),
        ("bit", "HALF_UP", int(layer.rounding == "half_up")),
        ("bit", "RELU", int(layer.activation == "relu")),
        ("bit", "SATURATE", int(layer.overflow == "saturate")),
    ):
        yield f"  localparam {kind} {prefix}{name} = {value};"
    yield (
        f"  localparam logic signed [{weight_bits - 1}:0] "
        f"{prefix}WEIGHTS [{layer.inputs}][{layer.outputs}] = '{{"
    )
    rows = layer.weights.T
    for index, row in enumerate(rows):
        end = "," if index + 1 < len(rows) else ""
        yield from _row(row, weight_bits, end)
    yield "  };"
    yield f"  localparam logic signed [{acc_bits - 1}:0] {prefix}BIASES [{layer.outputs}] ="
    yield from _row(layer.bias, acc_bits, ";")


def _row(values: NDArray[Any], bits: int, end: str) -> Iterator[str]:
    """Yield an assignment pattern, wrapped; sized literals, since -2**(n-1) has no plain one."""
    line = "    '{"
    words = [f"{bits}'h{int(value) & ((1 << bits) - 1):x}" for value in values]
    for index, word in enumerate(words):
        item = word + (", " if index + 1 < len(words) else "}" + end)
        if len(line) + len(item.rstrip()) > _COLUMNS:
            yield line.rstrip()
            line = "      "
        line += item
    yield line.rstrip()
