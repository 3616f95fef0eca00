`default_nettype none

/// Collects the words of a frame in a memory, and says when a whole and true one is there.
///
/// A frame whose CRC is wrong, that is no whole number of words, shorter than three or longer than the
/// memory, or that begins or goes on while `hold_i` is high, is forgotten and counted.
module frame_receiver
  import uart_pkg::*;
#(
  /// Words of the memory: the longest frame.
  parameter int unsigned Words = 512,
  localparam int unsigned Addr = $clog2(Words)
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  /// The last frame is still being worked on.
  input  logic            hold_i,
  input  logic            valid_i,
  input  logic [7:0]      data_i,
  input  logic            end_i,
  input  logic            good_i,
  /// Write port of the memory.
  output logic            we_o,
  output logic [Addr-1:0] waddr_o,
  output logic [31:0]     wdata_o,
  /// High for one cycle, with the words of the frame, its CRC included, and the first three of them.
  output logic            frame_o,
  output logic [Addr:0]   words_o,
  output logic [31:0]     header_o,
  output logic [31:0]     length_o,
  output logic [31:0]     address_o,
  output logic [31:0]     crc_o,
  /// Frames forgotten since reset; stays at its end.
  output logic [31:0]     forgotten_o
);

  logic [31:0]   crc_q;
  logic [23:0]   part_q;
  logic [1:0]    place_q;
  logic [Addr:0] words_q;
  logic          bad_q, whole;

  // Words are written as they come, whether or not they are true: nobody looks before `frame_o`.
  assign whole   = valid_i && place_q == 2'd3;
  assign we_o    = whole && !hold_i && !bad_q && 32'(words_q) < Words;
  assign waddr_o = words_q[Addr-1:0];
  assign wdata_o = {data_i, part_q};

  always_ff @(posedge clk_i) begin
    frame_o <= 1'b0;
    if (we_o) begin
      if (words_q == '0) header_o <= wdata_o;
      if (words_q == 1) length_o <= wdata_o;
      if (words_q == 2) address_o <= wdata_o;
      // The last word of a frame is its CRC.
      crc_o <= wdata_o;
    end
    if (!rst_ni) begin
      crc_q       <= '1;
      place_q     <= '0;
      words_q     <= '0;
      bad_q       <= 1'b0;
      forgotten_o <= '0;
    end else if (end_i) begin
      frame_o <= good_i && !bad_q && !hold_i && place_q == '0 && words_q > 2 && crc_q == CRC_RESIDUE;
      words_o <= words_q;
      if ((!good_i || bad_q || hold_i || place_q != '0 || words_q <= 2 || crc_q != CRC_RESIDUE) &&
          forgotten_o != '1) begin
        forgotten_o <= forgotten_o + 1'b1;
      end
      crc_q   <= '1;
      place_q <= '0;
      words_q <= '0;
      bad_q   <= 1'b0;
    end else if (valid_i) begin
      crc_q   <= crc_byte(crc_q, data_i);
      part_q  <= {data_i, part_q[23:8]};
      place_q <= place_q + 1'b1;
      if (whole) words_q <= words_q + (Addr + 1)'(!bad_q);
      if (hold_i || (whole && 32'(words_q) == Words)) bad_q <= 1'b1;
    end
  end

endmodule

`default_nettype wire
