`default_nettype none

/// Returns every beat unchanged one cycle later: the health check of a board and of its DMA.
///
/// Initiation interval: the beats of an event. Latency: as much, from the first beat in to the last out.
module loopback #(
  parameter int unsigned InWidth  = 64,
  parameter int unsigned OutWidth = 64
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_last_i,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_last_o,
  input  logic                cfg_we_i,
  input  logic [13:0]         cfg_addr_i,
  input  logic [31:0]         cfg_wdata_i,
  /// Reads as zero: there is nothing to set.
  output logic [31:0]         cfg_rdata_o
);

  if (InWidth != OutWidth) begin : g_bad_width
    $error("loopback: InWidth and OutWidth must be equal");
  end

  logic unused;
  assign unused      = &{1'b0, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;
  assign in_ready_o  = out_ready_i || !out_valid_o;

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o) begin
      out_data_o <= in_data_i;
      out_last_o <= in_last_i;
    end
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
  end

endmodule

`default_nettype wire
