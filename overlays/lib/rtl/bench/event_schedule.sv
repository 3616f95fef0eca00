`default_nettype none

/// Says in which cycles events are due. Nothing downstream can hold it up: the schedule never slips.
///
/// A tick happens every `interval_i` cycles on average (tick k in cycle floor(k * interval), exact), or
/// in each cycle with a fixed probability. Events happen on ticks: on each, or spaced by a gap table.
/// Event j is due on tick (gap[0] + ... + gap[j]) - 1, the table being read in a loop.
///
/// `fire_o` comes one cycle before the event is due, so that the player can have it ready.
module event_schedule #(
  parameter int unsigned GapEntries = 4096,
  localparam int unsigned GapAddr = $clog2(GapEntries)
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  /// Begins a run; the first cycle in which `active_o` is high announces cycle 0 of the schedule.
  input  logic               start_i,
  /// Ends a run.
  input  logic               stop_i,
  /// Cycles per tick, unsigned Q32.32, at least 1.0.
  input  logic [63:0]        interval_i,
  input  logic               bernoulli_i,
  /// Probability of a tick in units of 2^-32.
  input  logic [31:0]        threshold_i,
  /// State of the xorshift64 generator in cycle 0 (Marsaglia 2003, triple 13, 7, 17); not zero.
  input  logic [63:0]        seed_i,
  input  logic               use_gaps_i,
  /// Entries of the gap table in use, at least 1.
  input  logic [31:0]        gaps_i,
  /// Events to schedule.
  input  logic [31:0]        events_i,
  /// Read port of the gap table.
  output logic [GapAddr-1:0] gap_raddr_o,
  input  logic [15:0]        gap_rdata_i,
  output logic               active_o,
  output logic               fire_o,
  /// Number of the event that fires now.
  output logic [31:0]        number_o,
  /// All events have fired.
  output logic               exhausted_o
);

  localparam logic [63:0] ONE = 64'h1_0000_0000;

  logic               prime_q, active_q;
  logic [63:0]        phase_q, random_q;
  logic [15:0]        gap_left_q;
  logic [GapAddr-1:0] gap_index_q, gap_index_d;
  logic [31:0]        number_q;
  logic               tick, due;

  function automatic logic [63:0] xorshift64(logic [63:0] x);
    logic [63:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 7);
    return y ^ (y << 17);
  endfunction

  assign exhausted_o = number_q == events_i;
  assign tick        = bernoulli_i ? random_q[63:32] < threshold_i : phase_q[63:32] == '0;
  assign due         = !use_gaps_i || gap_left_q == 16'd1;
  assign fire_o      = active_q && tick && due && !exhausted_o;
  assign active_o    = active_q;
  assign number_o    = number_q;

  // The table is read one entry ahead, so that gaps of one tick keep up with a tick in every cycle.
  always_comb begin
    gap_index_d = gap_index_q;
    if (start_i) begin
      gap_index_d = '0;
    end else if (prime_q || fire_o) begin
      gap_index_d = 32'(gap_index_q) + 1 >= gaps_i ? '0 : gap_index_q + 1'b1;
    end
  end
  assign gap_raddr_o = gap_index_d;

  always_ff @(posedge clk_i) begin
    gap_index_q <= gap_index_d;
    if (!rst_ni || stop_i) begin
      prime_q  <= 1'b0;
      active_q <= 1'b0;
    end else if (start_i) begin
      prime_q  <= 1'b1;
      active_q <= 1'b0;
      number_q <= '0;
      phase_q  <= '0;
      random_q <= seed_i;
    end else if (prime_q) begin
      prime_q    <= 1'b0;
      active_q   <= 1'b1;
      gap_left_q <= gap_rdata_i;
    end else if (active_q) begin
      random_q <= xorshift64(random_q);
      phase_q  <= phase_q + (phase_q[63:32] == '0 ? interval_i : '0) - ONE;
      if (tick && use_gaps_i) gap_left_q <= due ? gap_rdata_i : gap_left_q - 1'b1;
      if (fire_o) number_q <= number_q + 1'b1;
    end
  end

endmodule

`default_nettype wire
