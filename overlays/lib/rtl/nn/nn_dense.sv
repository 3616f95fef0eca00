`default_nettype none

/// Dense layer: out[o] = bias[o] + sum over i of weight[i][o] * in[i], exact, in Reuse steps a beat.
///
/// Input i is lane i % InLanes of beat i / InLanes; beats are summed up as they arrive. Each step
/// multiplies the next InLanes / Reuse lanes for all outputs, adds the products, and, one register later,
/// adds that sum to the accumulator. A beat must stand, as a stalled stream does, until it is taken in its
/// last step. Initiation interval: InBeats * Reuse cycles. Latency: Reuse + 1 cycles, from the cycle in
/// which the last beat is first offered (or the one before it has been taken) to the one in which the
/// output is.
module nn_dense #(
  /// Beats of an event, and values of a beat.
  parameter int unsigned InBeats     = 1,
  parameter int unsigned InLanes     = 1,
  parameter int unsigned Outputs     = 1,
  /// Bits of an input, and whether it has a sign.
  parameter int unsigned InWidth     = 8,
  parameter bit          InSigned    = 1'b0,
  parameter int unsigned WeightWidth = 8,
  /// Bits of an output; wide enough for the worst case, there is no overflow logic.
  parameter int unsigned AccWidth    = 24,
  /// Steps of a beat; need not divide InLanes.
  parameter int unsigned Reuse       = 1,
  parameter logic signed [WeightWidth-1:0] Weights [InBeats*InLanes][Outputs] =
    '{default: '0},
  /// Aligned to the accumulator's least significant bit.
  parameter logic signed [AccWidth-1:0]    Biases [Outputs] = '{default: '0},
  localparam int unsigned Chunk     = (InLanes + Reuse - 1) / Reuse,
  localparam int unsigned StepWidth = Reuse > 1 ? $clog2(Reuse) : 1,
  localparam int unsigned BeatWidth = InBeats > 1 ? $clog2(InBeats) : 1,
  localparam int unsigned IndexWidth = InBeats * InLanes > 1 ? $clog2(InBeats * InLanes) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  /// High in a beat's last step only.
  output logic                in_ready_o,
  input  logic  [InWidth-1:0] in_data_i [InLanes],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [AccWidth-1:0] out_data_o [Outputs]
);

  if (InBeats == 0 || InLanes == 0 || Outputs == 0 || Reuse == 0) begin : g_bad_shape
    $error("nn_dense: InBeats, InLanes, Outputs and Reuse must be at least 1");
  end

  // A native machine word in simulation; synthesis drops the bits that AccWidth does not keep.
  localparam int unsigned SumWidth = AccWidth <= 32 ? 32 : 64;
  typedef logic signed [SumWidth-1:0] sum_t;
  typedef logic [AccWidth-1:0] accs_t [Outputs];

  logic [StepWidth-1:0] step;
  logic [BeatWidth-1:0] beat;
  logic                 last, last_beat, stall, partial_q, first_q, last_q;
  accs_t                partial_sums_q, acc_q;

  assign last       = step == StepWidth'(Reuse - 1);
  assign last_beat  = beat == BeatWidth'(InBeats - 1);
  assign stall      = last_q && out_valid_o && !out_ready_i;
  assign in_ready_o = in_valid_i && last && !stall;

  if (InBeats > 1) begin : g_beats
    logic [BeatWidth-1:0] beat_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (in_valid_i && in_ready_o) beat_q <= last_beat ? '0 : beat_q + 1'b1;
    end
    assign beat = beat_q;
  end else begin : g_one_beat
    assign beat = '0;
  end

  // A counter that never counts would hide from synthesis that each weight is a constant.
  if (Reuse > 1) begin : g_steps
    logic [StepWidth-1:0] step_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) step_q <= '0;
      else if (in_valid_i && !stall) step_q <= last ? '0 : step_q + 1'b1;
    end
    assign step = step_q;
  end else begin : g_one_step
    assign step = '0;
  end

  // Loops stay loops: unrolled, a layer of 2048 products is slower to compile and no faster to run.
  function automatic accs_t multiply();
    logic signed [InWidth:0] value;
    int unsigned             lane;
    logic [IndexWidth-1:0]   index;
    sum_t                    factor;
    sum_t                    sums [Outputs];
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) sums[o] = '0;
    /* verilator unroll_disable */
    for (int unsigned i = 0; i < Chunk; i++) begin
      lane = 32'(step) * Chunk + i;
      if (lane < InLanes) begin
        index  = IndexWidth'(InBeats > 1 ? 32'(beat) * InLanes + lane : lane);
        value  = {InSigned && in_data_i[lane][InWidth-1], in_data_i[lane]};
        factor = sum_t'(value);
        /* verilator unroll_disable */
        for (int unsigned o = 0; o < Outputs; o++) begin
          sums[o] = sums[o] + factor * sum_t'(Weights[index][o]);
        end
      end
    end
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) multiply[o] = AccWidth'(sums[o]);
  endfunction

  function automatic accs_t accumulate();
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      accumulate[o] = (first_q ? Biases[o] : acc_q[o]) + partial_sums_q[o];
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      partial_q   <= 1'b0;
      first_q     <= 1'b0;
      last_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_ready_i) out_valid_o <= 1'b0;
      if (!stall) begin
        partial_q <= in_valid_i;
        first_q   <= step == '0 && beat == '0;
        last_q    <= in_valid_i && last && last_beat;
        if (last_q) out_valid_o <= 1'b1;
      end
    end
  end

  // Data registers have no reset, and each has a block of its own, so that an idle layer costs nothing.
  always_ff @(posedge clk_i) begin
    if (in_valid_i && !stall) partial_sums_q <= multiply();
  end

  always_ff @(posedge clk_i) begin
    if (partial_q && !stall) begin
      if (last_q) out_data_o <= accumulate();
      else acc_q <= accumulate();
    end
  end

endmodule

`default_nettype wire
