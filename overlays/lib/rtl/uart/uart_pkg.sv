`default_nettype none

/// The protocol of uart_bridge; harness/uart_protocol.py is the other half.
///
/// A frame is COBS-encoded and ends with 0x00. Decoded it is whole little-endian 32-bit words:
///   0      version [7:0], type [15:8], sequence number [31:16]
///   1      bytes of payload
///   2 ...  payload
///   last   CRC-32 (IEEE 802.3) of all before it
/// A reply has the type of its request with bit 7 set, or is an ERROR, and the request's number.
package uart_pkg;

  localparam logic [7:0]  VERSION = 8'd1;
  /// ASCII FILU, in the answer to HELLO.
  localparam logic [31:0] MAGIC = 32'h46494c55;

  /// Types of requests. HELLO has no payload; READ has address and words; WRITE has address and data.
  localparam logic [7:0] HELLO = 8'h01;
  localparam logic [7:0] READ  = 8'h02;
  localparam logic [7:0] WRITE = 8'h03;
  localparam logic [7:0] REPLY = 8'h80;
  /// Its payload: cause, index of the word that failed.
  localparam logic [7:0] ERROR = 8'hff;

  /// Causes of an ERROR.
  typedef enum logic [3:0] {
    OK          = 4'd0,
    BAD_VERSION = 4'd1,
    BAD_TYPE    = 4'd2,
    BAD_LENGTH  = 4'd3,
    /// No HELLO came since reset: whoever asks does not know that the board started anew.
    NO_HELLO    = 4'd4,
    /// The number of the last request, but not the same request.
    BAD_NUMBER  = 4'd5,
    SLAVE_ERROR = 4'd6,
    /// The address lies outside the register port, or the slave says that nothing is there.
    NO_SLAVE    = 4'd7,
    TIMED_OUT   = 4'd8,
    BAD_ADDRESS = 4'd9
  } cause_e;

  localparam logic [31:0] CRC_POLYNOMIAL = 32'hedb8_8320;
  /// What the CRC register holds after a frame with its own CRC.
  localparam logic [31:0] CRC_RESIDUE = 32'hdebb_20e3;

  /// CRC register after one more byte.
  function automatic logic [31:0] crc_byte(logic [31:0] crc, logic [7:0] data);
    logic [31:0] c;
    c = crc;
    for (int unsigned i = 0; i < 8; i++) begin
      c = (c >> 1) ^ ((c[0] ^ data[i]) ? CRC_POLYNOMIAL : '0);
    end
    return c;
  endfunction

  /// CRC register after one more word, lowest byte first.
  function automatic logic [31:0] crc_word(logic [31:0] crc, logic [31:0] data);
    logic [31:0] c;
    c = crc;
    for (int unsigned i = 0; i < 4; i++) c = crc_byte(c, data[8 * i +: 8]);
    return c;
  endfunction

endpackage

`default_nettype wire
