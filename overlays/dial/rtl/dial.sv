`default_nettype none

/// A stand-in accelerator whose timing is set by registers: the instrument that tests the instrument.
///
/// Takes the first beat of an event at most once every INITIATION_INTERVAL cycles, and returns each beat
/// unchanged DELAY cycles after taking it, plus a random number of cycles below 2^n - 1 given by the mask
/// JITTER_MASK, never out of order. An event of B back-to-back beats has latency DELAY + B - 1.
///
/// Registers (word address): 0 INITIATION_INTERVAL (reset 1), 1 DELAY (reset 1, 1..Depth - 1),
/// 2 JITTER_MASK (reset 0), 3 SEED of the jitter (reset 1, not zero). Change them only between runs.
module dial #(
  parameter int unsigned InWidth  = 32,
  parameter int unsigned OutWidth = 32,
  /// Beats in flight, a power of two; a full store refuses input.
  parameter int unsigned Depth    = 1024,
  localparam int unsigned Addr = $clog2(Depth)
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

  if (InWidth != OutWidth) begin : g_bad_width
    $error("dial: InWidth and OutWidth must be equal");
  end

  typedef struct packed {
    logic [31:0]        release_at;
    logic               last;
    logic [InWidth-1:0] data;
  } beat_t;

  beat_t           store [Depth];
  beat_t           head;
  logic [31:0]     interval_q, delay_q, mask_q, seed_q, random_q, now_q, wait_q, release_at;
  logic [Addr-1:0] wptr_q, rptr_q;
  logic [Addr:0]   count_q;
  logic            mid_q, take, give, configured_q;

  function automatic logic [31:0] xorshift32(logic [31:0] x);
    logic [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    return y ^ (y << 5);
  endfunction

  assign in_ready_o = 32'(count_q) < Depth && (mid_q || wait_q == '0);
  assign take       = in_valid_i && in_ready_o;
  assign release_at = now_q + delay_q + (random_q & mask_q);

  assign head        = store[rptr_q];
  // Differences modulo 2^32 compare rightly across the wrap of the counter.
  assign out_valid_o = count_q != '0 && !1'((now_q - head.release_at) >> 31);
  assign out_data_o  = head.data;
  assign out_last_o  = head.last;
  assign give        = out_valid_o && out_ready_i;

  always_ff @(posedge clk_i) begin
    if (take) store[wptr_q] <= '{release_at, in_last_i, in_data_i};
    if (!rst_ni) begin
      now_q        <= '0;
      wait_q       <= '0;
      mid_q        <= 1'b0;
      wptr_q       <= '0;
      rptr_q       <= '0;
      count_q      <= '0;
      random_q     <= seed_q;
      configured_q <= 1'b0;
    end else begin
      now_q   <= now_q + 1'b1;
      wptr_q  <= wptr_q + Addr'(take);
      rptr_q  <= rptr_q + Addr'(give);
      count_q <= count_q + (Addr + 1)'(take) - (Addr + 1)'(give);
      if (take) mid_q <= !in_last_i;
      if (take && !mid_q) wait_q <= interval_q - 1'b1;
      else if (wait_q != '0) wait_q <= wait_q - 1'b1;
      configured_q <= cfg_we_i && cfg_addr_i == 14'd3;
      if (configured_q) random_q <= seed_q;
      else if (take) random_q <= xorshift32(random_q);
    end
  end

  // The settings outlive the reset that follows an abort; power-up values come from `initial`.
  initial begin
    interval_q = 32'd1;
    delay_q    = 32'd1;
    mask_q     = 32'd0;
    seed_q     = 32'd1;
  end

  always_ff @(posedge clk_i) begin
    if (cfg_we_i) begin
      unique case (cfg_addr_i)
        14'd0:   interval_q <= cfg_wdata_i;
        14'd1:   delay_q <= cfg_wdata_i;
        14'd2:   mask_q <= cfg_wdata_i;
        14'd3:   seed_q <= cfg_wdata_i;
        default: ;
      endcase
    end
    unique case (cfg_addr_i)
      14'd0:   cfg_rdata_o <= interval_q;
      14'd1:   cfg_rdata_o <= delay_q;
      14'd2:   cfg_rdata_o <= mask_q;
      14'd3:   cfg_rdata_o <= seed_q;
      default: cfg_rdata_o <= '0;
    endcase
  end

endmodule

`default_nettype wire
