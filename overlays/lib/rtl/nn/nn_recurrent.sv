`default_nettype none

/// Recurrent cell, the same for every channel: h' = act(weights * x + state_weights * h + bias).
///
/// An event is one beat: the inputs of each channel in turn, then a flag. Channels / Steps channels are
/// computed in a cycle; a beat of the output has their new states. A flag other than 0 clears the states
/// of all channels before the event is taken; so does reset. An event must stand, as a stalled stream
/// does, until it is taken in its last step. Initiation interval: Steps cycles, at least 3, since a state
/// is there 3 cycles after it was last read. Latency: 3 cycles to the first beat, then one a cycle.
module nn_recurrent #(
  parameter int unsigned Channels   = 2,
  /// Cycles of an event; must divide Channels.
  parameter int unsigned Steps      = 1,
  /// Inputs and states of a channel.
  parameter int unsigned Inputs     = 1,
  parameter int unsigned Units      = 1,
  /// Bits of an input, and whether it has a sign.
  parameter int unsigned InWidth    = 8,
  parameter bit          InSigned   = 1'b0,
  parameter int unsigned InputWeightWidth = 8,
  parameter int unsigned StateWeightWidth = 8,
  /// Bits of a sum; wide enough for the worst case, there is no overflow logic.
  parameter int unsigned AccWidth   = 24,
  /// Bits of a state, whether it has a sign, and how it is made of a sum; see `nn_requantise`.
  parameter int unsigned OutWidth   = 8,
  parameter bit          OutSigned  = 1'b0,
  parameter int unsigned Shift      = 0,
  parameter bit          HalfUp     = 1'b0,
  parameter bit          Relu       = 1'b1,
  parameter bit          Saturate   = 1'b1,
  parameter logic signed [InputWeightWidth-1:0] InputWeights [Inputs][Units] = '{default: '0},
  parameter logic signed [StateWeightWidth-1:0] StateWeights [Units][Units] = '{default: '0},
  /// Aligned to the sum's least significant bit.
  parameter logic signed [AccWidth-1:0] Biases [Units] = '{default: '0},
  localparam int unsigned InLanes   = Channels * Inputs + 1,
  localparam int unsigned Together  = Channels / Steps,
  localparam int unsigned OutLanes  = Together * Units,
  localparam int unsigned StepWidth = Steps > 1 ? $clog2(Steps) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  /// High in an event's last step only.
  output logic                in_ready_o,
  input  logic  [InWidth-1:0] in_data_i [InLanes],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o [OutLanes]
);

  if (Steps == 0 || Inputs == 0 || Units == 0 || Together * Steps != Channels) begin : g_bad_shape
    $error("nn_recurrent: Inputs and Units must be at least 1, Steps must divide Channels");
  end

  // A native machine word in simulation; synthesis drops the bits that AccWidth does not keep.
  localparam int unsigned SumWidth = AccWidth <= 32 ? 32 : 64;
  localparam int unsigned PendingWidth = $clog2(Steps + 1);
  typedef logic signed [SumWidth-1:0] sum_t;
  typedef logic [AccWidth-1:0] accs_t [OutLanes];
  typedef logic [OutWidth-1:0] states_t [OutLanes];

  logic [StepWidth-1:0]    step_q, kept_step_q;
  logic [PendingWidth-1:0] pending_q;
  logic                    last, issue, clear, cold_q;
  logic                    acc_valid_q, acc_ready, stall, next_valid, next_ready, keep;
  accs_t                   acc_q;
  states_t                 next, held;
  logic [OutLanes*OutWidth-1:0] state_q [Steps];

  assign last       = step_q == StepWidth'(Steps - 1);
  assign stall      = acc_valid_q && !acc_ready;
  // A step reads what the same step of the event before has written.
  assign issue      = in_valid_i && !stall && pending_q != PendingWidth'(Steps);
  assign in_ready_o = issue && last;
  assign clear      = cold_q || in_data_i[InLanes-1] != '0;
  assign keep       = next_valid && next_ready;

  always_comb begin
    for (int unsigned i = 0; i < OutLanes; i++) begin
      held[i] = clear ? '0 : state_q[step_q][i*OutWidth+:OutWidth];
    end
  end

  // Loops stay loops, as in nn_dense.
  function automatic accs_t multiply();
    logic signed [InWidth:0]  value;
    logic signed [OutWidth:0] state;
    sum_t                     sums [Units];
    /* verilator unroll_disable */
    for (int unsigned c = 0; c < Together; c++) begin
      /* verilator unroll_disable */
      for (int unsigned u = 0; u < Units; u++) sums[u] = sum_t'(Biases[u]);
      /* verilator unroll_disable */
      for (int unsigned i = 0; i < Inputs; i++) begin
        value = signed'({1'b0, in_data_i[(32'(step_q) * Together + c) * Inputs + i]});
        value[InWidth] = InSigned && value[InWidth-1];
        /* verilator unroll_disable */
        for (int unsigned u = 0; u < Units; u++) begin
          sums[u] = sums[u] + sum_t'(value) * sum_t'(InputWeights[i][u]);
        end
      end
      /* verilator unroll_disable */
      for (int unsigned i = 0; i < Units; i++) begin
        state = signed'({OutSigned && held[c*Units+i][OutWidth-1], held[c*Units+i]});
        /* verilator unroll_disable */
        for (int unsigned u = 0; u < Units; u++) begin
          sums[u] = sums[u] + sum_t'(state) * sum_t'(StateWeights[i][u]);
        end
      end
      /* verilator unroll_disable */
      for (int unsigned u = 0; u < Units; u++) multiply[c*Units+u] = AccWidth'(sums[u]);
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q      <= '0;
      kept_step_q <= '0;
      pending_q   <= '0;
      cold_q      <= 1'b1;
      acc_valid_q <= 1'b0;
    end else begin
      if (!stall) acc_valid_q <= issue;
      if (issue) step_q <= last ? '0 : step_q + 1'b1;
      if (issue && last) cold_q <= 1'b0;
      if (keep) kept_step_q <= kept_step_q == StepWidth'(Steps - 1) ? '0 : kept_step_q + 1'b1;
      pending_q <= pending_q + PendingWidth'(issue) - PendingWidth'(keep);
    end
  end

  // Data registers have no reset, and each has a block of its own, so that an idle layer costs nothing.
  always_ff @(posedge clk_i) begin
    if (issue) acc_q <= multiply();
  end

  always_ff @(posedge clk_i) begin
    if (keep) begin
      for (int unsigned i = 0; i < OutLanes; i++) begin
        state_q[kept_step_q][i*OutWidth+:OutWidth] <= next[i];
      end
    end
  end

  nn_requantise #(
    .Values(OutLanes), .InWidth(AccWidth), .OutWidth(OutWidth), .Shift(Shift),
    .OutSigned(OutSigned), .HalfUp(HalfUp), .Relu(Relu), .Saturate(Saturate)
  ) u_next (
    .clk_i, .rst_ni, .in_valid_i(acc_valid_q), .in_ready_o(acc_ready), .in_data_i(acc_q),
    .out_valid_o(next_valid), .out_ready_i(next_ready), .out_data_o(next)
  );

  // Only a register with a spare: states go on while the output is not taken.
  nn_requantise #(
    .Values(OutLanes), .InWidth(OutWidth), .OutWidth(OutWidth), .OutSigned(1'b1),
    .Relu(1'b0), .Saturate(1'b0)
  ) u_out (
    .clk_i, .rst_ni, .in_valid_i(next_valid), .in_ready_o(next_ready), .in_data_i(next),
    .out_valid_o, .out_ready_i, .out_data_o
  );

endmodule

`default_nettype wire
