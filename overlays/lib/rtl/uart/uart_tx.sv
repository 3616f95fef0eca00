`default_nettype none

/// Serial transmitter, 8 data bits, no parity, one stop bit.
module uart_tx #(
  /// Clock cycles of a bit, times 256.
  parameter int unsigned DivisorQ8 = 27778,
  localparam int unsigned Width = $clog2(2 * DivisorQ8)
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       valid_i,
  output logic       ready_o,
  input  logic [7:0] data_i,
  output logic       tx_o
);

  localparam logic [Width-1:0] Period = Width'(DivisorQ8);

  logic [8:0]       shift_q;
  logic [3:0]       left_q;
  logic [Width-1:0] timer_q;

  assign ready_o = left_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q <= '0;
      tx_o   <= 1'b1;
    end else if (ready_o) begin
      if (valid_i) begin
        shift_q <= {1'b1, data_i};
        left_q  <= 4'd10;
        timer_q <= Period - Width'(256);
        tx_o    <= 1'b0;
      end
    end else if (timer_q >= Width'(256)) begin
      timer_q <= timer_q - Width'(256);
    end else begin
      // The fraction of a cycle is carried into the next bit.
      timer_q <= timer_q + Period - Width'(256);
      left_q  <= left_q - 1'b1;
      shift_q <= {1'b1, shift_q[8:1]};
      tx_o    <= shift_q[0];
    end
  end

endmodule

`default_nettype wire
