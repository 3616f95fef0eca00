`default_nettype none

/// From a network's results to the beats of a stream, zeros up to the end of the last one.
///
/// One beat to one beat is only wires. Otherwise initiation interval: InBeats or StreamBeats cycles,
/// whichever are more, and latency: 1 cycle from the input beat that completes a stream beat.
module nn_pack #(
  parameter int unsigned InBits      = 8,
  parameter int unsigned InBeats     = 1,
  parameter int unsigned StreamWidth = 32,
  parameter int unsigned StreamBeats = 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   in_valid_i,
  output logic                   in_ready_o,
  input  logic      [InBits-1:0] in_data_i,
  output logic                   out_valid_o,
  input  logic                   out_ready_i,
  output logic [StreamWidth-1:0] out_data_o,
  output logic                   out_last_o
);

  localparam int unsigned OUT_BITS = StreamBeats == 1 ? InBeats * InBits : StreamWidth;

  if (StreamBeats == 1 && InBeats == 1) begin : g_wires
    logic unused;
    assign unused      = &{1'b0, clk_i, rst_ni};
    assign out_valid_o = in_valid_i;
    assign in_ready_o  = out_ready_i;
    assign out_data_o  = StreamWidth'(in_data_i);
  end else begin : g_gearbox
    logic [OUT_BITS-1:0] beat;

    nn_gearbox #(
      .InBits(InBits), .InBeats(InBeats), .OutBits(OUT_BITS), .OutBeats(StreamBeats)
    ) u_gearbox (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i,
      .out_valid_o, .out_ready_i, .out_data_o(beat)
    );
    assign out_data_o = StreamWidth'(beat);
  end

  if (StreamBeats == 1) begin : g_always_last
    assign out_last_o = 1'b1;
  end else begin : g_count
    logic [$clog2(StreamBeats)-1:0] beat_q;

    assign out_last_o = beat_q == $clog2(StreamBeats)'(StreamBeats - 1);

    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (out_valid_o && out_ready_i) beat_q <= out_last_o ? '0 : beat_q + 1'b1;
    end
  end

endmodule

`default_nettype wire
