`default_nettype none

// Generated from the model of lar_energy by `harness generate`; do not edit.

/// The network lar_energy: 9 x ap_fixed<14,14> to 8 x ap_fixed<16,14>.
///
/// An event comes in 1 beat and leaves in 1 beat. Initiation interval: 4 cycles. Latency: 11
/// cycles, from the first beat in to the last beat out.
module lar_energy
  import lar_energy_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 128,
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

  if (InWidth != 128 || OutWidth != 128) begin : g_bad_width
    $error("lar_energy: the streams do not fit the network");
  end

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  localparam int unsigned LANES0 = 9;
  logic valid0, ready0;
  logic [13:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(1), .Width(14), .Beats(1), .Lanes(9)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 16;
  logic valid1, ready1;
  logic [15:0] data1 [LANES1];
  nn_recurrent #(
    .Channels(8), .Steps(4), .Inputs(1), .Units(8), .InWidth(14), .InSigned(1),
    .InputWeightWidth(13), .StateWeightWidth(11), .AccWidth(28), .OutWidth(16), .OutSigned(0),
    .Shift(9), .HalfUp(1), .Relu(1), .Saturate(1), .InputWeights(L0_INPUT_WEIGHTS),
    .StateWeights(L0_STATE_WEIGHTS), .Biases(L0_BIASES)
  ) u_recurrent0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 2;
  logic valid2, ready2;
  logic [26:0] data2 [LANES2];
  nn_dense #(
    .InBeats(1), .InLanes(16), .Outputs(2), .InWidth(16), .InSigned(0), .WeightWidth(11),
    .AccWidth(27), .Reuse(1), .Weights(L1_WEIGHTS), .Biases(L1_BIASES)
  ) u_dense1 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2)
  );

  localparam int unsigned LANES3 = 2;
  logic valid3, ready3;
  logic [15:0] data3 [LANES3];
  nn_requantise #(
    .Values(2), .InWidth(27), .OutWidth(16), .Shift(9), .OutSigned(1), .HalfUp(1), .Relu(0),
    .Saturate(1)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3)
  );

  logic [31:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 2; i++) begin
      result[i*16+:16] = data3[i];
    end
  end
  nn_pack #(
    .InBits(32), .InBeats(4), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
