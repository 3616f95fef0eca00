`default_nettype none

/// Index of the largest of a vector of signed values; the lowest index wins a tie.
///
/// Passes the vector on beside the index. Initiation interval: 1 cycle. Latency: 1 cycle.
module nn_argmax #(
  parameter int unsigned Values = 2,
  parameter int unsigned Width  = 16,
  localparam int unsigned IndexWidth = Values > 1 ? $clog2(Values) : 1
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    in_valid_i,
  output logic                    in_ready_o,
  input  logic        [Width-1:0] in_data_i [Values],
  output logic                    out_valid_o,
  input  logic                    out_ready_i,
  output logic        [Width-1:0] out_data_o [Values],
  output logic   [IndexWidth-1:0] out_index_o
);

  typedef logic [IndexWidth-1:0] index_t;

  assign in_ready_o = !out_valid_o || out_ready_i;

  // A tournament: in each round the winner of a pair sits in the lower place.
  function automatic index_t largest();
    logic signed [Width-1:0] best [Values];
    index_t                  index [Values];
    for (int unsigned i = 0; i < Values; i++) begin
      best[i]  = signed'(in_data_i[i]);
      index[i] = index_t'(i);
    end
    for (int unsigned span = 1; span < Values; span *= 2) begin
      for (int unsigned i = 0; i + span < Values; i += 2 * span) begin
        if (best[i+span] > best[i]) begin
          best[i]  = best[i+span];
          index[i] = index[i+span];
        end
      end
    end
    return index[0];
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
    if (in_valid_i && in_ready_o) begin
      out_data_o  <= in_data_i;
      out_index_o <= largest();
    end
  end

endmodule

`default_nettype wire
