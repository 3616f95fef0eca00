`default_nettype none

/// `dial` with faults that can be switched on: what the measuring IP must notice.
///
/// Registers (word address), beside those of `dial`; beats are counted from the accelerator's reset:
/// 0x100 REFUSE: takes no input while 1.
/// 0x101 CORRUPT_AT: output beat whose lowest bit is flipped.
/// 0x102 SWALLOW_AT: output beat that is lost.
/// 0x103 REPEAT_AT: output beat that comes twice.
/// 0x104 SPURIOUS: that many single-beat events come out of nothing.
/// 0x105 FLICKER: output valid goes up and down, whether or not the beat was taken.
module faulty_dial #(
  parameter int unsigned InWidth  = 32,
  parameter int unsigned OutWidth = 32
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  input  logic [InWidth-1:0]  in_data_i,
  input  logic                in_last_i,
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o,
  output logic                out_last_o,
  input  logic                cfg_we_i,
  input  logic [13:0]         cfg_addr_i,
  input  logic [31:0]         cfg_wdata_i,
  output logic [31:0]         cfg_rdata_o
);

  logic                refuse_q, flicker_q, flick_q, repeated_q;
  logic [31:0]         corrupt_q, swallow_q, repeat_q, spurious_q, beat_q;
  logic                valid, ready, last, dial_in_ready, swallow, again, spurious;
  logic [OutWidth-1:0] data;

  dial #(.InWidth(InWidth), .OutWidth(OutWidth)) u_dial (
    .clk_i, .rst_ni,
    .in_valid_i(in_valid_i && !refuse_q), .in_ready_o(dial_in_ready), .in_data_i, .in_last_i,
    .out_valid_o(valid), .out_ready_i(ready), .out_data_o(data), .out_last_o(last),
    .cfg_we_i(cfg_we_i && !cfg_addr_i[8]), .cfg_addr_i, .cfg_wdata_i, .cfg_rdata_o
  );

  assign in_ready_o  = dial_in_ready && !refuse_q;
  assign spurious    = spurious_q != '0;
  assign swallow     = beat_q == swallow_q;
  assign again       = beat_q == repeat_q && !repeated_q;
  assign ready       = !spurious && (swallow || (out_ready_i && !again && !(flicker_q && flick_q)));
  assign out_valid_o = spurious || (valid && !swallow && !(flicker_q && flick_q));
  assign out_data_o  = spurious ? '0 : data ^ OutWidth'(beat_q == corrupt_q);
  assign out_last_o  = spurious || last;

  always_ff @(posedge clk_i) begin
    flick_q <= !flick_q;
    if (!rst_ni) begin
      refuse_q   <= 1'b0;
      flicker_q  <= 1'b0;
      flick_q    <= 1'b0;
      corrupt_q  <= '1;
      swallow_q  <= '1;
      repeat_q   <= '1;
      spurious_q <= '0;
      beat_q     <= '0;
      repeated_q <= 1'b0;
    end else begin
      if (valid && ready) beat_q <= beat_q + 1'b1;
      if (valid && out_ready_i && !spurious && again) repeated_q <= 1'b1;
      if (spurious && out_ready_i) spurious_q <= spurious_q - 1'b1;
      if (cfg_we_i) begin
        unique case (cfg_addr_i)
          14'h100: refuse_q <= cfg_wdata_i[0];
          14'h101: corrupt_q <= cfg_wdata_i;
          14'h102: swallow_q <= cfg_wdata_i;
          14'h103: repeat_q <= cfg_wdata_i;
          14'h104: spurious_q <= cfg_wdata_i;
          14'h105: flicker_q <= cfg_wdata_i[0];
          default: ;
        endcase
      end
    end
  end

endmodule

`default_nettype wire
