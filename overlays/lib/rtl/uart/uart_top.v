`default_nettype none

// NOT TESTED: written without access to Vivado, never synthesised, never on a board.
//
// What a board of the Artix-7 family adds to fabric_uart: its clock through an MMCM, a reset that
// lasts until that has locked, and three pins. The simulation leaves this file out and nothing else.
module uart_top #(
  // Clock cycles of a bit, times 256.
  parameter DivisorQ8 = 27778,
  // Of the oscillator and, unchanged, of the fabric.
  parameter ClockHz = 100000000,
  // 1: the button gives a one while it is pressed.
  parameter ButtonActive = 0
) (
  input  wire clock,
  input  wire button,
  input  wire uart_rx,
  output wire uart_tx,
  output wire busy_led
);

  wire feedback, raw_clock, fabric_clock, locked;
  reg  [3:0] reset_q = 4'b0;

  // The VCO may run at 600 to 1200 MHz at the slowest speed grade (DS181).
  MMCME2_BASE #(
    .CLKIN1_PERIOD(1.0e9 / ClockHz),
    .DIVCLK_DIVIDE(1),
    .CLKFBOUT_MULT_F(1.0e9 / ClockHz),
    .CLKOUT0_DIVIDE_F(1.0e9 / ClockHz)
  ) u_mmcm (
    .CLKIN1(clock), .CLKFBIN(feedback), .CLKFBOUT(feedback), .CLKOUT0(raw_clock),
    .LOCKED(locked), .PWRDWN(1'b0), .RST(button == ButtonActive),
    .CLKFBOUTB(), .CLKOUT0B(), .CLKOUT1(), .CLKOUT1B(), .CLKOUT2(), .CLKOUT2B(), .CLKOUT3(),
    .CLKOUT3B(), .CLKOUT4(), .CLKOUT5(), .CLKOUT6()
  );
  BUFG u_buffer (.I(raw_clock), .O(fabric_clock));

  // Reset begins at once and ends with the clock.
  always @(posedge fabric_clock or negedge locked) begin
    if (!locked) reset_q <= 4'b0;
    else reset_q <= {reset_q[2:0], 1'b1};
  end

  fabric_uart #(.DivisorQ8(DivisorQ8), .ClockHz(ClockHz)) u_fabric (
    .aclk(fabric_clock), .aresetn(reset_q[3]), .uart_rx(uart_rx), .uart_tx(uart_tx), .busy(busy_led)
  );

endmodule

`default_nettype wire
