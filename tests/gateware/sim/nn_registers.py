"""Registers of layers: each block has its own words, and what is written there is obeyed."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.gateware.masked import BASES
from tests.gateware.sim.handshake import play
from tests.gateware.sim.support import begin, cycles, number

EVENTS = [0x04030201, 0xFF00FF00, 0x12345678]


async def write(dut: Any, word: int, value: int) -> None:
    """Write a register as stream_bench does."""
    dut.cfg_we_i.value, dut.cfg_addr_i.value, dut.cfg_wdata_i.value = 1, word, value
    await cycles(dut, 1)
    dut.cfg_we_i.value = 0


async def read(dut: Any, word: int) -> int:
    """Read a register: it is there one cycle after its address."""
    dut.cfg_addr_i.value = word
    await cycles(dut, 2)
    return number(dut.cfg_rdata_o)


@cocotb.test()
async def words_reach_their_block_and_no_other(dut: Any) -> None:
    await begin(dut)
    assert (await play(dut, "", EVENTS)).results == EVENTS
    first, second = BASES
    written = {first: 0x0F, first + 1: 0xF0, second: 0x3C}
    for word, value in written.items():
        await write(dut, word, value)
    for word, value in {**written, second + 1: 0, second + 2: 0, 1 << 13: 0}.items():
        assert await read(dut, word) == value, word
    # The second block has one lane, so its first word turns over every value.
    expected = [event ^ 0xF00FF00F ^ 0x3C3C3C3C for event in EVENTS]
    assert (await play(dut, "", EVENTS)).results == expected
