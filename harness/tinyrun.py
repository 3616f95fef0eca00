"""One MLPerf Tiny measurement, from what the user asked for to its result folder.

benchmark -> inputs + golden outputs -> device -> performance or accuracy mode -> verdict -> folder
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import benchmark as benchmarks
from harness.errors import InputError
from harness.hostpaced import tiny
from harness.overlay import find_overlay, project_root
from harness.report import facts, store, tiny_result
from harness.report.tiny_result import Mode, TinyRecord
from harness.run import EXIT_STATUS, Outcome, make_payload
from harness.targets import resolve
from harness.targets.mlperf_tiny import TinyDevice, parse_port
from harness.traffic.registry import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.benchmark import Benchmark
    from harness.overlay import Overlay
    from harness.run import Payload, Progress


@dataclass(frozen=True, slots=True)
class TinyRequest:
    """What the user asked for.

    Args:
        benchmark: Whose events to load.
        target: `mlperf://PATH[?baud=N]`, or the name of such a board.
        out: Folder that receives the result folder.
        mode: `performance` or `accuracy`.
        plan: How much to run in performance mode.
        events: Inputs of accuracy mode; None for all distinct events of the benchmark.
        overrides: Assignments that change keys of the benchmark.
    """

    benchmark: str
    target: str
    out: Path
    mode: Mode = "performance"
    plan: tiny.Plan = tiny.RULES
    events: int | None = None
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TinyInputs:
    """What a device is given, and what it must answer.

    Args:
        rows: Input bytes by event.
        golden: Outputs by event, as numbers.
        truth: True class by event, -1 for none.
        labels: Names of the classes, empty for none.
    """

    rows: Sequence[bytes]
    golden: Sequence[Sequence[float]]
    truth: Sequence[int]
    labels: Sequence[str]


def run(request: TinyRequest, progress: Progress) -> Outcome:
    """Measure a device and store the result, whatever the verdict.

    Raises:
        InputError: Something the user gave is wrong.
        InfrastructureError: The device or the port failed before anything was measured.
    """
    port = parse_port(resolve(request.target)[0].text)
    benchmark = benchmarks.load(benchmarks.find(request.benchmark), request.overrides)
    overlay = find_overlay(benchmark.overlay)
    progress.stage("making events and golden outputs")
    inputs = make_inputs(benchmark, overlay, make_payload(benchmark, overlay))
    count = _count(request, inputs, benchmark)
    out_dir = store.prepare(request.out)
    started = facts.begin()
    progress.stage(f"looking for a device at {port.path}, {port.baud} baud")
    with TinyDevice(port) as device:
        progress.stage(f"{request.mode} mode on {device.name}")
        if request.mode == "performance":
            measured = tiny.performance(device, inputs.rows, request.plan, progress.events)
        else:
            measured = tiny.accuracy(device, inputs.rows, count, progress.events)
        identity = {"name": device.name, "profile": device.profile, "model": device.model}
    result = tiny_result.build(
        TinyRecord(
            name=benchmark.name,
            mode=request.mode,
            overlay=overlay.name,
            target=str(port),
            plan=request.plan if request.mode == "performance" else None,
            measured=measured,
            golden=inputs.golden,
            truth=inputs.truth,
            labels=inputs.labels,
            simulated=device.simulated,
            device=identity,
            wire={
                "port": port.path,
                "baud": port.baud,
                "stray_lines": device.stray,
                "first_stray": device.foreign,
            },
            seeds={"traffic": benchmark.traffic.seed},
            facts={**facts.collect(started, project_root()), "overlay_digest": overlay.digest},
        )
    )
    return Outcome(tiny_result.write(out_dir, result), EXIT_STATUS[result["verdict"]])


def make_inputs(benchmark: Benchmark, overlay: Overlay, payload: Payload) -> TinyInputs:
    """Return events as a device takes them, and golden outputs as it prints them."""
    source = open_source(benchmark.traffic.source, overlay.input.format, overlay.input.values)
    return TinyInputs(
        rows=[row.tobytes() for row in payload.inputs],
        golden=tiny.golden_values(overlay.output, payload.golden),
        truth=payload.events.truth.tolist(),
        labels=source.labels,
    )


def _count(request: TinyRequest, inputs: TinyInputs, benchmark: Benchmark) -> int:
    """Return the inputs of accuracy mode."""
    if request.mode == "performance":
        return 0
    if not inputs.labels:
        raise InputError(
            "accuracy needs labelled events",
            where=f"benchmark {benchmark.name}",
            why=f"those of source {benchmark.traffic.source} have no true class",
            hint="take a benchmark whose source has classes, or --mode performance",
        )
    count = request.events or len(inputs.rows)
    if count > len(inputs.rows):
        raise InputError(
            f"{count} inputs are too many",
            where="--events",
            why=f"the benchmark has {len(inputs.rows)} distinct events",
            hint=f"add --set traffic.distinct={count}",
        )
    return count
