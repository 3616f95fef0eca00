`default_nettype none

/// Computes the network, a row of weights in each cycle: one multiplier and one accumulator for each weight of
/// a row, for all layers in turn.
///
/// The outputs of a layer are spread over SPREAD lanes, so a row holds the weights of LANES / SPREAD inputs;
/// the partial sums of a lane are added up when the layer's last row is in. A layer of R rows takes R + 3
/// cycles: product, sum, fold with the bias, requantise.
///
/// With a row in every cycle: initiation interval ROWS + 3 * (LAYERS - 1) cycles, since the next event begins
/// behind the last row; latency 4 more, to the valid output.
module layer_engine
  import weight_streaming_weights_pkg::*;
(
  input  logic                                clk_i,
  input  logic                                rst_ni,
  input  logic                                in_valid_i,
  output logic                                in_ready_o,
  input  logic [INPUTS*INPUT_WIDTH-1:0]       in_data_i,
  input  logic                                row_valid_i,
  output logic                                row_ready_o,
  input  logic [LANES*WEIGHT_WIDTH-1:0]       row_data_i,
  output logic                                out_valid_o,
  input  logic                                out_ready_i,
  output logic [OUTPUT_WIDTH-1:0]             out_data_o [OUTPUTS]
);

  typedef logic [$clog2(LAYERS)-1:0]     layer_t;
  typedef logic [$clog2(ROWS)-1:0]       row_t;
  typedef logic signed [VALUE_WIDTH-1:0] value_t;
  typedef logic signed [ACC_WIDTH-1:0]   acc_t;
  typedef logic signed [31:0]            sum_t;
  typedef acc_t                          accs_t [LANES];

  value_t value_q   [LANES];
  sum_t   product_q [LANES];
  accs_t  acc_q, fold_q;
  layer_t layer_q, product_layer_q, acc_layer_q, fold_layer_q;
  row_t   row_q;
  logic   busy_q, wait_q, take, last_row, last_layer, accept, product_valid_q, product_first_q;
  logic   product_last_q, acc_last_q, fold_valid_q, result_q;

  assign last_row   = row_q == row_t'(LAYER_ROWS[layer_q] - 1);
  assign last_layer = layer_q == layer_t'(LAYERS - 1);
  // An event's last row waits until the result before it has left.
  assign row_ready_o = busy_q && !wait_q && !(last_row && last_layer && result_q);
  assign take        = row_valid_i && row_ready_o;
  assign in_ready_o  = !busy_q || (take && last_row && last_layer);
  assign accept      = in_valid_i && in_ready_o;

  // ---------------------------------------------------------------- products and sums

  function automatic logic [$clog2(LANES)-1:0] input_of(layer_t layer, row_t row, int unsigned lane);
    return $clog2(LANES)'((32'(row) << (LANE_BITS - SPREAD_BITS[layer])) + (lane >> SPREAD_BITS[layer]));
  endfunction

  always_ff @(posedge clk_i) begin
    if (take) begin
      /* verilator unroll_disable */
      for (int unsigned lane = 0; lane < LANES; lane++) begin
        product_q[lane] <= sum_t'(signed'(row_data_i[lane*WEIGHT_WIDTH+:WEIGHT_WIDTH]))
            * sum_t'(value_q[input_of(layer_q, row_q, lane)]);
      end
      product_layer_q <= layer_q;
      product_first_q <= row_q == '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (product_valid_q) begin
      /* verilator unroll_disable */
      for (int unsigned lane = 0; lane < LANES; lane++) begin
        acc_q[lane] <= (product_first_q ? '0 : acc_q[lane]) + ACC_WIDTH'(product_q[lane]);
      end
      acc_layer_q <= product_layer_q;
    end
  end

  // ---------------------------------------------------------------- end of a layer

  function automatic accs_t fold();
    acc_t sum;
    fold = '{default: '0};
    for (int unsigned layer = 0; layer < LAYERS; layer++) begin
      if (acc_layer_q == layer_t'(layer)) begin
        /* verilator unroll_disable */
        for (int unsigned at = 0; at < 32'd1 << SPREAD_BITS[layer]; at++) begin
          sum = BIASES[layer][at];
          /* verilator unroll_disable */
          for (int unsigned lane = at; lane < LANES; lane += 32'd1 << SPREAD_BITS[layer]) begin
            sum = sum + acc_q[lane];
          end
          fold[at] = sum;
        end
      end
    end
  endfunction

  function automatic sum_t requantise(layer_t layer, acc_t acc);
    sum_t value;
    value = (sum_t'(acc) + HALF[layer]) >>> SHIFT[layer];
    if (value > LARGEST[layer]) value = LARGEST[layer];
    if (value < LEAST[layer]) value = LEAST[layer];
    return value;
  endfunction

  always_ff @(posedge clk_i) begin
    if (acc_last_q) begin
      fold_q       <= fold();
      fold_layer_q <= acc_layer_q;
    end
  end

  logic to_output;
  assign to_output = fold_layer_q == layer_t'(LAYERS - 1);

  always_ff @(posedge clk_i) begin
    if (accept) begin
      for (int unsigned i = 0; i < LANES; i++) begin
        value_q[i] <= i < INPUTS ? VALUE_WIDTH'(signed'(in_data_i[(i%INPUTS)*INPUT_WIDTH+:INPUT_WIDTH])) : '0;
      end
    end else if (fold_valid_q && !to_output) begin
      /* verilator unroll_disable */
      for (int unsigned i = 0; i < LANES; i++) begin
        value_q[i] <= VALUE_WIDTH'(requantise(fold_layer_q, fold_q[i]));
      end
    end
    if (fold_valid_q && to_output) begin
      for (int unsigned i = 0; i < OUTPUTS; i++) begin
        out_data_o[i] <= OUTPUT_WIDTH'(requantise(layer_t'(LAYERS - 1), fold_q[i]));
      end
    end
  end

  // ---------------------------------------------------------------- control

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q          <= 1'b0;
      wait_q          <= 1'b0;
      layer_q         <= '0;
      row_q           <= '0;
      product_valid_q <= 1'b0;
      product_last_q  <= 1'b0;
      acc_last_q      <= 1'b0;
      fold_valid_q    <= 1'b0;
      result_q        <= 1'b0;
      out_valid_o     <= 1'b0;
    end else begin
      if (accept) busy_q <= 1'b1;
      else if (take && last_row && last_layer) busy_q <= 1'b0;
      if (take) begin
        row_q <= last_row ? '0 : row_q + 1'b1;
        if (last_row) layer_q <= last_layer ? '0 : layer_q + 1'b1;
      end
      // Behind a layer's last row, until its outputs are the next one's inputs.
      if (take && last_row && !last_layer) wait_q <= 1'b1;
      else if (fold_valid_q) wait_q <= 1'b0;
      product_valid_q <= take;
      product_last_q  <= take && last_row;
      acc_last_q      <= product_last_q;
      fold_valid_q    <= acc_last_q;
      if (take && last_row && last_layer) result_q <= 1'b1;
      else if (out_valid_o && out_ready_i) result_q <= 1'b0;
      if (fold_valid_q && to_output) out_valid_o <= 1'b1;
      else if (out_ready_i) out_valid_o <= 1'b0;
    end
  end

endmodule

`default_nettype wire
