`default_nettype none

/// uart_bridge in front of a slave that has everything a bridge can meet, after random pauses.
///
/// Word addresses: 0..255 memory; 0x100 adds what is written, so that a write done twice shows;
/// 0x101 counts writes, 0x102 reads; 0x140 SLVERR; 0x180 DECERR; 0x1c0 never answers, unless
/// 0x1c1 was written: then late, after that many cycles.
module bridge_top #(
  parameter int unsigned DivisorQ8     = 2048,
  parameter int unsigned TimeoutCycles = 200,
  parameter int unsigned MaxWords      = 256
) (
  input  logic aclk,
  input  logic aresetn,
  input  logic uart_rx,
  output logic uart_tx,
  output logic busy
);

  logic [21:0] awaddr, araddr, addr_q;
  logic [31:0] wdata, wdata_q, rdata, sum_q, writes_q, reads_q, late_q, wait_q, pause_q;
  logic [1:0]  resp;
  logic        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  logic [9:0]  word;

  uart_bridge #(
    .DivisorQ8(DivisorQ8), .ClockHz(100_000_000), .MaxWords(MaxWords), .TimeoutCycles(TimeoutCycles)
  ) u_bridge (
    .clk_i(aclk), .rst_ni(aresetn), .rx_i(uart_rx), .tx_o(uart_tx), .busy_o(busy),
    .m_axi_awaddr_o(awaddr), .m_axi_awvalid_o(awvalid), .m_axi_awready_i(awready),
    .m_axi_wdata_o(wdata), .m_axi_wvalid_o(wvalid), .m_axi_wready_i(wready),
    .m_axi_bresp_i(resp), .m_axi_bvalid_i(bvalid), .m_axi_bready_o(bready),
    .m_axi_araddr_o(araddr), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready),
    .m_axi_rdata_i(rdata), .m_axi_rresp_i(resp), .m_axi_rvalid_i(rvalid), .m_axi_rready_o(rready)
  );

  typedef enum logic [1:0] {IDLE, DATA, WAITING, ANSWER} state_e;
  state_e      state_q;
  logic        write_q, have_w_q, paused;
  logic [31:0] memory [256];

  function automatic logic [31:0] xorshift32(logic [31:0] x);
    logic [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    return y ^ (y << 5);
  endfunction

  // A pause in three of four cycles.
  assign paused  = pause_q[1:0] != '0;
  assign awready = state_q == IDLE && awvalid && !paused;
  assign arready = state_q == IDLE && arvalid && !awvalid && !paused;
  // Data may be taken before or after the address.
  assign wready  = wvalid && !have_w_q && pause_q[2] && (state_q == IDLE || state_q == DATA);
  assign bvalid  = state_q == ANSWER && write_q;
  assign rvalid  = state_q == ANSWER && !write_q;
  assign word    = addr_q[11:2];

  always_comb begin
    resp = 2'b00;
    if (addr_q[21:12] != '0 || addr_q[1:0] != '0 || word == 10'h180) resp = 2'b11;
    else if (word == 10'h140) resp = 2'b10;
  end

  always_comb begin
    rdata = 32'hdead_beef;
    if (word < 10'h100) rdata = memory[word[7:0]];
    else if (word == 10'h100) rdata = sum_q;
    else if (word == 10'h101) rdata = writes_q;
    else if (word == 10'h102) rdata = reads_q;
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      state_q  <= IDLE;
      have_w_q <= 1'b0;
      sum_q    <= '0;
      writes_q <= '0;
      reads_q  <= '0;
      late_q   <= '0;
      pause_q  <= 32'd1;
    end else begin
      pause_q <= xorshift32(pause_q);
      if (wready) begin
        have_w_q <= 1'b1;
        wdata_q  <= wdata;
      end
      unique case (state_q)
        IDLE: if (awready || arready) begin
          addr_q  <= awready ? awaddr : araddr;
          write_q <= awready;
          wait_q  <= '0;
          state_q <= awready ? DATA : WAITING;
        end
        DATA: if (have_w_q) state_q <= WAITING;
        WAITING: begin
          wait_q <= wait_q + 1'b1;
          if (word == 10'h1c0 ? late_q != '0 && wait_q == late_q : !paused) state_q <= ANSWER;
        end
        ANSWER: if (write_q ? bready : rready) begin
          state_q  <= IDLE;
          have_w_q <= 1'b0;
          if (write_q) writes_q <= writes_q + 1'b1;
          else reads_q <= reads_q + 1'b1;
          if (write_q && resp == '0) begin
            if (word < 10'h100) memory[word[7:0]] <= wdata_q;
            if (word == 10'h100) sum_q <= sum_q + wdata_q;
            if (word == 10'h1c1) late_q <= wdata_q;
          end
        end
        default: state_q <= IDLE;
      endcase
    end
  end

  // The bus: what is offered stays until it is taken.
  logic [21:0] held_awaddr_q, held_araddr_q;
  logic [31:0] held_wdata_q;
  logic        held_aw_q, held_w_q, held_ar_q;

  always_ff @(posedge aclk) begin
    held_aw_q     <= aresetn && awvalid && !awready;
    held_w_q      <= aresetn && wvalid && !wready;
    held_ar_q     <= aresetn && arvalid && !arready;
    held_awaddr_q <= awaddr;
    held_araddr_q <= araddr;
    held_wdata_q  <= wdata;
    if (aresetn && held_aw_q && !(awvalid && awaddr == held_awaddr_q)) begin
      $error("bridge_top: AW changed");
    end
    if (aresetn && held_w_q && !(wvalid && wdata == held_wdata_q)) $error("bridge_top: W changed");
    if (aresetn && held_ar_q && !(arvalid && araddr == held_araddr_q)) begin
      $error("bridge_top: AR changed");
    end
  end

endmodule

`default_nettype wire
