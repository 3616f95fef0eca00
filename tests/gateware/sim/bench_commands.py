"""Commands at the wrong time, runs that are cut off, and accelerators that misbehave."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from harness.registers import Control, Fault, Status
from tests.gateware.reference import ONE
from tests.gateware.sim.bench_runs import noise, play, verify
from tests.gateware.sim.host import Host, Plan, connect
from tests.gateware.sim.support import number

BEATS_7 = Plan(30, 6 * ONE, depth=2, beats=7, distinct=3)
ENDLESS = Plan(0xFFFF_FFFF, 3 * ONE, depth=2)
WORD = 0xFFFF_FFFF


async def run(host: Host, plan: Plan, **dial: int) -> list[int]:
    """Start a run that is not waited for."""
    rows = noise(host, plan)
    await host.fresh()
    await host.dial(**dial)
    await host.load("EVENT", rows)
    await host.load("GOLDEN", rows)
    await host.arm(plan)
    await host.start()
    return rows


@cocotb.test()
@cocotb.parametrize(command=[Control.START, Control.CLEAR, Control.START | Control.CLEAR])
async def refused_in_a_run(dut: Any, command: Control) -> None:
    host = await connect(dut)
    await run(host, ENDLESS)
    await host.cycles(100)
    before = await host.counters()
    await host.set("CONTROL", command)
    assert await host.get("STATUS") == Status.RUNNING | Fault.BAD_COMMAND
    after = await host.counters()
    for name in ("SCHEDULED", "COMPLETED", "OCCUPANCY_SUM", "RUN_CYCLES"):
        assert after[name] > before[name]
    await host.set("CONTROL", Control.ABORT)
    await host.idle()
    # The mark stays until the clear.
    assert await host.get("STATUS") == Fault.BAD_COMMAND
    await host.fresh()
    assert await host.get("STATUS") == 0


@cocotb.test()
@cocotb.parametrize(command=[Control.START, Control.CLEAR])
async def refused_while_clearing(dut: Any, command: Control) -> None:
    host = await connect(dut)
    await host.arm(ENDLESS)
    await host.set("CONTROL", Control.CLEAR)
    await host.set("CONTROL", command)
    assert await host.get("STATUS") == Status.CLEARING | Fault.BAD_COMMAND
    await host.idle()
    assert await host.get("STATUS") == Fault.BAD_COMMAND


@cocotb.test()
async def start_with_clear_is_refused(dut: Any) -> None:
    """A run over bins that are still being zeroed would lose values."""
    host = await connect(dut)
    await host.arm(ENDLESS)
    await host.set("CONTROL", Control.START | Control.CLEAR)
    await host.cycles(100)
    assert await host.get("STATUS") == Fault.BAD_COMMAND
    assert (await host.counters())["SCHEDULED"] == 0


@cocotb.test()
async def no_start_into_the_accelerators_reset(dut: Any) -> None:
    """Events would wait for the end of the reset, and the accelerator would be blamed for it."""
    host = await connect(dut)
    await run(host, ENDLESS)
    await host.set("CONTROL", Control.ABORT)
    await host.set("CONTROL", Control.START)
    assert await host.get("STATUS") == Status.CLEARING | Fault.BAD_COMMAND
    await host.cycles(100)
    assert await host.get("STATUS") == Fault.BAD_COMMAND
    assert (await host.counters())["WAIT_MAX"] == 0


@cocotb.test()
@cocotb.parametrize(command=[Control.START, Control.CLEAR])
async def abort_beats_what_comes_with_it(dut: Any, command: Control) -> None:
    host = await connect(dut)
    await run(host, ENDLESS)
    await host.set("CONTROL", Control.ABORT | command)
    await host.idle()
    assert await host.get("STATUS") == Fault.BAD_COMMAND


@cocotb.test()
async def snapshot_goes_with_any_command(dut: Any) -> None:
    host = await connect(dut)
    await run(host, ENDLESS)
    await host.cycles(100)
    await host.set("CONTROL", Control.ABORT | Control.SNAPSHOT)
    assert await host.get("SCHEDULED") > 30
    assert await host.get("STATUS") == Status.CLEARING


@cocotb.test()
async def cut_anywhere_then_clean(dut: Any) -> None:
    """Abort in the middle of packets; the next run knows nothing of it."""
    rng = random.Random(1)
    host = await connect(dut)
    expected, _ = await verify(host, BEATS_7, 9, 20)
    for _ in range(6):
        await run(host, BEATS_7, INITIATION_INTERVAL=9, DELAY=20)
        await host.cycles(rng.randrange(1, 120))
        await host.set("CONTROL", Control.ABORT)
        await host.idle()
        assert await host.get("STATUS") == 0
        reading, _ = await verify(host, BEATS_7, 9, 20)
        assert reading.trace == expected.trace


@cocotb.test()
async def reset_anywhere_then_clean(dut: Any) -> None:
    rng = random.Random(2)
    host = await connect(dut)
    for _ in range(6):
        await run(host, BEATS_7, INITIATION_INTERVAL=9, DELAY=20)
        await host.cycles(rng.randrange(1, 120))
        await host.reset()
        assert await host.get("STATUS") == 0
        assert set((await host.counters()).items()) >= {("SCHEDULED", 0), ("CRC", 0)}
        await verify(host, BEATS_7, 9, 20)


@cocotb.test()
async def abort_stops_the_offer_and_resets_the_accelerator(dut: Any) -> None:
    host = await connect(dut)
    await run(host, ENDLESS, DELAY=30)
    await host.cycles(60)
    await host.set("CONTROL", Control.ABORT)
    # Nothing of the old run comes out, not even later.
    before = await host.counters()
    await host.cycles(100)
    after = await host.counters()
    for name in ("ACCEPTED", "COMPLETED", "OUTPUT_BEATS", "RUN_CYCLES", "OCCUPANCY_SUM", "CRC"):
        assert after[name] == before[name], name
    assert await host.get("STATUS") == 0


@cocotb.test()
async def output_out_of_nothing_is_flagged(dut: Any) -> None:
    host = await connect(dut)
    await host.fresh()
    await host.dial(SPURIOUS=1)
    assert await host.get("STATUS") == Fault.UNEXPECTED_OUTPUT
    found = await host.counters()
    assert (found["COMPLETED"], found["OUTPUT_BEATS"]) == (0, 1)
    await host.fresh()
    assert await host.get("STATUS") == 0


@cocotb.test()
async def a_beat_too_many_is_flagged(dut: Any) -> None:
    host = await connect(dut)
    plan = Plan(20, 9 * ONE)
    await run(host, plan, REPEAT_AT=7)
    await host.finish()
    # Event 7 came twice, with nothing else in flight.
    reading = await host.read_out()
    assert reading.status == Status.DONE | Fault.UNEXPECTED_OUTPUT
    assert reading.counters["OUTPUT_BEATS"] == 21


@cocotb.test()
async def a_corrupt_beat_is_found(dut: Any) -> None:
    host = await connect(dut)
    plan = Plan(40, 2 * ONE, depth=2, beats=2, distinct=8)
    for beat in (0, 33, 79):
        rows = noise(host, plan)
        reading = await play(host, plan, rows, CORRUPT_AT=beat, DELAY=3)
        assert reading.counters["MISMATCHES"] == 1
        assert reading.counters["FIRST_MISMATCH"] == beat // 2
        assert reading.counters["COMPLETED"] == 40
        assert reading.status == Status.DONE


@cocotb.test()
async def without_a_check_nothing_is_compared(dut: Any) -> None:
    host = await connect(dut)
    plan = Plan(10, 2 * ONE, check=False)
    reading = await play(host, plan, noise(host, plan), CORRUPT_AT=3)
    assert reading.counters["MISMATCHES"] == 0


@cocotb.test()
async def a_lost_event_keeps_the_run_open(dut: Any) -> None:
    host = await connect(dut)
    plan = Plan(20, 9 * ONE, distinct=20)
    await run(host, plan, SWALLOW_AT=5)
    await host.cycles(20 * 9 + 200)
    assert await host.get("STATUS") == Status.RUNNING
    found = await host.counters()
    assert (found["ACCEPTED"], found["COMPLETED"]) == (20, 19)
    # From event 5 on each output is its successor's.
    assert (found["MISMATCHES"], found["FIRST_MISMATCH"]) == (14, 5)


@cocotb.test()
async def a_deaf_accelerator_is_stalled_on(dut: Any) -> None:
    host = await connect(dut)
    plan = Plan(50, 4 * ONE, depth=3)
    rows = await run(host, plan, REFUSE=1)
    await host.cycles(400)
    found = await host.counters()
    expected = {"SCHEDULED": 50, "ACCEPTED": 0, "COMPLETED": 0, "DROPPED": 47, "MAX_DEPTH": 3}
    assert {name: found[name] for name in expected} == expected
    assert found["STALL_CYCLES"] > 200
    assert await host.get("STATUS") == Status.RUNNING
    # Let go, it takes the three that were kept.
    await host.dial(REFUSE=0)
    await host.finish()
    found = await host.counters()
    assert (found["ACCEPTED"], found["COMPLETED"], found["MISMATCHES"]) == (3, 3, 0)
    assert found["OCCUPANCY_SUM"] == found["TOTAL_SUM"]
    assert rows


@cocotb.test()
async def occupancy_is_what_can_be_seen(dut: Any) -> None:
    """Little's law with the sum taken from the pins instead of from the fabric."""
    host = await connect(dut)
    plan = Plan(40, 3 * ONE, depth=3)
    rows = noise(host, plan)
    seen = cocotb.start_soon(count_in_system(dut))
    reading = await play(host, plan, rows, INITIATION_INTERVAL=4, DELAY=9)
    seen.cancel()
    assert reading.counters["OCCUPANCY_SUM"] == SEEN["sum"] > 0


SEEN = {"sum": 0}


async def count_in_system(dut: Any) -> None:
    """Count, in each cycle, the events that have come due and are neither dropped nor done."""
    edge = RisingEdge(dut.aclk)
    SEEN["sum"] = inside = 0
    bench = dut.u_bench
    while True:
        await edge
        inside += number(bench.player_arrive) - number(bench.out_beat)
        SEEN["sum"] += inside
