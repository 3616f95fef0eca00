"""What every simulated test does: clock, reset, quiet inputs, whole numbers from pins."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

CLOCK_NS = 10
RESET_CYCLES = 4
_BUS_INPUTS = ("awvalid", "wvalid", "bready", "arvalid", "rready")


async def begin(dut: Any) -> None:
    """Start `clk_i`, hold every input at zero, and go through one reset.

    A test continues right after a rising edge. What it reads there are the values of the cycle that
    edge ended; what it writes holds during the next one.
    """
    for handle in dut:
        name = handle._name
        if name.endswith(("_i", "_ni")) and name != "clk_i":
            handle.value = 0
        elif name.startswith("s_axi_") and name.endswith(_BUS_INPUTS):
            handle.value = 0
    Clock(dut.clk_i, CLOCK_NS, unit="ns").start()
    await reset(dut)


async def reset(dut: Any) -> None:
    """Hold `rst_ni` low for a few cycles."""
    dut.rst_ni.value = 0
    await cycles(dut, RESET_CYCLES)
    dut.rst_ni.value = 1
    await cycles(dut, 1)


async def cycles(dut: Any, count: int) -> None:
    """Let `count` cycles pass."""
    edge = RisingEdge(dut.clk_i)
    for _ in range(count):
        await edge


def number(handle: Any) -> int:
    """Return a pin's value as an unsigned number."""
    return int(handle.value)


def pauses(seed: int, share: float) -> Iterator[bool]:
    """Yield forever: hold back, in this share of cycles."""
    source = random.Random(seed)
    while True:
        yield source.random() < share
