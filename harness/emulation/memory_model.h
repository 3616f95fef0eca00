// External memory as an AXI4 read master meets it: latency, bandwidth, banks, refresh, in cycles.
//
// Bursts are served in the order of their addresses' acceptance, granule by granule, a granule being what
// the memory transfers at the least. Of a granule:
//
//   row hit     it may start as soon as the data bus is free
//   row miss    it may start `row_miss` after its request, or after the last use of its bank if that is
//               later; other banks' transfers go on meanwhile
//   refresh     every `refresh_every` the memory is busy for `refresh`, and all rows are closed
//
// Its data reach the port `latency` after its start, whatever the row did. The port passes `port_bytes` a
// cycle of the fabric clock, in order. Times are femtoseconds of board time, so that nothing is rounded but
// the arrival, upwards to a cycle, and a run is the same each time.

#ifndef MEMORY_MODEL_H_
#define MEMORY_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

struct MemoryParameters {
  uint64_t granule_bytes;
  uint64_t granule_fs;        // on the data bus
  uint64_t latency_fs;        // from the start of a granule to its data, all of them, at the port
  uint64_t row_miss_fs;       // more than a hit
  uint64_t banks;
  uint64_t row_bytes;         // consecutive rows lie in consecutive banks
  uint64_t refresh_every_fs;  // 0 for never
  uint64_t refresh_fs;
  uint64_t bursts;            // under way at once
  uint64_t port_bytes;        // a cycle
};

class MemoryModel {
 public:
  enum : int { kOkay = 0, kSlaveError = 2 };

  MemoryModel() = default;

  void configure(const MemoryParameters& parameters) {
    parameters_ = parameters;
    open_row_.assign(parameters.banks, kClosed);
    bank_free_fs_.assign(parameters.banks, 0);
    configured_ = true;
  }

  void attach(const uint8_t* arena, uint64_t base, uint64_t bytes) {
    arena_ = arena;
    base_ = base;
    bytes_ = bytes;
  }

  void set_period(uint64_t period_fs) { period_fs_ = period_fs; }

  bool address_ready() const { return configured_ && bursts_ < parameters_.bursts; }
  bool data_valid() const { return !beats_.empty() && beats_.front().at_fs <= now_fs_; }
  bool last() const { return beats_.front().last; }
  int response() const { return beats_.front().response; }
  bool idle() const { return beats_.empty(); }

  // What the front beat carries, read from memory in the cycle in which it is offered first.
  void data(uint8_t* to, size_t beat_bytes) const {
    const Beat& beat = beats_.front();
    if (beat.response == kOkay) {
      std::memcpy(to, arena_ + (beat.address - base_), beat_bytes);
    } else {
      std::memset(to, 0xEE, beat_bytes);
    }
  }

  // The rising edge at the end of a cycle in which an address or a beat was handed over, or neither.
  void clock(bool asked, uint64_t address, uint32_t beats, uint32_t beat_bytes, bool taken) {
    if (taken) {
      bursts_ -= beats_.front().last;
      beats_.pop_front();
    }
    if (asked) schedule(address, beats, beat_bytes);
    now_fs_ += period_fs_;
  }

 private:
  static constexpr uint64_t kClosed = ~0ull;

  struct Beat {
    uint64_t at_fs;
    uint64_t address;
    int response;
    bool last;
  };

  void schedule(uint64_t address, uint32_t beats, uint32_t beat_bytes) {
    ++bursts_;
    const uint64_t crossing_fs =
        (beat_bytes + parameters_.port_bytes - 1) / parameters_.port_bytes * period_fs_;
    for (uint32_t i = 0; i < beats; ++i, address += beat_bytes) {
      const uint64_t step = parameters_.granule_bytes;
      uint64_t first_fs = 0, last_fs = 0;
      for (uint64_t at = address / step * step; at < address + beat_bytes; at += step) {
        // Beats smaller than a granule share it: it comes once.
        if (at != granule_ || i == 0) granule_at_fs_ = transfer(at);
        granule_ = at;
        last_fs = granule_at_fs_;
        if (at <= address) first_fs = last_fs;
      }
      // The port begins with a beat's first granule and ends no earlier than with its last. A beat as
      // narrow as the port crosses in the cycle in which it is offered.
      const uint64_t begin_fs = std::max(first_fs, port_free_fs_);
      port_free_fs_ = begin_fs + crossing_fs;
      const uint64_t at_fs = std::max(port_free_fs_ - period_fs_, last_fs);
      const bool inside = base_ <= address && address + beat_bytes <= base_ + bytes_;
      beats_.push_back({at_fs, address, inside ? int{kOkay} : int{kSlaveError}, i + 1 == beats});
    }
  }

  // Returns when the granule's data are at the port.
  uint64_t transfer(uint64_t address) {
    const uint64_t page = address / parameters_.row_bytes;
    const uint64_t bank = page % parameters_.banks;
    uint64_t start_fs = start(page, bank);
    if (parameters_.refresh_every_fs && start_fs / parameters_.refresh_every_fs != refreshes_) {
      refreshes_ = start_fs / parameters_.refresh_every_fs;
      const uint64_t over_fs = refreshes_ * parameters_.refresh_every_fs + parameters_.refresh_fs;
      std::fill(open_row_.begin(), open_row_.end(), kClosed);
      for (uint64_t& free_fs : bank_free_fs_) free_fs = std::max(free_fs, over_fs);
      bus_free_fs_ = std::max(bus_free_fs_, over_fs);
      start_fs = start(page, bank);
    }
    open_row_[bank] = page / parameters_.banks;
    bus_free_fs_ = bank_free_fs_[bank] = start_fs + parameters_.granule_fs;
    return start_fs + parameters_.latency_fs;
  }

  uint64_t start(uint64_t page, uint64_t bank) const {
    uint64_t ready_fs = now_fs_;
    if (open_row_[bank] != page / parameters_.banks) {
      ready_fs = std::max(now_fs_, bank_free_fs_[bank]) + parameters_.row_miss_fs;
    }
    return std::max(ready_fs, bus_free_fs_);
  }

  MemoryParameters parameters_{};
  bool configured_ = false;
  const uint8_t* arena_ = nullptr;
  uint64_t base_ = 0, bytes_ = 0;
  uint64_t period_fs_ = 5'000'000, now_fs_ = 0;
  uint64_t bus_free_fs_ = 0, port_free_fs_ = 0, refreshes_ = 0;
  uint64_t granule_ = ~0ull, granule_at_fs_ = 0;
  std::vector<uint64_t> open_row_, bank_free_fs_;
  std::deque<Beat> beats_;
  uint64_t bursts_ = 0;
};

#endif  // MEMORY_MODEL_H_
