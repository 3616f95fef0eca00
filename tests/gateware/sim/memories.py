"""`ram_1r1w` against a list of rows."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, number

DEPTH, WORDS = 8, 3
CYCLES = 3000


def words_of(row: int) -> list[int]:
    return [row >> 32 * word & 0xFFFF_FFFF for word in range(WORDS)]


@cocotb.test()
async def reads_return_the_old_row_and_hold(dut: Any) -> None:
    rng = random.Random(1)
    await begin(dut)
    edge = RisingEdge(dut.clk_i)
    rows: list[list[int]] = []
    for address in range(DEPTH):
        row = rng.getrandbits(32 * WORDS)
        dut.ram_we_i.value, dut.ram_waddr_i.value, dut.ram_wdata_i.value = 7, address, row
        rows.append(words_of(row))
        await edge
    expected: list[int] | None = None
    collisions = 0
    for _ in range(CYCLES):
        enable, waddr, raddr = rng.randrange(8), rng.randrange(DEPTH), rng.randrange(DEPTH)
        read, row = rng.random() < 0.7, rng.getrandbits(32 * WORDS)
        dut.ram_we_i.value, dut.ram_waddr_i.value, dut.ram_wdata_i.value = enable, waddr, row
        dut.ram_ren_i.value, dut.ram_raddr_i.value = read, raddr
        await edge
        if expected is not None:
            assert words_of(number(dut.ram_rdata_o)) == expected
        if read:
            expected = list(rows[raddr])
            collisions += bool(enable and waddr == raddr)
        for word, value in enumerate(words_of(row)):
            if enable >> word & 1:
                rows[waddr][word] = value
    assert collisions > 100
