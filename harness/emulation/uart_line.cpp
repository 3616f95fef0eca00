// A verilated design with a serial line behind a C interface: bytes in, bytes out.
//
// The top has aclk, aresetn, uart_rx, uart_tx and busy. Bytes are sent to it bit by bit; the clock
// runs while they are, while the design is busy with them, and in `run`, and at no other time.
//
// Compiled with UART_DIVISOR_Q8, the clock cycles of a bit times 256.

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vuart_line.h"
#include "verilated.h"

namespace {

enum Status : int { kOk = 0, kTimeout = 2, kBroken = 3 };

constexpr int kResetCycles = 16;
constexpr int kSettleCycles = 16;  // from the last stop bit to `busy`, and then some
// The longest request: 256 words that each reach the time-out of the bus, and a reply at 1000 cycles
// a bit.
constexpr uint64_t kBusyLimitCycles = 20'000'000;

thread_local std::string printed;  // what the model said since the last call

class Line {
 public:
  explicit Line(int seed) {
    context_ = std::make_unique<VerilatedContext>();
    context_->randReset(2);  // every register starts with a random value, as silicon may
    context_->randSeed(seed);
    context_->fatalOnError(true);
    top_ = std::make_unique<Vuart_line>(context_.get());
    top_->uart_rx = 1;
    reset();
  }

  ~Line() { top_->final(); }

  void reset() {
    top_->aresetn = 0;
    run(kResetCycles);
    top_->aresetn = 1;
    count_ = -1;
    received.clear();
  }

  void run(uint64_t cycles) {
    for (uint64_t i = 0; i < cycles; ++i) step();
  }

  // The far end's clock is off by so many parts in a million.
  void skew(int ppm) { period_ = UART_DIVISOR_Q8 + int64_t{UART_DIVISOR_Q8} * ppm / 1'000'000; }

  int exchange(const uint8_t* data, size_t count) {
    int64_t owed = 0;
    for (size_t i = 0; i < count; ++i) {
      const unsigned bits = 0x200u | data[i] << 1;  // stop bit, data, start bit
      for (int bit = 0; bit < 10; ++bit) {
        top_->uart_rx = bits >> bit & 1;
        for (owed += period_; owed >= 256; owed -= 256) step();
      }
    }
    run(count ? kSettleCycles : 0);
    for (uint64_t i = 0; top_->busy || count_ >= 0; ++i) {
      if (i == kBusyLimitCycles) return kTimeout;
      step();
    }
    return kOk;
  }

  void hold(int level, uint64_t cycles) {
    top_->uart_rx = level;
    run(cycles);
    top_->uart_rx = 1;
  }

  uint64_t cycles = 0;
  std::string received;  // by the far end, and not yet taken
  std::string broken;    // why the instance must not be used any more

 private:
  void step() {
    top_->aclk = 1;
    top_->eval();
    top_->aclk = 0;
    top_->eval();
    ++cycles;
    listen();
  }

  // The far end's receiver: one sample in the middle of each bit.
  void listen() {
    if (count_ < 0) {
      if (top_->uart_tx) return;
      count_ = 0;
      timer_ = period_ / 2;
      byte_ = 0;
      return;
    }
    timer_ -= 256;
    if (timer_ >= 0) return;
    timer_ += period_;
    if (count_ > 0 && count_ < 9) byte_ |= top_->uart_tx << (count_ - 1);
    if (++count_ < 10) return;
    received.push_back(static_cast<char>(byte_));
    count_ = -1;
  }

  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vuart_line> top_;
  int64_t period_ = UART_DIVISOR_Q8, timer_ = 0;
  int count_ = -1;
  unsigned byte_ = 0;
};

// Runs `body` unless the design is broken; turns what the model throws into kBroken.
template <typename Body>
int guarded(Line* line, Body body) {
  if (!line->broken.empty()) return kBroken;
  printed.clear();
  try {
    return body();
  } catch (const std::exception& error) {
    line->broken = printed + error.what();
    return kBroken;
  }
}

}  // namespace

// Verilator's hooks: text of $display and $error, and the ways a simulation ends.
extern "C" int fabric_printf(const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (printed.size() < 16384) printed += text;
  return length;
}

void vl_finish(const char* file, int line, const char*) VL_MT_UNSAFE {
  throw std::runtime_error("$finish at " + std::string(file) + ":" + std::to_string(line));
}

void vl_stop(const char* file, int line, const char*) VL_MT_UNSAFE {
  throw std::runtime_error("stopped at " + std::string(file) + ":" + std::to_string(line));
}

void vl_fatal(const char* file, int line, const char*, const char* message) VL_MT_UNSAFE {
  throw std::runtime_error(std::string(message) + " at " + file + ":" + std::to_string(line));
}

#pragma GCC visibility push(default)  // all else stays hidden: several models share a process
extern "C" {

// Returns null, with the reason in `why`, when the model refuses to start.
Line* line_new(int seed, char* why, size_t room) {
  printed.clear();
  try {
    return new Line(seed);
  } catch (const std::exception& error) {
    std::snprintf(why, room, "%s%s", printed.c_str(), error.what());
    return nullptr;
  }
}

void line_free(Line* line) { delete line; }

int line_run(Line* line, uint64_t cycles) {
  return guarded(line, [&] {
    line->run(cycles);
    return int{kOk};
  });
}

int line_reset(Line* line) {
  return guarded(line, [&] {
    line->reset();
    return int{kOk};
  });
}

// Sends bytes and lets the design finish; `waiting` says how many have come back, to be taken.
int line_exchange(Line* line, const uint8_t* data, size_t count, size_t* waiting) {
  const int status = guarded(line, [&] { return line->exchange(data, count); });
  *waiting = line->received.size();
  return status;
}

void line_take(Line* line, char* data, size_t count) {
  count = std::min(count, line->received.size());
  std::memcpy(data, line->received.data(), count);
  line->received.erase(0, count);
}

int line_hold(Line* line, int level, uint64_t cycles) {
  return guarded(line, [&] {
    line->hold(level, cycles);
    return int{kOk};
  });
}

void line_skew(Line* line, int ppm) { line->skew(ppm); }
uint64_t line_cycles(const Line* line) { return line->cycles; }
const char* line_broken(const Line* line) { return line->broken.c_str(); }

}  // extern "C"
#pragma GCC visibility pop
