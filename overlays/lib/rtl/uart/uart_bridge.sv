`default_nettype none

/// A serial line on one side, an AXI4-Lite master on the other: register access for a host without a bus.
///
/// One request at a time. What is not a true frame is dropped without a word, and the host asks again
/// with the same number: the bridge then sends its last reply once more and does not act twice. After
/// reset it wants a HELLO first, so that a host notices a board that started anew. Frames that come in
/// while a request is worked on, or answered, are dropped.
module uart_bridge
  import uart_pkg::*;
#(
  /// Clock cycles of a bit, times 256.
  parameter int unsigned DivisorQ8     = 27778,
  /// Frequency of the clock, told to the host.
  parameter int unsigned ClockHz       = 100_000_000,
  /// Words of the longest read or write.
  parameter int unsigned MaxWords      = 256,
  parameter int unsigned AddrWidth     = 22,
  parameter int unsigned TimeoutCycles = 1024
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 rx_i,
  output logic                 tx_o,
  /// Something is being received, done or sent.
  output logic                 busy_o,
  output logic [AddrWidth-1:0] m_axi_awaddr_o,
  output logic                 m_axi_awvalid_o,
  input  logic                 m_axi_awready_i,
  output logic [31:0]          m_axi_wdata_o,
  output logic                 m_axi_wvalid_o,
  input  logic                 m_axi_wready_i,
  input  logic [1:0]           m_axi_bresp_i,
  input  logic                 m_axi_bvalid_i,
  output logic                 m_axi_bready_o,
  output logic [AddrWidth-1:0] m_axi_araddr_o,
  output logic                 m_axi_arvalid_o,
  input  logic                 m_axi_arready_i,
  input  logic [31:0]          m_axi_rdata_i,
  input  logic [1:0]           m_axi_rresp_i,
  input  logic                 m_axi_rvalid_i,
  output logic                 m_axi_rready_o
);

  // A write has two words of header, the address and the CRC around its data.
  localparam int unsigned Words      = 2 ** $clog2(MaxWords + 4);
  localparam int unsigned Addr       = $clog2(Words);
  localparam int unsigned Head       = 2;
  localparam int unsigned HelloWords = 5;
  localparam int unsigned ErrorWords = 2;

  if (MaxWords == 0 || MaxWords > 32'hffff) begin : g_bad_words
    $error("uart_bridge: MaxWords must lie in 1..65535");
  end

  // ------------------------------------------------------------------ line to frame
  logic          rx_valid, rx_error, rx_busy, raw_valid, raw_end, raw_good, hold;
  logic [7:0]    rx_data, raw_data;
  logic          request_we, frame;
  logic [Addr-1:0] request_waddr, request_raddr;
  logic [31:0]   request_wdata, request_rdata, header, length, address, request_crc, forgotten;
  logic [Addr:0] words;

  uart_rx #(.DivisorQ8(DivisorQ8)) u_rx (
    .clk_i, .rst_ni, .rx_i,
    .valid_o(rx_valid), .data_o(rx_data), .error_o(rx_error), .busy_o(rx_busy)
  );

  cobs_decode u_decode (
    .clk_i, .rst_ni, .valid_i(rx_valid), .data_i(rx_data), .lost_i(rx_error),
    .valid_o(raw_valid), .data_o(raw_data), .end_o(raw_end), .good_o(raw_good)
  );

  frame_receiver #(.Words(Words)) u_receiver (
    .clk_i, .rst_ni, .hold_i(hold), .valid_i(raw_valid), .data_i(raw_data), .end_i(raw_end),
    .good_i(raw_good),
    .we_o(request_we), .waddr_o(request_waddr), .wdata_o(request_wdata),
    .frame_o(frame), .words_o(words), .header_o(header), .length_o(length), .address_o(address),
    .crc_o(request_crc), .forgotten_o(forgotten)
  );

  ram_1r1w #(.Words(1), .Depth(Words)) u_request (
    .clk_i, .we_i(request_we), .waddr_i(request_waddr), .wdata_i(request_wdata),
    .ren_i(1'b1), .raddr_i(request_raddr), .rdata_o(request_rdata)
  );

  // ------------------------------------------------------------------ what is asked
  typedef enum logic [3:0] {
    IDLE, CHECK, FETCH, ACCESS, PAYLOAD, HEADER, LENGTH, SUM, SUM_NEXT, SEAL, SEND, WAIT
  } state_e;
  state_e        state_q;
  cause_e        cause, cause_q;
  logic [7:0]    kind, reply_q;
  logic [15:0]   number, last_number_q;
  logic [31:0]   last_crc_q, crc_q, payload_words, count;
  logic [Addr:0] index_q, count_q, reply_words_q;
  logic          greeted_q, repeated, is_read, is_write;

  assign kind          = header[15:8];
  assign number        = header[31:16];
  assign is_read       = kind == READ;
  assign is_write      = kind == WRITE;
  assign payload_words = 32'(words) - 32'd3;
  assign repeated      = greeted_q && kind != HELLO && number == last_number_q;
  assign hold          = state_q != IDLE || frame;

  // Words to read or write. In a frame to read, the number of words follows the address.
  assign count = is_read ? request_rdata : payload_words - 1;

  always_comb begin
    cause = OK;
    if (header[7:0] != VERSION) cause = BAD_VERSION;
    else if (repeated) cause = BAD_NUMBER;
    else if (!(kind inside {HELLO, READ, WRITE})) cause = BAD_TYPE;
    else if (length != payload_words << 2) cause = BAD_LENGTH;
    else if (kind == HELLO && payload_words != '0) cause = BAD_LENGTH;
    else if (kind != HELLO && !greeted_q) cause = NO_HELLO;
    else if (is_read && payload_words != 2) cause = BAD_LENGTH;
    else if (is_write && payload_words < 2) cause = BAD_LENGTH;
    else if (kind != HELLO && (count == '0 || count > MaxWords)) cause = BAD_LENGTH;
    else if (kind != HELLO && address[1:0] != '0) cause = BAD_ADDRESS;
    else if (kind != HELLO && (address >> AddrWidth) != '0) cause = NO_SLAVE;
  end

  // ------------------------------------------------------------------ bus
  logic                 access_done;
  cause_e               access_cause;
  logic [31:0]          access_rdata;
  logic [AddrWidth:0]   access_addr;

  // One bit wider than the bus: a burst that runs over its end must not start again at zero.
  assign access_addr   = {1'b0, address[AddrWidth-1:0]} + {(AddrWidth - 2 - Addr)'(0), index_q, 2'b00};
  assign request_raddr = state_q == IDLE ? Addr'(3) : index_q[Addr-1:0] + Addr'(3);

  axil_master #(.AddrWidth(AddrWidth), .TimeoutCycles(TimeoutCycles)) u_master (
    .clk_i, .rst_ni, .valid_i(state_q == ACCESS && !access_addr[AddrWidth]), .write_i(is_write),
    .addr_i(access_addr[AddrWidth-1:0]), .wdata_i(request_rdata),
    .done_o(access_done), .cause_o(access_cause), .rdata_o(access_rdata),
    .m_axi_awaddr_o, .m_axi_awvalid_o, .m_axi_awready_i, .m_axi_wdata_o, .m_axi_wvalid_o,
    .m_axi_wready_i, .m_axi_bresp_i, .m_axi_bvalid_i, .m_axi_bready_o, .m_axi_araddr_o,
    .m_axi_arvalid_o, .m_axi_arready_i, .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rvalid_i,
    .m_axi_rready_o
  );

  // ------------------------------------------------------------------ reply
  logic            reply_we, encode_busy, encode_ren, tx_valid, tx_ready;
  logic [Addr-1:0] reply_waddr, encode_raddr;
  logic [31:0]     reply_wdata, reply_rdata, payload_word;
  logic [7:0]      tx_data;

  always_comb begin
    unique case (index_q)
      0:       payload_word = cause_q != OK ? 32'(cause_q) : MAGIC;
      1:       payload_word = cause_q != OK ? 32'(count_q) : {16'(MaxWords), 8'b0, VERSION};
      2:       payload_word = ClockHz;
      3:       payload_word = DivisorQ8;
      default: payload_word = forgotten;
    endcase
  end

  always_comb begin
    reply_we    = 1'b0;
    reply_waddr = index_q[Addr-1:0] + Addr'(Head);
    reply_wdata = payload_word;
    unique case (state_q)
      ACCESS: begin
        reply_we    = access_done && is_read && access_cause == OK;
        reply_wdata = access_rdata;
      end
      PAYLOAD: reply_we = 1'b1;
      HEADER: begin
        reply_we    = 1'b1;
        reply_waddr = '0;
        reply_wdata = {number, reply_q, VERSION};
      end
      LENGTH: begin
        reply_we    = 1'b1;
        reply_waddr = Addr'(1);
        reply_wdata = 32'(reply_words_q) << 2;
      end
      SEAL: begin
        reply_we    = 1'b1;
        reply_waddr = index_q[Addr-1:0];
        reply_wdata = ~crc_q;
      end
      default: ;
    endcase
  end

  ram_1r1w #(.Words(1), .Depth(Words)) u_reply (
    .clk_i, .we_i(reply_we), .waddr_i(reply_waddr), .wdata_i(reply_wdata),
    .ren_i(encode_ren || state_q == SUM),
    .raddr_i(state_q == SUM ? index_q[Addr-1:0] : encode_raddr), .rdata_o(reply_rdata)
  );

  cobs_encode #(.Words(Words)) u_encode (
    .clk_i, .rst_ni, .start_i(state_q == SEND), .bytes_i({reply_words_q[Addr-1:0] + Addr'(3), 2'b00}),
    .busy_o(encode_busy), .ren_o(encode_ren), .raddr_o(encode_raddr), .rdata_i(reply_rdata),
    .valid_o(tx_valid), .ready_i(tx_ready), .data_o(tx_data)
  );

  uart_tx #(.DivisorQ8(DivisorQ8)) u_tx (
    .clk_i, .rst_ni, .valid_i(tx_valid), .ready_o(tx_ready), .data_i(tx_data), .tx_o
  );

  assign busy_o = rx_busy || rx_valid || frame || state_q != IDLE || !tx_ready;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q   <= IDLE;
      greeted_q <= 1'b0;
    end else begin
      unique case (state_q)
        IDLE: if (frame) state_q <= CHECK;
        CHECK: begin
          index_q     <= '0;
          count_q     <= '0;
          cause_q     <= cause;
          last_number_q <= number;
          last_crc_q    <= request_crc;
          if (cause == BAD_NUMBER && request_crc == last_crc_q) begin
            // Asked again: the reply that was lost is still there.
            state_q <= SEND;
          end else if (cause != OK) begin
            state_q       <= PAYLOAD;
            reply_q       <= ERROR;
            reply_words_q <= (Addr + 1)'(ErrorWords);
          end else if (kind == HELLO) begin
            greeted_q     <= 1'b1;
            state_q       <= PAYLOAD;
            reply_q       <= kind | REPLY;
            reply_words_q <= (Addr + 1)'(HelloWords);
          end else begin
            state_q       <= FETCH;
            reply_q       <= kind | REPLY;
            reply_words_q <= is_read ? count[Addr:0] : '0;
            count_q       <= count[Addr:0];
          end
        end
        // The next word to write comes out of the memory.
        FETCH: state_q <= ACCESS;
        ACCESS: if (access_addr[AddrWidth] || (access_done && access_cause != OK)) begin
          cause_q       <= access_addr[AddrWidth] ? NO_SLAVE : access_cause;
          count_q       <= index_q;
          index_q       <= '0;
          state_q       <= PAYLOAD;
          reply_q       <= ERROR;
          reply_words_q <= (Addr + 1)'(ErrorWords);
        end else if (access_done) begin
          index_q <= index_q + 1'b1;
          state_q <= index_q + 1'b1 == count_q ? HEADER : FETCH;
        end
        PAYLOAD: begin
          index_q <= index_q + 1'b1;
          if (index_q + 1'b1 == reply_words_q) state_q <= HEADER;
        end
        HEADER: state_q <= LENGTH;
        LENGTH: begin
          index_q <= '0;
          crc_q   <= '1;
          state_q <= SUM;
        end
        SUM: state_q <= SUM_NEXT;
        SUM_NEXT: begin
          crc_q   <= crc_word(crc_q, reply_rdata);
          index_q <= index_q + 1'b1;
          state_q <= index_q == reply_words_q + 1'b1 ? SEAL : SUM;
        end
        SEAL: state_q <= SEND;
        SEND: state_q <= WAIT;
        WAIT: if (!encode_busy && tx_ready) state_q <= IDLE;
        default: state_q <= IDLE;
      endcase
    end
  end

endmodule

`default_nettype wire
