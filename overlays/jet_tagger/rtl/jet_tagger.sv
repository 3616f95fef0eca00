`default_nettype none

// Generated from the model of jet_tagger by `harness generate`; do not edit.

/// The network jet_tagger: 16 x ap_fixed<16,6> to 5 x ap_fixed<16,9>.
///
/// An event comes in 1 beat and leaves in 1 beat. Initiation interval: 4 cycles. Latency: 26
/// cycles, from the first beat in to the last beat out.
module jet_tagger
  import jet_tagger_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 256,
  parameter int unsigned OutWidth = 128
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

  if (InWidth != 256 || OutWidth != 128) begin : g_bad_width
    $error("jet_tagger: the streams do not fit the network");
  end

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  localparam int unsigned LANES0 = 16;
  logic valid0, ready0;
  logic [15:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(1), .Width(16), .Beats(1), .Lanes(16)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 64;
  logic valid1, ready1;
  logic [23:0] data1 [LANES1];
  nn_dense #(
    .InBeats(1), .InLanes(16), .Outputs(64), .InWidth(16), .InSigned(1), .WeightWidth(6),
    .AccWidth(24), .Reuse(4), .Weights(L0_WEIGHTS), .Biases(L0_BIASES)
  ) u_dense0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 64;
  logic valid2, ready2;
  logic [5:0] data2 [LANES2];
  nn_requantise #(
    .Values(64), .InWidth(24), .OutWidth(6), .Shift(11), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise0 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2)
  );

  localparam int unsigned LANES3 = 32;
  logic valid3, ready3;
  logic [15:0] data3 [LANES3];
  nn_dense #(
    .InBeats(1), .InLanes(64), .Outputs(32), .InWidth(6), .InSigned(0), .WeightWidth(6),
    .AccWidth(16), .Reuse(4), .Weights(L1_WEIGHTS), .Biases(L1_BIASES)
  ) u_dense1 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3)
  );

  localparam int unsigned LANES4 = 32;
  logic valid4, ready4;
  logic [5:0] data4 [LANES4];
  nn_requantise #(
    .Values(32), .InWidth(16), .OutWidth(6), .Shift(6), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(data3),
    .out_valid_o(valid4), .out_ready_i(ready4), .out_data_o(data4)
  );

  localparam int unsigned LANES5 = 32;
  logic valid5, ready5;
  logic [14:0] data5 [LANES5];
  nn_dense #(
    .InBeats(1), .InLanes(32), .Outputs(32), .InWidth(6), .InSigned(0), .WeightWidth(6),
    .AccWidth(15), .Reuse(4), .Weights(L2_WEIGHTS), .Biases(L2_BIASES)
  ) u_dense2 (
    .clk_i, .rst_ni, .in_valid_i(valid4), .in_ready_o(ready4), .in_data_i(data4),
    .out_valid_o(valid5), .out_ready_i(ready5), .out_data_o(data5)
  );

  localparam int unsigned LANES6 = 32;
  logic valid6, ready6;
  logic [5:0] data6 [LANES6];
  nn_requantise #(
    .Values(32), .InWidth(15), .OutWidth(6), .Shift(6), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise2 (
    .clk_i, .rst_ni, .in_valid_i(valid5), .in_ready_o(ready5), .in_data_i(data5),
    .out_valid_o(valid6), .out_ready_i(ready6), .out_data_o(data6)
  );

  localparam int unsigned LANES7 = 5;
  logic valid7, ready7;
  logic [14:0] data7 [LANES7];
  nn_dense #(
    .InBeats(1), .InLanes(32), .Outputs(5), .InWidth(6), .InSigned(0), .WeightWidth(6),
    .AccWidth(15), .Reuse(4), .Weights(L3_WEIGHTS), .Biases(L3_BIASES)
  ) u_dense3 (
    .clk_i, .rst_ni, .in_valid_i(valid6), .in_ready_o(ready6), .in_data_i(data6),
    .out_valid_o(valid7), .out_ready_i(ready7), .out_data_o(data7)
  );

  localparam int unsigned LANES8 = 5;
  logic valid8, ready8;
  logic [15:0] data8 [LANES8];
  nn_requantise #(
    .Values(5), .InWidth(15), .OutWidth(16), .Shift(0), .OutSigned(1), .HalfUp(0), .Relu(0),
    .Saturate(1)
  ) u_requantise3 (
    .clk_i, .rst_ni, .in_valid_i(valid7), .in_ready_o(ready7), .in_data_i(data7),
    .out_valid_o(valid8), .out_ready_i(ready8), .out_data_o(data8)
  );

  localparam int unsigned LANES9 = 5;
  logic valid9, ready9;
  logic [15:0] data9 [LANES9];
  logic [2:0] derived;
  nn_argmax #(
    .Values(5), .Width(16)
  ) u_argmax4 (
    .clk_i, .rst_ni, .in_valid_i(valid8), .in_ready_o(ready8), .in_data_i(data8),
    .out_valid_o(valid9), .out_ready_i(ready9), .out_data_o(data9), .out_index_o(derived)
  );

  logic [87:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 5; i++) begin
      result[i*16+:16] = data9[i];
    end
    result[80+:8] = 8'(derived);
  end
  nn_pack #(
    .InBits(88), .InBeats(1), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid9), .in_ready_o(ready9), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
