"""The script and constraints for boards without a processor: `fabric_uart` with clock and pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.generate.registers import banner

if TYPE_CHECKING:
    from harness.inventory import Board, UartPort
    from harness.overlay import Overlay

_SCRIPT = """\
# Builds the bitstream of overlay {name} for {title}.
#
#   vivado -mode batch -source overlays/{name}/vivado/{board}.tcl
#
# NOT TESTED: written without access to Vivado, and never run.
# There is no block design, hence no .hwh: stream_bench lies at address 0 of the serial bridge.
# Results go to build/vivado/{name}/{board}: {board}.bit and its record {board}.toml.
# To load it: openFPGALoader -b {loader} build/vivado/{name}/{board}/{board}.bit

set root [file normalize [file join [file dirname [info script]] .. .. ..]]
set out  [file join $root build vivado {name} {board}]
file mkdir $out
create_project -force {name} [file join $out project] -part {part}

foreach file {{
{files}
}} {{
  add_files -norecurse [file join $root $file]
}}
add_files -fileset constrs_1 [file join $root overlays {name} vivado {board}.xdc]
set_property top uart_top [current_fileset]
# {baud} baud at {clock_hz} Hz.
set_property generic {{DivisorQ8={divisor} ClockHz={clock_hz} ButtonActive={button}}} \\
  [current_fileset]
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

set bit [file join $out {board}.bit]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] uart_top.bit] $bit
set record [open [file join $out {board}.toml] w]
puts $record "schema = 1"
puts $record "overlay = \\"{name}\\""
puts $record "board = \\"{board}\\""
puts $record "digest = \\"{digest}\\""
puts $record "bit_sha256 = \\"[lindex [exec sha256sum $bit] 0]\\""
puts $record "provenance = \\"built by Vivado [version -short], worst setup slack $slack ns\\""
close $record
puts "to use them: cp $out/{board}.* $root/bitstreams/{name}/"
"""
_LOADERS = {"arty-a7": "arty_a7_100t"}
"""Names that openFPGALoader has for boards, where they are not ours."""


def _port(board: Board) -> UartPort:
    if board.uart is None:
        raise InputError(f"board {board.name} has a processor", where="inventory")
    return board.uart


def uart_script(overlay: Overlay, board: Board) -> str:
    """Return the text of `overlays/<name>/vivado/<board>.tcl`.

    Raises:
        InputError: The board has a processing system.
    """
    port = _port(board)
    package, top = overlay.generated_rtl
    last = overlay.root / "overlays" / "lib" / "rtl" / "uart" / "uart_top.v"
    paths = (package, *overlay.written_rtl, top, *overlay.uart_rtl, last)
    text = _SCRIPT.format(
        name=overlay.name,
        title=board.title,
        board=board.name,
        loader=_LOADERS.get(board.name, board.name),
        part=board.part,
        files="\n".join(f"  {path.relative_to(overlay.root).as_posix()}" for path in paths),
        baud=port.baud,
        divisor=port.divisor_q8,
        clock_hz=port.clock_hz,
        button=port.button_active,
        digest=overlay.digest,
    )
    return banner(overlay, "#") + text


def uart_constraints(overlay: Overlay, board: Board) -> str:
    """Return the text of `overlays/<name>/vivado/<board>.xdc`.

    Raises:
        InputError: The board has a processing system.
    """
    port = _port(board)
    lines = [f"# Pins of {board.title}. NOT TESTED: never run through Vivado."]
    for name, pin in (
        ("clock", port.clock_pin),
        ("button", port.button_pin),
        ("uart_rx", port.rx_pin),
        ("uart_tx", port.tx_pin),
        ("busy_led", port.led_pin),
    ):
        lines.append(
            f"set_property -dict {{PACKAGE_PIN {pin} IOSTANDARD LVCMOS33}} [get_ports {name}]"
        )
    period_ns = 1e9 / port.clock_hz
    lines += [
        f"create_clock -name oscillator -period {period_ns:.3f} [get_ports clock]",
        "# Neither is synchronous to anything: the receiver and the reset see to that.",
        "set_false_path -from [get_ports {button uart_rx}]",
        "set_false_path -to [get_ports {uart_tx busy_led}]",
        "# The image says which sources it is of: the digest's first digits.",
        f"set_property BITSTREAM.CONFIG.USR_ACCESS 0x{overlay.digest[:8]} [current_design]",
        "set_property CFGBVS VCCO [current_design]",
        "set_property CONFIG_VOLTAGE 3.3 [current_design]",
        "",
    ]
    return banner(overlay, "#") + "\n".join(lines)
