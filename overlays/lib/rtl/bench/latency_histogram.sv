`default_nettype none

/// A full latency histogram: one bin a cycle, an overflow bin, and exact count, sum, least and largest.
///
/// Takes a value in every cycle. A bin cannot wrap: a run has fewer than 2^32 events.
module latency_histogram #(
  parameter int unsigned Bins = 4096,
  localparam int unsigned Addr = $clog2(Bins)
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            valid_i,
  /// Latency in cycles.
  input  logic [31:0]     value_i,
  /// Begins to zero everything; takes `Bins` cycles.
  input  logic            clear_i,
  output logic            clearing_o,
  output logic [63:0]     count_o,
  output logic [63:0]     sum_o,
  /// All ones while the histogram is empty.
  output logic [31:0]     min_o,
  output logic [31:0]     max_o,
  output logic [63:0]     overflow_o,
  /// Host read port: granted in cycles without a value, data one cycle later.
  input  logic            host_req_i,
  input  logic [Addr-1:0] host_addr_i,
  output logic            host_gnt_o,
  output logic [31:0]     host_rdata_o
);

  logic            clear_q, hit, hit_q, forward_q;
  logic [Addr-1:0] clear_addr_q, bin_q, raddr, waddr;
  logic [31:0]     rdata, bumped, bumped_q, wdata;
  logic            we;

  assign hit        = valid_i && value_i < Bins;
  assign raddr      = hit ? value_i[Addr-1:0] : host_addr_i;
  assign host_gnt_o = host_req_i && !hit && !clear_q;
  assign clearing_o = clear_q;

  // Read, add one, write: a value that follows into the same bin takes the sum before it is stored.
  assign bumped = (forward_q ? bumped_q : rdata) + 1'b1;
  assign we     = clear_q || hit_q;
  assign waddr  = clear_q ? clear_addr_q : bin_q;
  assign wdata  = clear_q ? '0 : bumped;

  ram_1r1w #(.Words(1), .Depth(Bins)) u_bins (
    .clk_i, .we_i(we), .waddr_i(waddr), .wdata_i(wdata),
    .ren_i(hit || host_req_i), .raddr_i(raddr), .rdata_o(rdata)
  );
  assign host_rdata_o = rdata;

  always_ff @(posedge clk_i) begin
    forward_q <= hit && hit_q && value_i[Addr-1:0] == bin_q;
    bumped_q  <= bumped;
    bin_q     <= raddr;
    if (!rst_ni || clear_i) begin
      hit_q        <= 1'b0;
      clear_q      <= 1'b1;
      clear_addr_q <= '0;
      count_o      <= '0;
      sum_o        <= '0;
      min_o        <= '1;
      max_o        <= '0;
      overflow_o   <= '0;
    end else begin
      hit_q <= hit;
      if (clear_q) begin
        clear_addr_q <= clear_addr_q + 1'b1;
        clear_q      <= 32'(clear_addr_q) != Bins - 1;
      end
      if (valid_i) begin
        count_o <= count_o + 1'b1;
        sum_o   <= sum_o + 64'(value_i);
        if (value_i < min_o) min_o <= value_i;
        if (value_i > max_o) max_o <= value_i;
        if (!hit) overflow_o <= overflow_o + 1'b1;
      end
    end
  end

`ifndef ASSERTS_OFF
  always_ff @(posedge clk_i) begin
    if (rst_ni) assert (!(clear_q && valid_i)) else $error("latency_histogram: value lost in clear");
  end
`endif

endmodule

`default_nettype wire
