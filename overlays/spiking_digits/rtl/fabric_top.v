`default_nettype none

// Generated from overlays/spiking_digits/overlay.toml by `harness generate spiking_digits`; do not edit.
// overlay digest 4365ff79e81cc9bab00aae23b0acef66

/// The measuring IP around the accelerator; what the block design instantiates.
module fabric_top (
  (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi:s_axis_dma:m_axis_dma, ASSOCIATED_RESET aresetn" *)
  input wire aclk,
  (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
  input wire aresetn,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWADDR" *)
  (* X_INTERFACE_PARAMETER = "PROTOCOL AXI4LITE, DATA_WIDTH 32, ADDR_WIDTH 22" *)
  input wire [21:0] s_axi_awaddr,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWPROT" *)
  input wire [2:0] s_axi_awprot,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWVALID" *)
  input wire s_axi_awvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi AWREADY" *)
  output wire s_axi_awready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WDATA" *)
  input wire [31:0] s_axi_wdata,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WSTRB" *)
  input wire [3:0] s_axi_wstrb,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WVALID" *)
  input wire s_axi_wvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi WREADY" *)
  output wire s_axi_wready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BRESP" *)
  output wire [1:0] s_axi_bresp,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BVALID" *)
  output wire s_axi_bvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi BREADY" *)
  input wire s_axi_bready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARADDR" *)
  input wire [21:0] s_axi_araddr,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARPROT" *)
  input wire [2:0] s_axi_arprot,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARVALID" *)
  input wire s_axi_arvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi ARREADY" *)
  output wire s_axi_arready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RDATA" *)
  output wire [31:0] s_axi_rdata,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RRESP" *)
  output wire [1:0] s_axi_rresp,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RVALID" *)
  output wire s_axi_rvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:aximm:1.0 s_axi RREADY" *)
  input wire s_axi_rready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis_dma TDATA" *)
  (* X_INTERFACE_PARAMETER = "TDATA_NUM_BYTES 8, HAS_TKEEP 1, HAS_TLAST 1" *)
  input wire [63:0] s_axis_dma_tdata,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis_dma TKEEP" *)
  input wire [7:0] s_axis_dma_tkeep,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis_dma TLAST" *)
  input wire s_axis_dma_tlast,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis_dma TVALID" *)
  input wire s_axis_dma_tvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 s_axis_dma TREADY" *)
  output wire s_axis_dma_tready,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis_dma TDATA" *)
  (* X_INTERFACE_PARAMETER = "TDATA_NUM_BYTES 16, HAS_TKEEP 1, HAS_TLAST 1" *)
  output wire [127:0] m_axis_dma_tdata,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis_dma TKEEP" *)
  output wire [15:0] m_axis_dma_tkeep,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis_dma TLAST" *)
  output wire m_axis_dma_tlast,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis_dma TVALID" *)
  output wire m_axis_dma_tvalid,
  (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis_dma TREADY" *)
  input wire m_axis_dma_tready
);

  wire acc_rst_n, in_valid, in_ready, in_last, out_valid, out_ready, out_last, cfg_we;
  wire [63:0] in_data;
  wire [127:0] out_data;
  wire [13:0] cfg_addr;
  wire [31:0] cfg_wdata, cfg_rdata;

  // Beats are always whole.
  assign m_axis_dma_tkeep = {16{1'b1}};

  stream_bench #(
    .InWidth(64),
    .OutWidth(128),
    .EventRows(32768),
    .GoldenRows(2048),
    .QueueDepth(512),
    .HistogramBins(4096),
    .TraceDepth(4096),
    .SpyDepth(256),
    .GapEntries(4096),
    .InFlight(256)
  ) u_bench (
    .clk_i(aclk),
    .rst_ni(aresetn),
    .s_axi_awaddr_i(s_axi_awaddr),
    .s_axi_awvalid_i(s_axi_awvalid),
    .s_axi_awready_o(s_axi_awready),
    .s_axi_wdata_i(s_axi_wdata),
    .s_axi_wstrb_i(s_axi_wstrb),
    .s_axi_wvalid_i(s_axi_wvalid),
    .s_axi_wready_o(s_axi_wready),
    .s_axi_bresp_o(s_axi_bresp),
    .s_axi_bvalid_o(s_axi_bvalid),
    .s_axi_bready_i(s_axi_bready),
    .s_axi_araddr_i(s_axi_araddr),
    .s_axi_arvalid_i(s_axi_arvalid),
    .s_axi_arready_o(s_axi_arready),
    .s_axi_rdata_o(s_axi_rdata),
    .s_axi_rresp_o(s_axi_rresp),
    .s_axi_rvalid_o(s_axi_rvalid),
    .s_axi_rready_i(s_axi_rready),
    .dma_in_valid_i(s_axis_dma_tvalid),
    .dma_in_data_i(s_axis_dma_tdata),
    .dma_in_last_i(s_axis_dma_tlast),
    .dma_in_ready_o(s_axis_dma_tready),
    .dma_out_valid_o(m_axis_dma_tvalid),
    .dma_out_data_o(m_axis_dma_tdata),
    .dma_out_last_o(m_axis_dma_tlast),
    .dma_out_ready_i(m_axis_dma_tready),
    .acc_rst_no(acc_rst_n),
    .acc_in_valid_o(in_valid),
    .acc_in_data_o(in_data),
    .acc_in_last_o(in_last),
    .acc_in_ready_i(in_ready),
    .acc_out_valid_i(out_valid),
    .acc_out_data_i(out_data),
    .acc_out_last_i(out_last),
    .acc_out_ready_o(out_ready),
    .cfg_we_o(cfg_we),
    .cfg_addr_o(cfg_addr),
    .cfg_wdata_o(cfg_wdata),
    .cfg_rdata_i(cfg_rdata)
  );

  spiking_digits #(
    .InWidth(64),
    .OutWidth(128)
  ) u_accelerator (
    .clk_i(aclk),
    .rst_ni(aresetn & acc_rst_n),
    .in_valid_i(in_valid),
    .in_data_i(in_data),
    .in_last_i(in_last),
    .in_ready_o(in_ready),
    .out_valid_o(out_valid),
    .out_data_o(out_data),
    .out_last_o(out_last),
    .out_ready_i(out_ready),
    .cfg_we_i(cfg_we),
    .cfg_addr_i(cfg_addr),
    .cfg_wdata_i(cfg_wdata),
    .cfg_rdata_o(cfg_rdata)
  );

endmodule

`default_nettype wire
