"""Weights out of someone else's AXI memory: in order, over and over, by the rules of the bus."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotbext.axi import AxiRamRead, AxiReadBus

from tests.gateware.sim.support import begin, cycles, number, pauses

BASE, BEATS, BEAT_BYTES, ROW_BYTES = 0x1000, 702, 8, 6
ROWS = BEATS * BEAT_BYTES // ROW_BYTES


class Bus:
    """The memory, and a look at every address that is handed over.

    Args:
        dut: The design.
        seed: Of the content and of the pauses.
        pause: Share of cycles in which the memory gives no beat, or takes no address.
    """

    def __init__(self, dut: Any, seed: int, pause: float) -> None:
        self._dut = dut
        self.image = random.Random(seed).randbytes(BEATS * BEAT_BYTES)
        memory = AxiRamRead(AxiReadBus.from_prefix(dut, "m_axi"), dut.clk_i, size=1 << 14)
        memory.write(BASE, self.image)
        memory.r_channel.set_pause_generator(pauses(seed, pause))
        memory.ar_channel.set_pause_generator(pauses(seed + 1, pause))
        self.bursts: list[tuple[int, int]] = []
        self.under_way = self.most_under_way = 0
        cocotb.start_soon(self._watch())

    def row(self, number: int) -> int:
        """Return a row of the image."""
        at = number * ROW_BYTES
        return int.from_bytes(self.image[at : at + ROW_BYTES], "little")

    async def _watch(self) -> None:
        dut = self._dut
        while True:
            await cycles(dut, 1)
            if number(dut.m_axi_arvalid) and number(dut.m_axi_arready):
                length = number(dut.m_axi_arlen) + 1
                self.bursts.append((number(dut.m_axi_araddr), length))
                self.under_way += 1
            if number(dut.m_axi_rvalid) and number(dut.m_axi_rready) and number(dut.m_axi_rlast):
                self.under_way -= 1
            self.most_under_way = max(self.most_under_way, self.under_way)


async def start(dut: Any, seed: int, pause: float, limit: int) -> Bus:
    """Reset everything; return the memory."""
    await begin(dut)
    dut.bus_rst_ni.value = 1
    dut.limit_i.value = limit
    bus = Bus(dut, seed, pause)
    await cycles(dut, 2)
    return bus


async def pulse(dut: Any, pin: Any) -> None:
    """Hold a pin high for a cycle."""
    pin.value = 1
    await cycles(dut, 1)
    pin.value = 0


async def take(dut: Any, count: int, seed: int, idle: float) -> list[int]:
    """Take rows, being busy in a share of the cycles."""
    rows: list[int] = []
    wait = pauses(seed, idle)
    for _ in range(200 * count + 2000):
        if len(rows) == count:
            break
        dut.row_ready_i.value = not next(wait)
        await cycles(dut, 1)
        if number(dut.row_valid_o) and number(dut.row_ready_i):
            rows.append(number(dut.row_data_o))
    dut.row_ready_i.value = 0
    assert len(rows) == count
    return rows


@cocotb.test()
@cocotb.parametrize(
    (("pause", "idle", "limit"), [(0, 0, 4), (0.5, 0, 1), (0, 0.5, 2), (0.3, 0.3, 4)])
)
async def rows_come_in_order_whatever_pauses(
    dut: Any, pause: float, idle: float, limit: int
) -> None:
    bus = await start(dut, limit, pause, limit)
    await pulse(dut, dut.load_i)
    assert await take(dut, ROWS, 1, idle) == [bus.row(index) for index in range(ROWS)]
    first = 300
    dut.first_beat_i.value = first
    await pulse(dut, dut.stream_i)
    span = range(first * BEAT_BYTES // ROW_BYTES, ROWS)
    wanted = [bus.row(index) for _ in range(3) for index in span]
    assert await take(dut, len(wanted), 2, idle) == wanted
    assert bus.most_under_way <= limit
    for address, length in bus.bursts:
        assert address % BEAT_BYTES == 0
        assert length <= 16
        assert address // 4096 == (address + length * BEAT_BYTES - 1) // 4096
    # From beat 300 on bursts of 16 do not meet the end of the page, beat 512: one has to be cut.
    assert (BASE + 508 * BEAT_BYTES, 4) in bus.bursts


@cocotb.test()
async def it_reads_ahead_until_the_buffer_is_full_and_no_further(dut: Any) -> None:
    bus = await start(dut, 7, 0, 4)
    await pulse(dut, dut.load_i)
    await take(dut, ROWS, 7, 0)
    before = sum(length for _, length in bus.bursts)
    await pulse(dut, dut.stream_i)
    await cycles(dut, 1000)
    ahead = sum(length for _, length in bus.bursts) - before
    assert 64 <= ahead <= 64 + 2  # what the buffer holds, and what the unpacker took out of it


@cocotb.test()
async def nothing_is_streamed_if_all_is_resident(dut: Any) -> None:
    bus = await start(dut, 8, 0, 4)
    await pulse(dut, dut.load_i)
    await take(dut, ROWS, 8, 0)
    asked = len(bus.bursts)
    dut.first_beat_i.value = BEATS
    await pulse(dut, dut.stream_i)
    await cycles(dut, 500)
    assert len(bus.bursts) == asked
    assert number(dut.row_valid_o) == 0


@cocotb.test()
async def a_stop_at_any_time_leaves_nothing_behind(dut: Any) -> None:
    """What is under way still comes; an address that is offered stands; then all begins anew."""
    bus = await start(dut, 9, 0.4, 4)
    for wait in (1, 2, 3, 5, 8, 21, 34, 90, 200):
        await pulse(dut, dut.load_i)
        dut.row_ready_i.value = 1
        await cycles(dut, wait)
        dut.row_ready_i.value = 0
        dut.rst_ni.value = 0
        await cycles(dut, 3)
        dut.rst_ni.value = 1
        await cycles(dut, 1)
        await pulse(dut, dut.load_i)
        assert await take(dut, 60, wait, 0.2) == [bus.row(index) for index in range(60)]
        # And once more without a stop: the load itself throws away what is under way.
        await pulse(dut, dut.load_i)
        assert await take(dut, 60, wait, 0.2) == [bus.row(index) for index in range(60)]
    assert number(dut.error_o) == 0
