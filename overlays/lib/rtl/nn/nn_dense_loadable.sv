`default_nettype none

/// Dense layer whose weights can be replaced at run time: out[o] = bias[o] + sum of weight[i][o] * in[i].
///
/// As nn_dense, but with weights and biases in registers, which a reset gives their first values, and for
/// Groups of inputs at once, which share the weights, as the places of a convolution do. Input i of a group
/// is lane i % InLanes of the group's part of beat i / InLanes. A beat is multiplied in one step.
/// Initiation interval: InBeats cycles. Latency: 2 cycles from the last beat.
///
/// Registers: word 0 is the place that word 1 reads and writes: an input in bits 0 to 15, an output in bits
/// 16 to 31; input number InBeats * InLanes stands for the biases. Writing word 1 goes on to the next
/// output, then to the next input. They must not be written while an event is under way: its result
/// would be of some weights and of others.
module nn_dense_loadable #(
  /// Beats of an event.
  parameter int unsigned InBeats     = 1,
  /// Parts of a beat with the same weights, and values of a part that come in and go out.
  parameter int unsigned Groups      = 1,
  parameter int unsigned InLanes     = 1,
  parameter int unsigned Outputs     = 1,
  /// Bits of an input, and whether it has a sign.
  parameter int unsigned InWidth     = 8,
  parameter bit          InSigned    = 1'b0,
  /// Bits of a weight and of a bias.
  parameter int unsigned WeightWidth = 8,
  parameter int unsigned BiasWidth   = 16,
  /// Bits of an output; wide enough for any weights, there is no overflow logic.
  parameter int unsigned AccWidth    = 24,
  /// What a reset loads.
  parameter logic signed [WeightWidth-1:0] Weights [InBeats*InLanes][Outputs] =
    '{default: '0},
  parameter logic signed [BiasWidth-1:0]   Biases [Outputs] = '{default: '0},
  localparam int unsigned Inputs     = InBeats * InLanes,
  localparam int unsigned BeatWidth  = InBeats > 1 ? $clog2(InBeats) : 1,
  localparam int unsigned IndexWidth = Inputs > 1 ? $clog2(Inputs) : 1,
  localparam int unsigned OutIndex   = Outputs > 1 ? $clog2(Outputs) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic  [InWidth-1:0] in_data_i [Groups*InLanes],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [AccWidth-1:0] out_data_o [Groups*Outputs],
  input  logic                cfg_we_i,
  input  logic [13:0]         cfg_addr_i,
  input  logic [31:0]         cfg_wdata_i,
  output logic [31:0]         cfg_rdata_o
);

  if (InBeats == 0 || InLanes == 0 || Outputs == 0 || Groups == 0) begin : g_bad_shape
    $error("nn_dense_loadable: InBeats, InLanes, Outputs and Groups must be at least 1");
  end
  if (BiasWidth > 32 || WeightWidth > 32) begin : g_bad_width
    $error("nn_dense_loadable: a weight and a bias must fit a register of 32 bits");
  end

  // A native machine word in simulation; synthesis drops the bits that AccWidth does not keep.
  localparam int unsigned SumWidth = AccWidth <= 32 ? 32 : 64;
  localparam int unsigned RowWidth = $clog2(Inputs + 1) + 1;
  typedef logic signed [SumWidth-1:0] sum_t;
  typedef logic [AccWidth-1:0] accs_t [Groups*Outputs];

  logic signed [WeightWidth-1:0] weights_q [Inputs][Outputs];
  logic signed [BiasWidth-1:0]   biases_q [Outputs];
  logic [RowWidth-1:0]          row_q;
  logic [OutIndex-1:0]           col_q;
  logic                          write, is_bias, is_weight;
  logic [31:0]                   found;
  logic                          unused;

  assign write     = cfg_we_i && cfg_addr_i[0];
  assign is_weight = row_q < RowWidth'(Inputs);
  assign is_bias   = row_q == RowWidth'(Inputs);
  assign unused    = &{1'b0, cfg_addr_i[13:1]};

  always_comb begin
    found = '0;
    if (is_weight) found = 32'(weights_q[IndexWidth'(row_q)][col_q]);
    else if (is_bias) found = 32'(biases_q[col_q]);
  end

  always_ff @(posedge clk_i) begin
    cfg_rdata_o <= cfg_addr_i[0] ? found : {16'(col_q), 16'(row_q)};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q <= '0;
      col_q <= '0;
    end else if (write) begin
      col_q <= col_q == OutIndex'(Outputs - 1) ? '0 : col_q + 1'b1;
      if (col_q == OutIndex'(Outputs - 1)) row_q <= row_q + 1'b1;
    end else if (cfg_we_i) begin
      row_q <= RowWidth'(cfg_wdata_i[15:0]);
      col_q <= OutIndex'(cfg_wdata_i[31:16]);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) weights_q <= Weights;
    else if (write && is_weight) begin
      weights_q[IndexWidth'(row_q)][col_q] <= WeightWidth'(cfg_wdata_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) biases_q <= Biases;
    else if (write && is_bias) biases_q[col_q] <= BiasWidth'(cfg_wdata_i);
  end

  // The products of a beat, then their sum over the beats.
  logic [BeatWidth-1:0] beat_q;
  logic                 last_beat, stall, partial_q, first_q, last_q;
  accs_t                partial_sums_q, acc_q;

  assign last_beat  = beat_q == BeatWidth'(InBeats - 1);
  assign stall      = last_q && out_valid_o && !out_ready_i;
  assign in_ready_o = !stall;

  function automatic accs_t multiply();
    logic [InWidth-1:0]      data;
    logic signed [InWidth:0] value;
    logic [IndexWidth-1:0]   index;
    sum_t                    factor;
    sum_t                    sums [Groups*Outputs];
    /* verilator unroll_disable */
    for (int unsigned n = 0; n < Groups * Outputs; n++) sums[n] = '0;
    /* verilator unroll_disable */
    for (int unsigned i = 0; i < InLanes; i++) begin
      index = IndexWidth'(InBeats > 1 ? 32'(beat_q) * InLanes + i : i);
      /* verilator unroll_disable */
      for (int unsigned g = 0; g < Groups; g++) begin
        data   = in_data_i[g*InLanes+i];
        value  = {InSigned && data[InWidth-1], data};
        factor = sum_t'(value);
        /* verilator unroll_disable */
        for (int unsigned o = 0; o < Outputs; o++) begin
          sums[g*Outputs+o] = sums[g*Outputs+o] + factor * sum_t'(weights_q[index][o]);
        end
      end
    end
    /* verilator unroll_disable */
    for (int unsigned n = 0; n < Groups * Outputs; n++) multiply[n] = AccWidth'(sums[n]);
  endfunction

  function automatic accs_t accumulate();
    /* verilator unroll_disable */
    for (int unsigned g = 0; g < Groups; g++) begin
      /* verilator unroll_disable */
      for (int unsigned o = 0; o < Outputs; o++) begin
        accumulate[g*Outputs+o] =
          (first_q ? AccWidth'(biases_q[o]) : acc_q[g*Outputs+o]) + partial_sums_q[g*Outputs+o];
      end
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q      <= '0;
      partial_q   <= 1'b0;
      first_q     <= 1'b0;
      last_q      <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_ready_i) out_valid_o <= 1'b0;
      if (!stall) begin
        if (in_valid_i) beat_q <= last_beat ? '0 : beat_q + 1'b1;
        partial_q <= in_valid_i;
        first_q   <= beat_q == '0;
        last_q    <= in_valid_i && last_beat;
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
