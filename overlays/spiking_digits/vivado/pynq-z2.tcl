# Generated from overlays/spiking_digits/overlay.toml by `harness generate spiking_digits`; do not edit.
# overlay digest 4365ff79e81cc9bab00aae23b0acef66
# Builds the bitstream of overlay spiking_digits for TUL PYNQ-Z2.
#
#   vivado -mode batch -source overlays/spiking_digits/vivado/pynq-z2.tcl
#
# NOT TESTED: written without access to Vivado, and never run. Expect to adjust versions of IP and
# the board preset. Address map, clock and DMA are those of bitstreams/spiking_digits/pynq-z2.hwh.
# Results go to build/vivado/spiking_digits/pynq-z2: pynq-z2.bit, pynq-z2.hwh and their record pynq-z2.toml.

set root [file normalize [file join [file dirname [info script]] .. .. ..]]
set out  [file join $root build vivado spiking_digits pynq-z2]
file mkdir $out
create_project -force spiking_digits [file join $out project] -part xc7z020clg400-1
# Without the board file the processing system keeps its defaults and memory will not work.
set_property board_part tul.com.tw:pynq-z2:part0:1.0 [current_project]
set_property target_language Verilog [current_project]

foreach file {
  overlays/spiking_digits/rtl/overlay_pkg.sv
  overlays/lib/rtl/bench/bench_pkg.sv
  overlays/spiking_digits/rtl/spiking_digits_weights_pkg.sv
  overlays/lib/rtl/bench/axis_check.sv
  overlays/lib/rtl/bench/bench_axil.sv
  overlays/lib/rtl/bench/bench_regs.sv
  overlays/lib/rtl/bench/block_mover.sv
  overlays/lib/rtl/bench/event_player.sv
  overlays/lib/rtl/bench/event_schedule.sv
  overlays/lib/rtl/bench/latency_histogram.sv
  overlays/lib/rtl/bench/latency_monitor.sv
  overlays/lib/rtl/bench/output_checker.sv
  overlays/lib/rtl/bench/path_select.sv
  overlays/lib/rtl/bench/ram_1r1w.sv
  overlays/lib/rtl/bench/stream_bench.sv
  overlays/lib/rtl/bench/trace_memory.sv
  overlays/lib/rtl/nn/nn_argmax.sv
  overlays/lib/rtl/nn/nn_gearbox.sv
  overlays/lib/rtl/nn/nn_lif.sv
  overlays/lib/rtl/nn/nn_pack.sv
  overlays/lib/rtl/nn/nn_unpack.sv
  overlays/spiking_digits/rtl/spiking_digits.sv
  overlays/spiking_digits/rtl/fabric_top.v
} {
  add_files -norecurse [file join $root $file]
}
update_compile_order -fileset sources_1

create_bd_design fabric
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 processing_system7_0]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config {make_external "FIXED_IO, DDR" apply_board_preset "1"} $ps
set_property -dict [list \
  CONFIG.PCW_USE_M_AXI_GP0 {1} \
  CONFIG.PCW_USE_S_AXI_HP0 {1} \
  CONFIG.PCW_S_AXI_HP0_DATA_WIDTH {64} \
  CONFIG.PCW_EN_CLK0_PORT {1} \
  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {200.000000} \
] $ps

create_bd_cell -type module -reference fabric_top stream_bench_0
set_property -dict [list \
  CONFIG.c_include_sg {0} \
  CONFIG.c_enable_multi_channel {0} \
  CONFIG.c_sg_length_width {26} \
  CONFIG.c_micro_dma {0} \
  CONFIG.c_include_mm2s {1} \
  CONFIG.c_m_axi_mm2s_data_width {64} \
  CONFIG.c_m_axis_mm2s_tdata_width {64} \
  CONFIG.c_include_mm2s_dre {0} \
  CONFIG.c_mm2s_burst_size {16} \
  CONFIG.c_include_s2mm {1} \
  CONFIG.c_m_axi_s2mm_data_width {128} \
  CONFIG.c_s_axis_s2mm_tdata_width {128} \
  CONFIG.c_include_s2mm_dre {0} \
  CONFIG.c_s2mm_burst_size {16} \
  CONFIG.c_addr_width {32} \
] [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 axi_dma_0]
set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 2] \
  [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 axi_smc_control]
set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 1] \
  [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 axi_smc_memory]
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 proc_sys_reset_0

foreach {from to} {
  processing_system7_0/M_AXI_GP0 axi_smc_control/S00_AXI
  axi_smc_control/M00_AXI stream_bench_0/s_axi
  axi_smc_control/M01_AXI axi_dma_0/S_AXI_LITE
  axi_dma_0/M_AXIS_MM2S stream_bench_0/s_axis_dma
  stream_bench_0/m_axis_dma axi_dma_0/S_AXIS_S2MM
  axi_dma_0/M_AXI_MM2S axi_smc_memory/S00_AXI
  axi_dma_0/M_AXI_S2MM axi_smc_memory/S01_AXI
  axi_smc_memory/M00_AXI processing_system7_0/S_AXI_HP0
} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
foreach pin {
  processing_system7_0/M_AXI_GP0_ACLK processing_system7_0/S_AXI_HP0_ACLK
  axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk
  stream_bench_0/aclk axi_smc_control/aclk axi_smc_memory/aclk proc_sys_reset_0/slowest_sync_clk
} {
  connect_bd_net [get_bd_pins processing_system7_0/FCLK_CLK0] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins processing_system7_0/FCLK_RESET0_N] [get_bd_pins proc_sys_reset_0/ext_reset_in]
foreach pin {axi_dma_0/axi_resetn stream_bench_0/aresetn axi_smc_control/aresetn axi_smc_memory/aresetn} {
  connect_bd_net [get_bd_pins proc_sys_reset_0/peripheral_aresetn] [get_bd_pins $pin]
}

assign_bd_address -offset 0x40000000 -range 0x400000 \
  -target_address_space [get_bd_addr_spaces processing_system7_0/Data] [get_bd_addr_segs stream_bench_0/s_axi/reg0]
assign_bd_address -offset 0x40400000 -range 0x10000 \
  -target_address_space [get_bd_addr_spaces processing_system7_0/Data] [get_bd_addr_segs axi_dma_0/S_AXI_LITE/Reg]
foreach space {Data_MM2S Data_S2MM} {
  assign_bd_address -offset 0x0 -range 0x20000000 \
    -target_address_space [get_bd_addr_spaces axi_dma_0/$space] [get_bd_addr_segs processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM]
}
validate_bd_design
save_bd_design

# The image says which sources it is of: `harness bitstreams` compares the digest's first digits.
set stamp [file join $out usr_access.xdc]
set file [open $stamp w]
puts $file {set_property BITSTREAM.CONFIG.USR_ACCESS 0x4365ff79 [current_design]}
close $file
add_files -fileset constrs_1 -norecurse $stamp

make_wrapper -files [get_files fabric.bd] -top -import
set_property top fabric_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
  error "implementation failed: see [get_property DIRECTORY [get_runs impl_1]]"
}
open_run impl_1
set slack [get_property SLACK [get_timing_paths -max_paths 1 -setup]]
if {$slack < 0} {
  error "timing is not met: worst setup slack $slack ns; a measurement on this image means nothing"
}

set project [get_property DIRECTORY [current_project]]
set bit [file join $out pynq-z2.bit]
set hwh [file join $out pynq-z2.hwh]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] fabric_wrapper.bit] $bit
file copy -force [lindex [glob $project/*.gen/sources_1/bd/fabric/hw_handoff/fabric.hwh] 0] $hwh
set record [open [file join $out pynq-z2.toml] w]
puts $record "schema = 1"
puts $record "overlay = \"spiking_digits\""
puts $record "board = \"pynq-z2\""
puts $record "digest = \"4365ff79e81cc9bab00aae23b0acef66\""
puts $record "bit_sha256 = \"[lindex [exec sha256sum $bit] 0]\""
puts $record "hwh_sha256 = \"[lindex [exec sha256sum $hwh] 0]\""
puts $record "provenance = \"built by Vivado [version -short], worst setup slack $slack ns\""
close $record
puts "to use them: cp $out/pynq-z2.* $root/bitstreams/spiking_digits/"
