`default_nettype none

/// An overlay's `fabric_top` behind a serial line, for boards without a processor.
///
/// The register port of stream_bench lies at address 0; there is no DMA. The virtual board and Vivado
/// build this same module; boards add their clock in uart_top.v.
module fabric_uart #(
  /// Clock cycles of a bit, times 256.
  parameter int unsigned DivisorQ8 = 27778,
  parameter int unsigned ClockHz   = 100_000_000
) (
  input  logic aclk,
  input  logic aresetn,
  input  logic uart_rx,
  output logic uart_tx,
  output logic busy
);

  logic [21:0] awaddr, araddr;
  logic [31:0] wdata, rdata;
  logic [1:0]  bresp, rresp;
  logic        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;

  uart_bridge #(.DivisorQ8(DivisorQ8), .ClockHz(ClockHz)) u_bridge (
    .clk_i(aclk), .rst_ni(aresetn), .rx_i(uart_rx), .tx_o(uart_tx), .busy_o(busy),
    .m_axi_awaddr_o(awaddr), .m_axi_awvalid_o(awvalid), .m_axi_awready_i(awready),
    .m_axi_wdata_o(wdata), .m_axi_wvalid_o(wvalid), .m_axi_wready_i(wready),
    .m_axi_bresp_i(bresp), .m_axi_bvalid_i(bvalid), .m_axi_bready_o(bready),
    .m_axi_araddr_o(araddr), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready),
    .m_axi_rdata_i(rdata), .m_axi_rresp_i(rresp), .m_axi_rvalid_i(rvalid), .m_axi_rready_o(rready)
  );

  fabric_top u_fabric (
    .aclk, .aresetn,
    .s_axi_awaddr(awaddr), .s_axi_awprot(3'b0), .s_axi_awvalid(awvalid), .s_axi_awready(awready),
    .s_axi_wdata(wdata), .s_axi_wstrb(4'hf), .s_axi_wvalid(wvalid), .s_axi_wready(wready),
    .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
    .s_axi_araddr(araddr), .s_axi_arprot(3'b0), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
    .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(rready),
    .s_axis_dma_tdata('0), .s_axis_dma_tkeep('0), .s_axis_dma_tlast(1'b0),
    .s_axis_dma_tvalid(1'b0), .s_axis_dma_tready(),
    .m_axis_dma_tdata(), .m_axis_dma_tkeep(), .m_axis_dma_tlast(), .m_axis_dma_tvalid(),
    .m_axis_dma_tready(1'b1)
  );

endmodule

`default_nettype wire
