"""The spiking network against its model: values under any stalls, and the cycles of each event."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from harness.accelerators import golden_rows, load_model
from harness.accelerators.layers.lif import Lif
from harness.overlay import find_overlay
from harness.traffic import detector
from tests.gateware.sim.handshake import play
from tests.gateware.sim.support import begin

OVERLAY = find_overlay("spiking_digits")
assert OVERLAY.model_path is not None
MODEL = load_model(OVERLAY.model_path)
STEPS = OVERLAY.input.beats


def spikes(count: int, seed: int) -> NDArray[Any]:
    """Return digits, and among them events without a spike and with all there can be."""
    raw = detector("digit_spikes").generate(count, seed).raw.copy()
    raw[1], raw[3], raw[4] = 0, 1, 0
    return raw


def beats(raw: NDArray[Any]) -> list[int]:
    rows = OVERLAY.input.format.pack(raw, OVERLAY.input.width_bits).reshape(-1, 8)
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def answers(raw: NDArray[Any]) -> list[int]:
    rows = golden_rows(MODEL, raw, OVERLAY.output.width_bits)
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def latencies(raw: NDArray[Any]) -> list[int]:
    """Return the cycles of each event that meets an idle network."""
    values = raw
    cycles = np.tile(MODEL.unpack(OVERLAY.input.width_bits).departures(range(STEPS)), (len(raw), 1))
    for layer in MODEL.layers:
        assert isinstance(layer, Lif)
        steps = layer.steps_cycles(values)
        cycles = np.array(
            [
                layer.departures_after(arrivals, each)
                for arrivals, each in zip(cycles.tolist(), steps.tolist(), strict=True)
            ]
        )
        values = layer.apply(values)
    return [int(cycle) + MODEL.stage.latency for cycle in cycles[:, -1]]


@cocotb.test()
async def answers_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    for seed, (idle, pause) in enumerate([(0, 0), (0.8, 0), (0, 0.9), (0.5, 0.99)]):
        raw = spikes(24, seed)
        record = await play(dut, "", beats(raw), idle=idle, pause=pause, beats=STEPS, results=24)
        assert record.results == answers(raw)


@cocotb.test()
async def a_lone_event_takes_the_cycles_that_its_spikes_need(dut: Any) -> None:
    await begin(dut)
    raw = spikes(40, 9)
    record = await play(dut, "", beats(raw), gap=280, beats=STEPS, results=40)
    taken = record.taken[::STEPS]
    found = [left - first for first, left in zip(taken, record.left, strict=True)]
    assert found == latencies(raw)
    assert len(set(found)) > 10
