`default_nettype none

/// Dense layer of bits: out[o] = bias[o] + 2 * the number of connected inputs that equal their weight, in
/// Reuse steps a beat.
///
/// Of +1 (1) and -1 (0) that is the sum of products, with the number of connections taken off the bias.
/// Input i is lane i % InLanes of beat i / InLanes; beats are summed up as they arrive. Each step compares
/// the next InLanes / Reuse lanes for all outputs, counts, and, one register later, adds to the accumulator.
/// A beat must stand, as a stalled stream does, until it is taken in its last step. Initiation interval:
/// InBeats * Reuse cycles. Latency: Reuse + 1 cycles, from the cycle in which the last beat is first offered
/// (or the one before it has been taken) to the one in which the output is.
module nn_xnor_dense #(
  /// Beats of an event, and values of a beat.
  parameter int unsigned InBeats  = 1,
  parameter int unsigned InLanes  = 1,
  parameter int unsigned Outputs  = 1,
  /// Bits of an output; wide enough for the worst case, there is no overflow logic.
  parameter int unsigned AccWidth = 8,
  /// Steps of a beat; need not divide InLanes.
  parameter int unsigned Reuse    = 1,
  localparam int unsigned Chunk   = (InLanes + Reuse - 1) / Reuse,
  localparam int unsigned Steps   = InBeats * Reuse,
  /// What an output compares its inputs with in a step, and which of them are connected, by lane.
  parameter logic [Chunk-1:0] Weights [Steps][Outputs] = '{default: '0},
  parameter logic [Chunk-1:0] Mask [Steps][Outputs]    = '{default: '1},
  /// The connections taken off.
  parameter logic signed [AccWidth-1:0] Biases [Outputs] = '{default: '0},
  localparam int unsigned StepWidth  = Reuse > 1 ? $clog2(Reuse) : 1,
  localparam int unsigned BeatWidth  = InBeats > 1 ? $clog2(InBeats) : 1,
  localparam int unsigned IndexWidth = Steps > 1 ? $clog2(Steps) : 1,
  localparam int unsigned CountWidth = $clog2(Chunk + 1)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  /// High in a beat's last step only.
  output logic                in_ready_o,
  input  logic          [0:0] in_data_i [InLanes],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  /// Signed.
  output logic [AccWidth-1:0] out_data_o [Outputs]
);

  if (InBeats == 0 || InLanes == 0 || Outputs == 0 || Reuse == 0) begin : g_bad_shape
    $error("nn_xnor_dense: InBeats, InLanes, Outputs and Reuse must be at least 1");
  end

  typedef logic [AccWidth-1:0] sums_t [Outputs];
  typedef logic [CountWidth-1:0] counts_t [Outputs];

  logic [StepWidth-1:0] step;
  logic [BeatWidth-1:0] beat_q;
  logic [IndexWidth-1:0] index_q;
  logic [Reuse*Chunk-1:0] lanes;
  logic                 last, last_beat, stall, partial_q, first_q, last_q;
  counts_t              counts_q;
  sums_t                acc_q;

  assign last       = step == StepWidth'(Reuse - 1);
  assign last_beat  = beat_q == BeatWidth'(InBeats - 1);
  assign stall      = last_q && out_valid_o && !out_ready_i;
  assign in_ready_o = in_valid_i && last && !stall;

  // As in nn_dense: what does not count is a constant.
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

  // Lanes that are not there have no connection.
  always_comb begin
    lanes = '0;
    /* verilator unroll_disable */
    for (int unsigned i = 0; i < InLanes; i++) lanes[i] = in_data_i[i];
  end

  // Loops stay loops: unrolled they are slower to compile and no faster to run.
  function automatic counts_t count();
    logic [Chunk-1:0] values;
    values = Chunk'(lanes >> (32'(step) * Chunk));
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      count[o] = CountWidth'($countones(~(values ^ Weights[index_q][o]) & Mask[index_q][o]));
    end
  endfunction

  function automatic sums_t accumulate();
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      accumulate[o] = (first_q ? Biases[o] : acc_q[o]) + AccWidth'({counts_q[o], 1'b0});
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q      <= '0;
      index_q     <= '0;
      partial_q   <= 1'b0;
      first_q     <= 1'b0;
      last_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_ready_i) out_valid_o <= 1'b0;
      if (!stall) begin
        if (in_valid_i) index_q <= last && last_beat ? '0 : index_q + 1'b1;
        if (in_valid_i && last) beat_q <= last_beat ? '0 : beat_q + 1'b1;
        partial_q <= in_valid_i;
        first_q   <= step == '0 && beat_q == '0;
        last_q    <= in_valid_i && last && last_beat;
        if (last_q) out_valid_o <= 1'b1;
      end
    end
  end

  // Data registers have no reset, and each has a block of its own, so that an idle layer costs nothing.
  always_ff @(posedge clk_i) begin
    if (in_valid_i && !stall) counts_q <= count();
  end

  always_ff @(posedge clk_i) begin
    if (partial_q && !stall) begin
      if (last_q) out_data_o <= accumulate();
      else acc_q <= accumulate();
    end
  end

endmodule

`default_nettype wire
