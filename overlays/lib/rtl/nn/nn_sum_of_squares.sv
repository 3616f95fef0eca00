`default_nettype none

/// The sum of the squares of a vector, exact: how far it lies from the origin.
///
/// Passes the vector on beside the score. Initiation interval: 1 cycle. Latency: 2 cycles, one for the
/// squares and one for their sum.
module nn_sum_of_squares #(
  parameter int unsigned Values     = 1,
  parameter int unsigned Width      = 8,
  parameter bit          Signed     = 1'b1,
  /// Wide enough for the worst case, there is no overflow logic.
  parameter int unsigned ScoreWidth = 2 * Width + $clog2(Values)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  input  logic      [Width-1:0] in_data_i [Values],
  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  output logic      [Width-1:0] out_data_o [Values],
  output logic [ScoreWidth-1:0] out_score_o
);

  typedef logic [2*Width-1:0] squares_t [Values];

  logic [Width-1:0] data_q [Values];
  squares_t         squares_q;
  logic             valid_q, advance;

  assign advance    = !out_valid_o || out_ready_i;
  assign in_ready_o = !valid_q || advance;

  function automatic squares_t square();
    logic signed [Width:0]     value;
    logic signed [2*Width+1:0] wide;
    for (int unsigned i = 0; i < Values; i++) begin
      value = {Signed && in_data_i[i][Width-1], in_data_i[i]};
      wide  = (2 * Width + 2)'(value);
      square[i] = (2 * Width)'(wide * wide);
    end
  endfunction

  function automatic logic [ScoreWidth-1:0] sum();
    sum = '0;
    for (int unsigned i = 0; i < Values; i++) sum += ScoreWidth'(squares_q[i]);
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q     <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (in_ready_o) valid_q <= in_valid_i;
      if (advance) out_valid_o <= valid_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o) begin
      data_q    <= in_data_i;
      squares_q <= square();
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_q && advance) begin
      out_data_o  <= data_q;
      out_score_o <= sum();
    end
  end

endmodule

`default_nettype wire
