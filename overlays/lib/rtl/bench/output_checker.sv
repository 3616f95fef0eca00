`default_nettype none

/// Looks at every output beat: running CRC-32, comparison with the golden memory, spy memory.
///
/// The CRC is that of IEEE 802.3 (reflected, preset and inverted), over the beat's bytes from the
/// lowest: what zlib computes over the same bytes. The golden row of a beat is its event's golden row plus
/// the beat's place in the event, so that the comparison holds whichever events were dropped.
module output_checker #(
  parameter int unsigned OutWidth   = 32,
  parameter int unsigned GoldenRows = 4096,
  parameter int unsigned SpyRows    = 256,
  localparam int unsigned Words      = OutWidth / 32,
  localparam int unsigned GoldenAddr = $clog2(GoldenRows),
  localparam int unsigned SpyAddr    = $clog2(SpyRows)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   clear_i,
  /// Compare with the golden memory.
  input  logic                   check_i,
  input  logic                   beat_i,
  input  logic [OutWidth-1:0]    data_i,
  input  logic                   last_i,
  /// The event this beat belongs to is known.
  input  logic                   event_valid_i,
  input  logic [31:0]            event_number_i,
  input  logic [GoldenAddr-1:0]  event_golden_i,
  output logic [31:0]            crc_o,
  output logic [63:0]            beats_o,
  output logic [63:0]            mismatches_o,
  output logic [31:0]            first_mismatch_o,
  output logic [31:0]            spied_o,
  /// Golden memory: host writes; host reads are granted in cycles without a beat.
  input  logic                   golden_req_i,
  input  logic [Words-1:0]       golden_we_i,
  input  logic [GoldenAddr-1:0]  golden_addr_i,
  input  logic [31:0]            golden_wdata_i,
  output logic                   golden_gnt_o,
  output logic [Words-1:0][31:0] golden_rdata_o,
  /// Spy memory, read by the host.
  input  logic                   spy_req_i,
  input  logic [SpyAddr-1:0]     spy_addr_i,
  output logic [Words-1:0][31:0] spy_rdata_o
);

  localparam logic [31:0] POLYNOMIAL = 32'hEDB8_8320;

  logic [31:0]         crc_q, beat_index_q, number_q;
  logic                beat_q, checked_q, spying;
  logic [OutWidth-1:0] data_q;
  logic                mismatch;

  function automatic logic [31:0] crc32(logic [31:0] crc, logic [OutWidth-1:0] data);
    logic [31:0] c;
    c = crc;
    for (int unsigned i = 0; i < OutWidth; i++) begin
      c = (c >> 1) ^ ((c[0] ^ data[i]) ? POLYNOMIAL : '0);
    end
    return c;
  endfunction

  assign crc_o        = ~crc_q;
  assign golden_gnt_o = golden_req_i && (!beat_i || |golden_we_i);
  assign mismatch     = checked_q && golden_rdata_o != data_q;
  assign spying       = beat_i && spied_o < SpyRows;

  ram_1r1w #(.Words(Words), .Depth(GoldenRows)) u_golden (
    .clk_i,
    .we_i(golden_we_i), .waddr_i(golden_addr_i), .wdata_i({Words{golden_wdata_i}}),
    .ren_i(beat_i || golden_req_i),
    .raddr_i(beat_i ? event_golden_i + GoldenAddr'(beat_index_q) : golden_addr_i),
    .rdata_o(golden_rdata_o)
  );

  ram_1r1w #(.Words(Words), .Depth(SpyRows)) u_spy (
    .clk_i,
    .we_i({Words{spying}}), .waddr_i(spied_o[SpyAddr-1:0]), .wdata_i(data_i),
    .ren_i(spy_req_i), .raddr_i(spy_addr_i), .rdata_o(spy_rdata_o)
  );

  always_ff @(posedge clk_i) begin
    if (beat_i) begin
      data_q   <= data_i;
      number_q <= event_number_i;
    end
    if (!rst_ni || clear_i) begin
      beat_q           <= 1'b0;
      checked_q        <= 1'b0;
      beat_index_q     <= '0;
      crc_q            <= '1;
      beats_o          <= '0;
      mismatches_o     <= '0;
      first_mismatch_o <= '1;
      spied_o          <= '0;
    end else begin
      beat_q    <= beat_i;
      checked_q <= beat_i && event_valid_i && check_i;
      if (beat_i) beat_index_q <= last_i ? '0 : beat_index_q + 1'b1;
      if (beat_q) begin
        crc_q   <= crc32(crc_q, data_q);
        beats_o <= beats_o + 1'b1;
      end
      if (mismatch) begin
        mismatches_o <= mismatches_o + 1'b1;
        if (mismatches_o == '0) first_mismatch_o <= number_q;
      end
      if (spying) spied_o <= spied_o + 1'b1;
    end
  end

endmodule

`default_nettype wire
