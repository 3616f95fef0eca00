// The virtual board's fabric: a verilated `fabric_top` behind a C interface.
//
// Every call advances whole stretches of clock cycles; the caller never steps one. The interface is
// AXI4-Lite word accesses, two byte queues for the DMA streams, and `run`. A failed assertion or a
// $fatal in the RTL breaks the instance: its text is kept, and every later call reports it.
//
// Compiled with FABRIC_IN_BYTES and FABRIC_OUT_BYTES, the widths of the streams, and for a fabric with a
// port to memory with FABRIC_MEMORY_BYTES, the width of that.

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vfabric_top.h"
#include "memory_model.h"
#include "verilated.h"

namespace {

enum Status : int { kOk = 0, kBusError = 1, kTimeout = 2, kBroken = 3 };

constexpr int kAccessLimitCycles = 2048;  // the RTL itself answers within 256
constexpr int kResetCycles = 16;
constexpr size_t kSinkLimitBeats = 1 << 16;  // then the fabric feels back pressure

thread_local std::string printed;  // what the model said since the last call

struct Beat {
  std::vector<uint8_t> data;
  bool last;
};

class Fabric {
 public:
  explicit Fabric(int seed) {
    context_ = std::make_unique<VerilatedContext>();
    context_->randReset(2);  // every register starts with a random value, as silicon may
    context_->randSeed(seed);
    context_->fatalOnError(true);
    top_ = std::make_unique<Vfabric_top>(context_.get());
    top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
    top_->s_axi_wstrb = 0xF;
    top_->s_axi_bready = top_->s_axi_rready = 1;
    top_->s_axis_dma_tvalid = 0;
    top_->m_axis_dma_tready = 1;
#ifdef FABRIC_MEMORY_BYTES
    top_->m_axi_arready = top_->m_axi_rvalid = 0;
#endif
    top_->aresetn = 0;
    run(kResetCycles);
    top_->aresetn = 1;
  }

  ~Fabric() { top_->final(); }

  void run(uint64_t cycles) {
    for (uint64_t i = 0; i < cycles; ++i) step();
  }

  int read(uint32_t address, uint32_t* word) {
    top_->s_axi_araddr = address;
    top_->s_axi_arvalid = 1;
    const bool taken = wait_for([&] { return top_->s_axi_arready; });
    top_->s_axi_arvalid = 0;
    int response = 0;
    const bool answered = taken && wait_for([&] {
      *word = top_->s_axi_rdata;
      response = top_->s_axi_rresp;
      return top_->s_axi_rvalid;
    });
    return answered ? (response ? kBusError : kOk) : kTimeout;
  }

  int write(uint32_t address, uint32_t word) {
    top_->s_axi_awaddr = address;
    top_->s_axi_wdata = word;
    top_->s_axi_awvalid = top_->s_axi_wvalid = 1;
    const bool taken = wait_for([&] { return top_->s_axi_awready && top_->s_axi_wready; });
    top_->s_axi_awvalid = top_->s_axi_wvalid = 0;
    int response = 0;
    const bool answered = taken && wait_for([&] {
      response = top_->s_axi_bresp;
      return top_->s_axi_bvalid;
    });
    return answered ? (response ? kBusError : kOk) : kTimeout;
  }

  void push(const uint8_t* data, size_t beats, bool last) {
    for (size_t i = 0; i < beats; ++i) {
      const uint8_t* from = data + i * FABRIC_IN_BYTES;
      source_.push_back({{from, from + FABRIC_IN_BYTES}, last && i + 1 == beats});
    }
    offer();
  }

  // Moves beats up to and including a TLAST, at most `room` bytes of them, to `data`.
  size_t pop(uint8_t* data, size_t room, int* last) {
    size_t bytes = 0;
    *last = 0;
    while (!sink_.empty() && bytes + FABRIC_OUT_BYTES <= room) {
      const Beat beat = std::move(sink_.front());
      sink_.pop_front();
      std::memcpy(data + bytes, beat.data.data(), FABRIC_OUT_BYTES);
      bytes += FABRIC_OUT_BYTES;
      if (beat.last) {
        *last = 1;
        break;
      }
    }
    top_->m_axis_dma_tready = sink_.size() < kSinkLimitBeats;
    return bytes;
  }

  void flush() {
    source_.clear();
    sink_.clear();
    offer();
    top_->m_axis_dma_tready = 1;
  }

  MemoryModel memory;

  size_t unsent() const { return source_.size(); }
  uint64_t cycles() const { return cycles_; }

  std::string broken;  // why the instance must not be used any more

 private:
  void settle() { top_->eval(); }

  // The rising edge. Streams hand over what was valid and ready before it.
  void clock() {
    const bool sent = top_->s_axis_dma_tvalid && top_->s_axis_dma_tready;
    if (top_->m_axis_dma_tvalid && top_->m_axis_dma_tready && top_->aresetn) {
      Beat beat{std::vector<uint8_t>(FABRIC_OUT_BYTES), static_cast<bool>(top_->m_axis_dma_tlast)};
      std::memcpy(beat.data.data(), &top_->m_axis_dma_tdata, FABRIC_OUT_BYTES);
      sink_.push_back(std::move(beat));
    }
#ifdef FABRIC_MEMORY_BYTES
    const bool asked = top_->m_axi_arvalid && top_->m_axi_arready && top_->aresetn;
    const bool taken = top_->m_axi_rvalid && top_->m_axi_rready;
    const uint64_t address = top_->m_axi_araddr;
    const uint32_t beats = top_->m_axi_arlen + 1u;
#endif
    top_->aclk = 1;
    top_->eval();
    top_->aclk = 0;
    ++cycles_;
#ifdef FABRIC_MEMORY_BYTES
    memory.clock(asked, address, beats, FABRIC_MEMORY_BYTES, taken);
    serve();
#endif
    if (sent) {
      source_.pop_front();
      offer();
    }
    top_->m_axis_dma_tready = sink_.size() < kSinkLimitBeats;
  }

#ifdef FABRIC_MEMORY_BYTES
  // What the memory shows in the coming cycle.
  void serve() {
    top_->m_axi_arready = memory.address_ready();
    top_->m_axi_rvalid = memory.data_valid();
    if (!memory.data_valid()) return;
    memory.data(reinterpret_cast<uint8_t*>(&top_->m_axi_rdata), FABRIC_MEMORY_BYTES);
    top_->m_axi_rresp = memory.response();
    top_->m_axi_rlast = memory.last();
  }
#endif

  void step() {
    settle();
    clock();
  }

  // Clocks up to and including the first cycle in which `seen` holds before the edge.
  template <typename Seen>
  bool wait_for(Seen seen) {
    for (int i = 0; i < kAccessLimitCycles; ++i) {
      settle();
      const bool now = seen();
      clock();
      if (now) return true;
    }
    return false;
  }

  void offer() {
    top_->s_axis_dma_tvalid = !source_.empty();
    if (source_.empty()) return;
    std::memcpy(&top_->s_axis_dma_tdata, source_.front().data.data(), FABRIC_IN_BYTES);
    top_->s_axis_dma_tlast = source_.front().last;
  }

  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vfabric_top> top_;
  std::deque<Beat> source_, sink_;
  uint64_t cycles_ = 0;
};

// Runs `body` unless the fabric is broken; turns what the model throws into kBroken.
template <typename Body>
int guarded(Fabric* fabric, Body body) {
  if (!fabric->broken.empty()) return kBroken;
  printed.clear();
  try {
    return body();
  } catch (const std::exception& error) {
    fabric->broken = printed + error.what();
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

#pragma GCC visibility push(default)  // all else stays hidden: several fabrics share a process
extern "C" {

// Returns null, with the reason in `why`, when the model refuses to start.
Fabric* fabric_new(int seed, char* why, size_t room) {
  printed.clear();
  try {
    return new Fabric(seed);
  } catch (const std::exception& error) {
    std::snprintf(why, room, "%s%s", printed.c_str(), error.what());
    return nullptr;
  }
}

void fabric_free(Fabric* fabric) { delete fabric; }

int fabric_run(Fabric* fabric, uint64_t cycles) {
  return guarded(fabric, [&] {
    fabric->run(cycles);
    return int{kOk};
  });
}

// Reads `count` words from consecutive addresses; `done` says how many came back well.
int fabric_read(Fabric* fabric, uint32_t address, size_t count, uint32_t* words, size_t* done) {
  *done = 0;
  return guarded(fabric, [&] {
    for (; *done < count; ++*done) {
      const int status = fabric->read(address + 4 * static_cast<uint32_t>(*done), words + *done);
      if (status != kOk) return status;
    }
    return int{kOk};
  });
}

int fabric_write(Fabric* fabric, uint32_t address, size_t count, const uint32_t* words,
                 size_t* done) {
  *done = 0;
  return guarded(fabric, [&] {
    for (; *done < count; ++*done) {
      const int status = fabric->write(address + 4 * static_cast<uint32_t>(*done), words[*done]);
      if (status != kOk) return status;
    }
    return int{kOk};
  });
}

int fabric_push(Fabric* fabric, const uint8_t* data, size_t beats, int last) {
  return guarded(fabric, [&] {
    fabric->push(data, beats, last != 0);
    return int{kOk};
  });
}

int fabric_pop(Fabric* fabric, uint8_t* data, size_t room, size_t* bytes, int* last) {
  return guarded(fabric, [&] {
    *bytes = fabric->pop(data, room, last);
    return int{kOk};
  });
}

// Gives the memory port, if there is one, an arena that lies at a physical address.
void fabric_attach(Fabric* fabric, const uint8_t* arena, uint64_t base, uint64_t bytes,
                   const MemoryParameters* parameters) {
  fabric->memory.configure(*parameters);
  fabric->memory.attach(arena, base, bytes);
}

void fabric_period(Fabric* fabric, uint64_t period_fs) { fabric->memory.set_period(period_fs); }

void fabric_flush(Fabric* fabric) { fabric->flush(); }
size_t fabric_unsent(const Fabric* fabric) { return fabric->unsent(); }
uint64_t fabric_cycles(const Fabric* fabric) { return fabric->cycles(); }
const char* fabric_broken(const Fabric* fabric) { return fabric->broken.c_str(); }

}  // extern "C"
#pragma GCC visibility pop
