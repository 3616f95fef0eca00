`default_nettype none

/// Leaky integrate-and-fire neurons over the time steps of an event, with work that follows the spikes.
///
/// A beat is a time step, a lane a source of spikes. For every neuron and step, from a potential of 0:
///   potential = clip(potential - (potential >>> Leak) + sum of the weights of lanes that spiked)
///   if potential >= threshold: spike, and potential = potential - threshold, or 0
/// Lane i belongs to group i % Parallel. A cycle takes the lowest spike of each group, so that a step takes as
/// many cycles as the fullest group has spikes, one at least: that is the initiation interval. Latency of a
/// step: that many cycles and 3 more. A step's spikes go out as a beat, or, at the event's end, their counts.
///
/// With a Margin the counts go out after the first step in which a neuron leads all others by that many
/// spikes, in 4 cycles instead of 3. Steps of that event that are taken later count for nothing: a cycle each.
module nn_lif #(
  /// Time steps of an event, and sources of spikes.
  parameter int unsigned InBeats        = 1,
  parameter int unsigned InLanes        = 1,
  parameter int unsigned Outputs        = 1,
  /// Spikes that a cycle can take.
  parameter int unsigned Parallel       = 1,
  parameter int unsigned WeightWidth    = 6,
  /// Bits of a step's sum of weights; wide enough for the worst case.
  parameter int unsigned CurrentWidth   = 12,
  /// Bits to which a potential is clipped.
  parameter int unsigned PotentialWidth = 12,
  /// The potential loses its 2**Leak-th part a step; nothing if 0.
  parameter int unsigned Leak           = 0,
  /// A spike sets the potential to 0; else it takes off the threshold.
  parameter bit          ResetToZero    = 1'b0,
  /// Give the event's counts; else each step's spikes.
  parameter bit          Counts         = 1'b0,
  /// Lead in spikes that ends the counting, with Counts; 0 counts all steps.
  parameter int unsigned Margin         = 0,
  parameter int unsigned OutWidth       = 1,
  localparam int unsigned Rows          = (InLanes + Parallel - 1) / Parallel,
  /// Of lane row * Parallel + group.
  parameter logic signed [WeightWidth-1:0] Weights [Parallel][Rows][Outputs] =
    '{default: '0},
  parameter logic signed [PotentialWidth-1:0] Thresholds [Outputs] = '{default: 1},
  localparam int unsigned RowWidth  = Rows > 1 ? $clog2(Rows) : 1,
  localparam int unsigned BeatWidth = InBeats > 1 ? $clog2(InBeats) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic          [0:0] in_data_i [InLanes],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o [Outputs]
);

  if (InBeats == 0 || InLanes == 0 || Outputs == 0 || Parallel == 0) begin : g_bad_shape
    $error("nn_lif: InBeats, InLanes, Outputs and Parallel must be at least 1");
  end
  if (CurrentWidth > 28 || PotentialWidth > 28 || Leak > 27) begin : g_bad_width
    $error("nn_lif: CurrentWidth and PotentialWidth must be at most 28, Leak at most 27");
  end

  if (Margin > 0 && !(Counts && Outputs > 1)) begin : g_bad_margin
    $error("nn_lif: a Margin is one of Counts, between Outputs");
  end

  // A native machine word in simulation; synthesis drops the bits that are not kept.
  typedef logic signed [31:0] sum_t;
  typedef logic signed [CurrentWidth-1:0] currents_t [Outputs];
  typedef logic signed [PotentialWidth-1:0] potentials_t [Outputs];
  typedef logic [OutWidth-1:0] outputs_t [Outputs];
  typedef logic [Rows-1:0] groups_t [Parallel];
  typedef logic [RowWidth-1:0] rows_t [Parallel];

  localparam sum_t LARGEST = (sum_t'(1) << (PotentialWidth - 1)) - 1;
  localparam sum_t LEAST   = -LARGEST - 1;

  logic [BeatWidth-1:0] beat_q;
  logic                 busy_q, opened_q, add_q, add_first_q, add_last_q, fire_q;
  logic                 take, done, stall, first_beat, last_beat, sends, emits, skip;
  groups_t              pending_q, rest;
  rows_t                row_q;
  logic [Parallel-1:0]  hit_q, hit;
  currents_t            currents_q;
  potentials_t          potentials_q;
  outputs_t             counts_q;

  assign first_beat = beat_q == '0;
  assign last_beat  = beat_q == BeatWidth'(InBeats - 1);
  assign stall      = sends && emits && out_valid_o && !out_ready_i;
  assign in_ready_o = !stall && (!busy_q || done);
  assign take       = in_valid_i && in_ready_o;

  // Loops stay loops: unrolled they are slower to compile and no faster to run.
  always_comb begin
    done = 1'b1;
    /* verilator unroll_disable */
    for (int unsigned g = 0; g < Parallel; g++) begin
      hit[g]  = pending_q[g] != '0;
      rest[g] = pending_q[g] & (pending_q[g] - 1'b1);
      if (rest[g] != '0) done = 1'b0;
    end
  end

  function automatic groups_t grouped();
    /* verilator unroll_disable */
    for (int unsigned g = 0; g < Parallel; g++) begin
      grouped[g] = '0;
      /* verilator unroll_disable */
      for (int unsigned r = 0; r < Rows; r++) begin
        if (r * Parallel + g < InLanes) grouped[g][r] = in_data_i[r*Parallel+g] && !skip;
      end
    end
  endfunction

  function automatic rows_t lowest();
    /* verilator unroll_disable */
    for (int unsigned g = 0; g < Parallel; g++) begin
      lowest[g] = '0;
      /* verilator unroll_disable */
      for (int unsigned r = Rows; r > 0; r--) begin
        if (pending_q[g][r-1]) lowest[g] = RowWidth'(r - 1);
      end
    end
  endfunction

  function automatic currents_t integrate();
    sum_t sums [Outputs];
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) sums[o] = add_first_q ? '0 : sum_t'(currents_q[o]);
    /* verilator unroll_disable */
    for (int unsigned g = 0; g < Parallel; g++) begin
      if (hit_q[g]) begin
        /* verilator unroll_disable */
        for (int unsigned o = 0; o < Outputs; o++) begin
          sums[o] = sums[o] + sum_t'(Weights[g][row_q[g]][o]);
        end
      end
    end
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) integrate[o] = CurrentWidth'(sums[o]);
  endfunction

  function automatic potentials_t charge();
    sum_t potential;
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      potential = first_beat ? '0 : sum_t'(potentials_q[o]);
      if (Leak > 0) potential = potential - (potential >>> Leak);
      potential = potential + sum_t'(currents_q[o]);
      if (potential > LARGEST) potential = LARGEST;
      if (potential < LEAST) potential = LEAST;
      charge[o] = PotentialWidth'(potential);
    end
  endfunction

  function automatic potentials_t discharge(potentials_t charged);
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      discharge[o] = charged[o];
      if (charged[o] >= Thresholds[o]) begin
        discharge[o] = ResetToZero ? '0 : charged[o] - Thresholds[o];
      end
    end
  endfunction

  function automatic outputs_t count(potentials_t charged);
    /* verilator unroll_disable */
    for (int unsigned o = 0; o < Outputs; o++) begin
      count[o] = Counts && !first_beat ? counts_q[o] : '0;
      count[o] = count[o] + OutWidth'(charged[o] >= Thresholds[o]);
    end
  endfunction

  if (Margin > 0) begin : g_early
    // Whoever leads is found among registered counts, a cycle after the step's neurons.
    logic                 judge_q, judge_last_q, sent_q, skip_q, in_last, leads;
    logic [BeatWidth-1:0] in_beat_q;
    // Events of which the last step is taken and not yet judged; so many stages are between.
    logic [2:0]           passed_q;

    assign sends   = judge_q;
    assign emits   = !sent_q && (judge_last_q || leads);
    assign skip    = skip_q;
    assign in_last = in_beat_q == BeatWidth'(InBeats - 1);

    always_comb begin
      logic ahead;
      leads = 1'b0;
      /* verilator unroll_disable */
      for (int unsigned o = 0; o < Outputs; o++) begin
        ahead = 1'b1;
        /* verilator unroll_disable */
        for (int unsigned p = 0; p < Outputs; p++) begin
          if (p != o && 32'(counts_q[o]) < 32'(counts_q[p]) + Margin) ahead = 1'b0;
        end
        if (ahead) leads = 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        judge_q      <= 1'b0;
        judge_last_q <= 1'b0;
        sent_q       <= 1'b0;
        skip_q       <= 1'b0;
        in_beat_q    <= '0;
        passed_q     <= '0;
      end else if (!stall) begin
        judge_q      <= fire_q;
        judge_last_q <= last_beat;
        if (sends) sent_q <= !judge_last_q && (sent_q || emits);
        if (take) in_beat_q <= in_last ? '0 : in_beat_q + 1'b1;
        passed_q <= passed_q + 3'(take && in_last) - 3'(sends && judge_last_q);
        // Only what is left of the same event is skipped.
        if (take && in_last) skip_q <= 1'b0;
        else if (sends && emits && !judge_last_q && passed_q == '0) skip_q <= 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (sends && emits && !stall) out_data_o <= counts_q;
    end
  end else begin : g_whole
    assign sends = fire_q;
    assign emits = !Counts || last_beat;
    assign skip  = 1'b0;

    always_ff @(posedge clk_i) begin
      if (fire_q && emits && !stall) out_data_o <= count(charge());
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q      <= '0;
      busy_q      <= 1'b0;
      opened_q    <= 1'b0;
      add_q       <= 1'b0;
      add_first_q <= 1'b0;
      add_last_q  <= 1'b0;
      fire_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_ready_i) out_valid_o <= 1'b0;
      if (!stall) begin
        if (take || done) busy_q <= take;
        opened_q    <= take;
        add_q       <= busy_q;
        add_first_q <= opened_q;
        add_last_q  <= busy_q && done;
        fire_q      <= add_last_q;
        if (fire_q) beat_q <= last_beat ? '0 : beat_q + 1'b1;
        if (sends && emits) out_valid_o <= 1'b1;
      end
    end
  end

  // Data registers have no reset, and each has a block of its own, so that an idle layer costs nothing.
  always_ff @(posedge clk_i) begin
    if (take) pending_q <= grouped();
    else if (busy_q && !stall) pending_q <= rest;
  end

  always_ff @(posedge clk_i) begin
    if (busy_q && !stall) begin
      row_q <= lowest();
      hit_q <= hit;
    end
  end

  always_ff @(posedge clk_i) begin
    if (add_q && !stall) currents_q <= integrate();
  end

  always_ff @(posedge clk_i) begin
    if (fire_q && !stall) begin
      potentials_q <= discharge(charge());
      counts_q     <= count(charge());
    end
  end

endmodule

`default_nettype wire
