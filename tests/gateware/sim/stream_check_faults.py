"""Illegal streams, each of which must stop the simulation."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.gateware.sim.support import begin, cycles


async def offer(dut: Any) -> None:
    """Offer a beat that is not taken."""
    await begin(dut)
    dut.check_rst_ni.value, dut.check_valid_i.value = 1, 1
    dut.check_data_i.value, dut.check_last_i.value = 0x1234, 0
    await cycles(dut, 2)


@cocotb.test()
async def valid_drops(dut: Any) -> None:
    await offer(dut)
    dut.check_valid_i.value = 0
    await cycles(dut, 3)


@cocotb.test()
async def data_changes(dut: Any) -> None:
    await offer(dut)
    dut.check_data_i.value = 0x1235
    await cycles(dut, 3)


@cocotb.test()
async def last_changes(dut: Any) -> None:
    await offer(dut)
    dut.check_last_i.value = 1
    await cycles(dut, 3)
