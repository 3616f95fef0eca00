`default_nettype none

/// Types shared by the blocks of stream_bench.
package bench_pkg;

  /// What one latency histogram adds up besides its bins.
  typedef struct {
    logic [63:0] count;
    logic [63:0] sum;
    logic [31:0] least;
    logic [31:0] most;
    logic [63:0] overflow;
  } latency_t;

  /// Every live counter; one assignment of it is a coherent snapshot.
  typedef struct {
    logic [63:0] cycle;
    logic [63:0] run_cycles;
    logic [63:0] scheduled;
    logic [63:0] accepted;
    logic [63:0] completed;
    logic [63:0] dropped;
    logic [63:0] misses;
    logic [63:0] stalls;
    logic [63:0] occupancy_sum;
    logic [63:0] mismatches;
    logic [63:0] output_beats;
    logic [31:0] first_mismatch;
    logic [31:0] max_depth;
    logic [31:0] crc;
    logic [31:0] traced;
    logic [31:0] spied;
    latency_t    waited;
    latency_t    service;
    latency_t    total;
  } counters_t;

  /// What the host sets before a run.
  typedef struct {
    logic        path_dma;
    logic        bernoulli;
    logic        gap_table;
    logic        check_output;
    logic [31:0] events;
    logic [31:0] distinct;
    logic [31:0] in_beats;
    logic [31:0] out_beats;
    logic [31:0] derandomiser;
    logic [63:0] interval;
    logic [31:0] threshold;
    logic [63:0] seed;
    logic [31:0] gaps;
    logic [31:0] deadline;
    logic [31:0] trace_start;
    logic [31:0] cycle_init;
    logic [31:0] block_address;
    logic [31:0] block_words;
  } config_t;

  /// Memories behind the register port.
  typedef enum logic [3:0] {
    WINDOW_NONE, WINDOW_ACCELERATOR, WINDOW_GAP, WINDOW_WAIT, WINDOW_SERVICE, WINDOW_TOTAL,
    WINDOW_SPY, WINDOW_TRACE, WINDOW_GOLDEN, WINDOW_EVENT
  } window_e;

endpackage

`default_nettype wire
