`default_nettype none

/// Fetcher and unpacker of overlay weight_streaming, narrow, behind pins that cocotbext-axi knows; the
/// weights are longer than a page of 4096 bytes.
module fetch_top #(
  parameter int unsigned Beats = 702
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        bus_rst_ni,
  input  logic        load_i,
  input  logic        stream_i,
  input  logic [9:0]  first_beat_i,
  input  logic [2:0]  limit_i,
  output logic        row_valid_o,
  input  logic        row_ready_i,
  output logic [47:0] row_data_o,
  output logic        error_o,
  output logic        fetched_o,
  output logic        m_axi_arid,
  output logic [39:0] m_axi_araddr,
  output logic [7:0]  m_axi_arlen,
  output logic [2:0]  m_axi_arsize,
  output logic [1:0]  m_axi_arburst,
  output logic        m_axi_arvalid,
  input  logic        m_axi_arready,
  input  logic        m_axi_rid,
  input  logic [63:0] m_axi_rdata,
  input  logic [1:0]  m_axi_rresp,
  input  logic        m_axi_rlast,
  input  logic        m_axi_rvalid,
  output logic        m_axi_rready
);

  logic        beat_valid, beat_ready, unused;
  logic [63:0] beat;

  assign unused        = &{1'b0, m_axi_rid};
  assign m_axi_arid    = 1'b0;
  assign m_axi_arsize  = 3'd3;
  assign m_axi_arburst = 2'b01;

  weight_fetch #(.DataWidth(64), .Beats(Beats), .Burst(16), .Depth(64)) u_fetch (
    .clk_i, .bus_rst_ni, .rst_ni, .load_i, .stream_i, .base_i(40'h1000), .first_beat_i, .limit_i,
    .out_valid_o(beat_valid), .out_ready_i(beat_ready), .out_data_o(beat), .fetched_o, .error_o,
    .m_axi_araddr_o(m_axi_araddr), .m_axi_arlen_o(m_axi_arlen), .m_axi_arvalid_o(m_axi_arvalid),
    .m_axi_arready_i(m_axi_arready), .m_axi_rdata_i(m_axi_rdata), .m_axi_rresp_i(m_axi_rresp),
    .m_axi_rlast_i(m_axi_rlast), .m_axi_rvalid_i(m_axi_rvalid), .m_axi_rready_o(m_axi_rready)
  );

  weight_unpack #(.Unit(16), .BeatUnits(4), .RowUnits(3)) u_unpack (
    .clk_i, .rst_ni(rst_ni && !load_i), .in_valid_i(beat_valid), .in_ready_o(beat_ready),
    .in_data_i(beat), .out_valid_o(row_valid_o), .out_ready_i(row_ready_i), .out_data_o(row_data_o)
  );

endmodule

`default_nettype wire
