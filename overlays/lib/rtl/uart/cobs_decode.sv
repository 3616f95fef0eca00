`default_nettype none

/// Takes the zeros out of a byte stream again (consistent overhead byte stuffing) and finds frames.
///
/// At most one byte comes out for each that goes in, in the same cycle. A zero ends a frame, whatever
/// came before it; an empty frame is none.
module cobs_decode (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       valid_i,
  input  logic [7:0] data_i,
  /// A byte was lost here.
  input  logic       lost_i,
  output logic       valid_o,
  output logic [7:0] data_o,
  /// A frame has ended.
  output logic       end_o,
  /// It was well formed.
  output logic       good_o
);

  logic [7:0] left_q;
  logic       zero_q, lost_q, begun_q, delimiter, code;

  assign delimiter = valid_i && data_i == '0;
  assign code      = valid_i && !delimiter && left_q == '0;
  assign valid_o   = valid_i && !delimiter && (!code || zero_q);
  assign data_o    = code ? '0 : data_i;
  assign end_o     = delimiter && (begun_q || lost_q);
  assign good_o    = begun_q && !lost_q && left_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || delimiter) begin
      left_q  <= '0;
      zero_q  <= 1'b0;
      lost_q  <= 1'b0;
      begun_q <= 1'b0;
    end else begin
      if (lost_i) lost_q <= 1'b1;
      if (valid_i) begin
        begun_q <= 1'b1;
        left_q  <= (code ? data_i : left_q) - 1'b1;
        // A full block ends without a zero of its own.
        if (code) zero_q <= data_i != 8'hff;
      end
    end
  end

endmodule

`default_nettype wire
