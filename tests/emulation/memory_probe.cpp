// The memory model by itself, behind a C interface: a master that asks for bursts and takes every beat.

#include "memory_model.h"

extern "C" {

// Plays `count` bursts, the next one offered `gap` cycles after the one before was accepted, or with
// `one_by_one` as soon as the last beat of that one has come. Returns the cycle of acceptance and the one of
// the last beat of each, and the sum of all bytes in `sum`; -1 if that takes more than `limit` cycles.
int probe(const MemoryParameters* parameters, uint64_t period_fs, const uint8_t* arena, uint64_t base,
          uint64_t bytes, const uint64_t* addresses, const uint32_t* beats, size_t count,
          uint32_t beat_bytes, uint64_t gap, int one_by_one, uint64_t limit, uint64_t* accepted,
          uint64_t* first, uint64_t* last, uint64_t* sum, int* errors) {
  MemoryModel memory;
  memory.configure(*parameters);
  memory.attach(arena, base, bytes);
  memory.set_period(period_fs);
  std::vector<uint8_t> data(beat_bytes);
  size_t asked = 0, done = 0;
  uint64_t offer_at = 0;
  bool begun = false;
  for (uint64_t cycle = 0; cycle < limit; ++cycle) {
    const bool offered = asked < count && cycle >= offer_at && (!one_by_one || asked == done);
    const bool asks = offered && memory.address_ready();
    const bool takes = memory.data_valid();
    if (takes) {
      memory.data(data.data(), beat_bytes);
      for (const uint8_t value : data) *sum += value;
      *errors += memory.response() != MemoryModel::kOkay;
      if (!begun) first[done] = cycle;
      begun = !memory.last();
      if (memory.last()) last[done++] = cycle;
    }
    memory.clock(asks, asks ? addresses[asked] : 0, asks ? beats[asked] : 0, beat_bytes, takes);
    if (asks) {
      accepted[asked++] = cycle;
      offer_at = cycle + gap;
    }
    if (done == count) return 0;
  }
  return -1;
}

}  // extern "C"
