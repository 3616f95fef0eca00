`default_nettype none

/// The derandomiser: holds the events that are due and offers them to the accelerator in order.
///
/// An event fired in one cycle is due, and offered if nothing waits before it, in the next. The queue
/// holds references into the event memory, read one row ahead. After each cycle's acceptance at most
/// `limit_i` events may wait; the event that came due in a cycle that leaves more is dropped.
module event_player #(
  parameter int unsigned InWidth    = 32,
  parameter int unsigned EventRows  = 4096,
  parameter int unsigned GoldenRows = 4096,
  /// Entries of the queue, a power of two; `limit_i` must stay below it.
  parameter int unsigned QueueDepth = 512,
  localparam int unsigned RowAddr    = $clog2(EventRows),
  localparam int unsigned GoldenAddr = $clog2(GoldenRows),
  localparam int unsigned QueueAddr  = $clog2(QueueDepth)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  /// Begins a run with an empty queue at the first event of the memory.
  input  logic                  start_i,
  /// Empties the queue and withdraws the event on offer.
  input  logic                  stop_i,
  /// The current cycle's stamp.
  input  logic [31:0]           stamp_i,
  input  logic [31:0]           limit_i,
  input  logic [31:0]           distinct_i,
  input  logic [31:0]           in_beats_i,
  input  logic [31:0]           out_beats_i,
  /// An event comes due in the next cycle.
  input  logic                  fire_i,
  input  logic [31:0]           number_i,
  /// Read port of the event memory.
  output logic [RowAddr-1:0]    row_raddr_o,
  input  logic [InWidth-1:0]    row_rdata_i,
  /// To the accelerator.
  output logic                  valid_o,
  input  logic                  ready_i,
  output logic [InWidth-1:0]    data_o,
  output logic                  last_o,
  /// An event came due in this cycle and was kept.
  output logic                  arrive_o,
  /// An event came due in this cycle and was dropped.
  output logic                  drop_o,
  /// The first beat of an event is taken in this cycle; its stamp, number and golden row.
  output logic                  accept_o,
  output logic [31:0]           accept_due_o,
  output logic [31:0]           accept_number_o,
  output logic [GoldenAddr-1:0] accept_golden_o,
  /// Events that wait when this cycle is over.
  output logic [QueueAddr:0]    waiting_o,
  /// Nothing waits and no event is half sent.
  output logic                  empty_o,
  /// The event on offer has waited for 2^31 cycles: 32-bit stamps are about to wrap.
  output logic                  age_alarm_o
);

  typedef struct packed {
    logic [31:0]           due;
    logic [31:0]           number;
    logic [RowAddr-1:0]    row;
    logic [GoldenAddr-1:0] golden;
  } entry_t;

  entry_t               queue [QueueDepth];
  entry_t               head;
  logic [QueueAddr-1:0] wptr_q, rptr_q, tail;
  logic [QueueAddr:0]   count_q, kept;
  logic                 newcomer_q;
  logic [31:0]          slot_q, beat_q, beat;
  logic [RowAddr-1:0]   next_row_q, row_q, row, head_row_next;
  logic [GoldenAddr-1:0] next_golden_q;
  logic                 mid_q, mid_d, take;

  assign head    = queue[rptr_q];
  assign valid_o = mid_q || count_q != '0;
  assign take    = valid_o && ready_i;
  assign data_o  = row_rdata_i;
  assign beat    = mid_q ? beat_q : '0;
  assign row     = mid_q ? row_q : head.row;
  assign last_o  = beat + 1 == in_beats_i;
  assign mid_d   = take ? !last_o : mid_q;

  assign accept_o        = take && !mid_q;
  assign accept_due_o    = head.due;
  assign accept_number_o = head.number;
  assign accept_golden_o = head.golden;

  // The newest entry is the one that is dropped; it is never the head, since limit_i is at least 1.
  assign kept      = count_q - (QueueAddr + 1)'(accept_o);
  assign drop_o    = newcomer_q && 32'(kept) > limit_i;
  assign arrive_o  = newcomer_q && !drop_o;
  assign waiting_o = kept - (QueueAddr + 1)'(drop_o);
  assign tail      = wptr_q - QueueAddr'(drop_o);
  assign empty_o   = count_q == '0 && !mid_q;
  assign age_alarm_o = count_q != '0 && 1'((stamp_i - head.due) >> 31);

  // The row to be offered in the next cycle: the rest of this event, the next one that waits, or the
  // one that comes due.
  assign head_row_next = waiting_o == '0 ? next_row_q : queue[rptr_q + QueueAddr'(accept_o)].row;
  assign row_raddr_o   = mid_d ? row + RowAddr'(take) : head_row_next;

  always_ff @(posedge clk_i) begin
    if (fire_i) queue[tail] <= '{stamp_i + 1'b1, number_i, next_row_q, next_golden_q};
    row_q  <= row_raddr_o;
    beat_q <= beat + 32'(take);
    if (!rst_ni || start_i || stop_i) begin
      wptr_q        <= '0;
      rptr_q        <= '0;
      count_q       <= '0;
      newcomer_q    <= 1'b0;
      mid_q         <= 1'b0;
      slot_q        <= '0;
      next_row_q    <= '0;
      next_golden_q <= '0;
    end else begin
      wptr_q     <= tail + QueueAddr'(fire_i);
      rptr_q     <= rptr_q + QueueAddr'(accept_o);
      count_q    <= waiting_o + (QueueAddr + 1)'(fire_i);
      newcomer_q <= fire_i;
      mid_q      <= mid_d;
      if (fire_i) begin
        if (slot_q + 1 >= distinct_i) begin
          slot_q        <= '0;
          next_row_q    <= '0;
          next_golden_q <= '0;
        end else begin
          slot_q        <= slot_q + 1'b1;
          next_row_q    <= next_row_q + RowAddr'(in_beats_i);
          next_golden_q <= next_golden_q + GoldenAddr'(out_beats_i);
        end
      end
    end
  end

`ifndef ASSERTS_OFF
  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (32'(count_q) <= QueueDepth) else $error("event_player: queue overflow");
      assert (!(fire_i && limit_i >= QueueDepth)) else $error("event_player: limit too large");
    end
  end
`endif

endmodule

`default_nettype wire
