`default_nettype none

// Generated from overlays/spiking_digits/overlay.toml by `harness generate spiking_digits`; do not edit.
// overlay digest 4365ff79e81cc9bab00aae23b0acef66

/// Reads digits from at most 16 steps of spikes, as soon as it is sure; bit-exact to its model.
package overlay_pkg;

  /// Identity, as the host reads it.
  localparam logic [127:0] OVERLAY_DIGEST = 128'h4365ff79e81cc9bab00aae23b0acef66;
  localparam logic [31:0] MAGIC = 32'h46494c42;
  localparam logic [31:0] ABI = 32'h00010001;
  localparam logic [31:0] UNMAPPED_WORD = 32'hbad0add2;
  /// Clock the design is built for, in Hz.
  localparam logic [31:0] CLOCK_HZ = 32'd200000000;

  /// Bits of an input beat.
  localparam int unsigned IN_WIDTH = 64;
  /// Bits of an output beat.
  localparam int unsigned OUT_WIDTH = 128;
  /// Input beats in the event memory.
  localparam int unsigned EVENT_ROWS = 32768;
  /// Output beats in the golden memory.
  localparam int unsigned GOLDEN_ROWS = 2048;
  /// Entries of the derandomiser.
  localparam int unsigned QUEUE_DEPTH = 512;
  /// One-cycle bins of each histogram.
  localparam int unsigned HISTOGRAM_BINS = 4096;
  /// Events in the trace memory.
  localparam int unsigned TRACE_DEPTH = 4096;
  /// Output beats in the spy memory.
  localparam int unsigned SPY_DEPTH = 256;
  /// Entries of the gap table.
  localparam int unsigned GAP_ENTRIES = 4096;
  /// Events between acceptance and last output beat.
  localparam int unsigned IN_FLIGHT = 256;

  /// Byte offsets of the registers.
  /// ro: ASCII FILB: this is a stream_bench.
  localparam logic [21:0] REG_MAGIC = 22'h000000;
  /// ro: major version in the upper half, minor in the lower.
  localparam logic [21:0] REG_ABI = 22'h000004;
  /// ro: overlay digest, bits 31..0.
  localparam logic [21:0] REG_DIGEST_0 = 22'h000008;
  /// ro: overlay digest, bits 63..32.
  localparam logic [21:0] REG_DIGEST_1 = 22'h00000c;
  /// ro: overlay digest, bits 95..64.
  localparam logic [21:0] REG_DIGEST_2 = 22'h000010;
  /// ro: overlay digest, bits 127..96.
  localparam logic [21:0] REG_DIGEST_3 = 22'h000014;
  /// ro: nominal fabric clock in Hz.
  localparam logic [21:0] REG_CLOCK_HZ = 22'h000018;
  /// ro: bytes of an input beat.
  localparam logic [21:0] REG_IN_BYTES = 22'h00001c;
  /// ro: bytes of an output beat.
  localparam logic [21:0] REG_OUT_BYTES = 22'h000020;
  /// ro: rows (beats) of the event memory.
  localparam logic [21:0] REG_EVENT_ROWS = 22'h000024;
  /// ro: rows (beats) of the golden memory.
  localparam logic [21:0] REG_GOLDEN_ROWS = 22'h000028;
  /// ro: largest derandomiser depth, in events.
  localparam logic [21:0] REG_QUEUE_ENTRIES = 22'h00002c;
  /// ro: one-cycle bins of each latency histogram.
  localparam logic [21:0] REG_HISTOGRAM_BINS = 22'h000030;
  /// ro: events that the trace memory holds.
  localparam logic [21:0] REG_TRACE_ENTRIES = 22'h000034;
  /// ro: output beats that the spy memory holds.
  localparam logic [21:0] REG_SPY_ROWS = 22'h000038;
  /// ro: entries of the gap table.
  localparam logic [21:0] REG_GAP_ENTRIES = 22'h00003c;
  /// rw: free for the host: proves that writes arrive.
  localparam logic [21:0] REG_SCRATCH = 22'h000040;
  /// wo: start, abort, clear, snapshot, load, dump.
  localparam logic [21:0] REG_CONTROL = 22'h000080;
  /// ro: running, done, clearing, moving; sticky faults from bit 8.
  localparam logic [21:0] REG_STATUS = 22'h000084;
  /// rw: path, schedule kind, output check.
  localparam logic [21:0] REG_CONFIG = 22'h000088;
  /// rw: events to schedule in a run.
  localparam logic [21:0] REG_EVENTS = 22'h00008c;
  /// rw: events in the event memory, played in a loop.
  localparam logic [21:0] REG_DISTINCT = 22'h000090;
  /// rw: input beats of an event.
  localparam logic [21:0] REG_IN_BEATS = 22'h000094;
  /// rw: output beats of an event.
  localparam logic [21:0] REG_OUT_BEATS = 22'h000098;
  /// rw: events that may wait; one more is dropped.
  localparam logic [21:0] REG_DERANDOMISER = 22'h00009c;
  /// rw: cycles per tick, fraction in 2^-32 cycle.
  localparam logic [21:0] REG_INTERVAL_FRACTION = 22'h0000a0;
  /// rw: cycles per tick, whole part.
  localparam logic [21:0] REG_INTERVAL_CYCLES = 22'h0000a4;
  /// rw: tick probability per cycle in 2^-32.
  localparam logic [21:0] REG_BERNOULLI = 22'h0000a8;
  /// rw: first state of the xorshift64 generator, low word first.
  localparam logic [21:0] REG_SEED = 22'h0000ac;
  /// rw: entries of the gap table in use.
  localparam logic [21:0] REG_GAPS = 22'h0000b4;
  /// rw: cycles; a larger total is a miss.
  localparam logic [21:0] REG_DEADLINE = 22'h0000b8;
  /// rw: number of the first event to trace.
  localparam logic [21:0] REG_TRACE_START = 22'h0000bc;
  /// rw: stamp of the first schedulable cycle.
  localparam logic [21:0] REG_CYCLE_INIT = 22'h0000c0;
  /// rw: byte offset in this map of the block to move.
  localparam logic [21:0] REG_BLOCK_ADDRESS = 22'h0000c4;
  /// rw: words of the block to move.
  localparam logic [21:0] REG_BLOCK_WORDS = 22'h0000c8;
  /// ro: clock cycles since configuration, at the snapshot, low word first.
  localparam logic [21:0] REG_CYCLE = 22'h000100;
  /// ro: cycles since the first schedulable one, low word first.
  localparam logic [21:0] REG_RUN_CYCLES = 22'h000108;
  /// ro: events scheduled, low word first.
  localparam logic [21:0] REG_SCHEDULED = 22'h000110;
  /// ro: events whose first beat was taken, low word first.
  localparam logic [21:0] REG_ACCEPTED = 22'h000118;
  /// ro: events whose last output beat left, low word first.
  localparam logic [21:0] REG_COMPLETED = 22'h000120;
  /// ro: events that found the derandomiser full, low word first.
  localparam logic [21:0] REG_DROPPED = 22'h000128;
  /// ro: events with total above DEADLINE, low word first.
  localparam logic [21:0] REG_DEADLINE_MISSES = 22'h000130;
  /// ro: cycles with an event offered and refused, low word first.
  localparam logic [21:0] REG_STALL_CYCLES = 22'h000138;
  /// ro: sum over cycles of events in the system, low word first.
  localparam logic [21:0] REG_OCCUPANCY_SUM = 22'h000140;
  /// ro: output beats unlike the golden memory, low word first.
  localparam logic [21:0] REG_MISMATCHES = 22'h000148;
  /// ro: output beats, low word first.
  localparam logic [21:0] REG_OUTPUT_BEATS = 22'h000150;
  /// ro: event of the first mismatch.
  localparam logic [21:0] REG_FIRST_MISMATCH = 22'h000158;
  /// ro: most events that waited in one cycle.
  localparam logic [21:0] REG_MAX_DEPTH = 22'h00015c;
  /// ro: CRC-32 (IEEE 802.3) of all output beats.
  localparam logic [21:0] REG_CRC = 22'h000160;
  /// ro: entries in the trace memory.
  localparam logic [21:0] REG_TRACED = 22'h000164;
  /// ro: rows in the spy memory.
  localparam logic [21:0] REG_SPIED = 22'h000168;
  /// ro: events in the wait histogram, low word first.
  localparam logic [21:0] REG_WAIT_COUNT = 22'h00016c;
  /// ro: sum of wait in cycles, low word first.
  localparam logic [21:0] REG_WAIT_SUM = 22'h000174;
  /// ro: least wait in cycles.
  localparam logic [21:0] REG_WAIT_MIN = 22'h00017c;
  /// ro: largest wait in cycles.
  localparam logic [21:0] REG_WAIT_MAX = 22'h000180;
  /// ro: waits beyond the last bin, low word first.
  localparam logic [21:0] REG_WAIT_OVERFLOW = 22'h000184;
  /// ro: events in the service histogram, low word first.
  localparam logic [21:0] REG_SERVICE_COUNT = 22'h00018c;
  /// ro: sum of service in cycles, low word first.
  localparam logic [21:0] REG_SERVICE_SUM = 22'h000194;
  /// ro: least service in cycles.
  localparam logic [21:0] REG_SERVICE_MIN = 22'h00019c;
  /// ro: largest service in cycles.
  localparam logic [21:0] REG_SERVICE_MAX = 22'h0001a0;
  /// ro: services beyond the last bin, low word first.
  localparam logic [21:0] REG_SERVICE_OVERFLOW = 22'h0001a4;
  /// ro: events in the total histogram, low word first.
  localparam logic [21:0] REG_TOTAL_COUNT = 22'h0001ac;
  /// ro: sum of total in cycles, low word first.
  localparam logic [21:0] REG_TOTAL_SUM = 22'h0001b4;
  /// ro: least total in cycles.
  localparam logic [21:0] REG_TOTAL_MIN = 22'h0001bc;
  /// ro: largest total in cycles.
  localparam logic [21:0] REG_TOTAL_MAX = 22'h0001c0;
  /// ro: totals beyond the last bin, low word first.
  localparam logic [21:0] REG_TOTAL_OVERFLOW = 22'h0001c4;

  /// Byte offsets of the memory windows.
  /// rw, 0x10000 bytes: the accelerator's own registers.
  localparam logic [21:0] WIN_ACCELERATOR = 22'h010000;
  /// rw, 0x10000 bytes: 16-bit gap in ticks in each word.
  localparam logic [21:0] WIN_GAP_TABLE = 22'h020000;
  /// ro, 0x10000 bytes: 32-bit count in each word.
  localparam logic [21:0] WIN_WAIT_BINS = 22'h040000;
  /// ro, 0x10000 bytes: 32-bit count in each word.
  localparam logic [21:0] WIN_SERVICE_BINS = 22'h050000;
  /// ro, 0x10000 bytes: 32-bit count in each word.
  localparam logic [21:0] WIN_TOTAL_BINS = 22'h060000;
  /// ro, 0x40000 bytes: one output beat in each row.
  localparam logic [21:0] WIN_SPY = 22'h080000;
  /// ro, 0x80000 bytes: event, scheduled, accepted, done: 4 words a row.
  localparam logic [21:0] WIN_TRACE = 22'h100000;
  /// rw, 0x80000 bytes: one expected output beat in each row.
  localparam logic [21:0] WIN_GOLDEN = 22'h180000;
  /// rw, 0x200000 bytes: one input beat in each row.
  localparam logic [21:0] WIN_EVENT = 22'h200000;

endpackage

`default_nettype wire
