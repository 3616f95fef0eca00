"""The jet tagger against its golden model: values, cycles, stalls and reset."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cocotb
import numpy as np

from harness.accelerators import golden_rows, load_model
from harness.overlay import find_overlay
from tests.gateware.sim.handshake import Record, play
from tests.gateware.sim.support import begin, cycles, number, reset

OVERLAY = find_overlay("jet_tagger")
INTERVAL = OVERLAY.accelerator.initiation_interval_cycles
LATENCY = OVERLAY.accelerator.latency_cycles


def beats(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Return random events, every other one of extreme features, and the answers to them."""
    form, values = OVERLAY.input.format, OVERLAY.input.values
    rng = np.random.default_rng(seed)
    raw = rng.integers(form.minimum, form.maximum, (count, values), np.int64, endpoint=True)
    raw[::2] = rng.choice([form.minimum, -1, 0, 1, form.maximum], raw[::2].shape)
    assert OVERLAY.model_path is not None
    answers = golden_rows(load_model(OVERLAY.model_path), raw, OVERLAY.output.width_bits)
    rows = form.pack(raw, OVERLAY.input.width_bits)
    events, results = (
        [int.from_bytes(row.tobytes(), "little") for row in table] for table in (rows, answers)
    )
    return events, results


def latencies(record: Record) -> set[int]:
    """Return the cycles from events being taken to their answers leaving, each number once."""
    return {left - taken for taken, left in zip(record.taken, record.left, strict=True)}


@cocotb.test()
async def answers_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    for seed, (idle, pause) in enumerate([(0, 0), (0.8, 0), (0, 0.5), (0.7, 0.7), (0.2, 0.9)]):
        events, expected = beats(150, seed)
        record = await play(dut, "", events, idle=idle, pause=pause)
        assert record.results == expected


@cocotb.test()
async def interval_and_latency_are_those_of_the_manifest(dut: Any) -> None:
    await begin(dut)
    record = await play(dut, "", beats(50, 6)[0])
    assert {later - earlier for earlier, later in pairwise(record.taken)} == {INTERVAL}
    assert latencies(record) == {LATENCY}
    for gap in (4, 5, 33):
        record = await play(dut, "", beats(12, gap)[0], gap=gap)
        assert record.offered == record.taken
        assert latencies(record) == {LATENCY}


@cocotb.test()
async def an_answer_is_one_beat(dut: Any) -> None:
    await begin(dut)
    last: set[int] = set()
    task = cocotb.start_soon(play(dut, "", beats(20, 7)[0], pause=0.5))
    while not task.done():
        await cycles(dut, 1)
        if number(dut.out_valid_o):
            last.add(number(dut.out_last_o))
    assert last == {1}


@cocotb.test()
async def reset_forgets_events_under_way(dut: Any) -> None:
    await begin(dut)
    for stop in (2, 13, 27, 60):
        await play(dut, "", beats(40, stop)[0], pause=0.5, stop_after=stop)
        await reset(dut)
        dut.out_ready_i.value = 1
        for _ in range(40):
            await cycles(dut, 1)
            assert number(dut.out_valid_o) == 0
        events, expected = beats(10, stop + 1)
        assert (await play(dut, "", events)).results == expected
