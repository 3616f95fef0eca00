# Generated from overlays/binary_digits/overlay.toml by `harness generate binary_digits`; do not edit.
# overlay digest e9e68f52265ad8755ead4c6d8829ffd5
# Builds the bitstream of overlay binary_digits for Digilent Basys 3.
#
#   vivado -mode batch -source overlays/binary_digits/vivado/basys3.tcl
#
# NOT TESTED: written without access to Vivado, and never run.
# There is no block design, hence no .hwh: stream_bench lies at address 0 of the serial bridge.
# Results go to build/vivado/binary_digits/basys3: basys3.bit and its record basys3.toml.
# To load it: openFPGALoader -b basys3 build/vivado/binary_digits/basys3/basys3.bit

set root [file normalize [file join [file dirname [info script]] .. .. ..]]
set out  [file join $root build vivado binary_digits basys3]
file mkdir $out
create_project -force binary_digits [file join $out project] -part xc7a35tcpg236-1

foreach file {
  overlays/binary_digits/rtl/overlay_pkg.sv
  overlays/lib/rtl/bench/bench_pkg.sv
  overlays/binary_digits/rtl/binary_digits_weights_pkg.sv
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
  overlays/lib/rtl/nn/nn_pack.sv
  overlays/lib/rtl/nn/nn_requantise.sv
  overlays/lib/rtl/nn/nn_unpack.sv
  overlays/lib/rtl/nn/nn_xnor_dense.sv
  overlays/binary_digits/rtl/binary_digits.sv
  overlays/binary_digits/rtl/fabric_top.v
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
add_files -fileset constrs_1 [file join $root overlays binary_digits vivado basys3.xdc]
set_property top uart_top [current_fileset]
# 921600 baud at 100000000 Hz.
set_property generic {DivisorQ8=27778 ClockHz=100000000 ButtonActive=1} \
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

set bit [file join $out basys3.bit]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] uart_top.bit] $bit
set record [open [file join $out basys3.toml] w]
puts $record "schema = 1"
puts $record "overlay = \"binary_digits\""
puts $record "board = \"basys3\""
puts $record "digest = \"e9e68f52265ad8755ead4c6d8829ffd5\""
puts $record "bit_sha256 = \"[lindex [exec sha256sum $bit] 0]\""
puts $record "provenance = \"built by Vivado [version -short], worst setup slack $slack ns\""
close $record
puts "to use them: cp $out/basys3.* $root/bitstreams/binary_digits/"
