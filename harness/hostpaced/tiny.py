"""How MLPerf Tiny measures: single stream, closed loop, stamps of the device's own clock.

Performance mode: five runs, each with another input, each long enough to outlast the granularity of
the device's clock; the median counts. Accuracy mode: one inference an input. In both, times of the
device and of this host are kept apart: neither is ever corrected by the other.

Sources: README of eembc/energyrunner (five inputs, median of inferences per second, a clock of at
least 1 kHz), and `benchmark/runner/script.py` of mlcommons/tiny: five loops, 10 s in all. Here each
of the five runs has 10 s and 10 inferences, which satisfies both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.errors import BoardError, HarnessError, RunInvalidError
from harness.targets.tiny_protocol import MOST_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.manifest import Stream
    from harness.targets.mlperf_tiny import Inference, TinyDevice

FIRST_NS: Final = 120_000_000_000
"""How long the very first inferences may take: nothing is known of the device yet."""
_SLACK_NS: Final = 30_000_000_000
_SLACK_FACTOR: Final = 4
_MARGIN: Final = 1.1
_FINE_US: Final = 200_000
"""Long enough to extrapolate from, with a clock of 1 kHz."""
_GROWTH: Final = 10
_STAMPS: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to run.

    Args:
        runs: How many runs, each with an input of its own.
        least_ns: How long a run lasts at least, by the device's clock.
        least_inferences: How many inferences it has at least.
        warmups: Inferences before the first stamp of each run.
    """

    runs: int = 5
    least_ns: int = 10_000_000_000
    least_inferences: int = 10
    warmups: int = 10


RULES: Final = Plan()
QUICK: Final = Plan(least_ns=1_000_000)


@dataclass(frozen=True, slots=True)
class TinyRun:
    """One run of performance mode, or one input of accuracy mode."""

    event: int
    inference: Inference


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured until the end, or until something broke.

    Args:
        runs: In order.
        stamps_us: Stamps of the device outside runs, for the granularity of its clock.
        broken_off: What ended it early; None if nothing did.
    """

    runs: Sequence[TinyRun]
    stamps_us: Sequence[int]
    broken_off: str | None

    @property
    def resolution_us(self) -> int:
        """Granularity of the device's clock, as its stamps show it; 0 if they never differ."""
        stamps = list(self.stamps_us)
        for run in self.runs:
            stamps += [run.inference.start_us, run.inference.end_us]
        return math.gcd(*(stamp - stamps[0] for stamp in stamps)) if stamps else 0


def performance(
    device: TinyDevice, inputs: Sequence[bytes], plan: Plan, told: Callable[[int, int], None]
) -> Measured:
    """Run performance mode.

    Args:
        device: Whose identity is known.
        inputs: Inputs by event; run i takes input i, in a loop.
        plan: How much.
        told: Called with runs done, and runs in all.

    Raises:
        InfrastructureError: The device failed before the first run was done.
    """
    runs: list[TinyRun] = []
    stamps: list[int] = []
    try:
        device.load(inputs[0])
        stamps += [device.timestamp() for _ in range(_STAMPS)]
        iterations, host_ns = _calibrate(device, plan)
        timeout_ns = _patience(host_ns, iterations + plan.warmups)
        for index in range(plan.runs):
            event = index % len(inputs)
            device.load(inputs[event])
            runs.append(TinyRun(event, device.infer(iterations, plan.warmups, timeout_ns)))
            told(len(runs), plan.runs)
    except (HarnessError, KeyboardInterrupt) as failure:
        return _broken(runs, stamps, failure)
    return Measured(runs, stamps, None)


def accuracy(
    device: TinyDevice, inputs: Sequence[bytes], count: int, told: Callable[[int, int], None]
) -> Measured:
    """Run accuracy mode: one inference without warm-up for each of the first `count` inputs.

    Raises:
        InfrastructureError: The device failed before the first answer.
    """
    runs: list[TinyRun] = []
    try:
        for event in range(count):
            device.load(inputs[event])
            runs.append(TinyRun(event, device.infer(1, 0, FIRST_NS)))
            told(len(runs), count)
    except (HarnessError, KeyboardInterrupt) as failure:
        return _broken(runs, [], failure)
    return Measured(runs, [], None)


def golden_values(stream: Stream, rows: NDArray[np.uint8]) -> list[list[float]]:
    """Return golden output beats as the numbers that a device prints.

    Args:
        stream: Format of the outputs.
        rows: Output bytes, uint8, shape (events, bytes).
    """
    raw = stream.format.unpack(rows, stream.values)
    values: list[list[float]] = stream.format.to_float(raw).tolist()
    return values


def _broken(
    runs: Sequence[TinyRun], stamps: Sequence[int], failure: HarnessError | KeyboardInterrupt
) -> Measured:
    if not runs:
        raise failure
    if isinstance(failure, KeyboardInterrupt):
        failure = RunInvalidError("interrupted from the keyboard")
    return Measured(runs, stamps, str(failure))


def _calibrate(device: TinyDevice, plan: Plan) -> tuple[int, float]:
    """Return the iterations of a run, and the host's ns for one of them."""
    least_us = plan.least_ns / 1000
    iterations, timeout_ns = plan.least_inferences, FIRST_NS
    while True:
        found = device.infer(iterations, plan.warmups, timeout_ns)
        host_ns = found.command_ns / (iterations + plan.warmups)
        if found.device_us >= min(_FINE_US, least_us):
            needed = math.ceil(_MARGIN * iterations * least_us / found.device_us)
            return min(max(needed, plan.least_inferences), MOST_COUNT), host_ns
        if iterations * _GROWTH > MOST_COUNT:
            raise BoardError(
                f"{iterations} inferences took {found.device_us} us",
                where="performance mode",
                why="the device's clock hardly moves",
                hint="its th_timestamp must print microseconds of a running timer",
            )
        iterations *= _GROWTH
        timeout_ns = _patience(host_ns, iterations + plan.warmups)


def _patience(host_ns: float, inferences: int) -> int:
    return int(_SLACK_FACTOR * host_ns * inferences) + _SLACK_NS
