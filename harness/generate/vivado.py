"""The script for the real bitstream: Tcl for Vivado, from the block design of the `.hwh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.generate.block_design import (
    BENCH,
    BENCH_BYTES,
    CONTROL_INTERCONNECT,
    DMA,
    DMA_BYTES,
    GPIO,
    GPIO_BYTES,
    MEMORY_BYTES,
    MEMORY_INTERCONNECT,
    RESET,
    BlockDesign,
    block_design,
)
from harness.generate.registers import banner

if TYPE_CHECKING:
    from harness.inventory import Board
    from harness.overlay import Overlay

_HEAD = """\
# Builds the bitstream of overlay {name} for {title}.
#
#   vivado -mode batch -source overlays/{name}/vivado/{board}.tcl
#
# NOT TESTED: written without access to Vivado, and never run. Expect to adjust versions of IP and
# the board preset. Address map, clock and DMA are those of bitstreams/{name}/{board}.hwh.
# Results go to build/vivado/{name}/{board}: {board}.bit, {board}.hwh and their record {board}.toml.

set root [file normalize [file join [file dirname [info script]] .. .. ..]]
set out  [file join $root build vivado {name} {board}]
file mkdir $out
create_project -force {name} [file join $out project] -part {part}
# Without the board file the processing system keeps its defaults and memory will not work.
set_property board_part {board_part} [current_project]
set_property target_language Verilog [current_project]

"""

_PS_COMMON = """\
create_bd_design fabric
set ps [create_bd_cell -type ip -vlnv {vlnv} {instance}]
apply_bd_automation -rule xilinx.com:bd_rule:{rule} -config {{{options}}} $ps
set_property -dict [list \\
{settings}
] $ps

"""

_NETS = """\
create_bd_cell -type module -reference fabric_top {bench}
set_property -dict [list \\
{dma_settings}
] [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 {dma}]
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI {controlled}] \\
  [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 {control}]
set_property -dict [list CONFIG.NUM_SI {masters} CONFIG.NUM_MI 1] \\
  [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 {memory}]
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 {reset}
{gpio_cell}
foreach {{from to}} {{
  {ps}/{control_bus} {control}/S00_AXI
  {control}/M00_AXI {bench}/s_axi
  {control}/M01_AXI {dma}/S_AXI_LITE
  {dma}/M_AXIS_MM2S {bench}/s_axis_dma
  {bench}/m_axis_dma {dma}/S_AXIS_S2MM
  {dma}/M_AXI_MM2S {memory}/S00_AXI
  {dma}/M_AXI_S2MM {memory}/S01_AXI
{port_wire}  {memory}/M00_AXI {ps}/{memory_bus}
}} {{
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}}
foreach pin {{
  {ps}/{control_clock} {ps}/{memory_clock}
  {dma}/s_axi_lite_aclk {dma}/m_axi_mm2s_aclk {dma}/m_axi_s2mm_aclk
  {bench}/aclk {control}/aclk {memory}/aclk {reset}/slowest_sync_clk
}} {{
  connect_bd_net [get_bd_pins {ps}/{clock}] [get_bd_pins $pin]
}}
connect_bd_net [get_bd_pins {ps}/{reset_pin}] [get_bd_pins {reset}/ext_reset_in]
foreach pin {{{dma}/axi_resetn {bench}/aresetn {control}/aresetn {memory}/aresetn}} {{
  connect_bd_net [get_bd_pins {reset}/peripheral_aresetn] [get_bd_pins $pin]
}}
{gpio_nets}
assign_bd_address -offset {bench_base:#010x} -range {bench_bytes:#x} \\
  -target_address_space [get_bd_addr_spaces {ps}/Data] [get_bd_addr_segs {bench}/s_axi/reg0]
assign_bd_address -offset {dma_base:#010x} -range {dma_bytes:#x} \\
  -target_address_space [get_bd_addr_spaces {ps}/Data] [get_bd_addr_segs {dma}/S_AXI_LITE/Reg]
foreach space {{Data_MM2S Data_S2MM}} {{
  assign_bd_address -offset 0x0 -range {memory_bytes:#x} \\
    -target_address_space [get_bd_addr_spaces {dma}/$space] [get_bd_addr_segs {memory_segment}]
}}
{port_range}validate_bd_design
save_bd_design

"""

_PORT_RANGE = """\
assign_bd_address -offset 0x0 -range {size:#x} \\
  -target_address_space [get_bd_addr_spaces {bench}/m_axi] [get_bd_addr_segs {segment}]
"""

_GPIO_CELL = """\
set_property -dict [list \\
{settings}
] [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 {gpio}]
"""

_GPIO_NETS = """\
connect_bd_intf_net [get_bd_intf_pins {control}/M02_AXI] [get_bd_intf_pins {gpio}/S_AXI]
connect_bd_net [get_bd_pins {ps}/{clock}] [get_bd_pins {gpio}/s_axi_aclk]
connect_bd_net [get_bd_pins {reset}/peripheral_aresetn] [get_bd_pins {gpio}/s_axi_aresetn]
assign_bd_address -offset {base:#010x} -range {size:#x} \\
  -target_address_space [get_bd_addr_spaces {ps}/Data] [get_bd_addr_segs {gpio}/S_AXI/Reg]
"""

_BUILD = """\
# The image says which sources it is of: `harness bitstreams` compares the digest's first digits.
set stamp [file join $out usr_access.xdc]
set file [open $stamp w]
puts $file {{set_property BITSTREAM.CONFIG.USR_ACCESS 0x{access} [current_design]}}
close $file
add_files -fileset constrs_1 -norecurse $stamp

make_wrapper -files [get_files fabric.bd] -top -import
set_property top fabric_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {{[get_property PROGRESS [get_runs impl_1]] ne "100%"}} {{
  error "implementation failed: see [get_property DIRECTORY [get_runs impl_1]]"
}}
open_run impl_1
set slack [get_property SLACK [get_timing_paths -max_paths 1 -setup]]
if {{$slack < 0}} {{
  error "timing is not met: worst setup slack $slack ns; a measurement on this image means nothing"
}}

set project [get_property DIRECTORY [current_project]]
set bit [file join $out {board}.bit]
set hwh [file join $out {board}.hwh]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] fabric_wrapper.bit] $bit
file copy -force [lindex [glob $project/*.gen/sources_1/bd/fabric/hw_handoff/fabric.hwh] 0] $hwh
set record [open [file join $out {board}.toml] w]
puts $record "schema = 1"
puts $record "overlay = \\"{name}\\""
puts $record "board = \\"{board}\\""
puts $record "digest = \\"{digest}\\""
puts $record "bit_sha256 = \\"[lindex [exec sha256sum $bit] 0]\\""
puts $record "hwh_sha256 = \\"[lindex [exec sha256sum $hwh] 0]\\""
puts $record "provenance = \\"built by Vivado [version -short], worst setup slack $slack ns\\""
close $record
puts "to use them: cp $out/{board}.* $root/bitstreams/{name}/"
"""


def vivado_script(overlay: Overlay, board: Board) -> str:
    """Return the text of `overlays/<name>/vivado/<board>.tcl`."""
    design = block_design(overlay, board)
    ps = design.ps
    head = _HEAD.format(
        name=overlay.name,
        title=board.title,
        board=board.name,
        part=board.part,
        board_part=board.board_part,
    )
    zynq = board.family == "processing_system7"
    automation = 'make_external "FIXED_IO, DDR" apply_board_preset "1"'
    system = _PS_COMMON.format(
        vlnv=ps.vlnv,
        instance=ps.instance,
        rule=board.family,
        options=automation if zynq else 'apply_board_preset "1"',
        settings=_settings(_zynq(design) if zynq else _zynqmp(design)),
    )
    segment = "S_AXI_HP0" if zynq else "SAXIGP2"
    cell = wires = ""
    if design.gpio_parameters:
        cell = _GPIO_CELL.format(settings=_settings(design.gpio_parameters), gpio=GPIO)
        wires = _GPIO_NETS.format(
            control=CONTROL_INTERCONNECT,
            gpio=GPIO,
            ps=ps.instance,
            clock=ps.clock,
            reset=RESET,
            base=design.gpio_base,
            size=GPIO_BYTES,
        )
    reach, memory_bytes = f"{ps.instance}/{segment}/{ps.memory_segment}", MEMORY_BYTES[board.family]
    port_wire = port_range = ""
    if overlay.memory is not None:
        port_wire = f"  {BENCH}/m_axi {MEMORY_INTERCONNECT}/S02_AXI\n"
        port_range = _PORT_RANGE.format(size=memory_bytes, bench=BENCH, segment=reach)
    nets = _NETS.format(
        masters=2 if overlay.memory is None else 3,
        port_wire=port_wire,
        port_range=port_range,
        ps=ps.instance,
        bench=BENCH,
        dma=DMA,
        control=CONTROL_INTERCONNECT,
        memory=MEMORY_INTERCONNECT,
        reset=RESET,
        dma_settings=_settings(design.dma_parameters),
        control_bus=ps.control_bus,
        control_clock=ps.control_clock,
        memory_bus=ps.memory_bus,
        memory_clock=ps.memory_clock,
        clock=ps.clock,
        reset_pin=ps.reset,
        bench_base=design.bench_base,
        bench_bytes=BENCH_BYTES,
        controlled=3 if design.gpio_parameters else 2,
        gpio_cell=cell,
        gpio_nets=wires,
        dma_base=design.dma_base,
        dma_bytes=DMA_BYTES,
        memory_bytes=memory_bytes,
        memory_segment=reach,
    )
    build = _BUILD.format(
        name=overlay.name, board=board.name, digest=overlay.digest, access=overlay.digest[:8]
    )
    return banner(overlay, "#") + head + _sources(overlay) + system + nets + build


def _sources(overlay: Overlay) -> str:
    package, top = overlay.generated_rtl
    lines = ["foreach file {"]
    paths = (package, *overlay.written_rtl, top)
    lines += [f"  {path.relative_to(overlay.root).as_posix()}" for path in paths]
    lines += ["} {", "  add_files -norecurse [file join $root $file]", "}"]
    return "\n".join([*lines, "update_compile_order -fileset sources_1", "", ""])


def _settings(values: dict[str, str]) -> str:
    return "\n".join(f"  CONFIG.{name} {{{value}}} \\" for name, value in values.items())


def _zynqmp(design: BlockDesign) -> dict[str, str]:
    prefix = "PSU__CRL_APB__PL0_REF_CTRL__"
    return {
        "PSU__USE__M_AXI_GP0": "1",
        "PSU__USE__M_AXI_GP1": "0",
        "PSU__USE__M_AXI_GP2": "0",
        "PSU__USE__S_AXI_GP2": "1",
        "PSU__MAXIGP0__DATA_WIDTH": str(design.ps.control_bits),
        "PSU__SAXIGP2__DATA_WIDTH": str(design.ps.memory_bits),
        "PSU__FPGA_PL0_ENABLE": "1",
        f"{prefix}SRCSEL": design.clock.source.name,
        f"{prefix}FREQMHZ": f"{design.overlay.clock_hz / 1e6:.6f}",
    }


def _zynq(design: BlockDesign) -> dict[str, str]:
    return {
        "PCW_USE_M_AXI_GP0": "1",
        "PCW_USE_S_AXI_HP0": "1",
        "PCW_S_AXI_HP0_DATA_WIDTH": str(design.ps.memory_bits),
        "PCW_EN_CLK0_PORT": "1",
        "PCW_FPGA0_PERIPHERAL_FREQMHZ": f"{design.overlay.clock_hz / 1e6:.6f}",
    }
