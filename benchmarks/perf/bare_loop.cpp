// The peer of the virtual board: the least C++ that can run the same verilated model.
//
// Replays a list of register writes, then clocks the model as fast as a loop can. Arguments: file of
// little-endian (address, value) pairs of 32 bits, cycles to run. Prints seconds.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "Vfabric_top.h"
#include "verilated.h"

static Vfabric_top* top;

static void cycle() {
  top->aclk = 0;
  top->eval();
  top->aclk = 1;
  top->eval();
}

static void write(uint32_t address, uint32_t value) {
  top->s_axi_awaddr = address;
  top->s_axi_wdata = value;
  top->s_axi_awvalid = top->s_axi_wvalid = 1;
  do {
    cycle();
  } while (!top->s_axi_bvalid);
  top->s_axi_awvalid = top->s_axi_wvalid = 0;
  cycle();
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  VerilatedContext context;
  context.randReset(2);
  top = new Vfabric_top(&context);
  top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_arvalid = 0;
  top->s_axi_wstrb = 0xF;
  top->s_axi_bready = top->s_axi_rready = 1;
  top->s_axis_dma_tvalid = 0;
  top->m_axis_dma_tready = 1;
  top->aresetn = 0;
  for (int i = 0; i < 16; ++i) cycle();
  top->aresetn = 1;
  for (int i = 0; i < 20000; ++i) cycle();  // histograms clear themselves

  FILE* file = std::fopen(arguments[1], "rb");
  if (!file) return 3;
  uint32_t pair[2];
  while (std::fread(pair, sizeof pair, 1, file) == 1) write(pair[0], pair[1]);
  std::fclose(file);

  const long cycles = std::atol(arguments[2]);
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < cycles; ++i) cycle();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f\n", took.count());
  return 0;
}
