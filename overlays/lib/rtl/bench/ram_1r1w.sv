`default_nettype none

/// Simple dual-port memory: one write port with a write enable for each 32-bit word, one read port.
///
/// A read returns one cycle after `ren_i`; a read of the row being written returns the old row.
/// Maps to block RAM. The content is undefined until written.
module ram_1r1w #(
  /// 32-bit words of a row.
  parameter int unsigned Words = 1,
  /// Rows.
  parameter int unsigned Depth = 2,
  /// Bits of a row address (derived, do not override).
  localparam int unsigned AddrWidth = $clog2(Depth)
) (
  input  logic                     clk_i,
  /// Write enable of each word.
  input  logic [Words-1:0]         we_i,
  input  logic [AddrWidth-1:0]     waddr_i,
  input  logic [Words-1:0][31:0]   wdata_i,
  input  logic                     ren_i,
  input  logic [AddrWidth-1:0]     raddr_i,
  /// The row read, held until the next read.
  output logic [Words-1:0][31:0]   rdata_o
);

  logic [Words-1:0][31:0] mem [Depth];

  always_ff @(posedge clk_i) begin
    if (|we_i) begin
      for (int unsigned w = 0; w < Words; w++) begin
        if (we_i[w]) mem[waddr_i][w] <= wdata_i[w];
      end
    end
    if (ren_i) rdata_o <= mem[raddr_i];
  end

endmodule

`default_nettype wire
