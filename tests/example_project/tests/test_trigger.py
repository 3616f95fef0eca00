"""What must hold of the trigger, on the virtual board as on the real one."""

from __future__ import annotations

import pytest

from harness.pytest_plugin.boards import OpenBoard
from harness.pytest_plugin.runs import Runner
from harness.session import Session

TRIGGER = "benchmarks/trigger.toml"


def test_it_keeps_up(benchmark: Runner) -> None:
    run = benchmark(TRIGGER)  # fails with the reasons, unless the verdict is `pass`
    assert run.ns("total", "p99") < 800


def test_the_queue_grows_with_the_load(benchmark: Runner) -> None:
    waits = [
        benchmark(TRIGGER, {"arrival.rate": rate}).cycles("wait", "mean")
        for rate in ("8 MHz", "12 MHz", "16 MHz")
    ]
    assert waits == sorted(waits)


def test_a_short_queue_loses_events(benchmark: Runner) -> None:
    run = benchmark(TRIGGER, {"run.derandomiser": 2}, check=False)
    assert run.verdict == "fail"
    assert run.result["events"]["dropped"]


@pytest.mark.overlay("dial")
def test_the_firmware_is_ours(overlay: Session) -> None:
    # A fabric with another digest has not come this far.
    assert overlay.clock.measured_hz == pytest.approx(overlay.clock.nominal_hz, rel=1e-3)


@pytest.mark.requires_capability("dma")
def test_a_buffer_for_the_dma(board: OpenBoard) -> None:
    memory = board.target.allocate(4096)
    memory.data[:] = 0x5A
    memory.flush()
    memory.invalidate()
    assert (memory.data == 0x5A).all()
    memory.close()


@pytest.mark.requires_board
@pytest.mark.overlay("dial", clock="100 MHz")
def test_the_board_runs_at_half_the_clock_as_well(overlay: Session) -> None:
    assert overlay.clock.measured_hz == pytest.approx(100e6, rel=1e-3)
