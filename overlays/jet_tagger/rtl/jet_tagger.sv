`default_nettype none

/// Jet tagger: 16 features to 5 logits and the most likely class, in a dense 16-64-32-32-5 network.
///
/// An event is one beat: 16 features of 16 bits. So is the answer: five logits of 16 bits from bit 0, the
/// index of the largest in bits 87:80, zeros above.
///
/// Initiation interval 4 cycles: each layer has a reuse factor of 4. Latency 26 cycles: one for the input
/// register, four layers of 5 (products and sums) and 1 (requantise) cycles, one for the argmax.
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
  /// Always high: an event is one beat.
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

  localparam int unsigned REUSE   = 4;
  localparam int unsigned CLASSES = L3_OUTPUTS;
  localparam int unsigned CLASS_AT = CLASSES * L3_OUT_WIDTH;

  if (InWidth != L0_INPUTS * L0_IN_WIDTH || OutWidth < CLASS_AT + 8) begin : g_bad_width
    $error("jet_tagger: the streams do not fit the network");
  end

  // Valid and ready, into layer n (n = 0..3), out of its sums, and out of the network (n = 4).
  logic [4:0] valid, ready;
  logic [3:0] sum_valid, sum_ready;

  logic        [L0_IN_WIDTH-1:0]   features_q [L0_INPUTS];
  logic signed [L0_ACC_WIDTH-1:0]  sums0 [L0_OUTPUTS];
  logic        [L0_OUT_WIDTH-1:0]  hidden0 [L0_OUTPUTS];
  logic signed [L1_ACC_WIDTH-1:0]  sums1 [L1_OUTPUTS];
  logic        [L1_OUT_WIDTH-1:0]  hidden1 [L1_OUTPUTS];
  logic signed [L2_ACC_WIDTH-1:0]  sums2 [L2_OUTPUTS];
  logic        [L2_OUT_WIDTH-1:0]  hidden2 [L2_OUTPUTS];
  logic signed [L3_ACC_WIDTH-1:0]  sums3 [L3_OUTPUTS];
  logic        [L3_OUT_WIDTH-1:0]  logits [CLASSES], logits_q [CLASSES];
  logic        [$clog2(CLASSES)-1:0] class_index;

  logic unused;
  assign unused      = &{1'b0, in_last_i, cfg_we_i, cfg_addr_i, cfg_wdata_i};
  assign cfg_rdata_o = '0;

  // The first layer works on a vector that stands still; the next one may be waiting behind it.
  logic held_q;
  assign in_ready_o = !held_q || ready[0];
  assign valid[0]   = held_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) held_q <= 1'b0;
    else if (in_ready_o) held_q <= in_valid_i;
    if (in_valid_i && in_ready_o) begin
      for (int unsigned i = 0; i < L0_INPUTS; i++) begin
        features_q[i] <= in_data_i[i*L0_IN_WIDTH+:L0_IN_WIDTH];
      end
    end
  end

  nn_dense #(
    .Inputs(L0_INPUTS), .Outputs(L0_OUTPUTS), .InWidth(L0_IN_WIDTH), .InSigned(L0_IN_SIGNED),
    .WeightWidth(L0_WEIGHT_WIDTH), .AccWidth(L0_ACC_WIDTH), .Reuse(REUSE), .Weights(L0_WEIGHTS),
    .Biases(L0_BIASES)
  ) u_dense0 (
    .clk_i, .rst_ni, .in_valid_i(valid[0]), .in_ready_o(ready[0]), .in_data_i(features_q),
    .out_valid_o(sum_valid[0]), .out_ready_i(sum_ready[0]), .out_data_o(sums0)
  );
  nn_requantise #(
    .Values(L0_OUTPUTS), .InWidth(L0_ACC_WIDTH), .OutWidth(L0_OUT_WIDTH), .Shift(L0_SHIFT),
    .OutSigned(L0_OUT_SIGNED), .HalfUp(L0_HALF_UP), .Relu(L0_RELU), .Saturate(L0_SATURATE)
  ) u_requantise0 (
    .clk_i, .rst_ni, .in_valid_i(sum_valid[0]), .in_ready_o(sum_ready[0]), .in_data_i(sums0),
    .out_valid_o(valid[1]), .out_ready_i(ready[1]), .out_data_o(hidden0)
  );

  nn_dense #(
    .Inputs(L1_INPUTS), .Outputs(L1_OUTPUTS), .InWidth(L1_IN_WIDTH), .InSigned(L1_IN_SIGNED),
    .WeightWidth(L1_WEIGHT_WIDTH), .AccWidth(L1_ACC_WIDTH), .Reuse(REUSE), .Weights(L1_WEIGHTS),
    .Biases(L1_BIASES)
  ) u_dense1 (
    .clk_i, .rst_ni, .in_valid_i(valid[1]), .in_ready_o(ready[1]), .in_data_i(hidden0),
    .out_valid_o(sum_valid[1]), .out_ready_i(sum_ready[1]), .out_data_o(sums1)
  );
  nn_requantise #(
    .Values(L1_OUTPUTS), .InWidth(L1_ACC_WIDTH), .OutWidth(L1_OUT_WIDTH), .Shift(L1_SHIFT),
    .OutSigned(L1_OUT_SIGNED), .HalfUp(L1_HALF_UP), .Relu(L1_RELU), .Saturate(L1_SATURATE)
  ) u_requantise1 (
    .clk_i, .rst_ni, .in_valid_i(sum_valid[1]), .in_ready_o(sum_ready[1]), .in_data_i(sums1),
    .out_valid_o(valid[2]), .out_ready_i(ready[2]), .out_data_o(hidden1)
  );

  nn_dense #(
    .Inputs(L2_INPUTS), .Outputs(L2_OUTPUTS), .InWidth(L2_IN_WIDTH), .InSigned(L2_IN_SIGNED),
    .WeightWidth(L2_WEIGHT_WIDTH), .AccWidth(L2_ACC_WIDTH), .Reuse(REUSE), .Weights(L2_WEIGHTS),
    .Biases(L2_BIASES)
  ) u_dense2 (
    .clk_i, .rst_ni, .in_valid_i(valid[2]), .in_ready_o(ready[2]), .in_data_i(hidden1),
    .out_valid_o(sum_valid[2]), .out_ready_i(sum_ready[2]), .out_data_o(sums2)
  );
  nn_requantise #(
    .Values(L2_OUTPUTS), .InWidth(L2_ACC_WIDTH), .OutWidth(L2_OUT_WIDTH), .Shift(L2_SHIFT),
    .OutSigned(L2_OUT_SIGNED), .HalfUp(L2_HALF_UP), .Relu(L2_RELU), .Saturate(L2_SATURATE)
  ) u_requantise2 (
    .clk_i, .rst_ni, .in_valid_i(sum_valid[2]), .in_ready_o(sum_ready[2]), .in_data_i(sums2),
    .out_valid_o(valid[3]), .out_ready_i(ready[3]), .out_data_o(hidden2)
  );

  nn_dense #(
    .Inputs(L3_INPUTS), .Outputs(L3_OUTPUTS), .InWidth(L3_IN_WIDTH), .InSigned(L3_IN_SIGNED),
    .WeightWidth(L3_WEIGHT_WIDTH), .AccWidth(L3_ACC_WIDTH), .Reuse(REUSE), .Weights(L3_WEIGHTS),
    .Biases(L3_BIASES)
  ) u_dense3 (
    .clk_i, .rst_ni, .in_valid_i(valid[3]), .in_ready_o(ready[3]), .in_data_i(hidden2),
    .out_valid_o(sum_valid[3]), .out_ready_i(sum_ready[3]), .out_data_o(sums3)
  );
  nn_requantise #(
    .Values(L3_OUTPUTS), .InWidth(L3_ACC_WIDTH), .OutWidth(L3_OUT_WIDTH), .Shift(L3_SHIFT),
    .OutSigned(L3_OUT_SIGNED), .HalfUp(L3_HALF_UP), .Relu(L3_RELU), .Saturate(L3_SATURATE)
  ) u_requantise3 (
    .clk_i, .rst_ni, .in_valid_i(sum_valid[3]), .in_ready_o(sum_ready[3]), .in_data_i(sums3),
    .out_valid_o(valid[4]), .out_ready_i(ready[4]), .out_data_o(logits)
  );

  nn_argmax #(.Values(CLASSES), .Width(L3_OUT_WIDTH)) u_argmax (
    .clk_i, .rst_ni, .in_valid_i(valid[4]), .in_ready_o(ready[4]), .in_data_i(logits),
    .out_valid_o, .out_ready_i, .out_data_o(logits_q), .out_index_o(class_index)
  );

  always_comb begin
    out_data_o = '0;
    for (int unsigned i = 0; i < CLASSES; i++) begin
      out_data_o[i*L3_OUT_WIDTH+:L3_OUT_WIDTH] = logits_q[i];
    end
    out_data_o[CLASS_AT+:8] = 8'(class_index);
  end
  assign out_last_o = 1'b1;

endmodule

`default_nettype wire
