"""Dense layers, requantisers and argmax: exact values, exact cycles, under any stalls."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb

from tests.gateware.networks import BLOCKS
from tests.gateware.sim.handshake import Record, play
from tests.gateware.sim.support import begin, cycles, number, reset


async def play_all(dut: Any, count: int, seed: int, **stalls: Any) -> dict[str, Record]:
    """Play random events through all blocks at once; return the records by name."""
    tasks = {
        block.name: cocotb.start_soon(
            play(dut, f"{block.name}_", block.events(count, seed), **stalls)
        )
        for block in BLOCKS
    }
    return {name: await task for name, task in tasks.items()}


def expect(records: dict[str, Record], count: int, seed: int) -> None:
    """Compare results with the references."""
    for block in BLOCKS:
        expected = [block.forward(event) for event in block.events(count, seed)]
        assert records[block.name].results == expected, block.name


@cocotb.test()
async def values_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    found = {}
    for seed, (idle, pause) in enumerate(
        [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5), (0.9, 0.3), (0.3, 0.9)]
    ):
        records = await play_all(dut, 60, seed, idle=idle, pause=pause)
        expect(records, 60, seed)
        found[seed] = {name: vars(record) for name, record in records.items()}
    if "COMPARISON" in os.environ:
        Path(os.environ["COMPARISON"]).write_text(json.dumps(found))


@cocotb.test()
async def interval_has_no_bubbles(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 30, 7)
    for block in BLOCKS:
        record = records[block.name]
        assert record.left[0] - record.offered[0] == block.latency, block.name
        steps = {later - earlier for earlier, later in pairwise(record.left)}
        assert steps == {block.interval}, block.name
        # Short queues between layers fill first; from then on the slowest layer sets the pace.
        entering = [later - earlier for earlier, later in pairwise(record.taken)]
        assert set(entering[-10:]) == {block.interval}, block.name


@cocotb.test()
async def latency_is_constant(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 12, 8, gap=40)
    for block in BLOCKS:
        record = records[block.name]
        taken = [left - offered for offered, left in zip(record.offered, record.left, strict=True)]
        assert set(taken) == {block.latency}, block.name


@cocotb.test()
async def results_do_not_wait_for_ready(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 3, 9, pause=1.0, stop_after=60)
    for block in BLOCKS:
        record = records[block.name]
        assert record.shown[0] - record.offered[0] == block.latency, block.name
        assert record.left == [], block.name


@cocotb.test()
async def reset_forgets_events_under_way(dut: Any) -> None:
    await begin(dut)
    for stop in (3, 11, 26):
        await play_all(dut, 50, stop, pause=0.6, stop_after=stop)
        await reset(dut)
        for block in BLOCKS:
            getattr(dut, f"{block.name}_out_ready_i").value = 1
        for _ in range(40):
            await cycles(dut, 1)
            for block in BLOCKS:
                assert number(getattr(dut, f"{block.name}_out_valid_o")) == 0, block.name
        expect(await play_all(dut, 8, stop + 1), 8, stop + 1)
