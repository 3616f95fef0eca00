`default_nettype none

/// The jet tagger's network, 16-64-32-32-5, with its weights in external memory.
///
/// An event is one beat: 16 features of 16 bits. So is the answer: five logits of 16 bits from bit 0, the
/// index of the largest in bits 87:80, zeros above; bit-exact to jet_tagger. Biases and shifts are built in.
///
/// 68 rows of 64 weights are computed in order. The first RESIDENT_ROWS come from a memory on chip, the
/// others over AXI4, for each event anew. The order is the same for every event, so the fetcher reads ahead,
/// across events and whether or not one has come, until its buffer of 2 KiB is full: that is as far as a
/// design goes that does not keep the weights. An event that finds no weights waits for them.
///
/// Initiation interval 77 and latency 82 cycles with all rows resident; else as the memory allows. No event
/// is taken before LOAD has been written and has ended. Registers: see overlay.toml.
module weight_streaming
  import weight_streaming_weights_pkg::*;
#(
  parameter int unsigned InWidth      = 256,
  parameter int unsigned OutWidth     = 128,
  parameter int unsigned MemAddrWidth = 40,
  parameter int unsigned MemDataWidth = 512
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    in_valid_i,
  output logic                    in_ready_o,
  input  logic [InWidth-1:0]      in_data_i,
  /// Always high: an event is one beat.
  input  logic                    in_last_i,
  output logic                    out_valid_o,
  input  logic                    out_ready_i,
  output logic [OutWidth-1:0]     out_data_o,
  output logic                    out_last_o,
  input  logic                    cfg_we_i,
  input  logic [13:0]             cfg_addr_i,
  input  logic [31:0]             cfg_wdata_i,
  output logic [31:0]             cfg_rdata_o,
  /// Resets the bus; `rst_ni` alone leaves bursts that are under way to end.
  input  logic                    bus_rst_ni,
  output logic [MemAddrWidth-1:0] m_axi_araddr_o,
  output logic [7:0]              m_axi_arlen_o,
  output logic                    m_axi_arvalid_o,
  input  logic                    m_axi_arready_i,
  input  logic [MemDataWidth-1:0] m_axi_rdata_i,
  input  logic [1:0]              m_axi_rresp_i,
  input  logic                    m_axi_rlast_i,
  input  logic                    m_axi_rvalid_i,
  output logic                    m_axi_rready_o
);

  localparam int unsigned CLASS_AT   = OUTPUTS * OUTPUT_WIDTH;
  localparam int unsigned ROW_WIDTH  = $clog2(ROWS + 1);
  localparam int unsigned BEAT_WIDTH = $clog2(BEATS + 1);
  localparam int unsigned WORDS      = MemDataWidth / 32;

  if (InWidth != INPUTS * INPUT_WIDTH || OutWidth < CLASS_AT + 8 || MemDataWidth != BEAT_UNITS * UNIT)
  begin : g_bad_width
    $error("weight_streaming: streams or memory port do not fit the network");
  end

  // ---------------------------------------------------------------- registers

  logic [31:0]             low_q, high_q, checksum_q, sum, sum_q;
  logic [6:0]              resident_q;
  logic [2:0]              outstanding_q;
  logic [63:0]             fetched_q, used_q, stalled_q;
  logic                    load_q, loaded, loaded_q, error_q, counting, summed_q;
  logic                    fetched, error, beat_valid, beat_ready, row_valid, row_ready, weights_valid, resident;
  logic                    weights_ready, result_valid, result_ready;
  logic [MemDataWidth-1:0] beat;
  logic [LANES*WEIGHT_WIDTH-1:0] row, weights;
  logic [OUTPUT_WIDTH-1:0] result [OUTPUTS], logits [OUTPUTS];
  logic [$clog2(OUTPUTS)-1:0] class_index;
  logic [ROW_WIDTH-1:0]    kept_rows_q;
  logic [BEAT_WIDTH-1:0]   first_beat_q;

  logic unused;
  assign unused = &{1'b0, in_last_i, high_q, low_q[11:0]};

  // The settings outlive the reset that follows an abort; power-up values come from `initial`.
  initial begin
    low_q         = '0;
    high_q        = '0;
    resident_q    = '0;
    outstanding_q = 3'd4;
  end

  always_ff @(posedge clk_i) begin
    load_q <= cfg_we_i && cfg_addr_i == 14'd4 && cfg_wdata_i[0];
    if (cfg_we_i) begin
      unique case (cfg_addr_i)
        14'd0:   low_q <= cfg_wdata_i;
        14'd1:   high_q <= cfg_wdata_i;
        14'd2:   resident_q <= cfg_wdata_i > 32'(ROWS) ? 7'(ROWS) : cfg_wdata_i[6:0];
        14'd3:   outstanding_q <= cfg_wdata_i > 32'd4 ? 3'd4 : cfg_wdata_i == '0 ? 3'd1 : cfg_wdata_i[2:0];
        default: ;
      endcase
    end
    unique case (cfg_addr_i)
      14'd0:   cfg_rdata_o <= low_q;
      14'd1:   cfg_rdata_o <= high_q;
      14'd2:   cfg_rdata_o <= 32'(resident_q);
      14'd3:   cfg_rdata_o <= 32'(outstanding_q);
      14'd5:   cfg_rdata_o <= {30'd0, error_q, loaded_q};
      14'd6:   cfg_rdata_o <= checksum_q;
      14'd8:   cfg_rdata_o <= fetched_q[31:0];
      14'd9:   cfg_rdata_o <= fetched_q[63:32];
      14'd10:  cfg_rdata_o <= used_q[31:0];
      14'd11:  cfg_rdata_o <= used_q[63:32];
      14'd12:  cfg_rdata_o <= stalled_q[31:0];
      14'd13:  cfg_rdata_o <= stalled_q[63:32];
      default: cfg_rdata_o <= '0;
    endcase
  end

  always_comb begin
    sum = '0;
    for (int unsigned w = 0; w < WORDS; w++) sum = sum + beat[w*32+:32];
  end

  // Sixteen words a cycle: a register between their sum and the total.
  always_ff @(posedge clk_i) begin
    sum_q    <= sum;
    summed_q <= !loaded_q && !load_q && beat_valid && beat_ready;
  end

  assign counting = loaded_q && rst_ni;

  // Counters outlive the reset as well: a run that was broken off can still be read.
  always_ff @(posedge clk_i) begin
    if (load_q) begin
      checksum_q <= '0;
      fetched_q  <= '0;
      used_q     <= '0;
      stalled_q  <= '0;
      error_q    <= 1'b0;
      // Whole groups of rows that are whole beats; a change takes effect here and not before.
      kept_rows_q  <= ROW_WIDTH'(resident_q) / ROW_WIDTH'(GROUP_ROWS) * ROW_WIDTH'(GROUP_ROWS);
      first_beat_q <= BEAT_WIDTH'(32'(resident_q) / GROUP_ROWS * GROUP_BEATS);
    end else begin
      if (summed_q) checksum_q <= checksum_q + sum_q;
      if (error) error_q <= 1'b1;
      if (counting && fetched) fetched_q <= fetched_q + 1'b1;
      if (counting && weights_valid && weights_ready && !resident) used_q <= used_q + 1'b1;
      if (counting && weights_ready && !weights_valid) stalled_q <= stalled_q + 1'b1;
    end
    if (!rst_ni || load_q) loaded_q <= 1'b0;
    else if (loaded) loaded_q <= 1'b1;
  end

  // ---------------------------------------------------------------- weights

  weight_fetch #(
    .AddrWidth(MemAddrWidth), .DataWidth(MemDataWidth), .Beats(BEATS), .Burst(BURST_BEATS),
    .Depth(PREFETCH_BEATS)
  ) u_fetch (
    .clk_i, .bus_rst_ni, .rst_ni, .load_i(load_q), .stream_i(loaded),
    .base_i(MemAddrWidth'({high_q, low_q[31:12], 12'd0})), .first_beat_i(first_beat_q),
    .limit_i(outstanding_q), .out_valid_o(beat_valid), .out_ready_i(beat_ready), .out_data_o(beat),
    .fetched_o(fetched), .error_o(error), .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_arvalid_o,
    .m_axi_arready_i, .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i, .m_axi_rvalid_i, .m_axi_rready_o
  );

  weight_unpack #(.Unit(UNIT), .BeatUnits(BEAT_UNITS), .RowUnits(ROW_UNITS)) u_unpack (
    .clk_i, .rst_ni(rst_ni && !load_q), .in_valid_i(beat_valid), .in_ready_o(beat_ready), .in_data_i(beat),
    .out_valid_o(row_valid), .out_ready_i(row_ready), .out_data_o(row)
  );

  weight_source #(.Width(LANES * WEIGHT_WIDTH), .Rows(ROWS)) u_source (
    .clk_i, .rst_ni, .load_i(load_q), .resident_i(kept_rows_q), .loaded_o(loaded), .in_valid_i(row_valid),
    .in_ready_o(row_ready), .in_data_i(row), .out_valid_o(weights_valid), .out_ready_i(weights_ready),
    .out_data_o(weights), .out_resident_o(resident)
  );

  // ---------------------------------------------------------------- network

  logic engine_ready;
  assign in_ready_o = engine_ready && loaded_q;

  layer_engine u_engine (
    .clk_i, .rst_ni, .in_valid_i(in_valid_i && loaded_q), .in_ready_o(engine_ready), .in_data_i,
    .row_valid_i(weights_valid), .row_ready_o(weights_ready), .row_data_i(weights),
    .out_valid_o(result_valid), .out_ready_i(result_ready), .out_data_o(result)
  );

  nn_argmax #(.Values(OUTPUTS), .Width(OUTPUT_WIDTH)) u_argmax (
    .clk_i, .rst_ni, .in_valid_i(result_valid), .in_ready_o(result_ready), .in_data_i(result),
    .out_valid_o, .out_ready_i, .out_data_o(logits), .out_index_o(class_index)
  );

  always_comb begin
    out_data_o = '0;
    for (int unsigned i = 0; i < OUTPUTS; i++) out_data_o[i*OUTPUT_WIDTH+:OUTPUT_WIDTH] = logits[i];
    out_data_o[CLASS_AT+:8] = 8'(class_index);
  end
  assign out_last_o = 1'b1;

endmodule

`default_nettype wire
