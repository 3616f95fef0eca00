`default_nettype none

/// The register file of stream_bench: decodes an access into a register or a memory window.
///
/// Reads have no side effects. Counters are read from the last snapshot. What is not mapped answers with
/// an error and UNMAPPED_WORD. Offsets are those of overlay_pkg, generated from the overlay's manifest.
module bench_regs
  import overlay_pkg::*;
  import bench_pkg::*;
#(
  parameter int unsigned AddrWidth = 22
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  // From the AXI4-Lite slave.
  input  logic                 req_valid_i,
  input  logic                 req_write_i,
  input  logic [AddrWidth-1:0] req_addr_i,
  input  logic [31:0]          req_wdata_i,
  output logic                 rsp_valid_o,
  output logic                 rsp_error_o,
  output logic [31:0]          rsp_rdata_o,
  /// Settings.
  output config_t              config_o,
  /// Commands, high for one cycle.
  output logic                 start_o,
  output logic                 abort_o,
  output logic                 clear_o,
  output logic                 load_o,
  output logic                 dump_o,
  input  logic                 running_i,
  input  logic                 done_i,
  input  logic                 clearing_i,
  input  logic                 moving_i,
  /// Sticky faults, as in STATUS from bit 8.
  input  logic [2:0]           faults_i,
  /// A block was not moved as asked, high for one cycle.
  input  logic                 block_fault_i,
  input  counters_t            counters_i,
  /// The window addressed, with the word within it; a read's data comes one cycle after the grant.
  output window_e              win_o,
  output logic                 win_write_o,
  output logic [18:0]          win_word_o,
  output logic [31:0]          win_wdata_o,
  input  logic                 win_gnt_i,
  input  logic                 win_error_i,
  input  logic [31:0]          win_rdata_i
);

  config_t     config_q;
  counters_t   snap_q;
  logic [31:0] scratch_q, rdata;
  logic [21:0] offset;
  window_e     window;
  logic        known, read_only, act, write, bad_command_q, block_fault_q, granted_q, control;
  logic        refused, unmovable, move;

  assign config_o = config_q;
  assign offset   = {req_addr_i[21:2], 2'b00};

  always_comb begin
    window = WINDOW_NONE;
    if (req_valid_i) begin
      if (offset >= WIN_EVENT) window = WINDOW_EVENT;
      else if (offset >= WIN_GOLDEN) window = WINDOW_GOLDEN;
      else if (offset >= WIN_TRACE) window = WINDOW_TRACE;
      else if (offset >= WIN_SPY + 22'h4_0000) window = WINDOW_NONE;
      else if (offset >= WIN_SPY) window = WINDOW_SPY;
      else if (offset >= WIN_TOTAL_BINS + 22'h1_0000) window = WINDOW_NONE;
      else if (offset >= WIN_TOTAL_BINS) window = WINDOW_TOTAL;
      else if (offset >= WIN_SERVICE_BINS) window = WINDOW_SERVICE;
      else if (offset >= WIN_WAIT_BINS) window = WINDOW_WAIT;
      else if (offset >= WIN_GAP_TABLE + 22'h1_0000) window = WINDOW_NONE;
      else if (offset >= WIN_GAP_TABLE) window = WINDOW_GAP;
      else if (offset >= WIN_ACCELERATOR) window = WINDOW_ACCELERATOR;
    end
  end

  // Window bases are aligned to their spans, so the low bits are the place within the window.
  always_comb begin
    unique case (window)
      WINDOW_EVENT:                win_word_o = offset[20:2];
      WINDOW_TRACE, WINDOW_GOLDEN: win_word_o = 19'(offset[18:2]);
      WINDOW_SPY:                  win_word_o = 19'(offset[17:2]);
      default:                     win_word_o = 19'(offset[15:2]);
    endcase
  end
  assign win_o       = granted_q ? WINDOW_NONE : window;
  assign win_write_o = req_write_i;
  assign win_wdata_o = req_wdata_i;

  always_comb begin
    known     = 1'b1;
    read_only = 1'b1;
    rdata     = UNMAPPED_WORD;
    if (req_valid_i && window == WINDOW_NONE) begin
      unique case (offset)
        REG_MAGIC:          rdata = MAGIC;
        REG_ABI:            rdata = ABI;
        REG_DIGEST_0:       rdata = OVERLAY_DIGEST[31:0];
        REG_DIGEST_1:       rdata = OVERLAY_DIGEST[63:32];
        REG_DIGEST_2:       rdata = OVERLAY_DIGEST[95:64];
        REG_DIGEST_3:       rdata = OVERLAY_DIGEST[127:96];
        REG_CLOCK_HZ:       rdata = CLOCK_HZ;
        REG_IN_BYTES:       rdata = IN_WIDTH / 8;
        REG_OUT_BYTES:      rdata = OUT_WIDTH / 8;
        REG_EVENT_ROWS:     rdata = EVENT_ROWS;
        REG_GOLDEN_ROWS:    rdata = GOLDEN_ROWS;
        REG_QUEUE_ENTRIES:  rdata = QUEUE_DEPTH - 1;
        REG_HISTOGRAM_BINS: rdata = HISTOGRAM_BINS;
        REG_TRACE_ENTRIES:  rdata = TRACE_DEPTH;
        REG_SPY_ROWS:       rdata = SPY_DEPTH;
        REG_GAP_ENTRIES:    rdata = GAP_ENTRIES;
        REG_STATUS: rdata = {19'b0, block_fault_q, bad_command_q, faults_i, 4'b0, moving_i, clearing_i,
                             done_i, running_i};
        REG_CYCLE:               rdata = 32'(snap_q.cycle);
        REG_CYCLE + 4:           rdata = 32'(snap_q.cycle >> 32);
        REG_RUN_CYCLES:          rdata = 32'(snap_q.run_cycles);
        REG_RUN_CYCLES + 4:      rdata = 32'(snap_q.run_cycles >> 32);
        REG_SCHEDULED:           rdata = 32'(snap_q.scheduled);
        REG_SCHEDULED + 4:       rdata = 32'(snap_q.scheduled >> 32);
        REG_ACCEPTED:            rdata = 32'(snap_q.accepted);
        REG_ACCEPTED + 4:        rdata = 32'(snap_q.accepted >> 32);
        REG_COMPLETED:           rdata = 32'(snap_q.completed);
        REG_COMPLETED + 4:       rdata = 32'(snap_q.completed >> 32);
        REG_DROPPED:             rdata = 32'(snap_q.dropped);
        REG_DROPPED + 4:         rdata = 32'(snap_q.dropped >> 32);
        REG_DEADLINE_MISSES:     rdata = 32'(snap_q.misses);
        REG_DEADLINE_MISSES + 4: rdata = 32'(snap_q.misses >> 32);
        REG_STALL_CYCLES:        rdata = 32'(snap_q.stalls);
        REG_STALL_CYCLES + 4:    rdata = 32'(snap_q.stalls >> 32);
        REG_OCCUPANCY_SUM:       rdata = 32'(snap_q.occupancy_sum);
        REG_OCCUPANCY_SUM + 4:   rdata = 32'(snap_q.occupancy_sum >> 32);
        REG_MISMATCHES:          rdata = 32'(snap_q.mismatches);
        REG_MISMATCHES + 4:      rdata = 32'(snap_q.mismatches >> 32);
        REG_OUTPUT_BEATS:        rdata = 32'(snap_q.output_beats);
        REG_OUTPUT_BEATS + 4:    rdata = 32'(snap_q.output_beats >> 32);
        REG_FIRST_MISMATCH:      rdata = snap_q.first_mismatch;
        REG_MAX_DEPTH:           rdata = snap_q.max_depth;
        REG_CRC:                 rdata = snap_q.crc;
        REG_TRACED:              rdata = snap_q.traced;
        REG_SPIED:               rdata = snap_q.spied;
        REG_WAIT_COUNT:           rdata = 32'(snap_q.waited.count);
        REG_WAIT_COUNT + 4:       rdata = 32'(snap_q.waited.count >> 32);
        REG_WAIT_SUM:             rdata = 32'(snap_q.waited.sum);
        REG_WAIT_SUM + 4:         rdata = 32'(snap_q.waited.sum >> 32);
        REG_WAIT_MIN:             rdata = snap_q.waited.least;
        REG_WAIT_MAX:             rdata = snap_q.waited.most;
        REG_WAIT_OVERFLOW:        rdata = 32'(snap_q.waited.overflow);
        REG_WAIT_OVERFLOW + 4:    rdata = 32'(snap_q.waited.overflow >> 32);
        REG_SERVICE_COUNT:        rdata = 32'(snap_q.service.count);
        REG_SERVICE_COUNT + 4:    rdata = 32'(snap_q.service.count >> 32);
        REG_SERVICE_SUM:          rdata = 32'(snap_q.service.sum);
        REG_SERVICE_SUM + 4:      rdata = 32'(snap_q.service.sum >> 32);
        REG_SERVICE_MIN:          rdata = snap_q.service.least;
        REG_SERVICE_MAX:          rdata = snap_q.service.most;
        REG_SERVICE_OVERFLOW:     rdata = 32'(snap_q.service.overflow);
        REG_SERVICE_OVERFLOW + 4: rdata = 32'(snap_q.service.overflow >> 32);
        REG_TOTAL_COUNT:          rdata = 32'(snap_q.total.count);
        REG_TOTAL_COUNT + 4:      rdata = 32'(snap_q.total.count >> 32);
        REG_TOTAL_SUM:            rdata = 32'(snap_q.total.sum);
        REG_TOTAL_SUM + 4:        rdata = 32'(snap_q.total.sum >> 32);
        REG_TOTAL_MIN:            rdata = snap_q.total.least;
        REG_TOTAL_MAX:            rdata = snap_q.total.most;
        REG_TOTAL_OVERFLOW:       rdata = 32'(snap_q.total.overflow);
        REG_TOTAL_OVERFLOW + 4:   rdata = 32'(snap_q.total.overflow >> 32);
        default: begin
          read_only = 1'b0;
          unique case (offset)
            REG_SCRATCH:           rdata = scratch_q;
            REG_CONTROL:           rdata = '0;
            REG_CONFIG: rdata = {28'b0, config_q.check_output, config_q.gap_table, config_q.bernoulli,
                                 config_q.path_dma};
            REG_EVENTS:            rdata = config_q.events;
            REG_DISTINCT:          rdata = config_q.distinct;
            REG_IN_BEATS:          rdata = config_q.in_beats;
            REG_OUT_BEATS:         rdata = config_q.out_beats;
            REG_DERANDOMISER:      rdata = config_q.derandomiser;
            REG_INTERVAL_FRACTION: rdata = 32'(config_q.interval);
            REG_INTERVAL_CYCLES:   rdata = 32'(config_q.interval >> 32);
            REG_BERNOULLI:         rdata = config_q.threshold;
            REG_SEED:              rdata = 32'(config_q.seed);
            REG_SEED + 4:          rdata = 32'(config_q.seed >> 32);
            REG_GAPS:              rdata = config_q.gaps;
            REG_DEADLINE:          rdata = config_q.deadline;
            REG_TRACE_START:       rdata = config_q.trace_start;
            REG_CYCLE_INIT:        rdata = config_q.cycle_init;
            REG_BLOCK_ADDRESS:     rdata = config_q.block_address;
            REG_BLOCK_WORDS:       rdata = config_q.block_words;
            default:               known = 1'b0;
          endcase
        end
      endcase
    end
  end

  // A register answers at once; a window when it grants, and for a read one cycle later.
  always_comb begin
    rsp_valid_o = req_valid_i;
    rsp_error_o = !known || (req_write_i && read_only);
    rsp_rdata_o = rdata;
    if (window != WINDOW_NONE) begin
      rsp_valid_o = win_error_i || (req_write_i ? win_gnt_i : granted_q);
      rsp_error_o = win_error_i;
      rsp_rdata_o = win_error_i ? UNMAPPED_WORD : win_rdata_i;
    end
  end
  assign act     = req_valid_i && window == WINDOW_NONE && req_write_i;
  assign write   = act && known && !read_only;
  assign control = write && offset == REG_CONTROL;

  // A command that cannot be obeyed now is refused and remembered; so is a start together with a
  // clear, which would count into bins that are still to be zeroed.
  assign refused = running_i || clearing_i || moving_i || (req_wdata_i[0] && req_wdata_i[2]);
  assign start_o = control && req_wdata_i[0] && !refused;
  assign abort_o = control && req_wdata_i[1];
  assign clear_o = control && req_wdata_i[2] && !refused;

  // A block moves on its own: one way, and while its streams are not the accelerator's.
  assign move      = |req_wdata_i[5:4];
  assign unmovable = refused || config_q.path_dma || config_q.block_words == '0
                     || config_q.block_words > 32'(1 << (AddrWidth - 2))
                     || config_q.block_address >= 32'(1 << AddrWidth)
                     || config_q.block_address[1:0] != '0 || &req_wdata_i[5:4] || req_wdata_i[0] || req_wdata_i[2];
  assign load_o    = control && req_wdata_i[4] && !unmovable;
  assign dump_o    = control && req_wdata_i[5] && !unmovable;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      granted_q     <= 1'b0;
      bad_command_q <= 1'b0;
      block_fault_q <= 1'b0;
      scratch_q     <= '0;
      snap_q        <= '{default: '0};
      config_q <= '{
        distinct: 1, in_beats: 1, out_beats: 1, derandomiser: 1, interval: 64'h1_0000_0000, seed: 1,
        gaps: 1, deadline: '1, default: '0
      };
    end else begin
      granted_q <= !granted_q && window != WINDOW_NONE && !req_write_i && win_gnt_i;
      if (control && req_wdata_i[3]) snap_q <= counters_i;
      if (clear_o) bad_command_q <= 1'b0;
      else if (control && (req_wdata_i[0] || req_wdata_i[2]) && refused) bad_command_q <= 1'b1;
      else if (control && move && unmovable) bad_command_q <= 1'b1;
      if (clear_o) block_fault_q <= 1'b0;
      else if (block_fault_i) block_fault_q <= 1'b1;
      if (write) begin
        unique case (offset)
          REG_SCRATCH:           scratch_q <= req_wdata_i;
          REG_CONFIG: {config_q.check_output, config_q.gap_table, config_q.bernoulli,
                       config_q.path_dma} <= req_wdata_i[3:0];
          REG_EVENTS:            config_q.events <= req_wdata_i;
          REG_DISTINCT:          config_q.distinct <= req_wdata_i;
          REG_IN_BEATS:          config_q.in_beats <= req_wdata_i;
          REG_OUT_BEATS:         config_q.out_beats <= req_wdata_i;
          REG_DERANDOMISER:      config_q.derandomiser <= req_wdata_i;
          REG_INTERVAL_FRACTION: config_q.interval[31:0] <= req_wdata_i;
          REG_INTERVAL_CYCLES:   config_q.interval[63:32] <= req_wdata_i;
          REG_BERNOULLI:         config_q.threshold <= req_wdata_i;
          REG_SEED:              config_q.seed[31:0] <= req_wdata_i;
          REG_SEED + 4:          config_q.seed[63:32] <= req_wdata_i;
          REG_GAPS:              config_q.gaps <= req_wdata_i;
          REG_DEADLINE:          config_q.deadline <= req_wdata_i;
          REG_TRACE_START:       config_q.trace_start <= req_wdata_i;
          REG_CYCLE_INIT:        config_q.cycle_init <= req_wdata_i;
          REG_BLOCK_ADDRESS:     config_q.block_address <= req_wdata_i;
          REG_BLOCK_WORDS:       config_q.block_words <= req_wdata_i;
          default: ;
        endcase
      end
    end
  end

endmodule

`default_nettype wire
