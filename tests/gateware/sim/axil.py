"""`bench_axil` with somebody else's master: every pause, every answer."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from tests.gateware.sim.support import CLOCK_NS, begin, cycles, number, pauses

ERROR, SILENT, DELAY = 0x40, 0x80, 0x100
TIMEOUT_CYCLES = 20
PAUSES = {"none": 0.0, "some": 0.4, "many": 0.9}


async def master(dut: Any) -> AxiLiteMaster:
    bus = AxiLiteMaster(
        AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk_i, dut.rst_ni, reset_active_level=False
    )
    await begin(dut)
    return bus


async def write(bus: AxiLiteMaster, address: int, value: int) -> AxiResp:
    done = bus.write(address, value.to_bytes(4, "little"))
    return (await with_timeout(done, 5000 * CLOCK_NS, "ns")).resp


async def read(bus: AxiLiteMaster, address: int) -> tuple[AxiResp, int]:
    done = await with_timeout(bus.read(address, 4), 5000 * CLOCK_NS, "ns")
    return done.resp, int.from_bytes(done.data, "little")


@cocotb.test()
@cocotb.parametrize(idle=list(PAUSES), pressure=list(PAUSES))
async def answers_every_access_once(dut: Any, idle: str, pressure: str) -> None:
    rng = random.Random(f"{idle} {pressure}")
    bus = await master(dut)
    held = [
        bus.write_if.aw_channel, bus.write_if.w_channel, bus.read_if.ar_channel,
    ]  # fmt: skip
    answered = [bus.write_if.b_channel, bus.read_if.r_channel]
    for channels, share in ((held, PAUSES[idle]), (answered, PAUSES[pressure])):
        for index, channel in enumerate(channels):
            channel.set_pause_generator(pauses(index, share))
    words = [0] * 16
    for index in range(16):
        words[index] = rng.getrandbits(32)
        assert await write(bus, 4 * index, words[index]) == AxiResp.OKAY
    served = number(dut.served_o)
    for _ in range(120):
        index, extra = rng.randrange(16), rng.choice([0, 0, ERROR, DELAY, 7 * DELAY])
        answer = AxiResp.SLVERR if extra == ERROR else AxiResp.OKAY
        if rng.random() < 0.5:
            value = rng.getrandbits(32)
            assert await write(bus, extra + 4 * index, value) == answer
            if extra != ERROR:
                words[index] = value
        else:
            assert await read(bus, extra + 4 * index) == (answer, words[index])
        served += 1
    assert number(dut.served_o) == served


@cocotb.test()
async def reads_and_writes_at_once(dut: Any) -> None:
    rng = random.Random(8)
    bus = await master(dut)
    words = [rng.getrandbits(32) for _ in range(16)]
    await bus.write(0, b"".join(word.to_bytes(4, "little") for word in words))
    reading = cocotb.start_soon(bus.read(0, 32))
    # Word 8 on is written while words 0 to 7 are read.
    await bus.write(32, b"".join(word.to_bytes(4, "little") for word in words[:8]))
    done = await with_timeout(reading, 5000 * CLOCK_NS, "ns")
    assert done.data == b"".join(word.to_bytes(4, "little") for word in words[:8])
    again = await bus.read(0, 64)
    assert again.data == 2 * b"".join(word.to_bytes(4, "little") for word in words[:8])


@cocotb.test()
async def partial_writes_are_refused(dut: Any) -> None:
    bus = await master(dut)
    assert await write(bus, 8, 0x1122_3344) == AxiResp.OKAY
    served = number(dut.served_o)
    for address, data in ((8, b"\xff"), (9, b"\xff\xff"), (11, b"\xff"), (9, b"\xff\xff\xff")):
        answer = await with_timeout(bus.write(address, data), 5000 * CLOCK_NS, "ns")
        assert answer.resp == AxiResp.SLVERR
    assert number(dut.served_o) == served
    assert await read(bus, 8) == (AxiResp.OKAY, 0x1122_3344)


@cocotb.test()
async def silence_ends_in_an_error(dut: Any) -> None:
    bus = await master(dut)
    for access in (write(bus, SILENT, 1), read(bus, SILENT)):
        began = cocotb.simtime.get_sim_time("ns")
        answer = await access
        assert (answer if isinstance(answer, AxiResp) else answer[0]) == AxiResp.SLVERR
        took = (cocotb.simtime.get_sim_time("ns") - began) / CLOCK_NS
        assert TIMEOUT_CYCLES < took < TIMEOUT_CYCLES + 8
        # The slave is not stuck.
        assert await write(bus, 0, 5) == AxiResp.OKAY
        assert await read(bus, 0) == (AxiResp.OKAY, 5)


@cocotb.test()
@cocotb.parametrize(early=["aw", "w"])
async def address_and_data_may_come_in_any_order(dut: Any, early: str) -> None:
    bus = await master(dut)
    late = bus.write_if.w_channel if early == "aw" else bus.write_if.aw_channel
    late.pause = True
    writing = cocotb.start_soon(write(bus, 4, 0xCAFE))
    await cycles(dut, 50)
    assert not writing.done()
    # A read overtakes the write that is not complete.
    assert (await read(bus, 0))[0] == AxiResp.OKAY
    late.pause = False
    assert await with_timeout(writing, 100 * CLOCK_NS, "ns") == AxiResp.OKAY
    assert await read(bus, 4) == (AxiResp.OKAY, 0xCAFE)


@cocotb.test()
async def reset_ends_an_access(dut: Any) -> None:
    bus = await master(dut)
    cocotb.start_soon(bus.read(SILENT, 4))
    await cycles(dut, 8)
    dut.rst_ni.value = 0
    await cycles(dut, 4)
    assert (number(dut.s_axi_rvalid), number(dut.s_axi_bvalid)) == (0, 0)
    dut.rst_ni.value = 1
    await cycles(dut, 4)
    assert await write(bus, 0, 9) == AxiResp.OKAY
    assert await read(bus, 0) == (AxiResp.OKAY, 9)
