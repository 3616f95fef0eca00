`default_nettype none

/// Reads the weights from external memory over AXI4, ahead of their use.
///
/// `load_i` reads all beats once, in order; after that the beats from `first_beat_i` on are read over
/// and over, for one event after the other, as far ahead as the buffer has room: room is reserved when
/// a burst is asked for, so that data never wait on the bus. At most `limit_i` bursts are under way.
///
/// `rst_ni` low stops it at any time: no burst is begun any more, those under way are awaited and thrown
/// away, as the bus demands. Only `bus_rst_ni` resets the bus itself.
module weight_fetch #(
  parameter int unsigned AddrWidth = 40,
  /// Bits of a beat.
  parameter int unsigned DataWidth = 512,
  /// Beats of a whole set of weights.
  parameter int unsigned Beats     = 2,
  /// Most beats of a burst, at most 16: more than AXI3 can do would have to be split on a Zynq-7000.
  parameter int unsigned Burst     = 8,
  /// Beats the buffer holds, a power of two and at least Burst.
  parameter int unsigned Depth     = 32,
  localparam int unsigned CountWidth = $clog2(Beats + 1),
  localparam int unsigned FillWidth  = $clog2(Depth + 1)
) (
  input  logic                  clk_i,
  input  logic                  bus_rst_ni,
  input  logic                  rst_ni,
  /// Begin anew; also while stopping, then as soon as the bus is quiet.
  input  logic                  load_i,
  /// The last beat of the load has been used: streaming may begin.
  input  logic                  stream_i,
  /// Address of the first beat, a multiple of 4096.
  input  logic [AddrWidth-1:0]  base_i,
  /// First beat that is streamed; `Beats` for none.
  input  logic [CountWidth-1:0] first_beat_i,
  input  logic [2:0]            limit_i,
  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  output logic [DataWidth-1:0]  out_data_o,
  /// A beat has come over the bus.
  output logic                  fetched_o,
  /// It was answered with an error.
  output logic                  error_o,
  output logic [AddrWidth-1:0]  m_axi_araddr_o,
  output logic [7:0]            m_axi_arlen_o,
  output logic                  m_axi_arvalid_o,
  input  logic                  m_axi_arready_i,
  input  logic [DataWidth-1:0]  m_axi_rdata_i,
  input  logic [1:0]            m_axi_rresp_i,
  input  logic                  m_axi_rlast_i,
  input  logic                  m_axi_rvalid_i,
  output logic                  m_axi_rready_o
);

  localparam int unsigned BEAT_BYTES = DataWidth / 8;
  localparam int unsigned PAGE_BEATS = 4096 / BEAT_BYTES;
  localparam int unsigned PTR_WIDTH  = $clog2(Depth);

  if (Burst > 16 || Burst > Depth || 2 ** PTR_WIDTH != Depth || Beats < 2) begin : g_bad_size
    $error("weight_fetch: Burst must be at most 16 and at most Depth, a power of two; Beats at least 2");
  end

  typedef logic [CountWidth-1:0] count_t;
  typedef enum logic [1:0] { IDLE, LOAD, STREAM, DRAIN } state_e;

  state_e                 state_q;
  logic                   load_q, give, take, ask, done;
  count_t                 next_q, left, size;
  int unsigned            to_page;
  logic [2:0]             bursts_q;
  logic [FillWidth-1:0]   room_q;
  logic [PTR_WIDTH-1:0]   wptr_q, rptr_q;
  logic [PTR_WIDTH:0]     held_q;
  logic [DataWidth-1:0]   buffer [Depth];

  assign left    = count_t'(Beats) - next_q;
  // A burst must not cross a page of 4096 bytes; the base is the start of one.
  assign to_page = PAGE_BEATS - (32'(next_q) % PAGE_BEATS);

  always_comb begin
    size = count_t'(Burst);
    if (left < size) size = left;
    if (to_page < 32'(size)) size = count_t'(to_page);
  end

  assign ask = (state_q == LOAD || state_q == STREAM) && left != '0 && 32'(room_q) >= 32'(size)
      && bursts_q < limit_i && (!m_axi_arvalid_o || m_axi_arready_i);

  assign m_axi_rready_o = 1'b1;
  assign take           = m_axi_rvalid_i && state_q != DRAIN;
  assign done           = m_axi_rvalid_i && m_axi_rlast_i;
  assign give           = out_valid_o && out_ready_i;
  assign fetched_o      = take;
  assign error_o        = take && m_axi_rresp_i != '0;
  assign out_valid_o    = held_q != '0 && (state_q == LOAD || state_q == STREAM);
  assign out_data_o     = buffer[rptr_q];

  always_ff @(posedge clk_i) begin
    if (take) buffer[wptr_q] <= m_axi_rdata_i;
  end

  // The bus: an address once offered stands until it is taken, whatever happens here.
  always_ff @(posedge clk_i) begin
    if (!bus_rst_ni) begin
      m_axi_arvalid_o <= 1'b0;
      bursts_q        <= '0;
    end else begin
      if (ask) m_axi_arvalid_o <= 1'b1;
      else if (m_axi_arready_i) m_axi_arvalid_o <= 1'b0;
      bursts_q <= bursts_q + 3'(ask) - 3'(done);
    end
    if (ask) begin
      m_axi_araddr_o <= base_i + AddrWidth'(32'(next_q) * BEAT_BYTES);
      m_axi_arlen_o  <= 8'(size) - 8'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!bus_rst_ni || !rst_ni || state_q == DRAIN || state_q == IDLE) begin
      room_q <= FillWidth'(Depth);
      wptr_q <= '0;
      rptr_q <= '0;
      held_q <= '0;
    end else begin
      room_q <= room_q - (ask ? FillWidth'(size) : '0) + FillWidth'(give);
      wptr_q <= wptr_q + PTR_WIDTH'(take);
      rptr_q <= rptr_q + PTR_WIDTH'(give);
      held_q <= held_q + (PTR_WIDTH + 1)'(take) - (PTR_WIDTH + 1)'(give);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!bus_rst_ni) begin
      state_q <= IDLE;
      load_q  <= 1'b0;
    end else begin
      if (!rst_ni) load_q <= 1'b0;
      else if (load_i) load_q <= 1'b1;
      if (!rst_ni || load_i) begin
        state_q <= DRAIN;
      end else begin
        unique case (state_q)
          DRAIN: if (bursts_q == '0) state_q <= IDLE;
          IDLE: begin
            next_q <= '0;
            if (load_q) state_q <= LOAD;
            load_q <= 1'b0;
          end
          LOAD: begin
            if (ask) next_q <= next_q + size;
            if (stream_i) begin
              state_q <= STREAM;
              next_q  <= first_beat_i;
            end
          end
          default: if (ask) next_q <= left == size ? first_beat_i : next_q + size;
        endcase
      end
    end
  end

`ifndef ASSERTS_OFF
  always_ff @(posedge clk_i) begin
    if (bus_rst_ni) begin
      assert (!(ask && size == '0)) else $error("weight_fetch: a burst without a beat");
      assert (!(take && 32'(held_q) == Depth)) else $error("weight_fetch: no room for a beat");
      assert (!(m_axi_rvalid_i && bursts_q == '0)) else $error("weight_fetch: a beat nobody asked for");
    end
  end
`endif

endmodule

`default_nettype wire
