`default_nettype none

/// Feeds the accelerator from the event player or from the DMA, and sends its output on accordingly.
///
/// With the player the output is only watched, and always taken. With the DMA an event is due when its
/// first beat is offered, and the DMA's own back pressure reaches the accelerator. The path must not be
/// changed while events are in flight.
module path_select #(
  parameter int unsigned InWidth  = 32,
  parameter int unsigned OutWidth = 32
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  /// High: DMA. Low: event player.
  input  logic                dma_i,
  /// No new event of the DMA is let in: the histograms are being zeroed.
  input  logic                hold_i,
  input  logic [31:0]         stamp_i,
  // From the player.
  input  logic                player_valid_i,
  output logic                player_ready_o,
  input  logic [InWidth-1:0]  player_data_i,
  input  logic                player_last_i,
  // From and to the DMA.
  input  logic                dma_in_valid_i,
  output logic                dma_in_ready_o,
  input  logic [InWidth-1:0]  dma_in_data_i,
  input  logic                dma_in_last_i,
  output logic                dma_out_valid_o,
  input  logic                dma_out_ready_i,
  output logic [OutWidth-1:0] dma_out_data_o,
  output logic                dma_out_last_o,
  // To and from the accelerator.
  output logic                acc_in_valid_o,
  input  logic                acc_in_ready_i,
  output logic [InWidth-1:0]  acc_in_data_o,
  output logic                acc_in_last_o,
  input  logic                acc_out_valid_i,
  output logic                acc_out_ready_o,
  input  logic [OutWidth-1:0] acc_out_data_i,
  input  logic                acc_out_last_i,
  /// An event of the DMA is offered for the first time; its first beat is taken; when it was due.
  output logic                dma_arrive_o,
  output logic                dma_accept_o,
  output logic [31:0]         dma_due_o,
  /// Number of the DMA's event on offer.
  output logic [31:0]         dma_number_o
);

  logic        mid_q, offered_q;
  logic [31:0] due_q;
  logic        take, held;

  // An event that was offered stays offered, whatever is asked for meanwhile.
  assign held            = hold_i && !mid_q && !offered_q;
  assign acc_in_valid_o  = dma_i ? dma_in_valid_i && !held : player_valid_i;
  assign acc_in_data_o   = dma_i ? dma_in_data_i : player_data_i;
  assign acc_in_last_o   = dma_i ? dma_in_last_i : player_last_i;
  assign player_ready_o  = !dma_i && acc_in_ready_i;
  assign dma_in_ready_o  = dma_i && acc_in_ready_i && !held;
  assign dma_out_valid_o = dma_i && acc_out_valid_i;
  assign dma_out_data_o  = acc_out_data_i;
  assign dma_out_last_o  = acc_out_last_i;
  assign acc_out_ready_o = !dma_i || dma_out_ready_i;

  assign take         = dma_in_valid_i && dma_in_ready_o;
  assign dma_arrive_o = dma_i && dma_in_valid_i && !mid_q && !offered_q && !held;
  assign dma_accept_o = take && !mid_q;
  assign dma_due_o    = offered_q ? due_q : stamp_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !dma_i) begin
      mid_q        <= 1'b0;
      offered_q    <= 1'b0;
      dma_number_o <= '0;
    end else begin
      if (take) mid_q <= !dma_in_last_i;
      offered_q <= (offered_q || dma_arrive_o) && !take;
      if (dma_accept_o) dma_number_o <= dma_number_o + 1'b1;
    end
    if (dma_arrive_o) due_q <= stamp_i;
  end

endmodule

`default_nettype wire
