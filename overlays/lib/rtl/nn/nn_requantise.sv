`default_nettype none

/// Brings a beat of accumulators to a layer's output format: round, shift, rectify, then saturate or wrap.
///
/// A register with a spare behind it: ready is registered, so that no ready path crosses layers.
/// Initiation interval: 1 cycle. Latency: 1 cycle.
module nn_requantise #(
  parameter int unsigned Values    = 1,
  parameter int unsigned InWidth   = 24,
  parameter int unsigned OutWidth  = 8,
  /// Least significant bits to drop.
  parameter int unsigned Shift     = 0,
  parameter bit          OutSigned = 1'b0,
  /// Round half up; else floor.
  parameter bit          HalfUp    = 1'b0,
  /// Negative values become 0.
  parameter bit          Relu      = 1'b1,
  /// Clip to the output format; else keep its low bits.
  parameter bit          Saturate  = 1'b1
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                in_valid_i,
  output logic                in_ready_o,
  /// Signed.
  input  logic  [InWidth-1:0] in_data_i [Values],
  output logic                out_valid_o,
  input  logic                out_ready_i,
  output logic [OutWidth-1:0] out_data_o [Values]
);

  if (Shift >= InWidth || OutWidth > 32) begin : g_bad_format
    $error("nn_requantise: Shift must be below InWidth, OutWidth at most 32");
  end

  // One bit above the accumulator for the rounding constant, in a native machine word.
  localparam int unsigned SumWidth = InWidth < 32 && OutWidth < 32 ? 32 : 64;
  typedef logic signed [SumWidth-1:0] sum_t;
  typedef logic [OutWidth-1:0] values_t [Values];

  localparam sum_t HALF    = HalfUp && Shift > 0 ? sum_t'(1) << (Shift - 1) : '0;
  localparam sum_t LARGEST = (sum_t'(1) << (OutWidth - 32'(OutSigned))) - 1;
  localparam sum_t LEAST   = OutSigned ? -LARGEST - 1 : '0;

  values_t spare_q;
  logic    spare_valid_q, advance;

  assign in_ready_o = !spare_valid_q;
  assign advance    = !out_valid_o || out_ready_i;

  function automatic values_t requantise();
    sum_t value;
    /* verilator unroll_disable */
    for (int unsigned i = 0; i < Values; i++) begin
      value = (sum_t'(signed'(in_data_i[i])) + HALF) >>> Shift;
      if (Relu && value < 0) value = '0;
      if (Saturate && value > LARGEST) value = LARGEST;
      if (Saturate && value < LEAST) value = LEAST;
      requantise[i] = OutWidth'(value);
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      out_valid_o   <= 1'b0;
      spare_valid_q <= 1'b0;
    end else if (advance) begin
      out_valid_o   <= in_valid_i || spare_valid_q;
      spare_valid_q <= 1'b0;
    end else if (in_valid_i) begin
      spare_valid_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance) begin
      if (spare_valid_q) out_data_o <= spare_q;
      else if (in_valid_i) out_data_o <= requantise();
    end
  end

  always_ff @(posedge clk_i) begin
    if (in_valid_i && in_ready_o && !advance) spare_q <= requantise();
  end

endmodule

`default_nettype wire
