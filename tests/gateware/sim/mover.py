"""`block_mover` by itself, between streams of unlike widths and a memory that takes its time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, cycles, number

LEAST = 0x1_0000
LIMIT_CYCLES = 5000


@dataclass
class Memory:
    """Words by address; what it does not hold answers with an error."""

    dut: Any
    rng: random.Random
    words: dict[int, int] = field(default_factory=dict)

    async def serve(self) -> None:
        """Answer requests for ever: a write in its cycle or later, a read likewise."""
        edge = RisingEdge(self.dut.clk_i)
        while True:
            self.dut.rsp_valid_i.value = 0
            await edge
            if not number(self.dut.req_valid_o):
                continue
            while self.rng.random() < 0.3:
                await edge
            address = number(self.dut.req_addr_o)
            self.dut.rsp_error_i.value = address not in self.words
            self.dut.rsp_rdata_i.value = self.words.get(address, 0xBAD0_ADD2)
            self.dut.rsp_valid_i.value = 1
            await edge
            if number(self.dut.req_write_o) and address in self.words:
                self.words[address] = number(self.dut.req_wdata_o)


@dataclass
class Watch:
    """Counts cycles with a fault."""

    dut: Any
    faults: int = 0

    async def count(self) -> None:
        edge = RisingEdge(self.dut.clk_i)
        while True:
            await edge
            self.faults += number(self.dut.fault_o)


async def fresh(dut: Any, seed: object) -> tuple[random.Random, Memory, Watch]:
    rng = random.Random(str(seed))
    await begin(dut)
    memory, watch = Memory(dut, rng), Watch(dut)
    cocotb.start_soon(memory.serve())
    cocotb.start_soon(watch.count())
    return rng, memory, watch


async def command(dut: Any, name: str, address: int, words: int) -> None:
    dut.address_i.value, dut.words_i.value = address, words
    getattr(dut, f"{name}_i").value = 1
    await cycles(dut, 1)
    getattr(dut, f"{name}_i").value = 0


async def send(dut: Any, rng: random.Random, beats: list[int]) -> None:
    """Offer beats, TLAST with the final one, until all are taken."""
    edge = RisingEdge(dut.clk_i)
    for index, beat in enumerate(beats):
        while rng.random() < 0.4:
            await edge
        dut.in_valid_i.value, dut.in_data_i.value = 1, beat
        dut.in_last_i.value = index == len(beats) - 1
        for _ in range(LIMIT_CYCLES):
            await edge
            if number(dut.in_ready_o):
                break
        else:
            raise AssertionError("a beat is never taken")
        dut.in_valid_i.value = 0


async def receive(dut: Any, rng: random.Random) -> list[int]:
    """Take beats up to a TLAST."""
    edge = RisingEdge(dut.clk_i)
    beats = []
    for _ in range(LIMIT_CYCLES):
        ready = rng.random() < 0.5
        dut.out_ready_i.value = ready
        await edge
        if ready and number(dut.out_valid_o):
            beats.append(number(dut.out_data_o))
            if number(dut.out_last_o):
                dut.out_ready_i.value = 0
                return beats
    raise AssertionError("there is no TLAST")


async def still(dut: Any) -> None:
    for _ in range(LIMIT_CYCLES):
        await cycles(dut, 1)
        if not number(dut.moving_o):
            return
    raise AssertionError("it moves for ever")


def pack(words: list[int], beat_words: int) -> list[int]:
    padded = words + [0] * (-len(words) % beat_words)
    return [
        sum(word << 32 * i for i, word in enumerate(padded[at : at + beat_words]))
        for at in range(0, len(padded), beat_words)
    ]


def widths(dut: Any) -> tuple[int, int]:
    return len(dut.in_data_i) // 32, len(dut.out_data_o) // 32


@cocotb.test()
@cocotb.parametrize(seed=range(12))
async def what_is_loaded_is_dumped(dut: Any, seed: int) -> None:
    rng, memory, watch = await fresh(dut, seed)
    taken, given = widths(dut)
    count, base = rng.choice([1, 2, taken, given, rng.randrange(1, 100)]), LEAST + 4 * seed
    memory.words = {base + 4 * i: 0 for i in range(count)}
    words = [rng.getrandbits(32) for _ in range(count)]
    await command(dut, "load", base, count)
    # What pads the last beat is nobody's.
    beats = pack(words, taken)
    beats[-1] |= (
        rng.getrandbits(32 * taken) >> 32 * (count % taken) << 32 * (count % taken)
        if (count % taken)
        else 0
    )
    await send(dut, rng, beats)
    await still(dut)
    assert list(memory.words.values()) == words
    await command(dut, "dump", base, count)
    assert await receive(dut, rng) == pack(words, given)
    await still(dut)
    assert watch.faults == 0


@cocotb.test()
@cocotb.parametrize(extra=[-1, 1, 3])
async def a_packet_of_another_length(dut: Any, extra: int) -> None:
    """It is taken to its end, and the next one is not mistaken for the rest of it."""
    rng, memory, watch = await fresh(dut, extra)
    taken, _ = widths(dut)
    count = 5 * taken
    memory.words = {LEAST + 4 * i: 0 for i in range(count)}
    words = [rng.getrandbits(32) for _ in range(count + max(extra, 0) * taken)]
    await command(dut, "load", LEAST, count)
    await send(dut, rng, pack(words, taken)[: 5 + extra])
    await still(dut)
    assert watch.faults == 1
    whole = min(count, (5 + extra) * taken)
    assert list(memory.words.values()) == words[:whole] + [0] * (count - whole)
    await command(dut, "load", LEAST, count)
    await send(dut, rng, pack(words[:count], taken))
    await still(dut)
    assert watch.faults == 1
    assert list(memory.words.values()) == words[:count]


@cocotb.test()
@cocotb.parametrize(good=[0, 1, 7])
async def a_block_that_leaves_the_memory(dut: Any, good: int) -> None:
    """The packet of a dump still ends with TLAST, that of a load is still taken."""
    rng, memory, watch = await fresh(dut, good)
    taken, given = widths(dut)
    memory.words = {LEAST + 4 * i: i + 1 for i in range(good)}
    await command(dut, "dump", LEAST, good + 3 * given)
    assert await receive(dut, rng) == pack([*range(1, good + 1), 0], given)
    await still(dut)
    assert watch.faults == 1
    await command(dut, "load", LEAST, good + 3 * taken)
    await send(dut, rng, pack([9] * (good + 3 * taken), taken))
    await still(dut)
    assert watch.faults == 2
    assert list(memory.words.values()) == [9] * good


@cocotb.test()
async def registers_are_not_written(dut: Any) -> None:
    rng, memory, watch = await fresh(dut, 0)
    taken, given = widths(dut)
    memory.words = {LEAST - 4: 1, LEAST: 2}
    await command(dut, "load", LEAST - 4, 2)
    await send(dut, rng, pack([8, 9], taken))
    await still(dut)
    assert memory.words == {LEAST - 4: 1, LEAST: 2}
    assert watch.faults == 1
    await command(dut, "dump", LEAST - 4, 2)
    assert await receive(dut, rng) == pack([1, 2], given)
    assert watch.faults == 1


@cocotb.test()
@cocotb.parametrize(name=["load", "dump"], after=[1, 2, 3, 5, 9])
async def stopped_in_between(dut: Any, name: str, after: int) -> None:
    rng, memory, watch = await fresh(dut, f"{name} {after}")
    taken, given = widths(dut)
    memory.words = {LEAST + 4 * i: i for i in range(40)}
    await command(dut, name, LEAST, 40)
    dut.in_valid_i.value = 1
    await cycles(dut, after)
    dut.stop_i.value = 1
    await cycles(dut, 1)
    dut.stop_i.value, dut.in_valid_i.value = 0, 0
    await cycles(dut, 1)
    assert not number(dut.moving_o)
    await cycles(dut, 20)  # whatever the memory still answers is nobody's
    before = watch.faults
    await command(dut, "load", LEAST, 40)
    await send(dut, rng, pack(list(range(100, 140)), taken))
    await still(dut)
    await command(dut, "dump", LEAST, 40)
    assert await receive(dut, rng) == pack(list(range(100, 140)), given)
    assert watch.faults == before == 0
