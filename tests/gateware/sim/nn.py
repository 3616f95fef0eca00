"""Random generated networks: exact values, exact cycles, under any stalls."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb

from harness.accelerators.pace import pace_of
from tests.gateware.networks import NETWORKS
from tests.gateware.sim.handshake import Record, play
from tests.gateware.sim.support import begin, cycles, number, reset

TIMED = [item for item in NETWORKS if item.timed]


async def play_all(dut: Any, count: int, seed: int, **stalls: Any) -> dict[str, Record]:
    """Reset, then play random events through all networks at once; return the records by name."""
    await reset(dut)
    tasks = {
        item.name: cocotb.start_soon(
            play(
                dut,
                f"{item.name}_",
                item.beats(count, seed),
                beats=item.in_beats,
                results=count * item.out_beats,
                **stalls,
            )
        )
        for item in NETWORKS
    }
    return {name: await task for name, task in tasks.items()}


def expect(records: dict[str, Record], count: int, seed: int) -> None:
    """Compare results with the reference."""
    for item in NETWORKS:
        assert records[item.name].results == item.results(count, seed), item


@cocotb.test()
async def values_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    found = {}
    for seed, (idle, pause) in enumerate(
        [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5), (0.9, 0.3), (0.3, 0.9)]
    ):
        records = await play_all(dut, 30, seed, idle=idle, pause=pause)
        expect(records, 30, seed)
        found[seed] = {name: vars(record) for name, record in records.items()}
    if "COMPARISON" in os.environ:
        Path(os.environ["COMPARISON"]).write_text(json.dumps(found))


@cocotb.test()
async def interval_has_no_bubbles(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 120, 7)
    for item in TIMED:
        record = records[item.name]
        leaving = record.left[item.out_beats - 1 :: item.out_beats]
        assert leaving[0] - record.taken[0] == item.latency, item
        steps = {later - earlier for earlier, later in pairwise(leaving[4:])}
        assert steps == {item.interval}, item
        # Short queues between layers fill first; from then on the slowest layer sets the pace.
        entering = [later - earlier for earlier, later in pairwise(record.taken[:: item.in_beats])]
        assert set(entering[-10:]) == {item.interval}, item


@cocotb.test()
async def latency_is_constant(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 12, 8, gap=90)
    for item in TIMED:
        record = records[item.name]
        entering = record.taken[:: item.in_beats]
        leaving = record.left[item.out_beats - 1 :: item.out_beats]
        taken = {left - entered for entered, left in zip(entering, leaving, strict=True)}
        assert taken == {item.latency}, item


@cocotb.test()
async def spiking_layers_keep_their_pace(dut: Any) -> None:
    await begin(dut)
    followed = 0
    for seed, gap in enumerate((0, 2, 5, 9, 60)):
        records = await play_all(dut, 40, seed, gap=gap)
        for item in NETWORKS:
            raw = item.events(40, seed)
            pace, _ = pace_of(item.model, raw, item.in_bits, item.out_bits)
            if pace is None:
                continue
            record = records[item.name]
            due = record.offered[:: item.in_beats]
            lives = [pace.take(number, cycle) for number, cycle in enumerate(due)]
            found = zip(record.taken[:: item.in_beats], record.left, strict=True)
            assert lives == list(found), (item.name, gap)
            followed += 1
    assert followed >= 40


@cocotb.test()
async def results_do_not_wait_for_ready(dut: Any) -> None:
    await begin(dut)
    records = await play_all(dut, 3, 9, pause=1.0, stop_after=150)
    for item in NETWORKS:
        record = records[item.name]
        assert len(record.shown) == 1, item
        assert record.left == [], item
        if item.out_beats == 1 and item.latency is not None:
            assert record.shown[0] - record.taken[0] == item.latency, item


@cocotb.test()
async def reset_forgets_events_under_way(dut: Any) -> None:
    await begin(dut)
    for stop in (3, 11, 26):
        await play_all(dut, 50, stop, pause=0.6, stop_after=stop)
        await reset(dut)
        for item in NETWORKS:
            getattr(dut, f"{item.name}_out_ready_i").value = 1
        for _ in range(40):
            await cycles(dut, 1)
            for item in NETWORKS:
                assert number(getattr(dut, f"{item.name}_out_valid_o")) == 0, item
        expect(await play_all(dut, 8, stop + 1), 8, stop + 1)
