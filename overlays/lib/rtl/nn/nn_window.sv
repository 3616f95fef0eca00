`default_nettype none

/// Windows of an image that streams in: for each place of a kernel the values below it, zeros outside.
///
/// Pixels come row by row, one a beat, or, with RowAtOnce, a row a beat; a window is a beat, or all windows
/// of a row are. Value ((g * KernelRows + i) * KernelColumns + j) * Channels + c of a beat is channel c at
/// row i and column j of the kernel in window g. The rows above the newest are kept in memories of a row
/// each. Windows that reach below the image need steps without a pixel: Lag of them, the last of which
/// takes the next image's first. Initiation interval: Beats + max(Lag, 1) - 1 cycles, if windows are taken
/// as they come. Latency: 1 cycle from the step that completes a window.
module nn_window #(
  /// Size of the image.
  parameter int unsigned Rows          = 3,
  parameter int unsigned Columns       = 3,
  /// Values of a pixel, and bits of each.
  parameter int unsigned Channels      = 1,
  parameter int unsigned Width         = 8,
  parameter int unsigned KernelRows    = 2,
  parameter int unsigned KernelColumns = 2,
  parameter int unsigned StrideRows    = 1,
  parameter int unsigned StrideColumns = 1,
  /// Rows and columns of zeros around the image; together less than the kernel has. Those below and to the
  /// right are at most as many as the last window needs.
  parameter int unsigned PadTop        = 0,
  parameter int unsigned PadBottom     = 0,
  parameter int unsigned PadLeft       = 0,
  parameter int unsigned PadRight      = 0,
  /// A beat is a row; else a pixel.
  parameter bit          RowAtOnce     = 1'b0,
  localparam int unsigned InLanes = (RowAtOnce ? Columns : 1) * Channels,
  localparam int unsigned Windows =
    RowAtOnce ? (Columns + PadLeft + PadRight - KernelColumns) / StrideColumns + 1 : 1,
  localparam int unsigned OutLanes = Windows * KernelRows * KernelColumns * Channels
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i [InLanes],
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o [OutLanes]
);

  if (KernelRows <= PadTop + PadBottom || KernelColumns <= PadLeft + PadRight) begin : g_bad_pad
    $error("nn_window: zeros on both sides must be fewer than the kernel's rows and columns");
  end
  if (KernelRows > Rows + PadTop + PadBottom || KernelColumns > Columns + PadLeft + PadRight)
  begin : g_bad_kernel
    $error("nn_window: the kernel must fit into the image and its zeros");
  end

  // A row is RowBeats steps; a kernel's column is a beat, or all of its columns are in one.
  localparam int unsigned RowBeats   = RowAtOnce ? 1 : Columns;
  localparam int unsigned Kept       = RowAtOnce ? 1 : KernelColumns;
  localparam int unsigned Beats      = Rows * RowBeats;
  localparam int unsigned Lag        = PadBottom * RowBeats + (RowAtOnce ? 0 : PadRight);
  localparam int unsigned Steps      = Beats + Lag;
  localparam int unsigned FirstRow   = KernelRows - 1 - PadTop - PadBottom;
  localparam int unsigned FirstBeat  = RowAtOnce ? 0 : KernelColumns - 1 - PadLeft - PadRight;
  localparam int unsigned BeatStride = RowAtOnce ? 1 : StrideColumns;
  localparam int unsigned BeatBits   = InLanes * Width;
  localparam int unsigned PixelBits  = Channels * Width;
  localparam int unsigned StepWidth  = $clog2(Steps + 1);
  localparam int unsigned RowWidth   = $clog2(Rows + 1);
  localparam int unsigned ColWidth   = $clog2(RowBeats + 1);
  localparam int unsigned PlaceWidth = RowBeats > 1 ? $clog2(RowBeats) : 1;
  typedef logic [BeatBits-1:0] beat_t;
  typedef logic [Width-1:0] windows_t [OutLanes];

  // Of the event: steps done, then the place of the window's last pixel, rows and beats until the next
  // window. `place_q` goes around with the memories' rows, whatever the event.
  logic [StepWidth-1:0]  step_q;
  logic [RowWidth-1:0]   row_q, row_wait_q;
  logic [ColWidth-1:0]   col_q, col_wait_q;
  logic [PlaceWidth-1:0] place_q;
  logic needs_pixel, last_step, last_row, last_col, there, emit, free, step;

  assign needs_pixel = step_q < StepWidth'(Beats);
  assign last_step   = step_q == StepWidth'(Steps - 1);
  assign last_row    = row_q == RowWidth'(Rows - 1);
  assign last_col    = col_q == ColWidth'(RowBeats - 1);
  assign there       = (Lag == 0) || step_q > StepWidth'(Lag) || step_q == StepWidth'(Lag);
  assign emit        = there && row_wait_q == '0 && col_wait_q == '0;
  assign free        = !emit || !out_valid_o || out_ready_i;
  assign step        = free && (in_valid_i || !needs_pixel);
  assign in_ready_o  = free && (needs_pixel || last_step);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      step_q      <= '0;
      row_q       <= '0;
      col_q       <= '0;
      row_wait_q  <= RowWidth'(FirstRow);
      col_wait_q  <= ColWidth'(FirstBeat);
      place_q     <= '0;
      out_valid_o <= 1'b0;
    end else begin
      if (out_ready_i) out_valid_o <= 1'b0;
      if (step) begin
        step_q  <= !last_step ? step_q + 1'b1 : StepWidth'(Lag != 0 && in_valid_i);
        place_q <= place_q == PlaceWidth'(RowBeats - 1) ? '0 : place_q + 1'b1;
        if (emit) out_valid_o <= 1'b1;
        if (there) begin
          col_q      <= last_col ? '0 : col_q + 1'b1;
          col_wait_q <= last_col ? ColWidth'(FirstBeat)
                      : col_wait_q == '0 ? ColWidth'(BeatStride - 1) : col_wait_q - 1'b1;
          if (last_col) begin
            row_q      <= last_row ? '0 : row_q + 1'b1;
            row_wait_q <= last_row ? RowWidth'(FirstRow)
                        : row_wait_q == '0 ? RowWidth'(StrideRows - 1) : row_wait_q - 1'b1;
          end
        end
      end
    end
  end

  // The newest column of the kernel, and the ones before it.
  beat_t fresh [KernelRows];
  beat_t kept_q [KernelRows][Kept];

  for (genvar lane = 0; lane < InLanes; lane++) begin : g_lane
    assign fresh[KernelRows-1][lane*Width+:Width] = in_data_i[lane];
  end
  for (genvar line = 0; line < KernelRows - 1; line++) begin : g_line
    beat_t memory [RowBeats];
    assign fresh[line] = memory[place_q];
    always_ff @(posedge clk_i) begin
      if (step) memory[place_q] <= fresh[line+1];
    end
  end

  always_ff @(posedge clk_i) begin
    if (step) begin
      for (int unsigned i = 0; i < KernelRows; i++) begin
        for (int unsigned j = 0; j + 1 < Kept; j++) kept_q[i][j] <= kept_q[i][j+1];
        kept_q[i][Kept-1] <= fresh[i];
      end
    end
  end

  function automatic windows_t windows();
    int    row, column;
    beat_t beat;
    logic [PixelBits-1:0] pixel;
    /* verilator unroll_disable */
    for (int unsigned i = 0; i < KernelRows; i++) begin
      row = int'(row_q) + int'(i) - int'(KernelRows - 1 - PadBottom);
      /* verilator unroll_disable */
      for (int unsigned g = 0; g < Windows; g++) begin
        /* verilator unroll_disable */
        for (int unsigned j = 0; j < KernelColumns; j++) begin
          if (RowAtOnce) begin
            column = int'(g * StrideColumns + j) - int'(PadLeft);
            beat   = fresh[i];
            pixel  = PixelBits'(beat >> (column < 0 ? 0 : 32'(column) * PixelBits));
          end else begin
            column = int'(col_q) + int'(j) - int'(KernelColumns - 1 - PadRight);
            beat   = j + 1 == KernelColumns ? fresh[i] : kept_q[i][j+1];
            pixel  = PixelBits'(beat);
          end
          if (row < 0 || row >= int'(Rows) || column < 0 || column >= int'(Columns)) pixel = '0;
          /* verilator unroll_disable */
          for (int unsigned c = 0; c < Channels; c++) begin
            windows[((g*KernelRows+i)*KernelColumns+j)*Channels+c] = pixel[c*Width+:Width];
          end
        end
      end
    end
  endfunction

  always_ff @(posedge clk_i) begin
    if (step && emit) out_data_o <= windows();
  end

endmodule

`default_nettype wire
