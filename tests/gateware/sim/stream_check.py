"""`axis_check` lets every legal stream pass."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, cycles


@cocotb.test()
async def legal_streams_pass(dut: Any) -> None:
    rng = random.Random(6)
    await begin(dut)
    dut.check_rst_ni.value = 1
    edge = RisingEdge(dut.clk_i)
    valid, taken = False, True
    for _ in range(3000):
        if not valid or taken:
            valid = rng.random() < 0.5
            dut.check_valid_i.value = valid
            dut.check_data_i.value, dut.check_last_i.value = rng.getrandbits(32), rng.getrandbits(1)
        taken = rng.random() < 0.4
        dut.check_ready_i.value = taken
        await edge


@cocotb.test()
async def reset_withdraws_an_offer(dut: Any) -> None:
    await begin(dut)
    dut.check_rst_ni.value, dut.check_valid_i.value = 1, 1
    await cycles(dut, 3)
    dut.check_rst_ni.value, dut.check_valid_i.value = 0, 0
    await cycles(dut, 3)
    dut.check_rst_ni.value = 1
    await cycles(dut, 3)
