`default_nettype none

/// Checks one AXI4-Stream link: once VALID is up, VALID, DATA and LAST hold until READY (ARM IHI
/// 0051, section 2.2). Synthesizes to nothing.
module axis_check #(
  parameter int unsigned Width = 32
) (
  input logic             clk_i,
  /// Checking is suspended while this is low.
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] data_i,
  input logic             last_i
);

`ifndef ASSERTS_OFF
  logic             stalled_q;
  logic [Width-1:0] data_q;
  logic             last_q;

  // Nothing was offered before the first clock edge, in whatever state simulation powers up.
  initial stalled_q = 1'b0;

  always_ff @(posedge clk_i) begin
    stalled_q <= rst_ni && valid_i && !ready_i;
    if (valid_i) begin
      data_q <= data_i;
      last_q <= last_i;
    end
    if (rst_ni && stalled_q) begin
      assert (valid_i) else $error("AXI4-Stream: TVALID dropped before TREADY");
      assert (data_i == data_q) else $error("AXI4-Stream: TDATA changed before TREADY");
      assert (last_i == last_q) else $error("AXI4-Stream: TLAST changed before TREADY");
    end
  end
`endif

endmodule

`default_nettype wire
