`default_nettype none

/// The blocks that measure, each on pins of its own, for their block tests.
module measure_top (
  input  logic        clk_i,
  input  logic        rst_ni,
  // Memory with three words in a row.
  input  logic [2:0]  ram_we_i,
  input  logic [2:0]  ram_waddr_i,
  input  logic [95:0] ram_wdata_i,
  input  logic        ram_ren_i,
  input  logic [2:0]  ram_raddr_i,
  output logic [95:0] ram_rdata_o,
  // Histogram.
  input  logic        hist_valid_i,
  input  logic [31:0] hist_value_i,
  input  logic        hist_clear_i,
  output logic        hist_clearing_o,
  output logic [63:0] hist_count_o,
  output logic [63:0] hist_sum_o,
  output logic [31:0] hist_min_o,
  output logic [31:0] hist_max_o,
  output logic [63:0] hist_overflow_o,
  input  logic        hist_req_i,
  input  logic [3:0]  hist_addr_i,
  output logic        hist_gnt_o,
  output logic [31:0] hist_rdata_o,
  // Monitor and the trace behind it.
  input  logic        mon_clear_i,
  input  logic        mon_flush_i,
  input  logic        mon_running_i,
  input  logic [31:0] mon_stamp_i,
  input  logic [31:0] mon_deadline_i,
  input  logic        mon_fire_i,
  input  logic        mon_arrive_i,
  input  logic        mon_drop_i,
  input  logic        mon_stall_i,
  input  logic [3:0]  mon_waiting_i,
  input  logic        mon_accept_i,
  input  logic [31:0] mon_due_i,
  input  logic [31:0] mon_number_i,
  input  logic [3:0]  mon_golden_i,
  input  logic        mon_beat_i,
  input  logic        mon_last_i,
  input  logic        mon_age_i,
  output logic        mon_head_valid_o,
  output logic [31:0] mon_head_number_o,
  output logic [3:0]  mon_head_golden_o,
  output logic [31:0] mon_occupancy_o,
  output logic        mon_record_o,
  output logic [31:0] mon_record_number_o,
  output logic [31:0] mon_record_due_o,
  output logic [31:0] mon_record_accepted_o,
  output logic [31:0] mon_record_done_o,
  output logic [63:0] mon_run_cycles_o,
  output logic [63:0] mon_scheduled_o,
  output logic [63:0] mon_accepted_o,
  output logic [63:0] mon_completed_o,
  output logic [63:0] mon_dropped_o,
  output logic [63:0] mon_misses_o,
  output logic [63:0] mon_stalls_o,
  output logic [63:0] mon_occupancy_sum_o,
  output logic [31:0] mon_max_depth_o,
  output logic        mon_stamp_overflow_o,
  output logic        mon_unexpected_o,
  output logic        mon_age_alarm_o,
  input  logic [31:0] trace_start_i,
  output logic [31:0] traced_o,
  input  logic        trace_req_i,
  input  logic [2:0]  trace_addr_i,
  output logic [127:0] trace_rdata_o,
  // Output checker.
  input  logic        out_clear_i,
  input  logic        out_check_i,
  input  logic        out_beat_i,
  input  logic [63:0] out_data_i,
  input  logic        out_last_i,
  input  logic        out_event_valid_i,
  input  logic [31:0] out_number_i,
  input  logic [3:0]  out_golden_i,
  output logic [31:0] out_crc_o,
  output logic [63:0] out_beats_o,
  output logic [63:0] out_mismatches_o,
  output logic [31:0] out_first_o,
  output logic [31:0] out_spied_o,
  input  logic        golden_req_i,
  input  logic [1:0]  golden_we_i,
  input  logic [3:0]  golden_addr_i,
  input  logic [31:0] golden_wdata_i,
  output logic        golden_gnt_o,
  output logic [63:0] golden_rdata_o,
  input  logic        spy_req_i,
  input  logic [2:0]  spy_addr_i,
  output logic [63:0] spy_rdata_o
);

  ram_1r1w #(.Words(3), .Depth(8)) u_ram (
    .clk_i, .we_i(ram_we_i), .waddr_i(ram_waddr_i), .wdata_i(ram_wdata_i),
    .ren_i(ram_ren_i), .raddr_i(ram_raddr_i), .rdata_o(ram_rdata_o)
  );

  latency_histogram #(.Bins(16)) u_histogram (
    .clk_i, .rst_ni, .valid_i(hist_valid_i), .value_i(hist_value_i),
    .clear_i(hist_clear_i), .clearing_o(hist_clearing_o),
    .count_o(hist_count_o), .sum_o(hist_sum_o), .min_o(hist_min_o), .max_o(hist_max_o),
    .overflow_o(hist_overflow_o),
    .host_req_i(hist_req_i), .host_addr_i(hist_addr_i), .host_gnt_o(hist_gnt_o),
    .host_rdata_o(hist_rdata_o)
  );

  latency_monitor #(.InFlight(4), .GoldenRows(16), .DepthWidth(4)) u_monitor (
    .clk_i, .rst_ni, .clear_i(mon_clear_i), .flush_i(mon_flush_i), .running_i(mon_running_i),
    .stamp_i(mon_stamp_i), .deadline_i(mon_deadline_i), .fire_i(mon_fire_i),
    .arrive_i(mon_arrive_i), .drop_i(mon_drop_i), .stall_i(mon_stall_i), .waiting_i(mon_waiting_i),
    .accept_i(mon_accept_i), .accept_due_i(mon_due_i), .accept_number_i(mon_number_i),
    .accept_golden_i(mon_golden_i), .beat_i(mon_beat_i), .beat_last_i(mon_last_i),
    .age_alarm_i(mon_age_i),
    .head_valid_o(mon_head_valid_o), .head_number_o(mon_head_number_o),
    .head_golden_o(mon_head_golden_o), .occupancy_o(mon_occupancy_o),
    .record_o(mon_record_o), .record_number_o(mon_record_number_o),
    .record_due_o(mon_record_due_o), .record_accepted_o(mon_record_accepted_o),
    .record_done_o(mon_record_done_o),
    .run_cycles_o(mon_run_cycles_o), .scheduled_o(mon_scheduled_o),
    .accepted_o(mon_accepted_o), .completed_o(mon_completed_o), .dropped_o(mon_dropped_o),
    .misses_o(mon_misses_o), .stalls_o(mon_stalls_o), .occupancy_sum_o(mon_occupancy_sum_o),
    .max_depth_o(mon_max_depth_o), .stamp_overflow_o(mon_stamp_overflow_o),
    .unexpected_o(mon_unexpected_o), .age_alarm_o(mon_age_alarm_o)
  );

  trace_memory #(.Entries(8)) u_trace (
    .clk_i, .rst_ni, .clear_i(mon_clear_i), .start_i(trace_start_i),
    .record_i(mon_record_o), .number_i(mon_record_number_o), .due_i(mon_record_due_o),
    .accepted_i(mon_record_accepted_o), .done_i(mon_record_done_o), .traced_o,
    .host_req_i(trace_req_i), .host_addr_i(trace_addr_i), .host_rdata_o(trace_rdata_o)
  );

  output_checker #(.OutWidth(64), .GoldenRows(16), .SpyRows(8)) u_checker (
    .clk_i, .rst_ni, .clear_i(out_clear_i), .check_i(out_check_i), .beat_i(out_beat_i),
    .data_i(out_data_i), .last_i(out_last_i), .event_valid_i(out_event_valid_i),
    .event_number_i(out_number_i), .event_golden_i(out_golden_i),
    .crc_o(out_crc_o), .beats_o(out_beats_o), .mismatches_o(out_mismatches_o),
    .first_mismatch_o(out_first_o), .spied_o(out_spied_o),
    .golden_req_i, .golden_we_i, .golden_addr_i, .golden_wdata_i, .golden_gnt_o, .golden_rdata_o,
    .spy_req_i, .spy_addr_i, .spy_rdata_o
  );

endmodule

`default_nettype wire
