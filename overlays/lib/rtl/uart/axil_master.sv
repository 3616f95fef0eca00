`default_nettype none

/// AXI4-Lite master, one access at a time, that gives up on a slave after `TimeoutCycles`.
///
/// An access that was given up is not withdrawn, which the bus forbids: the next one waits for its late
/// answer, and is given up as well if that does not come.
module axil_master
  import uart_pkg::*;
#(
  parameter int unsigned AddrWidth     = 22,
  parameter int unsigned TimeoutCycles = 1024,
  localparam int unsigned Timer = $clog2(TimeoutCycles + 1)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  /// Held until `done_o`.
  input  logic                 valid_i,
  input  logic                 write_i,
  input  logic [AddrWidth-1:0] addr_i,
  input  logic [31:0]          wdata_i,
  /// High for one cycle.
  output logic                 done_o,
  output cause_e               cause_o,
  output logic [31:0]          rdata_o,
  output logic [AddrWidth-1:0] m_axi_awaddr_o,
  output logic                 m_axi_awvalid_o,
  input  logic                 m_axi_awready_i,
  output logic [31:0]          m_axi_wdata_o,
  output logic                 m_axi_wvalid_o,
  input  logic                 m_axi_wready_i,
  input  logic [1:0]           m_axi_bresp_i,
  input  logic                 m_axi_bvalid_i,
  output logic                 m_axi_bready_o,
  output logic [AddrWidth-1:0] m_axi_araddr_o,
  output logic                 m_axi_arvalid_o,
  input  logic                 m_axi_arready_i,
  input  logic [31:0]          m_axi_rdata_i,
  input  logic [1:0]           m_axi_rresp_i,
  input  logic                 m_axi_rvalid_i,
  output logic                 m_axi_rready_o
);

  logic             open_q, late_q, write_q, aw_q, w_q, ar_q, done_q, answered, give_up;
  logic [1:0]       resp;
  logic [Timer-1:0] timer_q;
  logic [AddrWidth-1:0] addr_q;
  logic [31:0]      data_q;

  assign m_axi_awaddr_o  = addr_q;
  assign m_axi_araddr_o  = addr_q;
  assign m_axi_wdata_o   = data_q;
  assign m_axi_awvalid_o = aw_q;
  assign m_axi_wvalid_o  = w_q;
  assign m_axi_arvalid_o = ar_q;
  assign m_axi_bready_o  = open_q && write_q;
  assign m_axi_rready_o  = open_q && !write_q;

  assign answered = open_q && (write_q ? m_axi_bvalid_i : m_axi_rvalid_i);
  assign resp     = write_q ? m_axi_bresp_i : m_axi_rresp_i;
  assign give_up  = valid_i && !done_q && 32'(timer_q) == TimeoutCycles;
  assign done_o   = done_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      open_q  <= 1'b0;
      late_q  <= 1'b0;
      aw_q    <= 1'b0;
      w_q     <= 1'b0;
      ar_q    <= 1'b0;
      done_q  <= 1'b0;
      timer_q <= '0;
    end else begin
      done_q  <= 1'b0;
      timer_q <= valid_i && !done_q ? timer_q + 1'b1 : '0;
      if (m_axi_awready_i) aw_q <= 1'b0;
      if (m_axi_wready_i) w_q <= 1'b0;
      if (m_axi_arready_i) ar_q <= 1'b0;
      if (answered) begin
        open_q  <= 1'b0;
        late_q  <= 1'b0;
        rdata_o <= m_axi_rdata_i;
      end
      if (answered && !late_q) begin
        done_q  <= 1'b1;
        cause_o <= !resp[1] ? OK : resp[0] ? NO_SLAVE : SLAVE_ERROR;
      end else if (give_up) begin
        done_q  <= 1'b1;
        cause_o <= TIMED_OUT;
        late_q  <= open_q && !answered;
      end else if (valid_i && !done_q && !open_q) begin
        open_q  <= 1'b1;
        write_q <= write_i;
        addr_q  <= addr_i;
        data_q  <= wdata_i;
        aw_q    <= write_i;
        w_q     <= write_i;
        ar_q    <= !write_i;
      end
    end
  end

endmodule

`default_nettype wire
