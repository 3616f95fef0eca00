`default_nettype none

/// The same values in beats of another number of lanes: gathers or scatters.
///
/// Initiation interval: InBeats or OutBeats cycles, whichever are more. Latency: 1 cycle from the input
/// beat that completes an output beat.
module nn_regroup #(
  /// Bits of a value.
  parameter int unsigned Width    = 8,
  parameter int unsigned InBeats  = 1,
  parameter int unsigned InLanes  = 1,
  parameter int unsigned OutBeats = 1,
  parameter int unsigned OutLanes = 1
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i [InLanes],
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o [OutLanes]
);

  if (InBeats * InLanes != OutBeats * OutLanes) begin : g_bad_shape
    $error("nn_regroup: as many values must go out as come in");
  end

  logic [InLanes*Width-1:0]  coming;
  logic [OutLanes*Width-1:0] going;

  always_comb for (int unsigned i = 0; i < InLanes; i++) coming[i*Width+:Width] = in_data_i[i];

  nn_gearbox #(
    .InBits(InLanes * Width), .InBeats(InBeats), .OutBits(OutLanes * Width), .OutBeats(OutBeats)
  ) u_gearbox (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i(coming),
    .out_valid_o, .out_ready_i, .out_data_o(going)
  );
  always_comb for (int unsigned i = 0; i < OutLanes; i++) out_data_o[i] = going[i*Width+:Width];

endmodule

`default_nettype wire
