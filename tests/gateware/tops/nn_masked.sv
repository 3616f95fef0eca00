`default_nettype none

/// Values with some bits turned over, as two registers say: one for even lanes, one for odd lanes.
module nn_masked #(
  parameter int unsigned Lanes = 1,
  parameter int unsigned Width = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i [Lanes],
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o [Lanes],
  input  logic             cfg_we_i,
  input  logic [13:0]      cfg_addr_i,
  input  logic [31:0]      cfg_wdata_i,
  output logic [31:0]      cfg_rdata_o
);

  logic [31:0] masks_q [2];

  assign out_valid_o = in_valid_i;
  assign in_ready_o  = out_ready_i;
  always_comb for (int i = 0; i < Lanes; i++) out_data_o[i] = in_data_i[i] ^ Width'(masks_q[i%2]);

  always_ff @(posedge clk_i) begin
    cfg_rdata_o <= masks_q[cfg_addr_i[0]];
    if (!rst_ni) masks_q <= '{default: '0};
    else if (cfg_we_i && cfg_addr_i < 2) masks_q[cfg_addr_i[0]] <= cfg_wdata_i;
  end

endmodule

`default_nettype wire
