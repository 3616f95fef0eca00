`default_nettype none

/// Measures one accelerator in the fabric: plays events open loop, stamps each one, checks outputs.
///
/// Composition only; each block has its own file. The accelerator stands between the acc_in and acc_out
/// streams, and is held in reset by `acc_rst_no` for 16 cycles after an abort.
module stream_bench
  import bench_pkg::*;
#(
  /// Bits of an input and an output beat, multiples of 32.
  parameter int unsigned InWidth       = 32,
  parameter int unsigned OutWidth      = 32,
  /// Sizes of the memories, powers of two.
  parameter int unsigned EventRows     = 4096,
  parameter int unsigned GoldenRows    = 4096,
  parameter int unsigned QueueDepth    = 512,
  parameter int unsigned HistogramBins = 4096,
  parameter int unsigned TraceDepth    = 4096,
  parameter int unsigned SpyDepth      = 256,
  parameter int unsigned GapEntries    = 4096,
  parameter int unsigned InFlight      = 256
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic [21:0]         s_axi_awaddr_i,
  input  logic                s_axi_awvalid_i,
  output logic                s_axi_awready_o,
  input  logic [31:0]         s_axi_wdata_i,
  input  logic [3:0]          s_axi_wstrb_i,
  input  logic                s_axi_wvalid_i,
  output logic                s_axi_wready_o,
  output logic [1:0]          s_axi_bresp_o,
  output logic                s_axi_bvalid_o,
  input  logic                s_axi_bready_i,
  input  logic [21:0]         s_axi_araddr_i,
  input  logic                s_axi_arvalid_i,
  output logic                s_axi_arready_o,
  output logic [31:0]         s_axi_rdata_o,
  output logic [1:0]          s_axi_rresp_o,
  output logic                s_axi_rvalid_o,
  input  logic                s_axi_rready_i,
  // From and to the DMA.
  input  logic                dma_in_valid_i,
  output logic                dma_in_ready_o,
  input  logic [InWidth-1:0]  dma_in_data_i,
  input  logic                dma_in_last_i,
  output logic                dma_out_valid_o,
  input  logic                dma_out_ready_i,
  output logic [OutWidth-1:0] dma_out_data_o,
  output logic                dma_out_last_o,
  // To and from the accelerator.
  output logic                acc_rst_no,
  output logic                acc_in_valid_o,
  input  logic                acc_in_ready_i,
  output logic [InWidth-1:0]  acc_in_data_o,
  output logic                acc_in_last_o,
  input  logic                acc_out_valid_i,
  output logic                acc_out_ready_o,
  input  logic [OutWidth-1:0] acc_out_data_i,
  input  logic                acc_out_last_i,
  // The accelerator's own registers.
  output logic                cfg_we_o,
  output logic [13:0]         cfg_addr_o,
  output logic [31:0]         cfg_wdata_o,
  input  logic [31:0]         cfg_rdata_i
);

  localparam int unsigned InWords     = InWidth / 32;
  localparam int unsigned OutWords    = OutWidth / 32;
  localparam int unsigned InWordBits  = $clog2(InWords);
  localparam int unsigned OutWordBits = $clog2(OutWords);
  localparam int unsigned RowAddr     = $clog2(EventRows);
  localparam int unsigned GoldenAddr  = $clog2(GoldenRows);
  localparam int unsigned QueueAddr   = $clog2(QueueDepth);
  localparam int unsigned BinAddr     = $clog2(HistogramBins);
  localparam int unsigned TraceAddr   = $clog2(TraceDepth);
  localparam int unsigned SpyAddr     = $clog2(SpyDepth);
  localparam int unsigned GapAddr     = $clog2(GapEntries);

  if (InWidth % 32 != 0 || OutWidth % 32 != 0) begin : g_bad_width
    $error("stream_bench: widths must be multiples of 32");
  end
  if (2 ** QueueAddr != QueueDepth || 2 ** $clog2(InFlight) != InFlight) begin : g_bad_depth
    $error("stream_bench: QueueDepth and InFlight must be powers of two");
  end

  // ------------------------------------------------------------------ registers and windows
  logic        req_valid, req_write, rsp_valid, rsp_error;
  logic [21:0] req_addr;
  logic [31:0] req_wdata, rsp_rdata;
  logic        host_valid, host_write, block_valid, block_write;
  logic [21:0] host_addr, block_addr;
  logic [31:0] host_wdata, block_wdata;
  logic        load, dump, moving, block_fault, block_turn, block_turn_q, unanswered_q;
  config_t     conf;
  counters_t   counters;
  logic        start, abort, clear, running_q, done_q, clearing;
  window_e     win;
  logic        win_write, win_gnt, win_error;
  logic [18:0] win_word;
  logic [19:0] win_row_limit;
  logic [31:0] win_wdata, win_rdata;
  logic [2:0]  faults;

  bench_axil #(.AddrWidth(22)) u_axil (
    .clk_i, .rst_ni,
    .s_axi_awaddr_i, .s_axi_awvalid_i, .s_axi_awready_o,
    .s_axi_wdata_i, .s_axi_wstrb_i, .s_axi_wvalid_i, .s_axi_wready_o,
    .s_axi_bresp_o, .s_axi_bvalid_o, .s_axi_bready_i,
    .s_axi_araddr_i, .s_axi_arvalid_i, .s_axi_arready_o,
    .s_axi_rdata_o, .s_axi_rresp_o, .s_axi_rvalid_o, .s_axi_rready_i,
    .req_valid_o(host_valid), .req_write_o(host_write), .req_addr_o(host_addr),
    .req_wdata_o(host_wdata),
    .rsp_valid_i(rsp_valid && !block_turn), .rsp_error_i(rsp_error), .rsp_rdata_i(rsp_rdata)
  );

  // The host goes first; whoever has asked is answered before the turn changes.
  assign block_turn = unanswered_q ? block_turn_q : !host_valid;
  assign req_valid  = block_turn ? block_valid : host_valid;
  assign req_write  = block_turn ? block_write : host_write;
  assign req_addr   = block_turn ? block_addr : host_addr;
  assign req_wdata  = block_turn ? block_wdata : host_wdata;

  always_ff @(posedge clk_i) begin
    unanswered_q <= rst_ni && req_valid && !rsp_valid;
    block_turn_q <= block_turn;
  end

  bench_regs #(.AddrWidth(22)) u_regs (
    .clk_i, .rst_ni,
    .req_valid_i(req_valid), .req_write_i(req_write), .req_addr_i(req_addr),
    .req_wdata_i(req_wdata),
    .rsp_valid_o(rsp_valid), .rsp_error_o(rsp_error), .rsp_rdata_o(rsp_rdata),
    .config_o(conf), .start_o(start), .abort_o(abort), .clear_o(clear), .load_o(load), .dump_o(dump),
    .running_i(running_q), .done_i(done_q), .clearing_i(clearing), .moving_i(moving),
    .faults_i(faults), .block_fault_i(block_fault), .counters_i(counters),
    .win_o(win), .win_write_o(win_write), .win_word_o(win_word), .win_wdata_o(win_wdata),
    .win_gnt_i(win_gnt), .win_error_i(win_error), .win_rdata_i(win_rdata)
  );

  // ------------------------------------------------------------------ run control and time
  logic        schedule_active, exhausted, player_empty, acc_rst_n, finished, stop;
  logic [31:0] stamp_q, occupancy;
  logic [63:0] cycle_q;
  logic [3:0]  acc_reset_q;
  logic        timing_q;

  // Everything is done when no event is due any more, none waits and none is in flight.
  assign finished   = running_q && schedule_active && exhausted && player_empty && occupancy == '0;
  assign stop       = abort || finished;
  assign acc_rst_n  = acc_reset_q == '0;
  assign acc_rst_no = acc_rst_n;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      cycle_q     <= '0;
      stamp_q     <= '0;
      running_q   <= 1'b0;
      done_q      <= 1'b0;
      timing_q    <= 1'b0;
      acc_reset_q <= '1;
    end else begin
      cycle_q <= cycle_q + 1'b1;
      // The first active cycle of the schedule announces the cycle stamped `cycle_init`.
      if (start || (running_q && !schedule_active)) stamp_q <= conf.cycle_init - 1'b1;
      else stamp_q <= stamp_q + 1'b1;
      if (abort) begin
        running_q <= 1'b0;
        done_q    <= 1'b0;
      end else if (start) begin
        running_q <= 1'b1;
        done_q    <= 1'b0;
      end else if (finished) begin
        running_q <= 1'b0;
        done_q    <= 1'b1;
      end
      timing_q <= running_q && schedule_active && !stop;
      if (abort) acc_reset_q <= '1;
      else if (!acc_rst_n) acc_reset_q <= acc_reset_q - 1'b1;
    end
  end

  // ------------------------------------------------------------------ schedule and player
  logic                   fire, player_valid, player_ready, player_last, player_arrive, player_drop;
  logic                   player_accept, player_age;
  logic [31:0]            number, player_due, player_number;
  logic [GapAddr-1:0]     gap_raddr;
  logic [31:0]            gap_rdata;
  logic [RowAddr-1:0]     row_raddr;
  logic [InWords-1:0][31:0] row_rdata;
  logic [InWidth-1:0]     player_data;
  logic [GoldenAddr-1:0]  player_golden;
  logic [QueueAddr:0]     waiting;

  event_schedule #(.GapEntries(GapEntries)) u_schedule (
    .clk_i, .rst_ni, .start_i(start), .stop_i(stop),
    .interval_i(conf.interval), .bernoulli_i(conf.bernoulli), .threshold_i(conf.threshold),
    .seed_i(conf.seed), .use_gaps_i(conf.gap_table), .gaps_i(conf.gaps), .events_i(conf.events),
    .gap_raddr_o(gap_raddr), .gap_rdata_i(gap_rdata[15:0]),
    .active_o(schedule_active), .fire_o(fire), .number_o(number), .exhausted_o(exhausted)
  );

  event_player #(
    .InWidth(InWidth), .EventRows(EventRows), .GoldenRows(GoldenRows), .QueueDepth(QueueDepth)
  ) u_player (
    .clk_i, .rst_ni, .start_i(start), .stop_i(stop), .stamp_i(stamp_q),
    .limit_i(conf.derandomiser), .distinct_i(conf.distinct), .in_beats_i(conf.in_beats),
    .out_beats_i(conf.out_beats), .fire_i(fire), .number_i(number),
    .row_raddr_o(row_raddr), .row_rdata_i(row_rdata),
    .valid_o(player_valid), .ready_i(player_ready), .data_o(player_data), .last_o(player_last),
    .arrive_o(player_arrive), .drop_o(player_drop), .accept_o(player_accept),
    .accept_due_o(player_due), .accept_number_o(player_number), .accept_golden_o(player_golden),
    .waiting_o(waiting), .empty_o(player_empty), .age_alarm_o(player_age)
  );

  // ------------------------------------------------------------------ path
  logic        dma_arrive, dma_accept, out_beat, in_stall;
  logic        path_in_ready, path_out_valid, path_out_last;
  logic        block_in_ready, block_out_valid, block_out_last;
  logic [31:0] dma_due, dma_number;
  logic [OutWidth-1:0] path_out_data, block_out_data;

  path_select #(.InWidth(InWidth), .OutWidth(OutWidth)) u_path (
    .clk_i, .rst_ni(rst_ni && acc_rst_n), .dma_i(conf.path_dma), .hold_i(clearing), .stamp_i(stamp_q),
    .player_valid_i(player_valid && acc_rst_n), .player_ready_o(player_ready),
    .player_data_i(player_data), .player_last_i(player_last),
    .dma_in_valid_i(dma_in_valid_i && acc_rst_n && !moving), .dma_in_ready_o(path_in_ready),
    .dma_in_data_i, .dma_in_last_i,
    .dma_out_valid_o(path_out_valid), .dma_out_ready_i, .dma_out_data_o(path_out_data),
    .dma_out_last_o(path_out_last),
    .acc_in_valid_o, .acc_in_ready_i(acc_in_ready_i && acc_rst_n), .acc_in_data_o, .acc_in_last_o,
    .acc_out_valid_i(acc_out_valid_i && acc_rst_n), .acc_out_ready_o, .acc_out_data_i,
    .acc_out_last_i,
    .dma_arrive_o(dma_arrive), .dma_accept_o(dma_accept), .dma_due_o(dma_due),
    .dma_number_o(dma_number)
  );

  block_mover #(
    .InWidth(InWidth), .OutWidth(OutWidth), .LeastWrite(32'(overlay_pkg::WIN_ACCELERATOR))
  ) u_mover (
    .clk_i, .rst_ni, .load_i(load), .dump_i(dump), .stop_i(abort),
    .address_i(conf.block_address[21:0]), .words_i(conf.block_words[20:0]),
    .moving_o(moving), .fault_o(block_fault),
    .req_valid_o(block_valid), .req_write_o(block_write), .req_addr_o(block_addr),
    .req_wdata_o(block_wdata),
    .rsp_valid_i(rsp_valid && block_turn), .rsp_error_i(rsp_error), .rsp_rdata_i(rsp_rdata),
    .in_valid_i(dma_in_valid_i), .in_ready_o(block_in_ready), .in_data_i(dma_in_data_i),
    .in_last_i(dma_in_last_i),
    .out_valid_o(block_out_valid), .out_ready_i(dma_out_ready_i), .out_data_o(block_out_data),
    .out_last_o(block_out_last)
  );

  assign dma_in_ready_o  = moving ? block_in_ready : path_in_ready;
  assign dma_out_valid_o = moving ? block_out_valid : path_out_valid;
  assign dma_out_data_o  = moving ? block_out_data : path_out_data;
  assign dma_out_last_o  = moving ? block_out_last : path_out_last;

  assign out_beat = acc_out_valid_i && acc_rst_n && acc_out_ready_o;
  assign in_stall = acc_in_valid_o && !acc_in_ready_i;

  // ------------------------------------------------------------------ monitor
  logic                  head_valid, record, stamp_overflow, unexpected, age_alarm;
  logic [31:0]           head_number, record_number, record_due, record_accepted, record_done;
  logic [GoldenAddr-1:0] head_golden;
  logic [2:0]            hist_gnt, hist_clearing;
  logic [2:0][31:0]      hist_value, hist_rdata;
  latency_t              hist [3];

  latency_monitor #(
    .InFlight(InFlight), .GoldenRows(GoldenRows), .DepthWidth(QueueAddr + 1)
  ) u_monitor (
    .clk_i, .rst_ni, .clear_i(clear), .flush_i(start || abort || clear),
    .running_i(timing_q), .stamp_i(stamp_q), .deadline_i(conf.deadline),
    .fire_i(fire || dma_arrive), .arrive_i(conf.path_dma ? dma_arrive : player_arrive),
    .drop_i(player_drop), .stall_i(in_stall), .waiting_i(waiting),
    .accept_i(conf.path_dma ? dma_accept : player_accept),
    .accept_due_i(conf.path_dma ? dma_due : player_due),
    .accept_number_i(conf.path_dma ? dma_number : player_number),
    .accept_golden_i(player_golden),
    .beat_i(out_beat), .beat_last_i(acc_out_last_i), .age_alarm_i(player_age),
    .head_valid_o(head_valid), .head_number_o(head_number), .head_golden_o(head_golden),
    .occupancy_o(occupancy),
    .record_o(record), .record_number_o(record_number), .record_due_o(record_due),
    .record_accepted_o(record_accepted), .record_done_o(record_done),
    .run_cycles_o(counters.run_cycles), .scheduled_o(counters.scheduled),
    .accepted_o(counters.accepted), .completed_o(counters.completed),
    .dropped_o(counters.dropped), .misses_o(counters.misses), .stalls_o(counters.stalls),
    .occupancy_sum_o(counters.occupancy_sum), .max_depth_o(counters.max_depth),
    .stamp_overflow_o(stamp_overflow), .unexpected_o(unexpected), .age_alarm_o(age_alarm)
  );

  assign faults = {age_alarm, unexpected, stamp_overflow};
  assign hist_value[0] = record_accepted - record_due;
  assign hist_value[1] = record_done - record_accepted;
  assign hist_value[2] = record_done - record_due;
  // Neither a start nor a clear is obeyed while bins are being zeroed or the accelerator is in reset.
  assign clearing = |hist_clearing || !acc_rst_n;

  for (genvar h = 0; h < 3; h++) begin : g_histogram
    latency_histogram #(.Bins(HistogramBins)) u_histogram (
      .clk_i, .rst_ni, .valid_i(record), .value_i(hist_value[h]),
      .clear_i(clear), .clearing_o(hist_clearing[h]),
      .count_o(hist[h].count), .sum_o(hist[h].sum), .min_o(hist[h].least), .max_o(hist[h].most),
      .overflow_o(hist[h].overflow),
      .host_req_i(win == window_e'(WINDOW_WAIT + 4'(h)) && !win_write && !win_error),
      .host_addr_i(win_word[BinAddr-1:0]), .host_gnt_o(hist_gnt[h]), .host_rdata_o(hist_rdata[h])
    );
  end
  assign counters.waited  = hist[0];
  assign counters.service = hist[1];
  assign counters.total   = hist[2];
  assign counters.cycle   = cycle_q;

  // ------------------------------------------------------------------ trace and output check
  logic [3:0][31:0]          trace_rdata;
  logic                      golden_gnt;
  logic [OutWords-1:0]       golden_we;
  logic [OutWords-1:0][31:0] golden_rdata, spy_rdata;

  trace_memory #(.Entries(TraceDepth)) u_trace (
    .clk_i, .rst_ni, .clear_i(clear), .start_i(conf.trace_start),
    .record_i(record), .number_i(record_number), .due_i(record_due),
    .accepted_i(record_accepted), .done_i(record_done), .traced_o(counters.traced),
    .host_req_i(win == WINDOW_TRACE), .host_addr_i(TraceAddr'(win_word >> 2)),
    .host_rdata_o(trace_rdata)
  );

  output_checker #(.OutWidth(OutWidth), .GoldenRows(GoldenRows), .SpyRows(SpyDepth)) u_checker (
    .clk_i, .rst_ni, .clear_i(clear), .check_i(conf.check_output),
    .beat_i(out_beat), .data_i(acc_out_data_i), .last_i(acc_out_last_i),
    .event_valid_i(head_valid && !conf.path_dma), .event_number_i(head_number),
    .event_golden_i(head_golden),
    .crc_o(counters.crc), .beats_o(counters.output_beats), .mismatches_o(counters.mismatches),
    .first_mismatch_o(counters.first_mismatch), .spied_o(counters.spied),
    .golden_req_i(win == WINDOW_GOLDEN && !win_error), .golden_we_i(golden_we),
    .golden_addr_i(GoldenAddr'(win_word >> OutWordBits)), .golden_wdata_i(win_wdata),
    .golden_gnt_o(golden_gnt), .golden_rdata_o(golden_rdata),
    .spy_req_i(win == WINDOW_SPY), .spy_addr_i(SpyAddr'(win_word >> OutWordBits)),
    .spy_rdata_o(spy_rdata)
  );

  // ------------------------------------------------------------------ memories of the player
  logic [InWords-1:0] event_we;
  logic               event_host;

  // While a run lasts the player owns the read port of the event memory and of the gap table.
  assign event_host = win == WINDOW_EVENT && !win_write && !running_q;

  ram_1r1w #(.Words(InWords), .Depth(EventRows)) u_events (
    .clk_i, .we_i(event_we), .waddr_i(RowAddr'(win_word >> InWordBits)),
    .wdata_i({InWords{win_wdata}}),
    .ren_i(running_q || event_host),
    .raddr_i(event_host ? RowAddr'(win_word >> InWordBits) : row_raddr), .rdata_o(row_rdata)
  );

  ram_1r1w #(.Words(1), .Depth(GapEntries)) u_gaps (
    .clk_i, .we_i(win == WINDOW_GAP && win_write && !win_error),
    .waddr_i(win_word[GapAddr-1:0]), .wdata_i(win_wdata),
    .ren_i(1'b1),
    .raddr_i(win == WINDOW_GAP && !running_q ? win_word[GapAddr-1:0] : gap_raddr),
    .rdata_o(gap_rdata)
  );

  // ------------------------------------------------------------------ window access
  logic [18:0] in_word, out_word;

  assign in_word  = win_word & 19'(InWords - 1);
  assign out_word = win_word & 19'(OutWords - 1);

  assign cfg_we_o    = win == WINDOW_ACCELERATOR && win_write;
  assign cfg_addr_o  = win_word[13:0];
  assign cfg_wdata_o = win_wdata;

  always_comb begin
    event_we  = '0;
    golden_we = '0;
    for (int unsigned w = 0; w < InWords; w++) begin
      event_we[w] = win == WINDOW_EVENT && win_write && !win_error && 32'(in_word) == w;
    end
    for (int unsigned w = 0; w < OutWords; w++) begin
      golden_we[w] = win == WINDOW_GOLDEN && win_write && !win_error && 32'(out_word) == w;
    end
  end

  always_comb begin
    win_row_limit = '0;
    win_gnt       = 1'b1;
    unique case (win)
      WINDOW_ACCELERATOR: win_row_limit = 20'h4000;
      WINDOW_GAP: begin
        win_row_limit = 20'(GapEntries);
        win_gnt       = win_write || !running_q;
      end
      WINDOW_WAIT, WINDOW_SERVICE, WINDOW_TOTAL: begin
        win_row_limit = win_write ? '0 : 20'(HistogramBins);
        win_gnt       = |hist_gnt;
      end
      WINDOW_SPY:    win_row_limit = win_write ? '0 : 20'(SpyDepth * OutWords);
      WINDOW_TRACE:  win_row_limit = win_write ? '0 : 20'(TraceDepth * 4);
      WINDOW_GOLDEN: begin
        win_row_limit = 20'(GoldenRows * OutWords);
        win_gnt       = golden_gnt;
      end
      WINDOW_EVENT: begin
        win_row_limit = 20'(EventRows * InWords);
        win_gnt       = win_write || event_host;
      end
      default: ;
    endcase
    win_error = win != WINDOW_NONE && 20'(win_word) >= win_row_limit;
  end

  // The row arrives one cycle after the grant, when the request still stands but `win` does not.
  window_e              win_q;
  logic [InWordBits:0]  in_word_q;
  logic [OutWordBits:0] out_word_q;
  logic [1:0]           trace_word_q;

  always_ff @(posedge clk_i) begin
    if (win != WINDOW_NONE) begin
      win_q        <= win;
      in_word_q    <= (InWordBits + 1)'(in_word);
      out_word_q   <= (OutWordBits + 1)'(out_word);
      trace_word_q <= win_word[1:0];
    end
  end

  always_comb begin
    unique case (win_q)
      WINDOW_ACCELERATOR: win_rdata = cfg_rdata_i;
      WINDOW_GAP:         win_rdata = gap_rdata;
      WINDOW_WAIT:        win_rdata = hist_rdata[0];
      WINDOW_SERVICE:     win_rdata = hist_rdata[1];
      WINDOW_TOTAL:       win_rdata = hist_rdata[2];
      WINDOW_SPY:         win_rdata = spy_rdata[out_word_q];
      WINDOW_TRACE:       win_rdata = trace_rdata[trace_word_q];
      WINDOW_GOLDEN:      win_rdata = golden_rdata[out_word_q];
      WINDOW_EVENT:       win_rdata = row_rdata[in_word_q];
      default:            win_rdata = '0;
    endcase
  end

  axis_check #(.Width(InWidth)) u_check_in (
    .clk_i, .rst_ni(rst_ni && acc_rst_n), .valid_i(acc_in_valid_o), .ready_i(acc_in_ready_i),
    .data_i(acc_in_data_o), .last_i(acc_in_last_o)
  );
  axis_check #(.Width(OutWidth)) u_check_out (
    .clk_i, .rst_ni(rst_ni && acc_rst_n), .valid_i(acc_out_valid_i), .ready_i(acc_out_ready_o),
    .data_i(acc_out_data_i), .last_i(acc_out_last_i)
  );

endmodule

`default_nettype wire
