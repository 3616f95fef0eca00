"""A network's shapes and biases as a SystemVerilog package, for weights that come from memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from harness.accelerators.streamed import Streamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.accelerators import Model
    from harness.manifest import MemoryPort

_COLUMNS = 96
_SUM_BITS = 32  # the engine's word


def streaming_package(model: Model, port: MemoryPort) -> str:
    """Return `<name>_weights_pkg`: all that the engine knows of the network; no weights.

    Raises:
        OverlayError: The network does not fit the engine.
    """
    body = "\n".join(_parameters(Streamed(model, port.lanes, port.data_bits // 8), port))
    digest = hashlib.sha256(body.encode()).hexdigest()[:32]
    name = f"{model.name}_weights_pkg"
    return (
        "`default_nettype none\n\n"
        f"// Generated from the model of {model.name} by `harness generate`; do not edit.\n"
        f"// Content digest {digest}.\n\n"
        f"/// Shapes, formats and biases of {model.name}; its weights come from memory.\n"
        f"package {name};\n\n{body}\n\nendpackage\n\n`default_nettype wire\n"
    )


def _parameters(laid: Streamed, port: MemoryPort) -> Iterator[str]:
    layers = laid.layers
    # The partial sums of a lane lack the bias, which may have kept a sum small: one bit more.
    acc_bits = max(layer.accumulator_bits for layer in layers) + 1
    values = [laid.model.input_format, *(layer.output.format for layer in layers[:-1])]
    for name, number, doc in (
        ("LAYERS", len(layers), "Layers, one after the other."),
        ("INPUTS", laid.model.inputs, "Values of an event."),
        ("INPUT_WIDTH", laid.model.input_format.width, "Bits of one."),
        ("OUTPUTS", laid.model.outputs, "Values of an answer."),
        ("OUTPUT_WIDTH", laid.model.output_format.width, "Bits of one."),
        ("LANES", laid.lanes, "Weights of a row."),
        ("LANE_BITS", laid.lanes.bit_length() - 1, "Their number's logarithm."),
        ("WEIGHT_WIDTH", laid.weight_bits, "Bits of a weight."),
        ("VALUE_WIDTH", max(f.width + (not f.signed) for f in values), "Bits between layers."),
        ("ACC_WIDTH", acc_bits, "Bits of a sum; it cannot overflow."),
        ("ROWS", laid.rows, "Rows of all layers."),
        ("BEATS", laid.beats, "Beats of all rows."),
        ("UNIT", laid.unit_bits, "Bits of a unit: beats and rows are whole units."),
        ("BEAT_UNITS", laid.group_rows, "Units of a beat."),
        ("ROW_UNITS", laid.group_beats, "Units of a row."),
        ("GROUP_ROWS", laid.group_rows, "Fewest rows that are whole beats."),
        ("GROUP_BEATS", laid.group_beats, "The beats that they are."),
        ("BURST_BEATS", port.burst_beats, "Most beats of a burst."),
        ("PREFETCH_BEATS", port.prefetch_beats, "Beats read ahead."),
    ):
        yield f"  /// {doc}"
        yield f"  localparam int unsigned {name} = {number};"
    yield "\n  /// Of each layer: rows, logarithm of an input's lanes, and how it is requantised."
    ends = [layer.requantise for layer in layers]
    formats = [end.output_format for end in ends]
    floor = [0 if end.activation == "relu" else end.output_format.minimum for end in ends]
    for kind, name, numbers in (
        ("int unsigned", "LAYER_ROWS", laid.layer_rows),
        ("int unsigned", "SPREAD_BITS", [laid.spread(x).bit_length() - 1 for x in layers]),
        ("int unsigned", "SHIFT", [end.shift for end in ends]),
        ("logic signed [31:0]", "HALF", [end.half for end in ends]),
        ("logic signed [31:0]", "LARGEST", [form.maximum for form in formats]),
        ("logic signed [31:0]", "LEAST", floor),
    ):
        yield f"  localparam {kind} {name} [LAYERS] = '{{{', '.join(map(str, numbers))}}};"
    yield "\n  /// Aligned to the sums, one for each lane."
    yield "  localparam logic signed [ACC_WIDTH-1:0] BIASES [LAYERS][LANES] = '{"
    for number, layer in enumerate(layers):
        padded = [*layer.bias.tolist(), *[0] * (laid.lanes - layer.output.values)]
        yield from _row(padded, acc_bits, "," if number + 1 < len(layers) else "")
    yield "  };"


def _row(values: Iterable[int], bits: int, end: str) -> Iterator[str]:
    """Yield an assignment pattern, wrapped; sized literals, since -2**(n-1) has no plain one."""
    line = "    '{"
    words = [f"{bits}'h{value & ((1 << bits) - 1):x}" for value in values]
    for index, word in enumerate(words):
        item = word + (", " if index + 1 < len(words) else "}" + end)
        if len(line) + len(item.rstrip()) > _COLUMNS:
            yield line.rstrip()
            line = "      "
        line += item
    yield line.rstrip()
