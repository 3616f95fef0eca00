`default_nettype none

/// From the beats of a stream to the lanes of a network: an event's values, side by side from bit 0.
///
/// Initiation interval: StreamBeats or Beats cycles, whichever are more. Latency: 1 cycle from the stream
/// beat that completes a beat of lanes.
module nn_unpack #(
  parameter int unsigned StreamWidth = 32,
  parameter int unsigned StreamBeats = 1,
  /// Bits of a value.
  parameter int unsigned Width       = 8,
  parameter int unsigned Beats       = 1,
  parameter int unsigned Lanes       = 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   in_valid_i,
  output logic                   in_ready_o,
  /// Bits beyond the event's values are ignored.
  input  logic [StreamWidth-1:0] in_data_i,
  output logic                   out_valid_o,
  input  logic                   out_ready_i,
  output logic       [Width-1:0] out_data_o [Lanes]
);

  localparam int unsigned IN_BITS = StreamBeats == 1 ? Beats * Lanes * Width : StreamWidth;

  if (StreamWidth > IN_BITS) begin : g_unused
    logic unused;
    assign unused = &{1'b0, in_data_i[StreamWidth-1:IN_BITS]};
  end

  if (StreamBeats == 1 && Beats == 1) begin : g_register
    assign in_ready_o = !out_valid_o || out_ready_i;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) out_valid_o <= 1'b0;
      else if (in_ready_o) out_valid_o <= in_valid_i;
      if (in_valid_i && in_ready_o) begin
        for (int unsigned i = 0; i < Lanes; i++) out_data_o[i] <= in_data_i[i*Width+:Width];
      end
    end
  end else begin : g_gearbox
    logic [Lanes*Width-1:0] lanes;

    nn_gearbox #(
      .InBits(IN_BITS), .InBeats(StreamBeats), .OutBits(Lanes * Width), .OutBeats(Beats)
    ) u_gearbox (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i(in_data_i[IN_BITS-1:0]),
      .out_valid_o, .out_ready_i, .out_data_o(lanes)
    );
    always_comb for (int unsigned i = 0; i < Lanes; i++) out_data_o[i] = lanes[i*Width+:Width];
  end

endmodule

`default_nettype wire
