"""Dense layers of random shapes and formats against exact integers, whatever the flow of data."""

from __future__ import annotations

import itertools
import json
import os
import random
from typing import Any

import cocotb
from cocotb.triggers import Combine, RisingEdge

from tests.gateware.networks import Chain
from tests.gateware.sim.support import begin, cycles, number, pauses, reset

VECTORS = 60
CHAINS = [Chain(**fields) for fields in json.loads(os.environ["NETWORK_CHAINS"])]


def vectors(chain: Chain, seed: int, count: int = VECTORS) -> list[list[int]]:
    """Return input vectors, extremes among them."""
    source = random.Random(seed)
    low = -(1 << (chain.in_width - 1)) if chain.in_signed else 0
    high = low + (1 << chain.in_width) - 1
    pick = (low, high, 0, None, None)
    return [
        [source.randint(low, high) if (v := source.choice(pick)) is None else v
         for _ in range(chain.inputs)]
        for _ in range(count)
    ]  # fmt: skip


def pack(values: list[int], width: int) -> int:
    """Return values as one field of bits, the first lowest."""
    return sum((value & ((1 << width) - 1)) << (i * width) for i, value in enumerate(values))


def expected(chain: Chain, values: list[int]) -> int:
    """Return the output bits that `values` must give."""
    fields, index = chain.forward(values)
    return pack(fields, chain.out_width) | index << (chain.outputs * chain.out_width)


class Lane:
    """One chain's ports."""

    def __init__(self, dut: Any, place: int) -> None:
        self.dut = dut
        self.chain = CHAINS[place]
        self.place = place

    def pin(self, name: str) -> Any:
        return getattr(self.dut, f"c{self.place}_{name}")

    async def send(self, sent: list[list[int]], hold: Any) -> list[int]:
        """Offer vectors, pausing between them; return the cycle in which each was first offered."""
        offered = []
        for values in sent:
            while next(hold):
                await RisingEdge(self.dut.clk_i)
            self.pin("in_data_i").value = pack(values, self.chain.in_width)
            self.pin("in_valid_i").value = 1
            offered.append(cocotb.utils.get_sim_time("step"))
            await RisingEdge(self.dut.clk_i)
            while not number(self.pin("in_ready_o")):
                await RisingEdge(self.dut.clk_i)
            self.pin("in_valid_i").value = 0
        return offered

    async def receive(self, count: int, hold: Any) -> tuple[list[int], list[int]]:
        """Take outputs, refusing now and then; return them and the times they were taken."""
        taken: list[int] = []
        times: list[int] = []
        while len(taken) < count:
            ready = not next(hold)
            self.pin("out_ready_i").value = int(ready)
            await RisingEdge(self.dut.clk_i)
            if ready and number(self.pin("out_valid_o")):
                taken.append(number(self.pin("out_data_o")))
                times.append(cocotb.utils.get_sim_time("step"))
        self.pin("out_ready_i").value = 0
        return taken, times


async def run(dut: Any, idle: float, refuse: float, seed: int) -> None:
    lanes = [Lane(dut, place) for place in range(len(CHAINS))]
    sent = [vectors(lane.chain, seed + lane.place) for lane in lanes]
    sending = [
        cocotb.start_soon(lane.send(sent[lane.place], pauses(seed + lane.place, idle)))
        for lane in lanes
    ]
    receiving = [
        cocotb.start_soon(lane.receive(VECTORS, pauses(seed + 99 + lane.place, refuse)))
        for lane in lanes
    ]
    await Combine(*sending, *receiving)
    for lane in lanes:
        taken, _ = receiving[lane.place].result()
        assert taken == [expected(lane.chain, values) for values in sent[lane.place]], lane.chain


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.6], refuse=[0.0, 0.5, 0.9])
async def outputs_are_exact(dut: Any, idle: float, refuse: float) -> None:
    """Every output is the exact integer one, in order, whatever pauses there are on either side."""
    await begin(dut)
    await run(dut, idle, refuse, seed=int(1000 * idle + 10 * refuse))


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def intervals_and_latencies_are_as_stated(dut: Any) -> None:
    """Back to back, a vector leaves every Reuse cycles, Reuse + 3 after it was first offered."""
    await begin(dut)
    for place in range(len(CHAINS)):
        lane = Lane(dut, place)
        sent = vectors(lane.chain, 5, 20)
        sending = cocotb.start_soon(lane.send(sent, pauses(1, 0.0)))
        receiving = cocotb.start_soon(lane.receive(20, pauses(1, 0.0)))
        await Combine(sending, receiving)
        period = 10 * 1000  # 10 ns in steps of 1 ps
        _, times = receiving.result()
        reuse = lane.chain.reuse
        gaps = {(b - a) // period for a, b in itertools.pairwise(times)}
        assert gaps == {reuse}, (lane.chain, gaps)
        # dense Reuse + 1, requantise 1, argmax 1; taken at the edge that ends the cycle.
        assert (times[0] - sending.result()[0]) // period == reuse + 3 + 1, lane.chain


@cocotb.test(timeout_time=3, timeout_unit="ms")
async def reset_in_the_middle_leaves_nothing_behind(dut: Any) -> None:
    """After a reset with vectors in every stage the next outputs are those of the next inputs."""
    await begin(dut)
    for seed in range(4):
        lanes = [Lane(dut, place) for place in range(len(CHAINS))]
        tasks = [
            cocotb.start_soon(lane.send(vectors(lane.chain, seed), pauses(seed, 0.2)))
            for lane in lanes
        ]
        await cycles(dut, 7 + 5 * seed)
        for task in tasks:
            task.cancel()
        for lane in lanes:
            lane.pin("in_valid_i").value = 0
        await reset(dut)
        await run(dut, 0.1, 0.3, seed=40 + seed)
