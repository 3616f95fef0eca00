"""The peer's side of emulation.py: the same RTL under cocotb, driven the way cocotb is used.

`streaming` sends events from Python over AXI4-Stream and takes the outputs back, as a cocotb
testbench does; `waiting` replays the register writes of a run and then only waits for clock cycles.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from harness.registers import REGISTER, Config

PERIOD_NS = 5


async def _start(dut: Any) -> AxiLiteMaster:
    Clock(dut.aclk, PERIOD_NS, "ns").start()
    dut.aresetn.value = 0
    master = AxiLiteMaster(
        AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False
    )
    await ClockCycles(dut.aclk, 16)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 20_000)
    return master


def _report(name: str, cycles: int, seconds: float) -> None:
    path = Path(os.environ["PERF_REPORT"])
    found = json.loads(path.read_text()) if path.exists() else {}
    found[name] = cycles / seconds
    path.write_text(json.dumps(found))


@cocotb.test()
async def streaming(dut: Any) -> None:
    """Events from Python through the DMA path, one frame each, outputs back to Python."""
    events = int(os.environ["PERF_STREAMED"])
    source = AxiStreamSource(
        AxiStreamBus.from_prefix(dut, "s_axis_dma"), dut.aclk, dut.aresetn, reset_active_level=False
    )
    sink = AxiStreamSink(
        AxiStreamBus.from_prefix(dut, "m_axis_dma"), dut.aclk, dut.aresetn, reset_active_level=False
    )
    master = await _start(dut)
    await master.write_dword(REGISTER["CONFIG"].offset, int(Config.PATH_DMA))
    content = np.random.default_rng(1).bytes(len(dut.s_axis_dma_tdata) // 8)
    began, first = time.perf_counter(), cocotb.utils.get_sim_time("ns")
    for _ in range(events):
        source.send_nowait(AxiStreamFrame(content))
    for _ in range(events):
        await sink.recv()
    cycles = int((cocotb.utils.get_sim_time("ns") - first) / PERIOD_NS)
    _report("streaming", cycles, time.perf_counter() - began)


@cocotb.test()
async def waiting(dut: Any) -> None:
    """The fabric plays events by itself; Python does nothing but wait."""
    master = await _start(dut)
    writes = np.fromfile(os.environ["PERF_WRITES"], "<u4").reshape(-1, 2)
    for address, value in writes.tolist():
        await master.write_dword(address, value)
    cycles = int(os.environ["PERF_CYCLES"])
    began = time.perf_counter()
    await ClockCycles(dut.aclk, cycles)
    _report("waiting", cycles, time.perf_counter() - began)
