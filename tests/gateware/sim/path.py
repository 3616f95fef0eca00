"""`path_select`: plain wires, and the stamps of events that come over the DMA."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, number

CYCLES = 2000
WORD = 0xFFFF_FFFF


@cocotb.test()
@cocotb.parametrize(ready_share=[0.1, 0.5, 1.0], beats=[1, 2, 7], hold_share=[0.0, 0.6])
async def stamps_of_the_dma(dut: Any, ready_share: float, beats: int, hold_share: float) -> None:
    rng = random.Random(f"{ready_share} {beats} {hold_share}")
    await begin(dut)
    dut.dma_i.value = 1
    edge = RisingEdge(dut.clk_i)
    events, beat, first_offer = 0, 0, None
    valid, data = False, 0
    stamp = WORD - CYCLES // 2
    for _ in range(CYCLES):
        stamp = stamp + 1 & WORD
        if not valid and rng.random() < 0.6:
            valid, data = True, rng.getrandbits(32)
        ready, last = rng.random() < ready_share, beat == beats - 1
        hold = rng.random() < hold_share
        # Only an event of which nothing has been shown yet is held back.
        held = hold and beat == 0 and first_offer is None
        shown = valid and not held
        dut.hold_i.value = hold
        dut.stamp_i.value, dut.acc_in_ready_i.value = stamp, ready
        dut.dma_in_valid_i.value, dut.dma_in_data_i.value = valid, data
        dut.dma_in_last_i.value = last
        await edge
        assert number(dut.acc_in_valid_o) == shown
        assert number(dut.dma_in_ready_o) == (ready and not held)
        arrives = shown and beat == 0 and first_offer is None
        if arrives:
            first_offer = stamp
        assert number(dut.dma_arrive_o) == arrives
        assert number(dut.dma_accept_o) == (shown and ready and beat == 0)
        if shown:
            assert (number(dut.acc_in_data_o), number(dut.acc_in_last_o)) == (data, last)
            assert number(dut.dma_number_o) == events + (beat > 0)
            if beat == 0:
                assert number(dut.dma_due_o) == first_offer
        if shown and ready:
            valid, first_offer = False, None
            beat = (beat + 1) % beats
            events += beat == 0
    assert events > 20


@cocotb.test()
async def wires(dut: Any) -> None:
    rng = random.Random(4)
    await begin(dut)
    edge = RisingEdge(dut.clk_i)
    for _ in range(500):
        pins = {
            "dma": rng.getrandbits(1), "player_valid": rng.getrandbits(1),
            "player_data": rng.getrandbits(32), "player_last": rng.getrandbits(1),
            "dma_in_valid": rng.getrandbits(1), "dma_in_data": rng.getrandbits(32),
            "dma_in_last": rng.getrandbits(1), "dma_out_ready": rng.getrandbits(1),
            "acc_in_ready": rng.getrandbits(1), "acc_out_valid": rng.getrandbits(1),
            "acc_out_data": rng.getrandbits(64), "acc_out_last": rng.getrandbits(1),
        }  # fmt: skip
        for name, value in pins.items():
            getattr(dut, f"{name}_i").value = value
        await edge
        dma = pins["dma"]
        source = "dma_in" if dma else "player"
        expected = {
            "acc_in_valid": pins[f"{source}_valid"],
            "acc_in_data": pins[f"{source}_data"],
            "acc_in_last": pins[f"{source}_last"],
            "player_ready": pins["acc_in_ready"] & ~dma,
            "dma_in_ready": pins["acc_in_ready"] & dma,
            "dma_out_valid": pins["acc_out_valid"] & dma,
            "dma_out_data": pins["acc_out_data"],
            "dma_out_last": pins["acc_out_last"],
            # What the player's events come to is only watched, so it is always taken.
            "acc_out_ready": pins["dma_out_ready"] if dma else 1,
        }
        assert {name: number(getattr(dut, f"{name}_o")) for name in expected} == expected
