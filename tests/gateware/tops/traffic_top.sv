`default_nettype none

/// The blocks that bring events to the accelerator, each on pins of its own, for their block tests.
///
/// The player is fed by the schedule, or by `fire_i` while `direct_i` is high. The register slave stands
/// before a memory of 16 words that can be slow, refuse, or never answer.
module traffic_top (
  input  logic        clk_i,
  input  logic        rst_ni,
  // Schedule and player.
  input  logic        start_i,
  input  logic        stop_i,
  input  logic [63:0] interval_i,
  input  logic        bernoulli_i,
  input  logic [31:0] threshold_i,
  input  logic [63:0] seed_i,
  input  logic        use_gaps_i,
  input  logic [31:0] gaps_i,
  input  logic [31:0] events_i,
  input  logic        gap_we_i,
  input  logic [2:0]  gap_addr_i,
  input  logic [15:0] gap_data_i,
  output logic        active_o,
  output logic        fire_o,
  output logic [31:0] number_o,
  output logic        exhausted_o,
  input  logic        direct_i,
  input  logic        fire_i,
  input  logic [31:0] number_i,
  input  logic [31:0] stamp_i,
  input  logic [31:0] limit_i,
  input  logic [31:0] distinct_i,
  input  logic [31:0] in_beats_i,
  input  logic [31:0] out_beats_i,
  input  logic        row_we_i,
  input  logic [4:0]  row_addr_i,
  input  logic [63:0] row_data_i,
  output logic        valid_o,
  input  logic        ready_i,
  output logic [63:0] data_o,
  output logic        last_o,
  output logic        arrive_o,
  output logic        drop_o,
  output logic        accept_o,
  output logic [31:0] accept_due_o,
  output logic [31:0] accept_number_o,
  output logic [5:0]  accept_golden_o,
  output logic [3:0]  waiting_o,
  output logic        empty_o,
  output logic        age_alarm_o,
  // Path select.
  input  logic        dma_i,
  input  logic        hold_i,
  input  logic        player_valid_i,
  output logic        player_ready_o,
  input  logic [31:0] player_data_i,
  input  logic        player_last_i,
  input  logic        dma_in_valid_i,
  output logic        dma_in_ready_o,
  input  logic [31:0] dma_in_data_i,
  input  logic        dma_in_last_i,
  output logic        dma_out_valid_o,
  input  logic        dma_out_ready_i,
  output logic [63:0] dma_out_data_o,
  output logic        dma_out_last_o,
  output logic        acc_in_valid_o,
  input  logic        acc_in_ready_i,
  output logic [31:0] acc_in_data_o,
  output logic        acc_in_last_o,
  input  logic        acc_out_valid_i,
  output logic        acc_out_ready_o,
  input  logic [63:0] acc_out_data_i,
  input  logic        acc_out_last_i,
  output logic        dma_arrive_o,
  output logic        dma_accept_o,
  output logic [31:0] dma_due_o,
  output logic [31:0] dma_number_o,
  // Stream check.
  input  logic        check_rst_ni,
  input  logic        check_valid_i,
  input  logic        check_ready_i,
  input  logic [31:0] check_data_i,
  input  logic        check_last_i,
  // Register slave; byte address bit 6: error, bit 7: no answer, bits 11..8: cycles of delay.
  input  logic [11:0] s_axi_awaddr,
  input  logic [2:0]  s_axi_awprot,
  input  logic        s_axi_awvalid,
  output logic        s_axi_awready,
  input  logic [31:0] s_axi_wdata,
  input  logic [3:0]  s_axi_wstrb,
  input  logic        s_axi_wvalid,
  output logic        s_axi_wready,
  output logic [1:0]  s_axi_bresp,
  output logic        s_axi_bvalid,
  input  logic        s_axi_bready,
  input  logic [11:0] s_axi_araddr,
  input  logic [2:0]  s_axi_arprot,
  input  logic        s_axi_arvalid,
  output logic        s_axi_arready,
  output logic [31:0] s_axi_rdata,
  output logic [1:0]  s_axi_rresp,
  output logic        s_axi_rvalid,
  input  logic        s_axi_rready,
  /// Requests that reached the memory.
  output logic [31:0] served_o
);

  logic [2:0]  gap_raddr;
  logic [31:0] gap_rdata;
  logic [4:0]  row_raddr;
  logic [63:0] row_rdata;

  ram_1r1w #(.Words(1), .Depth(8)) u_gaps (
    .clk_i, .we_i(gap_we_i), .waddr_i(gap_addr_i), .wdata_i({16'b0, gap_data_i}),
    .ren_i(1'b1), .raddr_i(gap_raddr), .rdata_o(gap_rdata)
  );

  event_schedule #(.GapEntries(8)) u_schedule (
    .clk_i, .rst_ni, .start_i, .stop_i, .interval_i, .bernoulli_i, .threshold_i, .seed_i,
    .use_gaps_i, .gaps_i, .events_i,
    .gap_raddr_o(gap_raddr), .gap_rdata_i(gap_rdata[15:0]),
    .active_o, .fire_o, .number_o, .exhausted_o
  );

  ram_1r1w #(.Words(2), .Depth(32)) u_rows (
    .clk_i, .we_i({2{row_we_i}}), .waddr_i(row_addr_i), .wdata_i(row_data_i),
    .ren_i(1'b1), .raddr_i(row_raddr), .rdata_o(row_rdata)
  );

  event_player #(.InWidth(64), .EventRows(32), .GoldenRows(64), .QueueDepth(8)) u_player (
    .clk_i, .rst_ni, .start_i, .stop_i, .stamp_i, .limit_i, .distinct_i, .in_beats_i, .out_beats_i,
    .fire_i(direct_i ? fire_i : fire_o), .number_i(direct_i ? number_i : number_o),
    .row_raddr_o(row_raddr), .row_rdata_i(row_rdata),
    .valid_o, .ready_i, .data_o, .last_o, .arrive_o, .drop_o, .accept_o, .accept_due_o,
    .accept_number_o, .accept_golden_o, .waiting_o, .empty_o, .age_alarm_o
  );

  path_select #(.InWidth(32), .OutWidth(64)) u_path (
    .clk_i, .rst_ni, .dma_i, .hold_i, .stamp_i,
    .player_valid_i, .player_ready_o, .player_data_i, .player_last_i,
    .dma_in_valid_i, .dma_in_ready_o, .dma_in_data_i, .dma_in_last_i,
    .dma_out_valid_o, .dma_out_ready_i, .dma_out_data_o, .dma_out_last_o,
    .acc_in_valid_o, .acc_in_ready_i, .acc_in_data_o, .acc_in_last_o,
    .acc_out_valid_i, .acc_out_ready_o, .acc_out_data_i, .acc_out_last_i,
    .dma_arrive_o, .dma_accept_o, .dma_due_o, .dma_number_o
  );

  axis_check #(.Width(32)) u_check (
    .clk_i, .rst_ni(check_rst_ni), .valid_i(check_valid_i), .ready_i(check_ready_i),
    .data_i(check_data_i), .last_i(check_last_i)
  );

  logic        req_valid, req_write, rsp_valid;
  logic [11:0] req_addr;
  logic [31:0] req_wdata, memory [16];
  logic [3:0]  waited_q;

  bench_axil #(.AddrWidth(12), .TimeoutCycles(20)) u_axil (
    .clk_i, .rst_ni,
    .s_axi_awaddr_i(s_axi_awaddr), .s_axi_awvalid_i(s_axi_awvalid),
    .s_axi_awready_o(s_axi_awready),
    .s_axi_wdata_i(s_axi_wdata), .s_axi_wstrb_i(s_axi_wstrb), .s_axi_wvalid_i(s_axi_wvalid),
    .s_axi_wready_o(s_axi_wready),
    .s_axi_bresp_o(s_axi_bresp), .s_axi_bvalid_o(s_axi_bvalid), .s_axi_bready_i(s_axi_bready),
    .s_axi_araddr_i(s_axi_araddr), .s_axi_arvalid_i(s_axi_arvalid),
    .s_axi_arready_o(s_axi_arready),
    .s_axi_rdata_o(s_axi_rdata), .s_axi_rresp_o(s_axi_rresp), .s_axi_rvalid_o(s_axi_rvalid),
    .s_axi_rready_i(s_axi_rready),
    .req_valid_o(req_valid), .req_write_o(req_write), .req_addr_o(req_addr),
    .req_wdata_o(req_wdata),
    .rsp_valid_i(rsp_valid), .rsp_error_i(req_addr[6]), .rsp_rdata_i(memory[req_addr[5:2]])
  );

  assign rsp_valid = req_valid && !req_addr[7] && waited_q == req_addr[11:8];

  always_ff @(posedge clk_i) begin
    waited_q <= req_valid && !rsp_valid ? waited_q + 1'b1 : '0;
    if (rsp_valid && req_write && !req_addr[6]) memory[req_addr[5:2]] <= req_wdata;
    if (!rst_ni) served_o <= '0;
    else if (rsp_valid) served_o <= served_o + 1'b1;
  end

  logic unused;
  assign unused = &{1'b0, s_axi_awprot, s_axi_arprot, gap_rdata[31:16], req_addr[1:0]};

endmodule

`default_nettype wire
