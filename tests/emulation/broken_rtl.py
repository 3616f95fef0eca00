"""Firmware that says it is the overlay's, and is not: its RTL with some lines changed.

The identity block comes from the generated package, which stays as it is: so a fabric can be made
that only its behaviour gives away. All faults of `loopback` are in one build, each behind a switch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.emulation.build import Recipe, build
from harness.emulation.fabric import Fabric
from harness.overlay import Overlay
from harness.registers import WINDOW

Patches = Mapping[str, Sequence[tuple[str, str]]]

REGISTER_FAULTS = 0x0F8
"""Offset of the switches of the register file, where the sound one has nothing."""
ACCELERATOR_FAULTS = WINDOW["ACCELERATOR"].offset
READ_CLEARS, SCRATCH_STUCK, HOLES_ANSWER, COUNTER_WRAPS, ALIASED, MEMORY_DEAF, CLOCK_STANDS = (
    1 << bit for bit in range(7)
)
BIT_STUCK, HALF_SPEED, FROM_STORE, SECOND_WRONG, LATE, DEAD = (1 << bit for bit in range(6))

_REGISTERS = (
    ("  logic        refused, unmovable, move;",
     "  logic        refused, unmovable, move;\n"
     "  logic [6:0]  fault_q;\n"
     "  initial fault_q = '0;"),
    ("            default:               known = 1'b0;",
     "            22'h0F8:               rdata = UNMAPPED_WORD;\n"
     "            default:               known = fault_q[2];"),
    ("      if (control && req_wdata_i[3]) snap_q <= counters_i;",
     "      if (control && req_wdata_i[3]) begin\n"
     "        snap_q <= counters_i;\n"
     "        if (fault_q[3]) snap_q.completed <= counters_i.completed & 64'hFFF;\n"
     "        if (fault_q[6]) snap_q.cycle <= 64'd7;\n"
     "      end\n"
     "      if (fault_q[0] && req_valid_i && !req_write_i && offset == REG_COMPLETED)\n"
     "        snap_q.completed <= '0;\n"
     "      if (write && offset == 22'h0F8) fault_q <= req_wdata_i[6:0];"),
    ("scratch_q <= req_wdata_i;", "scratch_q <= req_wdata_i & ~(fault_q[1] ? 32'h80 : 32'h0);"),
    ("REG_GAPS:              config_q.gaps <= req_wdata_i;",
     "REG_GAPS: begin\n"
     "            config_q.gaps <= req_wdata_i;\n"
     "            if (fault_q[4]) config_q.deadline <= req_wdata_i;\n"
     "          end"),
    ("  assign win_write_o = req_write_i;",
     "  assign win_write_o = req_write_i\n"
     "                       && !(fault_q[5] && window == WINDOW_GOLDEN && win_word_o[10]);"),
)  # fmt: skip
_ACCELERATOR = (
    ("  assign unused      = &{1'b0, cfg_we_i, cfg_addr_i, cfg_wdata_i};", """\
  assign unused      = &{1'b0, cfg_addr_i, cfg_wdata_i[31:6]};
  logic [5:0]          fault_q;
  logic [InWidth-1:0]  store [1024];
  logic [InWidth-1:0]  last_q, data_q;
  logic [10:0]         count_q;
  logic                busy_q, valid_q, end_q;
  initial begin
    fault_q = '0;
    count_q = '0;
    last_q  = '0;
  end
  always_ff @(posedge clk_i) begin
    if (cfg_we_i) fault_q <= cfg_wdata_i[5:0];
    if (in_valid_i && in_ready_o) begin
      last_q <= in_data_i;
      if (!count_q[10]) store[count_q[9:0]] <= in_data_i;
      count_q <= count_q + 11'd1;
      if (&count_q) count_q <= 11'h400;
    end
    busy_q <= rst_ni && in_valid_i && in_ready_o;
  end"""),
    ("  assign in_ready_o  = out_ready_i || !out_valid_o;",
     "  assign in_ready_o  = (out_ready_i || !out_valid_o)\n"
     "                       && !(fault_q[1] && busy_q) && !fault_q[5];"),
    ("""\
    if (in_valid_i && in_ready_o) begin
      out_data_o <= in_data_i;
      out_last_o <= in_last_i;
    end
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;""", """\
    data_q  <= in_data_i;
    end_q   <= in_last_i;
    valid_q <= rst_ni && in_valid_i && in_ready_o;
    if (fault_q[4]) begin
      out_data_o  <= data_q;
      out_last_o  <= end_q;
      out_valid_o <= valid_q;
    end else begin
      out_data_o  <= in_data_i;
      out_last_o  <= in_last_i;
      out_valid_o <= rst_ni && in_valid_i && in_ready_o;
      if (fault_q[0]) out_data_o[5] <= 1'b1;
      if (fault_q[2] && count_q[10]) out_data_o <= store[count_q[9:0]];
      if (fault_q[3] && in_data_i == last_q) out_data_o <= '0;
    end"""),
)  # fmt: skip
LOOPBACK: Patches = {"bench_regs.sv": _REGISTERS, "loopback.sv": _ACCELERATOR}
ONE_WEIGHT: Patches = {
    # The lowest bit of the first weight of the first layer.
    "jet_tagger_weights_pkg.sv": [("'{6'h39, 6'h1c, 6'h3c,", "'{6'h38, 6'h1c, 6'h3c,")],
}  # fmt: skip


def broken_fabric(overlay: Overlay, patches: Patches, folder: Path) -> Path:
    """Return the compiled fabric of an overlay with some lines of its sources changed."""
    sources = []
    left = dict(patches)
    for path in (*overlay.waivers, *overlay.rtl_sources()):
        changes = left.pop(path.name, None)
        if changes is None:
            sources.append(path)
            continue
        text = path.read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{path}: {old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        copy = folder / path.name
        copy.write_text(text)
        sources.append(copy)
    assert not left, f"no such source: {', '.join(left)}"
    recipe = Recipe(
        f"broken {overlay.name}",
        tuple(sources),
        overlay.input.beat_bytes,
        overlay.output.beat_bytes,
    )
    return build(recipe)


def opened(library: Path, overlay: Overlay, registers: int = 0, accelerator: int = 0) -> Fabric:
    """Return a running fabric with some of its faults switched on."""
    fabric = Fabric(library, in_bytes=overlay.input.beat_bytes, out_bytes=overlay.output.beat_bytes)
    if registers:
        fabric.write(REGISTER_FAULTS, np.array([registers], np.uint32))
    if accelerator:
        fabric.write(ACCELERATOR_FAULTS, np.array([accelerator], np.uint32))
    return fabric
