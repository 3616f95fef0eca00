`default_nettype none

/// Gives the rows of weights in order, over and over: the resident ones from a memory on chip, the others
/// from the stream. Runs ahead of the events by one row on chip, and by the stream's own buffers.
///
/// `load_i` begins anew: all rows are taken from the stream once, and the first `resident_i` are kept.
module weight_source #(
  /// Bits of a row, a multiple of 32.
  parameter int unsigned Width = 384,
  parameter int unsigned Rows  = 2,
  localparam int unsigned RowWidth = $clog2(Rows + 1)
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                load_i,
  /// Rows kept on chip, at most `Rows`.
  input  logic [RowWidth-1:0] resident_i,
  /// High in the cycle in which the load ends.
  output logic                loaded_o,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic [Width-1:0]    in_data_i,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [Width-1:0]    out_data_o,
  /// The row is one that is kept.
  output logic                out_resident_o
);

  localparam int unsigned ADDR  = $clog2(Rows);
  localparam int unsigned WORDS = Width / 32;
  typedef logic [RowWidth-1:0] row_t;

  row_t             row_q, next;
  logic             loading_q, prime_q, running_q, here, advance, keep;
  logic [Width-1:0] kept;

  assign here        = row_q < resident_i;
  assign out_valid_o = running_q && (here || in_valid_i);
  assign out_resident_o = here;
  assign out_data_o  = here ? kept : in_data_i;
  assign in_ready_o  = loading_q || (running_q && !here && out_ready_i);
  assign keep        = loading_q && in_valid_i && here;
  assign advance     = (loading_q && in_valid_i) || (out_valid_o && out_ready_i);
  assign next        = row_q == row_t'(Rows - 1) ? '0 : row_q + 1'b1;
  assign loaded_o    = loading_q && in_valid_i && row_q == row_t'(Rows - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || load_i) begin
      row_q     <= '0;
      loading_q <= rst_ni && load_i;
      prime_q   <= 1'b0;
      running_q <= 1'b0;
    end else begin
      if (advance) row_q <= next;
      if (loaded_o) loading_q <= 1'b0;
      // One cycle to read the first row; each later one is read while the one before it is used.
      prime_q <= loaded_o;
      if (prime_q) running_q <= 1'b1;
    end
  end

  ram_1r1w #(.Words(WORDS), .Depth(2 ** ADDR)) u_kept (
    .clk_i, .we_i({WORDS{keep}}), .waddr_i(ADDR'(row_q)), .wdata_i(in_data_i),
    .ren_i(prime_q || (running_q && advance)), .raddr_i(ADDR'(prime_q ? row_q : next)), .rdata_o(kept)
  );

endmodule

`default_nettype wire
