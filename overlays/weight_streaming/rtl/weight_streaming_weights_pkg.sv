`default_nettype none

// Generated from the model of weight_streaming by `harness generate`; do not edit.
// Content digest 63322b7185c94bc6581e9eb08f946768.

/// Shapes, formats and biases of weight_streaming; its weights come from memory.
package weight_streaming_weights_pkg;

  /// Layers, one after the other.
  localparam int unsigned LAYERS = 4;
  /// Values of an event.
  localparam int unsigned INPUTS = 16;
  /// Bits of one.
  localparam int unsigned INPUT_WIDTH = 16;
  /// Values of an answer.
  localparam int unsigned OUTPUTS = 5;
  /// Bits of one.
  localparam int unsigned OUTPUT_WIDTH = 16;
  /// Weights of a row.
  localparam int unsigned LANES = 64;
  /// Their number's logarithm.
  localparam int unsigned LANE_BITS = 6;
  /// Bits of a weight.
  localparam int unsigned WEIGHT_WIDTH = 6;
  /// Bits between layers.
  localparam int unsigned VALUE_WIDTH = 16;
  /// Bits of a sum; it cannot overflow.
  localparam int unsigned ACC_WIDTH = 25;
  /// Rows of all layers.
  localparam int unsigned ROWS = 68;
  /// Beats of all rows.
  localparam int unsigned BEATS = 51;
  /// Bits of a unit: beats and rows are whole units.
  localparam int unsigned UNIT = 128;
  /// Units of a beat.
  localparam int unsigned BEAT_UNITS = 4;
  /// Units of a row.
  localparam int unsigned ROW_UNITS = 3;
  /// Fewest rows that are whole beats.
  localparam int unsigned GROUP_ROWS = 4;
  /// The beats that they are.
  localparam int unsigned GROUP_BEATS = 3;
  /// Most beats of a burst.
  localparam int unsigned BURST_BEATS = 8;
  /// Beats read ahead.
  localparam int unsigned PREFETCH_BEATS = 32;

  /// Of each layer: rows, logarithm of an input's lanes, and how it is requantised.
  localparam int unsigned LAYER_ROWS [LAYERS] = '{16, 32, 16, 4};
  localparam int unsigned SPREAD_BITS [LAYERS] = '{6, 5, 5, 3};
  localparam int unsigned SHIFT [LAYERS] = '{11, 6, 6, 0};
  localparam logic signed [31:0] HALF [LAYERS] = '{1024, 32, 32, 0};
  localparam logic signed [31:0] LARGEST [LAYERS] = '{63, 63, 63, 32767};
  localparam logic signed [31:0] LEAST [LAYERS] = '{0, 0, 0, -32768};

  /// Aligned to the sums, one for each lane.
  localparam logic signed [ACC_WIDTH-1:0] BIASES [LAYERS][LANES] = '{
    '{25'h26f8, 25'h1ffd67d, 25'h3714, 25'h1fffa2d, 25'h5b1f, 25'h2e82, 25'h1ffdda8, 25'he5a,
      25'h1ffe386, 25'h1ffdcb2, 25'h3805, 25'h51b1, 25'h17bf, 25'h1ffdb3f, 25'h1fff319,
      25'h1ffe936, 25'h3ce7, 25'h45b8, 25'h1ffe916, 25'h939, 25'h1316, 25'h1fff777, 25'h1ffdf39,
      25'h431c, 25'h2e01, 25'h1fff5df, 25'h538, 25'h359f, 25'h510f, 25'h1ffc4ed, 25'h320d,
      25'h1fff21a, 25'h13f, 25'h1ff9b69, 25'h1fffda5, 25'h16dd, 25'h1ad4, 25'h1f0d, 25'h3eb2,
      25'h588, 25'h1ffe2d4, 25'h198d, 25'h844c, 25'h1ffd83d, 25'h1f29, 25'h59ff, 25'h240e,
      25'h4e61, 25'h1444, 25'he9c, 25'h1a94, 25'h173, 25'h1fffac7, 25'h1c51, 25'h1ffeb7a,
      25'h1ffd5b6, 25'h1fff61f, 25'h1278, 25'h1ffc14c, 25'hcc3, 25'h1ffb9bc, 25'h2b1, 25'h3d0a,
      25'h1ffde59},
    '{25'ha4, 25'he5, 25'h1ffffe7, 25'h20, 25'h1fffee2, 25'h1ffffe1, 25'h4e, 25'h1ffffc6,
      25'h1ffff65, 25'h2e, 25'h5b, 25'h61, 25'ha8, 25'h47, 25'hff, 25'h31, 25'hab, 25'h17d,
      25'hfe, 25'h1ffff72, 25'hb5, 25'h1ffffb8, 25'h15, 25'h17, 25'h1ffff89, 25'h53,
      25'h1ffffb2, 25'h6, 25'h9, 25'h29, 25'h66, 25'h1ffff73, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0},
    '{25'h1ffffde, 25'h42, 25'hf, 25'h1, 25'h18, 25'h1fffff7, 25'h1e, 25'h1fffffd, 25'h1ffff77,
      25'h1ffff94, 25'he, 25'h1f, 25'h1ffffc7, 25'h75, 25'h75, 25'h5b, 25'h1ffffc9, 25'h17,
      25'h1fffff3, 25'h20, 25'h1ffffd2, 25'h84, 25'h5f, 25'h58, 25'h1ffffe2, 25'h19,
      25'h1ffff82, 25'h2a, 25'h49, 25'h1fffff6, 25'h46, 25'h2c, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0},
    '{25'h3, 25'h1ffffd5, 25'h28, 25'h1fffffe, 25'h1ffffff, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0, 25'h0,
      25'h0, 25'h0}
  };

endpackage

`default_nettype wire
