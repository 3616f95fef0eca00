`default_nettype none

/// Follows every event by its stamps, from due through accepted to done, and adds them up.
///
/// An event enters the in-flight store when its first beat is accepted and leaves it when its last
/// output beat does; events leave in the order they entered. On leaving, its latencies are offered
/// to the histograms and the trace as one record.
module latency_monitor #(
  parameter int unsigned InFlight   = 256,
  parameter int unsigned GoldenRows = 4096,
  parameter int unsigned DepthWidth = 10,
  localparam int unsigned Addr       = $clog2(InFlight),
  localparam int unsigned GoldenAddr = $clog2(GoldenRows)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  /// Zeroes counters and faults.
  input  logic                  clear_i,
  /// Forgets the events in flight.
  input  logic                  flush_i,
  /// Cycles are being counted.
  input  logic                  running_i,
  input  logic [31:0]           stamp_i,
  input  logic [31:0]           deadline_i,
  input  logic                  fire_i,
  input  logic                  arrive_i,
  input  logic                  drop_i,
  /// The accelerator refuses an offered beat.
  input  logic                  stall_i,
  input  logic [DepthWidth-1:0] waiting_i,
  input  logic                  accept_i,
  input  logic [31:0]           accept_due_i,
  input  logic [31:0]           accept_number_i,
  input  logic [GoldenAddr-1:0] accept_golden_i,
  /// An output beat leaves; it is the last of its event.
  input  logic                  beat_i,
  input  logic                  beat_last_i,
  input  logic                  age_alarm_i,
  /// The event whose output is leaving.
  output logic                  head_valid_o,
  output logic [31:0]           head_number_o,
  output logic [GoldenAddr-1:0] head_golden_o,
  /// Events due and kept but not done.
  output logic [31:0]           occupancy_o,
  /// The record of an event that has left.
  output logic                  record_o,
  output logic [31:0]           record_number_o,
  output logic [31:0]           record_due_o,
  output logic [31:0]           record_accepted_o,
  output logic [31:0]           record_done_o,
  output logic [63:0]           run_cycles_o,
  output logic [63:0]           scheduled_o,
  output logic [63:0]           accepted_o,
  output logic [63:0]           completed_o,
  output logic [63:0]           dropped_o,
  output logic [63:0]           misses_o,
  output logic [63:0]           stalls_o,
  output logic [63:0]           occupancy_sum_o,
  output logic [31:0]           max_depth_o,
  /// Sticky: the in-flight store overflowed; an output came without an input; an event is older than
  /// 2^31 cycles.
  output logic                  stamp_overflow_o,
  output logic                  unexpected_o,
  output logic                  age_alarm_o
);

  typedef struct packed {
    logic [31:0]           due;
    logic [31:0]           accepted;
    logic [31:0]           number;
    logic [GoldenAddr-1:0] golden;
  } entry_t;

  entry_t          store [InFlight];
  entry_t          head;
  logic [Addr-1:0] wptr_q, rptr_q;
  logic [Addr:0]   count_q;
  logic            push, pop, full, old;
  logic [31:0]     occupancy_q, occupancy;

  assign head          = store[rptr_q];
  assign head_valid_o  = count_q != '0;
  assign head_number_o = head.number;
  assign head_golden_o = head.golden;
  assign full          = 32'(count_q) == InFlight;
  assign push          = accept_i && !full;
  assign pop           = beat_i && beat_last_i && head_valid_o;
  assign old           = age_alarm_i || (head_valid_o && 1'((stamp_i - head.due) >> 31));

  // An event counts from the cycle it is due up to, but not including, the one in which it is done:
  // the sum over cycles is then exactly the sum of the latencies (Little's law, sample path).
  assign occupancy   = occupancy_q + 32'(arrive_i) - 32'(pop);
  assign occupancy_o = occupancy_q;

  always_ff @(posedge clk_i) begin
    if (push) store[wptr_q] <= '{accept_due_i, stamp_i, accept_number_i, accept_golden_i};
    if (!rst_ni || flush_i) begin
      wptr_q      <= '0;
      rptr_q      <= '0;
      count_q     <= '0;
      occupancy_q <= '0;
      record_o    <= 1'b0;
    end else begin
      wptr_q      <= wptr_q + Addr'(push);
      rptr_q      <= rptr_q + Addr'(pop);
      count_q     <= count_q + (Addr + 1)'(push) - (Addr + 1)'(pop);
      occupancy_q <= occupancy;
      record_o    <= pop;
    end
    if (pop) begin
      record_number_o   <= head.number;
      record_due_o      <= head.due;
      record_accepted_o <= head.accepted;
      record_done_o     <= stamp_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      run_cycles_o     <= '0;
      scheduled_o      <= '0;
      accepted_o       <= '0;
      completed_o      <= '0;
      dropped_o        <= '0;
      misses_o         <= '0;
      stalls_o         <= '0;
      occupancy_sum_o  <= '0;
      max_depth_o      <= '0;
      stamp_overflow_o <= 1'b0;
      unexpected_o     <= 1'b0;
      age_alarm_o      <= 1'b0;
    end else begin
      run_cycles_o    <= run_cycles_o + 64'(running_i);
      scheduled_o     <= scheduled_o + 64'(fire_i);
      accepted_o      <= accepted_o + 64'(accept_i);
      completed_o     <= completed_o + 64'(pop);
      dropped_o       <= dropped_o + 64'(drop_i);
      stalls_o        <= stalls_o + 64'(stall_i);
      occupancy_sum_o <= occupancy_sum_o + 64'(occupancy);
      if (record_o && record_done_o - record_due_o > deadline_i) misses_o <= misses_o + 1'b1;
      if (32'(waiting_i) > max_depth_o) max_depth_o <= 32'(waiting_i);
      if (accept_i && full) stamp_overflow_o <= 1'b1;
      if (beat_i && !head_valid_o) unexpected_o <= 1'b1;
      if (old) age_alarm_o <= 1'b1;
    end
  end

endmodule

`default_nettype wire
