"""One host-paced run, from what the user asked for to its result folder.

    schedule -> null link (the sender's own overhead) -> link -> verdict -> result folder

The same schedule is played twice under the same conditions, so that every number of the link stands
beside what the sender alone adds on this machine at this moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from harness import benchmark as benchmarks
from harness import session as sessions
from harness.errors import ImageError, InputError
from harness.fabric.weights import load_weights
from harness.hostpaced.dma_link import DmaLink
from harness.hostpaced.links import NullLink
from harness.hostpaced.pacing import play
from harness.hostpaced.schedule import HostSchedule, Process, draw
from harness.hostpaced.serial_link import SerialLink
from harness.hostpaced.stillness import stillness
from harness.inventory import find_board
from harness.overlay import find_overlay, project_root
from harness.report import facts, host_store, store
from harness.report.host_result import HostRecord, build
from harness.run import EXIT_STATUS, check_fit, clock_of, make_payload
from harness.targets import open_target, resolve
from harness.targets.dma import dma_build
from harness.targets.pynq import PynqTarget

if TYPE_CHECKING:
    from pathlib import Path

    from harness.benchmark import Benchmark
    from harness.hostpaced.links import Link
    from harness.hostpaced.pacing import Stamps
    from harness.hostpaced.stillness import Stillness
    from harness.overlay import Image, Overlay
    from harness.report.host_schema import HostResult
    from harness.run import Outcome, Payload, Progress

    _Opened: TypeAlias = tuple[
        Link, str | None, dict[str, str], Callable[[], dict[str, Any]] | None
    ]

LINKS: Final = ("null", "dma", "serial", "mlperf")
NULL_NS: Final = 5_000_000_000
"""Longest the null link is played for; a longer schedule is cut there."""
_WARM_UP: Final = 200
_STOCK_EVENTS: Final = 20


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What the user asked for.

    Args:
        link: `null`, `dma`, `serial` or `mlperf`.
        out: Folder that receives the result folder.
        benchmark: Whose events to send; None needs a rate, and sends none of them.
        rate_hz: Mean rate; None for the benchmark's.
        events: How many; None for the benchmark's.
        process: `periodic` or `poisson`.
        seed: Of a Poisson schedule.
        target: How to reach a board, for `dma` and `serial`; a port, for `mlperf`.
        board: Which board; None for the benchmark's own.
        overrides: Assignments that change keys of the benchmark.
        realtime: Whether to ask for real-time scheduling.
        cpu: CPU to bind the sender to; None for any.
    """

    link: str
    out: Path
    benchmark: str | None = None
    rate_hz: Fraction | None = None
    events: int | None = None
    process: Process = "periodic"
    seed: int = 1
    target: str = "virtual"
    board: str | None = None
    overrides: tuple[str, ...] = ()
    realtime: bool = False
    cpu: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Played:
    """What both links gave."""

    null_schedule: HostSchedule
    null: Stamps
    stamps: Stamps
    broken_off: str | None
    still: Stillness


def run(request: HostRequest, progress: Progress) -> Outcome:
    """Play a schedule from the host and store the result, whatever the verdict.

    Raises:
        InputError: Something the user gave is wrong.
        InfrastructureError: The machine, the board or the link failed before the run.
    """
    from harness.run import Outcome  # noqa: PLC0415

    if request.link not in LINKS:
        raise InputError(
            f"unknown link {request.link!r}", where="--link", hint=f"known: {', '.join(LINKS)}"
        )
    benchmark = _benchmark(request)
    schedule = draw(*_pace(request, benchmark), request.process, request.seed)
    out_dir = store.prepare(request.out)
    started = facts.begin()
    with ExitStack() as held:
        link, target, found, stock = _open(request, benchmark, held, progress)
        simulated = found.pop("time_base", None) == "simulated fabric"
        played = _play(request, schedule, link, progress)
        link_facts = dict(link.facts())
        if stock is not None and played.broken_off is None:
            progress.stage("the same through pynq's own driver")
            link_facts["stock_driver"] = stock()
    record = HostRecord(
        name=benchmark.name if benchmark is not None else request.link,
        link=link.name,
        target=target,
        simulated=simulated,
        schedule=schedule,
        stamps=played.stamps,
        null_schedule=played.null_schedule,
        null_stamps=played.null,
        broken_off=played.broken_off,
        link_facts=link_facts,
        conditions=played.still.facts(),
        seeds={"schedule": request.seed}
        | ({"traffic": benchmark.traffic.seed} if benchmark is not None else {}),
        facts={**facts.collect(started, project_root()), "target": found},
    )
    result: HostResult = build(record)
    folder = host_store.write(out_dir, result, played.stamps, played.null)
    return Outcome(folder, EXIT_STATUS[result["verdict"]])


def _benchmark(request: HostRequest) -> Benchmark | None:
    if request.benchmark is None:
        if request.link != "null":
            raise InputError(
                f"link {request.link} needs events to send",
                where="--link",
                hint="name a benchmark, such as smoke/loopback",
            )
        return None
    return benchmarks.load(benchmarks.find(request.benchmark), request.overrides)


def _pace(request: HostRequest, benchmark: Benchmark | None) -> tuple[Fraction, int]:
    rate_hz, events = request.rate_hz, request.events
    if benchmark is not None:
        rate_hz = rate_hz or benchmark.arrival.rate_hz
        events = events or benchmark.run.events
    if rate_hz is None:
        raise InputError("a rate is needed", where="--rate", hint='such as --rate "10 kHz"')
    if events is None:
        raise InputError("a number of events is needed", where="--events", hint="such as 20000")
    return rate_hz, events


def _open(
    request: HostRequest, benchmark: Benchmark | None, held: ExitStack, progress: Progress
) -> _Opened:
    """Return the link, the target's name if it has one, what is known of that, and a peer."""
    if request.link == "null" or benchmark is None:
        return NullLink(), None, {}, None
    overlay = find_overlay(benchmark.overlay)
    if request.link == "mlperf":
        return _open_mlperf(request, benchmark, overlay, held, progress)
    board = find_board(request.board or resolve(request.target)[1] or benchmark.board)
    image = overlay.image(board.name)
    check_fit(benchmark, overlay)
    dma = dma_build(image) if request.link == "dma" else None
    if dma is None and board.uart is None:
        raise InputError(
            "link serial needs a board behind a serial line",
            where="--link",
            why=f"{board.name} has a processor",
            hint="--board arty-a7, or --link dma",
        )
    progress.stage("making events and golden outputs")
    payload = make_payload(benchmark, overlay)
    clock_hz = clock_of(benchmark, overlay, board)
    progress.stage(f"opening {request.target}")
    target = held.enter_context(open_target(request.target, board, progress.stage))
    if benchmark.memory is not None:
        target.use_memory(benchmark.memory.model)
    session = sessions.start(target, overlay, image, float(clock_hz), blocks=False)
    session.bench.reset()
    for register in overlay.accelerator.registers:
        if register.access == "rw":
            value = benchmark.accelerator.get(register.name, register.reset)
            session.bench.set_accelerator(register.offset, value)
    load_weights(target, session.bench, overlay)
    found = {**target.facts(), "time_base": target.time_base}
    if dma is None:
        where = session.ranges[sessions.BENCH]
        return (
            SerialLink(target, where, session.bench, overlay, payload.inputs, payload.golden),
            target.name,
            found,
            None,
        )
    if dma.instance not in session.ranges:
        raise ImageError(f"the design maps no {dma.instance}", where=str(image.hwh))
    link = held.enter_context(
        DmaLink(
            target,
            session.ranges[dma.instance],
            dma,
            session.bench,
            payload.inputs,
            payload.golden,
        )
    )
    if not isinstance(target, PynqTarget):
        return link, target.name, found, None
    return link, target.name, found, partial(_stock, target, image, dma.instance, payload)


def _stock(target: PynqTarget, image: Image, instance: str, payload: Payload) -> dict[str, Any]:
    """Send a few events through pynq's own driver; return messages and times of each."""
    inputs, golden = payload.inputs[:_STOCK_EVENTS], payload.golden[:_STOCK_EVENTS]
    times, wrong, messages = [], 0, 0
    with target.stock_dma(image, instance, inputs.shape[1], golden.shape[1]) as driver:
        for row, expected in zip(inputs, golden, strict=True):
            before, started_ns = target.messages, time.perf_counter_ns()
            answer = driver.round_trip(row)
            times.append(time.perf_counter_ns() - started_ns)
            messages += target.messages - before
            wrong += not np.array_equal(answer, expected)
    return {
        "events": len(inputs),
        "mismatches": wrong,
        "messages_per_event": messages / len(inputs),
        "median_ns": int(np.median(times)),
        "max_ns": max(times),
    }


def _open_mlperf(
    request: HostRequest,
    benchmark: Benchmark,
    overlay: Overlay,
    held: ExitStack,
    progress: Progress,
) -> _Opened:
    """Return the link to an MLPerf Tiny device, and the rest as `_open` does."""
    from harness.hostpaced.mlperf_link import MlperfLink  # noqa: PLC0415
    from harness.hostpaced.tiny import golden_values  # noqa: PLC0415
    from harness.targets.mlperf_tiny import TinyDevice, parse_port  # noqa: PLC0415

    port = parse_port(request.target)
    progress.stage("making events and golden outputs")
    payload = make_payload(benchmark, overlay)
    progress.stage(f"looking for a device at {port.path}, {port.baud} baud")
    device = held.enter_context(TinyDevice(port))
    golden = golden_values(overlay.output, payload.golden)
    found = {"name": device.name, "profile": device.profile, "model": device.model}
    if device.simulated:
        found["time_base"] = "simulated fabric"
    rows = [row.tobytes() for row in payload.inputs]
    return MlperfLink(device, rows, golden), str(port), found, None


def _play(request: HostRequest, schedule: HostSchedule, link: Link, progress: Progress) -> _Played:
    beginning = _beginning(schedule, NULL_NS)
    null = NullLink()
    broken_off = None
    progress.stage("calibrating the sender")
    with stillness(realtime=request.realtime, cpu=request.cpu) as still:
        # First calls are slow: caches, page faults, the interpreter's own specialisation.
        play(null, _beginning(beginning, NULL_NS, _WARM_UP), still.spin_ns)
        progress.stage("playing to the null link")
        null_stamps, _ = play(null, beginning, still.spin_ns)
        progress.stage(f"playing to link {link.name}")
        stamps, failure = play(link, schedule, still.spin_ns)
        if failure is not None:
            broken_off = str(failure)
    return _Played(beginning, null_stamps, stamps, broken_off, still)


def _beginning(schedule: HostSchedule, longest_ns: int, most: int | None = None) -> HostSchedule:
    """Return the events of a schedule's first `longest_ns`, at most so many, at least one."""
    count = int((schedule.due_ns < longest_ns).sum())
    if most is not None:
        count = min(count, most)
    return replace(schedule, due_ns=schedule.due_ns[: max(1, count)])
