"""The spiking network against its model: values under any stalls, and the cycles of each event."""

from __future__ import annotations

from typing import Any

import cocotb
from numpy.typing import NDArray

from harness.accelerators import golden_rows, load_model
from harness.accelerators.pace import Pace, pace_of
from harness.overlay import find_overlay
from harness.traffic import detector
from tests.gateware.sim.handshake import play
from tests.gateware.sim.support import begin, reset

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


def pace(raw: NDArray[Any]) -> Pace:
    """Return how the network takes these events."""
    found, why = pace_of(MODEL, raw, OVERLAY.input.width_bits, OVERLAY.output.width_bits)
    assert found is not None, why
    return found


@cocotb.test()
async def answers_are_exact_under_any_stalls(dut: Any) -> None:
    await begin(dut)
    for seed, (idle, pause) in enumerate([(0, 0), (0.8, 0), (0, 0.9), (0.5, 0.99)]):
        # The last answer may be there before the end of its event, which is not sent then.
        await reset(dut)
        raw = spikes(24, seed)
        record = await play(dut, "", beats(raw), idle=idle, pause=pause, beats=STEPS, results=24)
        assert record.results == answers(raw)


@cocotb.test()
async def every_event_keeps_its_pace(dut: Any) -> None:
    await begin(dut)
    for seed, gap in enumerate((0, 7, 15, 280)):
        await reset(dut)
        raw = spikes(40, seed)
        record = await play(dut, "", beats(raw), gap=gap, beats=STEPS, results=40)
        network = pace(raw)
        lives = [network.take(*item) for item in enumerate(record.offered[::STEPS])]
        assert lives == list(zip(record.taken[::STEPS], record.left, strict=True))
        assert len({done - accepted for accepted, done in lives}) > 10
