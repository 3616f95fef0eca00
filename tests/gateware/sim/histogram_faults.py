"""A value offered while the bins are being zeroed must stop the simulation."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.gateware.sim.support import begin, cycles


@cocotb.test()
async def value_in_clear(dut: Any) -> None:
    await begin(dut)
    dut.hist_clear_i.value = 1
    await cycles(dut, 1)
    dut.hist_clear_i.value, dut.hist_valid_i.value = 0, 1
    await cycles(dut, 3)
