`default_nettype none

/// Sends bytes out of a memory as one COBS frame, its zero at the end included.
///
/// Each block is looked through for its length and then sent; a memory read takes one cycle.
module cobs_encode #(
  /// Words of the memory.
  parameter int unsigned Words = 512,
  localparam int unsigned WordAddr = $clog2(Words),
  localparam int unsigned ByteAddr = WordAddr + 2
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  /// Send the first `bytes_i` bytes; given in a cycle in which `busy_o` is low.
  input  logic                start_i,
  input  logic [ByteAddr-1:0] bytes_i,
  output logic                busy_o,
  output logic                ren_o,
  output logic [WordAddr-1:0] raddr_o,
  input  logic [31:0]         rdata_i,
  output logic                valid_o,
  input  logic                ready_i,
  output logic [7:0]          data_o
);

  typedef enum logic [2:0] {IDLE, FIND, LOOK, CODE, FETCH, DATA, DELIMITER} state_e;
  state_e              state_q;
  logic [ByteAddr-1:0] bytes_q, start_q, at_q;
  logic [7:0]          run_q, left_q, here;
  logic                zero_q;

  assign busy_o  = state_q != IDLE;
  assign ren_o   = state_q == FIND || state_q == FETCH;
  assign raddr_o = at_q[ByteAddr-1:2];
  assign here    = rdata_i[8 * at_q[1:0] +: 8];
  assign valid_o = state_q inside {CODE, DATA, DELIMITER};

  always_comb begin
    unique case (state_q)
      CODE:    data_o = run_q + 8'd1;
      DATA:    data_o = here;
      default: data_o = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= IDLE;
    end else begin
      unique case (state_q)
        IDLE: if (start_i) begin
          state_q <= FIND;
          bytes_q <= bytes_i;
          start_q <= '0;
          at_q    <= '0;
          run_q   <= '0;
        end
        // How many bytes until a zero, the end, or a full block?
        FIND: begin
          zero_q  <= 1'b0;
          state_q <= at_q == bytes_q || run_q == 8'd254 ? CODE : LOOK;
        end
        LOOK: if (here == '0) begin
          zero_q  <= 1'b1;
          state_q <= CODE;
        end else begin
          at_q    <= at_q + 1'b1;
          run_q   <= run_q + 1'b1;
          state_q <= FIND;
        end
        CODE: begin
          at_q   <= start_q;
          left_q <= run_q;
          if (ready_i) state_q <= FETCH;
        end
        FETCH: if (left_q != '0) begin
          state_q <= DATA;
        end else begin
          // A block that ends at a zero stands for it; after that one there is always another.
          at_q    <= at_q + ByteAddr'(zero_q);
          start_q <= at_q + ByteAddr'(zero_q);
          run_q   <= '0;
          state_q <= !zero_q && at_q == bytes_q ? DELIMITER : FIND;
        end
        DATA: if (ready_i) begin
          at_q    <= at_q + 1'b1;
          left_q  <= left_q - 1'b1;
          state_q <= FETCH;
        end
        DELIMITER: if (ready_i) state_q <= IDLE;
        default:   state_q <= IDLE;
      endcase
    end
  end

endmodule

`default_nettype wire
