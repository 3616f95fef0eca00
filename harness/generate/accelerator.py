"""The top of a network: `<name>.sv`, its blocks one after another between two streams."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.errors import OverlayError
from harness.generate.network import array_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.accelerators import Block, Model

_COLUMNS = 100
_CFG_WORDS = 1 << 14
_HEAD = """\
`default_nettype none

// Generated from the model of {name} by `harness generate`; do not edit.

/// The network {name}: {inputs} x {input_format} to {outputs} x {output_format}.
///
{timing}
module {name}
{imports}#(
  parameter int unsigned InWidth  = {in_bits},
  parameter int unsigned OutWidth = {out_bits}
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic [InWidth-1:0]  in_data_i,
  /// Not looked at: beats are counted.
  input  logic                in_last_i,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_last_o,
  input  logic                cfg_we_i,
  input  logic [13:0]         cfg_addr_i,
  input  logic [31:0]         cfg_wdata_i,
  output logic [31:0]         cfg_rdata_o
);

  if (InWidth != {in_bits} || OutWidth != {out_bits}) begin : g_bad_width
    $error("{name}: the streams do not fit the network");
  end
"""


def network_top(model: Model, in_bits: int, out_bits: int) -> str:
    """Return the text of the accelerator.

    Args:
        model: The network.
        in_bits: Width of the input stream.
        out_bits: Width of the output stream.

    Raises:
        OverlayError: The blocks have more registers than the window has words.
    """
    blocks = list(model.blocks())
    bases = register_bases([block for _, block in blocks])
    lines = [_head(model, in_bits, out_bits), *_registers(bases, blocks), *_unpack(model, in_bits)]
    for index, (number, block) in enumerate(blocks):
        lines += _block(model, index, number, block, index in bases)
    lines += _pack(model, len(blocks), out_bits)
    return "\n".join([*lines, "endmodule", "", "`default_nettype wire", ""])


def register_bases(blocks: Sequence[Block]) -> dict[int, int]:
    """Return the first word of each block that has registers, by its place in the chain.

    Each gets a power of two of words, at a multiple of it.

    Raises:
        OverlayError: The window has too few words.
    """
    bases, free = {}, 0
    for index, block in enumerate(blocks):
        if block.cfg_words:
            size = 1 << (block.cfg_words - 1).bit_length()
            bases[index] = -(-free // size) * size
            free = bases[index] + size
    if free > _CFG_WORDS:
        raise OverlayError(
            f"the layers have {free} words of registers", why=f"the window holds {_CFG_WORDS}"
        )
    return bases


def _head(model: Model, in_bits: int, out_bits: int) -> str:
    interval, latency = (
        f"{cycles} cycles" if cycles is not None else "depends on the data"
        for cycles in (
            model.interval_cycles(in_bits, out_bits),
            model.latency_cycles(in_bits, out_bits),
        )
    )
    beats = [
        f"{count} beat{'' if count == 1 else 's'}"
        for count in (model.unpack(in_bits).in_beats, model.pack(out_bits).out_beats)
    ]
    timing = (
        f"An event comes in {beats[0]} and leaves in {beats[1]}. Initiation interval: {interval}. "
        f"Latency: {latency}, from the first beat in to the last beat out."
    )
    arrays = any(block.arrays for _, block in model.blocks())
    return _HEAD.format(
        name=model.name,
        inputs=model.inputs,
        input_format=model.input_format,
        outputs=model.outputs,
        output_format=model.output_format,
        timing=textwrap.fill(timing, _COLUMNS, initial_indent="/// ", subsequent_indent="/// "),
        imports=f"  import {model.name}_weights_pkg::*;\n" if arrays else "",
        in_bits=in_bits,
        out_bits=out_bits,
    )


def _registers(bases: Mapping[int, int], blocks: Sequence[tuple[int, Block]]) -> Iterator[str]:
    """Yield the address decoder: block n answers one cycle after `selected<n>`."""
    if not bases:
        yield "  logic unused;"
        yield "  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};"
        yield "  assign cfg_rdata_o = '0;"
        return
    yield "  logic unused;"
    yield "  assign unused = &{1'b0, in_last_i};"
    for index, base in bases.items():
        bits = (blocks[index][1].cfg_words - 1).bit_length()
        yield ""
        yield f"  // Registers of {blocks[index][1].module}, layer {blocks[index][0]}."
        yield f"  logic        selected{index}, selected{index}_q;"
        yield f"  logic [13:0] address{index};"
        yield f"  logic [31:0] rdata{index};"
        yield (f"  assign selected{index} = cfg_addr_i[13:{bits}] == {14 - bits}'d{base >> bits};")
        yield f"  assign address{index}  = cfg_addr_i & 14'd{(1 << bits) - 1};"
        yield f"  always_ff @(posedge clk_i) selected{index}_q <= selected{index};"
    answers = " | ".join(f"(selected{index}_q ? rdata{index} : '0)" for index in bases)
    yield f"  assign cfg_rdata_o = {answers};"


def _wires(index: int, lanes: int, width: int) -> str:
    """Return the declarations of a link.

    Its size is typed as those of the ports are: Verilator then joins them instead of copying the
    array from one to the other in every cycle.
    """
    return (
        f"\n  localparam int unsigned LANES{index} = {lanes};\n"
        f"  logic valid{index}, ready{index};\n"
        f"  logic [{width - 1}:0] data{index} [LANES{index}];"
    )


def _ports(index: int) -> dict[str, str]:
    """Return the connections of block `index` to its neighbours."""
    return {
        "in_valid_i": f"valid{index}",
        "in_ready_o": f"ready{index}",
        "in_data_i": f"data{index}",
        "out_valid_o": f"valid{index + 1}",
        "out_ready_i": f"ready{index + 1}",
        "out_data_o": f"data{index + 1}",
    }


def _unpack(model: Model, in_bits: int) -> Iterator[str]:
    tensor, gearbox = model.input, model.unpack(in_bits)
    yield _wires(0, tensor.lanes, tensor.format.width)
    parameters = {
        "StreamWidth": "InWidth",
        "StreamBeats": gearbox.in_beats,
        "Width": tensor.format.width,
        "Beats": tensor.beats,
        "Lanes": tensor.lanes,
    }
    ports = {name: name for name in ("in_valid_i", "in_ready_o", "in_data_i")}
    yield from _instance("nn_unpack", "u_unpack", parameters, {**_ports(-1), **ports})


def _block(model: Model, index: int, number: int, block: Block, registers: bool) -> Iterator[str]:
    yield _wires(index + 1, block.lanes, block.width)
    ports = _ports(index)
    if block == model.stage.block:
        yield f"  logic [{model.stage.port_bits - 1}:0] derived;"
        ports[model.stage.port] = "derived"
    if registers:
        ports |= {
            "cfg_we_i": f"cfg_we_i && selected{index}",
            "cfg_addr_i": f"address{index}",
            "cfg_wdata_i": "cfg_wdata_i",
            "cfg_rdata_o": f"rdata{index}",
        }
    arrays = {name: array_name(number, name) for name in block.arrays}
    name = f"u_{block.module.removeprefix('nn_')}{number}"
    yield from _instance(block.module, name, {**block.parameters, **arrays}, ports)


def _pack(model: Model, index: int, out_bits: int) -> Iterator[str]:
    tensor, gearbox, stage = model.output, model.pack(out_bits), model.stage
    width = tensor.format.width
    yield f"\n  logic [{gearbox.in_bits - 1}:0] result;"
    yield "  always_comb begin"
    yield f"    for (int unsigned i = 0; i < {tensor.lanes}; i++) begin"
    yield f"      result[i*{width}+:{width}] = data{index}[i];"
    yield "    end"
    if stage.block is not None:
        at = tensor.lanes * width
        yield f"    result[{at}+:{stage.field_bits}] = {stage.field_bits}'(derived);"
    yield "  end"
    parameters = {
        "InBits": gearbox.in_bits,
        "InBeats": gearbox.in_beats,
        "StreamWidth": "OutWidth",
        "StreamBeats": gearbox.out_beats,
    }
    ports = _ports(index) | {
        "in_data_i": "result",
        **{name: name for name in ("out_valid_o", "out_ready_i", "out_data_o", "out_last_o")},
    }
    yield from _instance("nn_pack", "u_pack", parameters, ports)


def _instance(
    module: str, name: str, parameters: Mapping[str, object], ports: Mapping[str, str]
) -> Iterator[str]:
    connections = ["clk_i", "rst_ni"]
    connections += [p if p == wire else f"{p}({wire})" for p, wire in ports.items()]
    yield f"  {module} #("
    yield from _wrapped([f"{name}({value})" for name, value in parameters.items()])
    yield f"  ) {name} ("
    yield from _wrapped(connections)
    yield "  );"


def _wrapped(items: Sequence[str]) -> list[str]:
    """Return `.item, .item, ...` in lines; an item has no space in it that could break."""
    text = ", ".join(f".{item}".replace(" ", "\0") for item in items)
    lines = textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]
