`default_nettype none

// Generated from the model of lar_energy by `harness generate`; do not edit.
// Content digest 636bbf7cb96a1d5b7c5e33f6e460bfde.

/// The trained integers of lar_energy.
package lar_energy_weights_pkg;

  localparam logic signed [12:0] L0_INPUT_WEIGHTS [1][8] =
    '{
      '{13'h1a8c, 13'h1c1e, 13'h667, 13'h1bf5, 13'h4f8, 13'h1dae, 13'h857, 13'h2ee}
    };

  localparam logic signed [10:0] L0_STATE_WEIGHTS [8][8] =
    '{
      '{11'h4d, 11'h109, 11'h87, 11'h782, 11'hd, 11'h31, 11'he2, 11'h3a},
      '{11'h771, 11'h4e, 11'hff, 11'h79b, 11'h2d, 11'h18, 11'h7b, 11'h7ed},
      '{11'h762, 11'h49, 11'h17, 11'hd1, 11'h7bf, 11'h51, 11'h6ee, 11'h7db},
      '{11'hbb, 11'h5f, 11'h789, 11'h7f8, 11'heb, 11'haa, 11'h7f5, 11'h788},
      '{11'h74b, 11'h7e6, 11'h7ed, 11'h7cd, 11'h56, 11'h111, 11'h6db, 11'h7e3},
      '{11'h2f, 11'h7b, 11'h7c9, 11'h21, 11'h772, 11'h46, 11'hcd, 11'h11},
      '{11'h9a, 11'h785, 11'h67, 11'h6d9, 11'h7a4, 11'h70f, 11'h6d5, 11'h174},
      '{11'h7f7, 11'h7b3, 11'h7a7, 11'h7c4, 11'h2e, 11'hae, 11'h765, 11'h7e1}
    };

  localparam logic signed [27:0] L0_BIASES [8] =
    '{28'hfffebbb, 28'hffffdd8, 28'hcf0, 28'h3c89, 28'h5f3d, 28'h6a4, 28'hffffeb0, 28'h5706};

  localparam logic signed [10:0] L1_WEIGHTS [16][2] =
    '{
      '{11'h7fb, 11'h0},
      '{11'h50, 11'h0},
      '{11'hd5, 11'h0},
      '{11'h86, 11'h0},
      '{11'h773, 11'h0},
      '{11'h732, 11'h0},
      '{11'h6ff, 11'h0},
      '{11'h1e5, 11'h0},
      '{11'h0, 11'h7fb},
      '{11'h0, 11'h50},
      '{11'h0, 11'hd5},
      '{11'h0, 11'h86},
      '{11'h0, 11'h773},
      '{11'h0, 11'h732},
      '{11'h0, 11'h6ff},
      '{11'h0, 11'h1e5}
    };

  localparam logic signed [26:0] L1_BIASES [2] =
    '{27'h7fffecd, 27'h7fffecd};

endpackage

`default_nettype wire
