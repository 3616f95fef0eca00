`default_nettype none

// Generated from the model of ecal_compressor by `harness generate`; do not edit.

/// The network ecal_compressor: 48 x ap_ufixed<8,0> to 16 x ap_ufixed<4,2>.
///
/// An event comes in 1 beat and leaves in 1 beat. Initiation interval: 4 cycles. Latency: 12
/// cycles, from the first beat in to the last beat out.
module ecal_compressor
  import ecal_compressor_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 512,
  parameter int unsigned OutWidth = 64
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic [InWidth-1:0]  in_data_i,
  /// Not looked at: beats are counted.
  input  logic                in_last_i,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_last_o,
  input  logic                cfg_we_i,
  input  logic [13:0]         cfg_addr_i,
  input  logic [31:0]         cfg_wdata_i,
  output logic [31:0]         cfg_rdata_o
);

  if (InWidth != 512 || OutWidth != 64) begin : g_bad_width
    $error("ecal_compressor: the streams do not fit the network");
  end

  logic unused;
  assign unused = &{1'b0, in_last_i};

  // Registers of nn_dense_loadable, layer 0.
  logic        selected1, selected1_q;
  logic [13:0] address1;
  logic [31:0] rdata1;
  assign selected1 = cfg_addr_i[13:1] == 13'd0;
  assign address1  = cfg_addr_i & 14'd1;
  always_ff @(posedge clk_i) selected1_q <= selected1;

  // Registers of nn_dense_loadable, layer 1.
  logic        selected3, selected3_q;
  logic [13:0] address3;
  logic [31:0] rdata3;
  assign selected3 = cfg_addr_i[13:1] == 13'd1;
  assign address3  = cfg_addr_i & 14'd1;
  always_ff @(posedge clk_i) selected3_q <= selected3;
  assign cfg_rdata_o = (selected1_q ? rdata1 : '0) | (selected3_q ? rdata3 : '0);

  localparam int unsigned LANES0 = 12;
  logic valid0, ready0;
  logic [7:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(1), .Width(8), .Beats(4), .Lanes(12)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 108;
  logic valid1, ready1;
  logic [7:0] data1 [LANES1];
  nn_window #(
    .Rows(4), .Columns(4), .Channels(3), .Width(8), .KernelRows(3), .KernelColumns(3),
    .StrideRows(1), .StrideColumns(1), .PadTop(1), .PadBottom(1), .PadLeft(1), .PadRight(1),
    .RowAtOnce(1)
  ) u_window0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 32;
  logic valid2, ready2;
  logic [24:0] data2 [LANES2];
  nn_dense_loadable #(
    .InBeats(1), .InLanes(27), .Outputs(8), .InWidth(8), .InSigned(0), .WeightWidth(6),
    .AccWidth(25), .Groups(4), .BiasWidth(24), .Weights(L0_WEIGHTS), .Biases(L0_BIASES)
  ) u_dense_loadable0 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2),
    .cfg_we_i(cfg_we_i && selected1), .cfg_addr_i(address1), .cfg_wdata_i, .cfg_rdata_o(rdata1)
  );

  localparam int unsigned LANES3 = 32;
  logic valid3, ready3;
  logic [5:0] data3 [LANES3];
  nn_requantise #(
    .Values(32), .InWidth(25), .OutWidth(6), .Shift(8), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise0 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3)
  );

  localparam int unsigned LANES4 = 16;
  logic valid4, ready4;
  logic [24:0] data4 [LANES4];
  nn_dense_loadable #(
    .InBeats(4), .InLanes(32), .Outputs(16), .InWidth(6), .InSigned(0), .WeightWidth(6),
    .AccWidth(25), .Groups(1), .BiasWidth(24), .Weights(L1_WEIGHTS), .Biases(L1_BIASES)
  ) u_dense_loadable1 (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(data3),
    .out_valid_o(valid4), .out_ready_i(ready4), .out_data_o(data4),
    .cfg_we_i(cfg_we_i && selected3), .cfg_addr_i(address3), .cfg_wdata_i, .cfg_rdata_o(rdata3)
  );

  localparam int unsigned LANES5 = 16;
  logic valid5, ready5;
  logic [3:0] data5 [LANES5];
  nn_requantise #(
    .Values(16), .InWidth(25), .OutWidth(4), .Shift(8), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(valid4), .in_ready_o(ready4), .in_data_i(data4),
    .out_valid_o(valid5), .out_ready_i(ready5), .out_data_o(data5)
  );

  logic [63:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 16; i++) begin
      result[i*4+:4] = data5[i];
    end
  end
  nn_pack #(
    .InBits(64), .InBeats(1), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid5), .in_ready_o(ready5), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
