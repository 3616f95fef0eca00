"""The widest stream with the smallest memories that are allowed: two rows of each."""

from __future__ import annotations

from typing import Any

import cocotb

from harness.registers import Config, Fault
from tests.gateware.reference import ONE
from tests.gateware.sim.bench_dma import exchange
from tests.gateware.sim.bench_dma import noise as packets_of
from tests.gateware.sim.bench_runs import verify
from tests.gateware.sim.host import Host, Plan, connect

GRID = {
    "idle": (Plan(20, 7 * ONE, distinct=2), 5, 4),
    "overload": (Plan(30, 2 * ONE, distinct=2), 5, 6),
    "every cycle": (Plan(20, ONE, distinct=2), 1, 1),
    "two beats": (Plan(20, 5 * ONE, distinct=1, beats=2), 3, 2),
    "gaps": (Plan(20, ONE, gaps=(1, 3), distinct=2), 1, 1),
    "one gap": (Plan(20, ONE, gaps=(2,), distinct=2), 4, 3),
    "bernoulli": (Plan(30, bernoulli=ONE // 4, seed=3, distinct=2), 3, 4),
}


@cocotb.test()
@cocotb.parametrize(name=list(GRID))
async def as_predicted(dut: Any, name: str) -> None:
    plan, interval, delay = GRID[name]
    await verify(await connect(dut), plan, interval, delay)


@cocotb.test()
async def three_in_flight_are_too_many(dut: Any) -> None:
    host = await connect(dut)
    await overflow(host)
    await verify(host, *GRID["idle"])


async def overflow(host: Host) -> None:
    await host.fresh()
    await host.dial(DELAY=9)
    await host.arm(Plan(3, ONE))
    await host.start()
    await host.cycles(50)
    assert await host.get("STATUS") & Fault.STAMP_OVERFLOW


@cocotb.test()
async def packets_of_the_dma(dut: Any) -> None:
    host = await connect(dut)
    await host.set("CONFIG", Config.PATH_DMA)
    await exchange(host, packets_of(host, 5, 0))
    found = await host.counters()
    assert (found["COMPLETED"], found["TRACED"], found["SPIED"]) == (12, 2, 2)
