`default_nettype none

/// Moves blocks between the DMA's streams and the windows of stream_bench, a word at a time.
///
/// A host that pays for every register access fills and empties the memories with one packet each. LOAD
/// takes one packet of `words_i` words, rounded up to whole beats, low word first, and writes it to
/// consecutive addresses. DUMP reads `words_i` words into one packet, zero past the last of them. A word
/// takes one cycle to write and two to read. A move that cannot be finished raises `fault_o`; the packet
/// is taken or sent to its TLAST all the same, so that the DMA never waits for the rest of it.
module block_mover #(
  parameter int unsigned InWidth   = 32,
  parameter int unsigned OutWidth  = 32,
  parameter int unsigned AddrWidth = 22,
  /// Writes below are refused: registers are not memory.
  parameter int unsigned LeastWrite = 'h1_0000
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  /// Commands, obeyed while nothing moves; `words_i` is at least one.
  input  logic                 load_i,
  input  logic                 dump_i,
  input  logic                 stop_i,
  input  logic [AddrWidth-1:0] address_i,
  input  logic [AddrWidth-2:0] words_i,
  output logic                 moving_o,
  output logic                 fault_o,
  // The same port that the register slave has.
  output logic                 req_valid_o,
  output logic                 req_write_o,
  output logic [AddrWidth-1:0] req_addr_o,
  output logic [31:0]          req_wdata_o,
  input  logic                 rsp_valid_i,
  input  logic                 rsp_error_i,
  input  logic [31:0]          rsp_rdata_i,
  // From and to the DMA.
  input  logic                 in_valid_i,
  output logic                 in_ready_o,
  input  logic [InWidth-1:0]   in_data_i,
  input  logic                 in_last_i,
  output logic                 out_valid_o,
  input  logic                 out_ready_i,
  output logic [OutWidth-1:0]  out_data_o,
  output logic                 out_last_o
);

  localparam int unsigned InWords   = InWidth / 32;
  localparam int unsigned OutWords  = OutWidth / 32;
  localparam int unsigned MostWords = InWords > OutWords ? InWords : OutWords;
  localparam int unsigned IndexBits = $clog2(MostWords) + 1;

  typedef enum logic [2:0] {IDLE, TAKE, WRITE, DRAIN, READ, SEND} state_e;
  state_e                     state_q;
  logic [AddrWidth-1:0]       addr_q;
  logic [AddrWidth-2:0]       left_q;
  logic [IndexBits-1:0]       index_q;
  logic [InWords-1:0][31:0]   taken_q;
  logic [OutWords-1:0][31:0]  gathered_q;
  logic                       last_q, failed_q;
  logic                       answered, failed, ended, beat_done;

  assign moving_o    = state_q != IDLE;
  assign in_ready_o  = state_q == TAKE || state_q == DRAIN;
  assign out_valid_o = state_q == SEND;
  assign out_data_o  = gathered_q;
  assign out_last_o  = left_q == '0 || failed_q;
  assign req_valid_o = (state_q == WRITE && 32'(addr_q) >= LeastWrite) || state_q == READ;
  assign req_write_o = state_q == WRITE;
  assign req_addr_o  = addr_q;
  assign req_wdata_o = taken_q[0];

  // A write below the least address is answered here, with an error.
  assign answered  = req_valid_o ? rsp_valid_i : state_q == WRITE;
  assign failed    = answered && (rsp_error_i || !req_valid_o);
  assign ended     = left_q == (AddrWidth - 1)'(1);
  assign beat_done = 32'(index_q) == (state_q == WRITE ? InWords : OutWords) - 1;
  // A packet is as long as the block: TLAST in the beat of its last word and in no other.
  assign fault_o   = answered && (failed || (state_q == WRITE && (ended ? !last_q : beat_done && last_q)));

  always_ff @(posedge clk_i) begin
    if (!rst_ni || stop_i) begin
      state_q <= IDLE;
    end else begin
      unique case (state_q)
        IDLE: begin
          addr_q     <= address_i;
          left_q     <= words_i;
          index_q    <= '0;
          gathered_q <= '0;
          failed_q   <= 1'b0;
          if (load_i) state_q <= TAKE;
          else if (dump_i) state_q <= READ;
        end
        TAKE: begin
          index_q <= '0;
          taken_q <= in_data_i;
          last_q  <= in_last_i;
          if (in_valid_i) state_q <= WRITE;
        end
        WRITE: if (answered) begin
          addr_q  <= addr_q + AddrWidth'(4);
          left_q  <= left_q - 1'b1;
          index_q <= index_q + 1'b1;
          taken_q <= taken_q >> 32;
          if (failed || ended) state_q <= last_q ? IDLE : DRAIN;
          else if (beat_done) state_q <= last_q ? IDLE : TAKE;
        end
        DRAIN: if (in_valid_i && in_last_i) state_q <= IDLE;
        READ: if (answered) begin
          addr_q   <= addr_q + AddrWidth'(4);
          left_q   <= left_q - 1'b1;
          index_q  <= index_q + 1'b1;
          failed_q <= failed;
          for (int unsigned w = 0; w < OutWords; w++) begin
            if (32'(index_q) == w && !failed) gathered_q[w] <= rsp_rdata_i;
          end
          if (failed || ended || beat_done) state_q <= SEND;
        end
        SEND: if (out_ready_i) begin
          index_q    <= '0;
          gathered_q <= '0;
          state_q    <= out_last_o ? IDLE : READ;
        end
        default: state_q <= IDLE;
      endcase
    end
  end

endmodule

`default_nettype wire
