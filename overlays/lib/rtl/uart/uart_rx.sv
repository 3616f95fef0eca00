`default_nettype none

/// Serial receiver, 8 data bits, no parity: a byte a frame, each bit by the majority of three samples.
///
/// The samples lie around the middle of a bit. A start bit that is gone by its middle is no start bit.
/// A low stop bit gives `error_o`; then the line must go high before the next byte.
module uart_rx #(
  /// Clock cycles of a bit, times 256.
  parameter int unsigned DivisorQ8 = 27778,
  localparam int unsigned Width = $clog2(2 * DivisorQ8)
) (
  input  logic       clk_i,
  input  logic       rst_ni,
  /// The line, not synchronous to anything.
  input  logic       rx_i,
  /// One cycle for each byte.
  output logic       valid_o,
  output logic [7:0] data_o,
  /// One cycle for each frame without stop bit.
  output logic       error_o,
  output logic       busy_o
);

  if (DivisorQ8 < 4 * 256) begin : g_bad_divisor
    $error("uart_rx: a bit needs at least four clock cycles");
  end

  localparam logic [Width-1:0] Period = Width'(DivisorQ8);

  typedef enum logic [1:0] {IDLE, BITS, BREAK} state_e;
  state_e           state_q;
  logic [1:0]       sync_q;
  logic [2:0]       recent_q;
  logic [3:0]       count_q;
  logic [7:0]       shift_q;
  logic [Width-1:0] timer_q;
  logic             bit_value, tick;

  assign bit_value = (recent_q[0] && recent_q[1]) || (recent_q[0] && recent_q[2]) ||
                     (recent_q[1] && recent_q[2]);
  assign tick      = timer_q < Width'(256);
  assign data_o    = shift_q;
  assign busy_o    = state_q == BITS;

  always_ff @(posedge clk_i) begin
    sync_q   <= {sync_q[0], rx_i};
    recent_q <= {recent_q[1:0], sync_q[1]};
    if (!rst_ni) begin
      sync_q   <= '1;
      recent_q <= '1;
      state_q  <= IDLE;
      valid_o  <= 1'b0;
      error_o  <= 1'b0;
    end else begin
      valid_o <= 1'b0;
      error_o <= 1'b0;
      unique case (state_q)
        IDLE: if (!recent_q[0]) begin
          state_q <= BITS;
          count_q <= '0;
          timer_q <= Period >> 1;
        end
        BITS: if (!tick) begin
          timer_q <= timer_q - Width'(256);
        end else begin
          // The fraction of a cycle is carried into the next bit.
          timer_q <= timer_q + Period - Width'(256);
          count_q <= count_q + 1'b1;
          if (count_q == 4'd0) begin
            if (bit_value) state_q <= IDLE;
          end else if (count_q == 4'd9) begin
            valid_o <= bit_value;
            error_o <= !bit_value;
            state_q <= bit_value ? IDLE : BREAK;
          end else begin
            shift_q <= {bit_value, shift_q[7:1]};
          end
        end
        BREAK: if (bit_value) state_q <= IDLE;
        default: state_q <= IDLE;
      endcase
    end
  end

endmodule

`default_nettype wire
