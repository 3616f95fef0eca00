`default_nettype none

// Generated from the model of qubit_readout by `harness generate`; do not edit.

/// The network qubit_readout: 800 x ap_fixed<16,16> to 1 x ap_fixed<16,25>.
///
/// An event comes in 400 beats and leaves in 1 beat. Initiation interval: 400 cycles. Latency: 406
/// cycles, from the first beat in to the last beat out.
module qubit_readout
  import qubit_readout_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 32,
  parameter int unsigned OutWidth = 32
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

  if (InWidth != 32 || OutWidth != 32) begin : g_bad_width
    $error("qubit_readout: the streams do not fit the network");
  end

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  localparam int unsigned LANES0 = 2;
  logic valid0, ready0;
  logic [15:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(400), .Width(16), .Beats(400), .Lanes(2)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 4;
  logic valid1, ready1;
  logic [25:0] data1 [LANES1];
  nn_dense #(
    .InBeats(400), .InLanes(2), .Outputs(4), .InWidth(16), .InSigned(1), .WeightWidth(2),
    .AccWidth(26), .Reuse(1), .Weights(L0_WEIGHTS), .Biases(L0_BIASES)
  ) u_dense0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 4;
  logic valid2, ready2;
  logic [7:0] data2 [LANES2];
  nn_requantise #(
    .Values(4), .InWidth(26), .OutWidth(8), .Shift(9), .OutSigned(0), .HalfUp(1), .Relu(1),
    .Saturate(1)
  ) u_requantise0 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2)
  );

  localparam int unsigned LANES3 = 1;
  logic valid3, ready3;
  logic [10:0] data3 [LANES3];
  nn_dense #(
    .InBeats(1), .InLanes(4), .Outputs(1), .InWidth(8), .InSigned(0), .WeightWidth(2),
    .AccWidth(11), .Reuse(1), .Weights(L1_WEIGHTS), .Biases(L1_BIASES)
  ) u_dense1 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3)
  );

  localparam int unsigned LANES4 = 1;
  logic valid4, ready4;
  logic [15:0] data4 [LANES4];
  nn_requantise #(
    .Values(1), .InWidth(11), .OutWidth(16), .Shift(0), .OutSigned(1), .HalfUp(0), .Relu(0),
    .Saturate(1)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(data3),
    .out_valid_o(valid4), .out_ready_i(ready4), .out_data_o(data4)
  );

  logic [15:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 1; i++) begin
      result[i*16+:16] = data4[i];
    end
  end
  nn_pack #(
    .InBits(16), .InBeats(1), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid4), .in_ready_o(ready4), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
