# Generated from overlays/spiking_digits/overlay.toml by `harness generate spiking_digits`; do not edit.
# overlay digest 4365ff79e81cc9bab00aae23b0acef66
# Builds the bitstream of overlay spiking_digits for Digilent Arty A7-100T.
#
#   vivado -mode batch -source overlays/spiking_digits/vivado/arty-a7.tcl
#
# NOT TESTED: written without access to Vivado, and never run.
# There is no block design, hence no .hwh: stream_bench lies at address 0 of the serial bridge.
# Results go to build/vivado/spiking_digits/arty-a7: arty-a7.bit and its record arty-a7.toml.
# To load it: openFPGALoader -b arty_a7_100t build/vivado/spiking_digits/arty-a7/arty-a7.bit

set root [file normalize [file join [file dirname [info script]] .. .. ..]]
set out  [file join $root build vivado spiking_digits arty-a7]
file mkdir $out
create_project -force spiking_digits [file join $out project] -part xc7a100tcsg324-1

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
  overlays/lib/rtl/uart/uart_pkg.sv
  overlays/lib/rtl/uart/axil_master.sv
  overlays/lib/rtl/uart/cobs_decode.sv
  overlays/lib/rtl/uart/cobs_encode.sv
  overlays/lib/rtl/uart/fabric_uart.sv
  overlays/lib/rtl/uart/frame_receiver.sv
  overlays/lib/rtl/uart/uart_bridge.sv
  overlays/lib/rtl/uart/uart_rx.sv
  overlays/lib/rtl/uart/uart_tx.sv
  overlays/lib/rtl/uart/uart_top.v
} {
  add_files -norecurse [file join $root $file]
}
add_files -fileset constrs_1 [file join $root overlays spiking_digits vivado arty-a7.xdc]
set_property top uart_top [current_fileset]
# 921600 baud at 100000000 Hz.
set_property generic {DivisorQ8=27778 ClockHz=100000000 ButtonActive=0} \
  [current_fileset]
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

set bit [file join $out arty-a7.bit]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] uart_top.bit] $bit
set record [open [file join $out arty-a7.toml] w]
puts $record "schema = 1"
puts $record "overlay = \"spiking_digits\""
puts $record "board = \"arty-a7\""
puts $record "digest = \"4365ff79e81cc9bab00aae23b0acef66\""
puts $record "bit_sha256 = \"[lindex [exec sha256sum $bit] 0]\""
puts $record "provenance = \"built by Vivado [version -short], worst setup slack $slack ns\""
close $record
puts "to use them: cp $out/arty-a7.* $root/bitstreams/spiking_digits/"
