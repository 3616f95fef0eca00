// For Yosys' `techmap`: a product with a constant is shifts, sums and differences, one for each digit of
// its non-adjacent form (the fewest there can be), as vendors' tools make it. Sums first: a difference
// then has something to be taken from.
(* techmap_celltype = "$mul" *)
module shift_add #(
  parameter A_SIGNED = 0,
  parameter B_SIGNED = 0,
  parameter A_WIDTH  = 1,
  parameter B_WIDTH  = 1,
  parameter Y_WIDTH  = 1
) (
  input  [A_WIDTH-1:0] A,
  input  [B_WIDTH-1:0] B,
  output [Y_WIDTH-1:0] Y
);
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTVAL_B_ = 0;
  wire _TECHMAP_FAIL_ = !(&_TECHMAP_CONSTMSK_B_);

  localparam signed [B_WIDTH+1:0] Value = B_SIGNED ? $signed(_TECHMAP_CONSTVAL_B_[B_WIDTH-1:0])
                                                   : $signed({1'b0, _TECHMAP_CONSTVAL_B_[B_WIDTH-1:0]});
  localparam signed [B_WIDTH+1:0] Thrice = 3 * Value;
  localparam [B_WIDTH+1:0] Plus  = (Thrice & ~Value) >> 1;
  localparam [B_WIDTH+1:0] Minus = (Value & ~Thrice) >> 1;

  wire signed [Y_WIDTH-1:0] value;
  if (A_SIGNED) assign value = $signed(A);
  else assign value = A;

  // Sum number i is bits i * Y_WIDTH and up.
  localparam Digits = B_WIDTH + 1;
  wire [(2*Digits+1)*Y_WIDTH-1:0] sums;
  assign sums[0+:Y_WIDTH] = 0;
  genvar i;
  for (i = 0; i < Digits; i = i + 1) begin : g_digit
    if (Plus[i]) assign sums[(i+1)*Y_WIDTH+:Y_WIDTH] = sums[i*Y_WIDTH+:Y_WIDTH] + (value << i);
    else assign sums[(i+1)*Y_WIDTH+:Y_WIDTH] = sums[i*Y_WIDTH+:Y_WIDTH];

    if (Minus[i]) begin : g_minus
      assign sums[(Digits+i+1)*Y_WIDTH+:Y_WIDTH] = sums[(Digits+i)*Y_WIDTH+:Y_WIDTH] - (value << i);
    end else begin : g_none
      assign sums[(Digits+i+1)*Y_WIDTH+:Y_WIDTH] = sums[(Digits+i)*Y_WIDTH+:Y_WIDTH];
    end
  end
  assign Y = sums[2*Digits*Y_WIDTH+:Y_WIDTH];
endmodule
