`default_nettype none

// Generated from the model of anomaly_trigger by `harness generate`; do not edit.

/// The network anomaly_trigger: 57 x ap_fixed<8,4> to 8 x ap_fixed<12,6>.
///
/// An event comes in 1 beat and leaves in 1 beat. Initiation interval: 1 cycles. Latency: 12
/// cycles, from the first beat in to the last beat out.
module anomaly_trigger
  import anomaly_trigger_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 512,
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

  if (InWidth != 512 || OutWidth != 128) begin : g_bad_width
    $error("anomaly_trigger: the streams do not fit the network");
  end

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  localparam int unsigned LANES0 = 57;
  logic valid0, ready0;
  logic [7:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(1), .Width(8), .Beats(1), .Lanes(57)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 28;
  logic valid1, ready1;
  logic [15:0] data1 [LANES1];
  nn_dense #(
    .InBeats(1), .InLanes(57), .Outputs(28), .InWidth(8), .InSigned(1), .WeightWidth(6),
    .AccWidth(16), .Reuse(1), .Weights(L0_WEIGHTS), .Biases(L0_BIASES)
  ) u_dense0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 28;
  logic valid2, ready2;
  logic [7:0] data2 [LANES2];
  nn_requantise #(
    .Values(28), .InWidth(16), .OutWidth(8), .Shift(4), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise0 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2)
  );

  localparam int unsigned LANES3 = 15;
  logic valid3, ready3;
  logic [15:0] data3 [LANES3];
  nn_dense #(
    .InBeats(1), .InLanes(28), .Outputs(15), .InWidth(8), .InSigned(0), .WeightWidth(6),
    .AccWidth(16), .Reuse(1), .Weights(L1_WEIGHTS), .Biases(L1_BIASES)
  ) u_dense1 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3)
  );

  localparam int unsigned LANES4 = 15;
  logic valid4, ready4;
  logic [7:0] data4 [LANES4];
  nn_requantise #(
    .Values(15), .InWidth(16), .OutWidth(8), .Shift(6), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(data3),
    .out_valid_o(valid4), .out_ready_i(ready4), .out_data_o(data4)
  );

  localparam int unsigned LANES5 = 8;
  logic valid5, ready5;
  logic [14:0] data5 [LANES5];
  nn_dense #(
    .InBeats(1), .InLanes(15), .Outputs(8), .InWidth(8), .InSigned(0), .WeightWidth(6),
    .AccWidth(15), .Reuse(1), .Weights(L2_WEIGHTS), .Biases(L2_BIASES)
  ) u_dense2 (
    .clk_i, .rst_ni, .in_valid_i(valid4), .in_ready_o(ready4), .in_data_i(data4),
    .out_valid_o(valid5), .out_ready_i(ready5), .out_data_o(data5)
  );

  localparam int unsigned LANES6 = 8;
  logic valid6, ready6;
  logic [11:0] data6 [LANES6];
  nn_requantise #(
    .Values(8), .InWidth(15), .OutWidth(12), .Shift(3), .OutSigned(1), .HalfUp(1), .Relu(0),
    .Saturate(1)
  ) u_requantise2 (
    .clk_i, .rst_ni, .in_valid_i(valid5), .in_ready_o(ready5), .in_data_i(data5),
    .out_valid_o(valid6), .out_ready_i(ready6), .out_data_o(data6)
  );

  localparam int unsigned LANES7 = 8;
  logic valid7, ready7;
  logic [11:0] data7 [LANES7];
  logic [25:0] derived;
  nn_sum_of_squares #(
    .Values(8), .Width(12), .Signed(1), .ScoreWidth(26)
  ) u_sum_of_squares3 (
    .clk_i, .rst_ni, .in_valid_i(valid6), .in_ready_o(ready6), .in_data_i(data6),
    .out_valid_o(valid7), .out_ready_i(ready7), .out_data_o(data7), .out_score_o(derived)
  );

  logic [127:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 8; i++) begin
      result[i*12+:12] = data7[i];
    end
    result[96+:32] = 32'(derived);
  end
  nn_pack #(
    .InBits(128), .InBeats(1), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid7), .in_ready_o(ready7), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
