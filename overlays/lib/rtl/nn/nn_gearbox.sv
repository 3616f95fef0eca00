`default_nettype none

/// Passes an event on in beats of another width, its bits in order from bit 0 of the first beat.
///
/// What the last input beat holds beyond the last output beat is dropped; what it lacks is zero.
/// Initiation interval: InBeats or OutBeats cycles, whichever are more. Latency: 1 cycle from the input
/// beat that completes an output beat. Gathering overlaps with a slow taker.
module nn_gearbox #(
  parameter int unsigned InBits   = 8,
  /// Beats of an event.
  parameter int unsigned InBeats  = 1,
  parameter int unsigned OutBits  = 8,
  parameter int unsigned OutBeats = 1
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               in_valid_i,
  output logic               in_ready_o,
  input  logic [InBits-1:0]  in_data_i,
  output logic               out_valid_o,
  input  logic               out_ready_i,
  output logic [OutBits-1:0] out_data_o
);

  function automatic int unsigned common(int unsigned a, int unsigned b);
    return b == 0 ? a : common(b, a % b);
  endfunction

  // Bits are counted in grains: nothing is ever shifted by less.
  localparam int unsigned GRAIN  = common(InBits, OutBits);
  localparam int unsigned COMING = InBits / GRAIN;
  localparam int unsigned GOING  = OutBits / GRAIN;
  // Grains that the last input beat is worth; those beyond its own are zero.
  localparam int unsigned LAST   = OutBeats * GOING - (InBeats - 1) * COMING;
  localparam int unsigned MOST   = COMING > LAST ? COMING : LAST;
  // One beat stands while the next is gathered.
  localparam int unsigned ROOM   = MOST + (COMING < GOING ? 2 * GOING : GOING) - 1;
  localparam int unsigned FILL_WIDTH = $clog2(ROOM + MOST + 1);
  localparam int unsigned BEAT_WIDTH = InBeats > 1 ? $clog2(InBeats) : 1;
  typedef logic [FILL_WIDTH-1:0] fill_t;
  typedef logic [ROOM*GRAIN-1:0] held_t;
  localparam held_t IN_LAST = ~(~held_t'(0) << (LAST * GRAIN));

  if ((InBeats - 1) * COMING >= OutBeats * GOING) begin : g_bad_shape
    $error("nn_gearbox: the last input beat would be empty");
  end

  held_t                 held_q, kept, coming;
  fill_t                 fill_q, kept_fill, coming_fill;
  logic [BEAT_WIDTH-1:0] beat_q;
  logic                  last, take, send;

  assign out_valid_o = fill_q >= fill_t'(GOING);
  assign out_data_o  = held_q[OutBits-1:0];
  assign send        = out_valid_o && out_ready_i;
  assign kept_fill   = send ? fill_q - fill_t'(GOING) : fill_q;
  assign last        = beat_q == BEAT_WIDTH'(InBeats - 1);
  assign coming_fill = last ? fill_t'(LAST) : fill_t'(COMING);
  assign in_ready_o  = kept_fill + coming_fill <= fill_t'(ROOM);
  assign take        = in_valid_i && in_ready_o;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q <= '0;
      beat_q <= '0;
    end else begin
      fill_q <= take ? kept_fill + coming_fill : kept_fill;
      if (take) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end

  // Zero from fill_q upwards, so that a new beat needs no mask.
  assign kept   = send ? held_q >> OutBits : held_q;
  assign coming = last ? held_t'(in_data_i) & IN_LAST : held_t'(in_data_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) held_q <= '0;
    else if (take) held_q <= kept | (coming << (32'(kept_fill) * GRAIN));
    else if (send) held_q <= kept;
  end

endmodule

`default_nettype wire
