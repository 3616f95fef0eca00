// For Yosys' `techmap`: each sum and each difference gets a carry chain, one look-up table a bit. Left alone,
// Yosys would merge chains of sums into trees of compressors, which take two tables a bit on these parts.
(* techmap_celltype = "$add $sub" *)
module carry_chain #(
  parameter _TECHMAP_CELLTYPE_ = "",
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
  localparam Minus = _TECHMAP_CELLTYPE_ == "$sub";

  wire [Y_WIDTH-1:0] propagate, carry;
  \$alu #(
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) alu (
    .A(A), .B(B), .CI(Minus), .BI(Minus), .Y(Y), .X(propagate), .CO(carry)
  );
endmodule
