`default_nettype none

/// Cuts a stream of beats into rows of another width, without a gap: both are whole units.
///
/// Bit 0 of a beat comes first. A row leaves in each cycle as long as beats keep coming. Latency: 1 cycle.
module weight_unpack #(
  /// Bits of a unit, the largest that both widths are multiples of.
  parameter int unsigned Unit      = 128,
  /// Units of a beat.
  parameter int unsigned BeatUnits = 4,
  /// Units of a row.
  parameter int unsigned RowUnits  = 3
) (
  input  logic                          clk_i,
  /// Low: forget everything.
  input  logic                          rst_ni,
  input  logic                          in_valid_i,
  output logic                          in_ready_o,
  input  logic [BeatUnits*Unit-1:0]     in_data_i,
  output logic                          out_valid_o,
  input  logic                          out_ready_i,
  output logic [RowUnits*Unit-1:0]      out_data_o
);

  localparam int unsigned MOST  = BeatUnits + RowUnits;
  localparam int unsigned WIDTH = $clog2(MOST + 1);
  typedef logic [WIDTH-1:0]     fill_t;
  typedef logic [MOST*Unit-1:0] store_t;

  fill_t  fill_q, kept;
  store_t store_q, rest;
  logic   give, take;

  assign out_valid_o = fill_q >= fill_t'(RowUnits);
  assign out_data_o  = store_q[RowUnits*Unit-1:0];
  assign give        = out_valid_o && out_ready_i;
  assign kept        = give ? fill_q - fill_t'(RowUnits) : fill_q;
  assign rest        = give ? store_q >> (RowUnits * Unit) : store_q;
  assign in_ready_o  = kept <= fill_t'(RowUnits);
  assign take        = in_valid_i && in_ready_o;

  // What lies beyond `fill_q` is zero, so that a beat can be set down on it.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q  <= '0;
      store_q <= '0;
    end else begin
      fill_q <= take ? kept + fill_t'(BeatUnits) : kept;
      if (take) store_q <= rest | (store_t'(in_data_i) << (32'(kept) * Unit));
      else if (give) store_q <= rest;
    end
  end

endmodule

`default_nettype wire
