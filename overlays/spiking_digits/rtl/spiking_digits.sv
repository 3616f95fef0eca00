`default_nettype none

// Generated from the model of spiking_digits by `harness generate`; do not edit.

/// The network spiking_digits: 1024 x ap_ufixed<1,1> to 10 x ap_fixed<6,6>.
///
/// An event comes in 16 beats and leaves in 1 beat. Initiation interval: depends on the data.
/// Latency: depends on the data, from the first beat in to the last beat out.
module spiking_digits
  import spiking_digits_weights_pkg::*;
#(
  parameter int unsigned InWidth  = 64,
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

  if (InWidth != 64 || OutWidth != 128) begin : g_bad_width
    $error("spiking_digits: the streams do not fit the network");
  end

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  localparam int unsigned LANES0 = 64;
  logic valid0, ready0;
  logic [0:0] data0 [LANES0];
  nn_unpack #(
    .StreamWidth(InWidth), .StreamBeats(16), .Width(1), .Beats(16), .Lanes(64)
  ) u_unpack (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o(valid0),
    .out_ready_i(ready0), .out_data_o(data0)
  );

  localparam int unsigned LANES1 = 32;
  logic valid1, ready1;
  logic [0:0] data1 [LANES1];
  nn_lif #(
    .InBeats(16), .InLanes(64), .Outputs(32), .Parallel(4), .WeightWidth(6), .CurrentWidth(9),
    .PotentialWidth(12), .Leak(3), .ResetToZero(0), .Counts(0), .Margin(0), .OutWidth(1),
    .Weights(L0_WEIGHTS), .Thresholds(L0_THRESHOLDS)
  ) u_lif0 (
    .clk_i, .rst_ni, .in_valid_i(valid0), .in_ready_o(ready0), .in_data_i(data0),
    .out_valid_o(valid1), .out_ready_i(ready1), .out_data_o(data1)
  );

  localparam int unsigned LANES2 = 10;
  logic valid2, ready2;
  logic [5:0] data2 [LANES2];
  nn_lif #(
    .InBeats(16), .InLanes(32), .Outputs(10), .Parallel(4), .WeightWidth(6), .CurrentWidth(8),
    .PotentialWidth(12), .Leak(3), .ResetToZero(0), .Counts(1), .Margin(3), .OutWidth(6),
    .Weights(L1_WEIGHTS), .Thresholds(L1_THRESHOLDS)
  ) u_lif1 (
    .clk_i, .rst_ni, .in_valid_i(valid1), .in_ready_o(ready1), .in_data_i(data1),
    .out_valid_o(valid2), .out_ready_i(ready2), .out_data_o(data2)
  );

  localparam int unsigned LANES3 = 10;
  logic valid3, ready3;
  logic [5:0] data3 [LANES3];
  logic [3:0] derived;
  nn_argmax #(
    .Values(10), .Width(6)
  ) u_argmax2 (
    .clk_i, .rst_ni, .in_valid_i(valid2), .in_ready_o(ready2), .in_data_i(data2),
    .out_valid_o(valid3), .out_ready_i(ready3), .out_data_o(data3), .out_index_o(derived)
  );

  logic [67:0] result;
  always_comb begin
    for (int unsigned i = 0; i < 10; i++) begin
      result[i*6+:6] = data3[i];
    end
    result[60+:8] = 8'(derived);
  end
  nn_pack #(
    .InBits(68), .InBeats(1), .StreamWidth(OutWidth), .StreamBeats(1)
  ) u_pack (
    .clk_i, .rst_ni, .in_valid_i(valid3), .in_ready_o(ready3), .in_data_i(result), .out_valid_o,
    .out_ready_i, .out_data_o, .out_last_o
  );
endmodule

`default_nettype wire
