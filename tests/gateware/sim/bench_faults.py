"""An accelerator that breaks the stream protocol must stop the simulation."""

from __future__ import annotations

from typing import Any

import cocotb

from harness.registers import Config
from tests.gateware.sim.host import connect


@cocotb.test()
async def flickering_offer(dut: Any) -> None:
    host = await connect(dut)
    await host.set("CONFIG", Config.PATH_DMA)
    host.sink.pause = True
    await host.dial(FLICKER=1)
    await host.source.write(bytes(host.beat_bytes))
    await host.cycles(100)
