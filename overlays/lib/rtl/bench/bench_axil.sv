`default_nettype none

/// AXI4-Lite slave that serves one access at a time over a request/response pair.
///
/// Partial writes (any WSTRB low) answer SLVERR and write nothing. An access that is not served within
/// `TimeoutCycles` answers SLVERR: the processor is never left waiting.
module bench_axil #(
  parameter int unsigned AddrWidth     = 22,
  parameter int unsigned TimeoutCycles = 256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic [AddrWidth-1:0] s_axi_awaddr_i,
  input  logic                 s_axi_awvalid_i,
  output logic                 s_axi_awready_o,
  input  logic [31:0]          s_axi_wdata_i,
  input  logic [3:0]           s_axi_wstrb_i,
  input  logic                 s_axi_wvalid_i,
  output logic                 s_axi_wready_o,
  output logic [1:0]           s_axi_bresp_o,
  output logic                 s_axi_bvalid_o,
  input  logic                 s_axi_bready_i,
  input  logic [AddrWidth-1:0] s_axi_araddr_i,
  input  logic                 s_axi_arvalid_i,
  output logic                 s_axi_arready_o,
  output logic [31:0]          s_axi_rdata_o,
  output logic [1:0]           s_axi_rresp_o,
  output logic                 s_axi_rvalid_o,
  input  logic                 s_axi_rready_i,
  /// Held until `rsp_valid_i`.
  output logic                 req_valid_o,
  output logic                 req_write_o,
  output logic [AddrWidth-1:0] req_addr_o,
  output logic [31:0]          req_wdata_o,
  input  logic                 rsp_valid_i,
  input  logic                 rsp_error_i,
  input  logic [31:0]          rsp_rdata_i
);

  localparam logic [1:0] OKAY   = 2'b00;
  localparam logic [1:0] SLVERR = 2'b10;
  localparam int unsigned TimerWidth = $clog2(TimeoutCycles + 1);

  typedef enum logic [1:0] {IDLE, REQUEST, WRITE_RESPONSE, READ_RESPONSE} state_e;
  state_e                state_q;
  logic                  write_q, partial_q;
  logic [AddrWidth-1:0]  addr_q;
  logic [31:0]           data_q;
  logic [1:0]            resp_q;
  logic [TimerWidth-1:0] timer_q;
  logic                  write_here, read_here, ended;

  assign write_here = state_q == IDLE && s_axi_awvalid_i && s_axi_wvalid_i;
  assign read_here  = state_q == IDLE && s_axi_arvalid_i && !write_here;

  assign s_axi_awready_o = write_here;
  assign s_axi_wready_o  = write_here;
  assign s_axi_arready_o = read_here;
  assign s_axi_bvalid_o  = state_q == WRITE_RESPONSE;
  assign s_axi_rvalid_o  = state_q == READ_RESPONSE;
  assign s_axi_bresp_o   = resp_q;
  assign s_axi_rresp_o   = resp_q;
  assign s_axi_rdata_o   = data_q;

  assign req_valid_o = state_q == REQUEST && !partial_q;
  assign req_write_o = write_q;
  assign req_addr_o  = addr_q;
  assign req_wdata_o = data_q;
  assign ended       = rsp_valid_i || partial_q || 32'(timer_q) == TimeoutCycles;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= IDLE;
    end else begin
      unique case (state_q)
        IDLE: begin
          timer_q <= '0;
          if (write_here || read_here) begin
            state_q   <= REQUEST;
            write_q   <= write_here;
            addr_q    <= write_here ? s_axi_awaddr_i : s_axi_araddr_i;
            data_q    <= s_axi_wdata_i;
            partial_q <= write_here && s_axi_wstrb_i != '1;
          end
        end
        REQUEST: begin
          timer_q <= timer_q + 1'b1;
          if (ended) begin
            state_q <= write_q ? WRITE_RESPONSE : READ_RESPONSE;
            resp_q  <= rsp_valid_i && !rsp_error_i ? OKAY : SLVERR;
            data_q  <= rsp_rdata_i;
          end
        end
        WRITE_RESPONSE: if (s_axi_bready_i) state_q <= IDLE;
        READ_RESPONSE:  if (s_axi_rready_i) state_q <= IDLE;
        default:        state_q <= IDLE;
      endcase
    end
  end

endmodule

`default_nettype wire
