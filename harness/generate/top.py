"""The top of an overlay: `fabric_top.v`, verilated here and taken by Vivado's block design alike.

A Vivado module reference must be Verilog, so this is a thin Verilog-2001 shell with literal widths
around the SystemVerilog `stream_bench` and the accelerator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.generate.registers import banner
from harness.registers import ADDRESS_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.overlay import MemoryPort, Overlay

_LITE: tuple[tuple[str, str, int], ...] = (
    ("input", "awaddr", ADDRESS_BITS),
    ("input", "awprot", 3),
    ("input", "awvalid", 1),
    ("output", "awready", 1),
    ("input", "wdata", 32),
    ("input", "wstrb", 4),
    ("input", "wvalid", 1),
    ("output", "wready", 1),
    ("output", "bresp", 2),
    ("output", "bvalid", 1),
    ("input", "bready", 1),
    ("input", "araddr", ADDRESS_BITS),
    ("input", "arprot", 3),
    ("input", "arvalid", 1),
    ("output", "arready", 1),
    ("output", "rdata", 32),
    ("output", "rresp", 2),
    ("output", "rvalid", 1),
    ("input", "rready", 1),
)
_FIXED = {
    "arburst": "2'b01",  # INCR
    "arcache": "4'b0011",  # modifiable: an interconnect may change its width
    "arprot": "3'b000",
}
_UNUSED = ("awprot", "arprot")  # unprivileged accesses all; the port is part of the bus


def _memory_ports(port: MemoryPort) -> tuple[tuple[str, str, int], ...]:
    """Return the read channels of an AXI4 master: direction, name and bits of each signal."""
    return (
        ("output", "araddr", port.address_bits),
        ("output", "arlen", 8),
        ("output", "arsize", 3),
        ("output", "arburst", 2),
        ("output", "arcache", 4),
        ("output", "arprot", 3),
        ("output", "arvalid", 1),
        ("input", "arready", 1),
        ("input", "rdata", port.data_bits),
        ("input", "rresp", 2),
        ("input", "rlast", 1),
        ("input", "rvalid", 1),
        ("output", "rready", 1),
    )


def fabric_top(overlay: Overlay) -> str:
    """Return the text of `fabric_top.v`."""
    return "\n".join(
        [
            "`default_nettype none",
            "",
            banner(overlay).rstrip(),
            "",
            "/// The measuring IP around the accelerator; what the block design instantiates.",
            "module fabric_top (",
            ",\n".join(_ports(overlay)),
            ");",
            "",
            *_body(overlay),
            "endmodule",
            "",
            "`default_nettype wire",
            "",
        ]
    )


def _port(direction: str, name: str, bits: int, info: str, parameter: str = "") -> str:
    attributes = [f'  (* X_INTERFACE_INFO = "{info}" *)']
    if parameter:
        attributes.append(f'  (* X_INTERFACE_PARAMETER = "{parameter}" *)')
    span = f"[{bits - 1}:0] " if bits > 1 else ""
    return "\n".join([*attributes, f"  {direction} wire {span}{name}"])


def _ports(overlay: Overlay) -> Iterator[str]:
    yield _port(
        "input",
        "aclk",
        1,
        "xilinx.com:signal:clock:1.0 aclk CLK",
        f"ASSOCIATED_BUSIF {_buses(overlay)}, ASSOCIATED_RESET aresetn",
    )
    yield _port(
        "input", "aresetn", 1, "xilinx.com:signal:reset:1.0 aresetn RST", "POLARITY ACTIVE_LOW"
    )
    for index, (direction, name, bits) in enumerate(_LITE):
        yield _port(
            direction,
            f"s_axi_{name}",
            bits,
            f"xilinx.com:interface:aximm:1.0 s_axi {name.upper()}",
            f"PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH {ADDRESS_BITS}" if index == 0 else "",
        )
    for bus, forward, backward, bits in (
        ("s_axis_dma", "input", "output", overlay.input.width_bits),
        ("m_axis_dma", "output", "input", overlay.output.width_bits),
    ):
        for direction, name, width in (
            (forward, "tdata", bits),
            (forward, "tkeep", bits // 8),
            (forward, "tlast", 1),
            (forward, "tvalid", 1),
            (backward, "tready", 1),
        ):
            yield _port(
                direction,
                f"{bus}_{name}",
                width,
                f"xilinx.com:interface:axis:1.0 {bus} {name.upper()}",
                f"TDATA_NUM_BYTES {bits // 8}, HAS_TKEEP 1, HAS_TLAST 1" if name == "tdata" else "",
            )

    if (port := overlay.memory) is not None:
        for index, (direction, name, bits) in enumerate(_memory_ports(port)):
            yield _port(
                direction,
                f"m_axi_{name}",
                bits,
                f"xilinx.com:interface:aximm:1.0 m_axi {name.upper()}",
                f"PROTOCOL AXI4, DATA_WIDTH {port.data_bits}, ADDR_WIDTH {port.address_bits}, "
                f"READ_WRITE_MODE READ_ONLY, MAX_BURST_LENGTH {port.burst_beats}, "
                f"NUM_READ_OUTSTANDING {port.prefetch_beats // port.burst_beats}"
                if index == 0
                else "",
            )


def _buses(overlay: Overlay) -> str:
    return "s_axi:s_axis_dma:m_axis_dma" + (":m_axi" if overlay.memory is not None else "")


def accelerator_parameters(overlay: Overlay) -> dict[str, int]:
    """Return the parameters that every accelerator has."""
    return {"InWidth": overlay.input.width_bits, "OutWidth": overlay.output.width_bits}


def bench_parameters(overlay: Overlay) -> dict[str, int]:
    """Return the parameters of `stream_bench` in an overlay."""
    bench = overlay.bench
    return {
        **accelerator_parameters(overlay),
        "EventRows": bench.event_rows,
        "GoldenRows": bench.golden_rows,
        "QueueDepth": bench.queue_depth,
        "HistogramBins": bench.histogram_bins,
        "TraceDepth": bench.trace_depth,
        "SpyDepth": bench.spy_depth,
        "GapEntries": bench.gap_entries,
        "InFlight": bench.in_flight,
    }


def _body(overlay: Overlay) -> list[str]:
    in_width, out_width = overlay.input.width_bits, overlay.output.width_bits
    bench_ports = {"clk_i": "aclk", "rst_ni": "aresetn"}
    for direction, name, _ in _LITE:
        if name not in _UNUSED:
            bench_ports[f"s_axi_{name}_{direction[0]}"] = f"s_axi_{name}"
    for port, bus, back in (("dma_in", "s_axis_dma", "o"), ("dma_out", "m_axis_dma", "i")):
        forth = "i" if back == "o" else "o"
        for name in ("valid", "data", "last"):
            bench_ports[f"{port}_{name}_{forth}"] = f"{bus}_t{name}"
        bench_ports[f"{port}_ready_{back}"] = f"{bus}_tready"
    bench_ports["acc_rst_no"] = "acc_rst_n"
    accelerator_ports = {"clk_i": "aclk", "rst_ni": "aresetn & acc_rst_n"}
    for stream, from_bench in (("in", True), ("out", False)):
        for name in ("valid", "data", "last", "ready"):
            outward = from_bench != (name == "ready")
            bench_ports[f"acc_{stream}_{name}_{'o' if outward else 'i'}"] = f"{stream}_{name}"
            accelerator_ports[f"{stream}_{name}_{'i' if outward else 'o'}"] = f"{stream}_{name}"
    for name, outward in (("we", True), ("addr", True), ("wdata", True), ("rdata", False)):
        bench_ports[f"cfg_{name}_{'o' if outward else 'i'}"] = f"cfg_{name}"
        accelerator_ports[f"cfg_{name}_{'i' if outward else 'o'}"] = f"cfg_{name}"
    settings = accelerator_parameters(overlay)
    constants = []
    if (memory := overlay.memory) is not None:
        settings |= {"MemAddrWidth": memory.address_bits, "MemDataWidth": memory.data_bits}
        # A burst that is under way must end, whatever becomes of the run: the bus has its own.
        accelerator_ports["bus_rst_ni"] = "aresetn"
        fixed = _FIXED | {"arsize": f"3'd{(memory.data_bits // 8).bit_length() - 1}"}
        for direction, name, _ in _memory_ports(memory):
            if name in fixed:
                constants.append(f"  assign m_axi_{name} = {fixed[name]};")
            else:
                accelerator_ports[f"m_axi_{name}_{direction[0]}"] = f"m_axi_{name}"
        constants.append("")
    return [
        "  wire acc_rst_n, in_valid, in_ready, in_last, out_valid, out_ready, out_last, cfg_we;",
        f"  wire [{in_width - 1}:0] in_data;",
        f"  wire [{out_width - 1}:0] out_data;",
        "  wire [13:0] cfg_addr;",
        "  wire [31:0] cfg_wdata, cfg_rdata;",
        "",
        "  // Beats are always whole.",
        f"  assign m_axis_dma_tkeep = {{{out_width // 8}{{1'b1}}}};",
        "",
        *constants,
        *_instance("stream_bench", "u_bench", bench_parameters(overlay), bench_ports),
        "",
        *_instance(
            overlay.accelerator.module,
            "u_accelerator",
            settings,
            accelerator_ports,
        ),
        "",
    ]


def _instance(
    module: str, name: str, parameters: dict[str, int], ports: dict[str, str]
) -> list[str]:
    settings = ",\n".join(f"    .{key}({value})" for key, value in parameters.items())
    connections = ",\n".join(f"    .{key}({value})" for key, value in ports.items())
    return [f"  {module} #(", settings, f"  ) {name} (", connections, "  );"]
