"""A depth limit the queue has no room for must stop the simulation."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.gateware.sim.support import begin, cycles


@cocotb.test()
async def limit_too_large(dut: Any) -> None:
    await begin(dut)
    dut.direct_i.value, dut.limit_i.value, dut.fire_i.value = 1, 8, 1
    await cycles(dut, 3)
