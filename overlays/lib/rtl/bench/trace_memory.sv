`default_nettype none

/// Keeps the raw stamps of events, in the order they finish, from a chosen event number on.
///
/// A row is number, due, accepted, done: four words, the number lowest. Full means full: it never wraps.
module trace_memory #(
  parameter int unsigned Entries = 4096,
  localparam int unsigned Addr = $clog2(Entries)
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  /// Number of the first event to keep.
  input  logic [31:0]      start_i,
  input  logic             record_i,
  input  logic [31:0]      number_i,
  input  logic [31:0]      due_i,
  input  logic [31:0]      accepted_i,
  input  logic [31:0]      done_i,
  output logic [31:0]      traced_o,
  input  logic             host_req_i,
  input  logic [Addr-1:0]  host_addr_i,
  output logic [3:0][31:0] host_rdata_o
);

  logic keep;

  assign keep = record_i && number_i >= start_i && traced_o < Entries;

  ram_1r1w #(.Words(4), .Depth(Entries)) u_rows (
    .clk_i,
    .we_i({4{keep}}), .waddr_i(traced_o[Addr-1:0]),
    .wdata_i({done_i, accepted_i, due_i, number_i}),
    .ren_i(host_req_i), .raddr_i(host_addr_i), .rdata_o(host_rdata_o)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) traced_o <= '0;
    else if (keep) traced_o <= traced_o + 1'b1;
  end

endmodule

`default_nettype wire
