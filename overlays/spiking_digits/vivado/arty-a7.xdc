# Generated from overlays/spiking_digits/overlay.toml by `harness generate spiking_digits`; do not edit.
# overlay digest 4365ff79e81cc9bab00aae23b0acef66
# Pins of Digilent Arty A7-100T. NOT TESTED: never run through Vivado.
set_property -dict {PACKAGE_PIN E3 IOSTANDARD LVCMOS33} [get_ports clock]
set_property -dict {PACKAGE_PIN C2 IOSTANDARD LVCMOS33} [get_ports button]
set_property -dict {PACKAGE_PIN A9 IOSTANDARD LVCMOS33} [get_ports uart_rx]
set_property -dict {PACKAGE_PIN D10 IOSTANDARD LVCMOS33} [get_ports uart_tx]
set_property -dict {PACKAGE_PIN H5 IOSTANDARD LVCMOS33} [get_ports busy_led]
create_clock -name oscillator -period 10.000 [get_ports clock]
# Neither is synchronous to anything: the receiver and the reset see to that.
set_false_path -from [get_ports {button uart_rx}]
set_false_path -to [get_ports {uart_tx busy_led}]
# The image says which sources it is of: the digest's first digits.
set_property BITSTREAM.CONFIG.USR_ACCESS 0x4365ff79 [current_design]
set_property CFGBVS VCCO [current_design]
set_property CONFIG_VOLTAGE 3.3 [current_design]
