"""One host-paced run, from what the user asked for to its result folder.

    schedule -> null link (the sender's own overhead) -> link -> verdict -> result folder

The same schedule is played twice under the same conditions, so that every number of the link stands
beside what the sender alone adds on this machine at this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from harness import benchmark as benchmarks
from harness import session as sessions
from harness.errors import HarnessError, InputError
from harness.fabric.weights import load_weights
from harness.hostpaced.dma_board import DmaBoard
from harness.hostpaced.links import NullLink
from harness.hostpaced.pacing import play
from harness.hostpaced.schedule import HostSchedule, Process, draw
from harness.hostpaced.serial_link import SerialLink
from harness.hostpaced.stillness import stillness
from harness.inventory import find_board
from harness.overlay import find_overlay, project_root
from harness.report import facts, host_store, store
from harness.report.host_result import HostRecord, build, times
from harness.report.result import latencies
from harness.run import (
    EXIT_STATUS,
    check_fit,
    clock_of,
    make_payload,
    make_schedule,
    others_than_built,
)
from harness.targets import open_target, resolve
from harness.targets.dma import dma_build

if TYPE_CHECKING:
    from pathlib import Path

    from harness.benchmark import Benchmark
    from harness.hostpaced.links import Link
    from harness.hostpaced.pacing import Stamps
    from harness.hostpaced.stillness import Stillness
    from harness.overlay import Overlay
    from harness.report.host_schema import HostResult
    from harness.report.schema import Named
    from harness.run import Outcome, Progress
    from harness.targets import TimeBase

LINKS: Final = ("null", "dma", "serial", "mlperf")
NULL_NS: Final = 5_000_000_000
"""Longest the null link is played for; a longer schedule is cut there."""
_WARM_UP: Final = 200
_EVEN: Final = frozenset({"periodic", "continuous", "bernoulli", "poisson"})
"""Processes whose `rate` is that of their events; others have pauses besides."""


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
        wait_s: How long to wait for somebody else who has the board.
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
    wait_s: float = 0.0


def _nothing(_broken_off: str | None) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A link, and what is known of the board behind it.

    Args:
        link: Open.
        target: How the board is reached; None if there is none.
        facts: What identifies the board.
        time_base: Of the board.
        after: Called after the run with what broke it off, if anything did; returns more facts.
    """

    link: Link
    target: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    time_base: TimeBase | None = None
    after: Callable[[str | None], dict[str, Any]] = _nothing


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
        opened = _open(request, benchmark, held, progress)
        link = opened.link
        played = _play(request, schedule, link, progress)
        link_facts = {**link.facts(), **opened.after(played.broken_off)}
    record = HostRecord(
        name=benchmark.name if benchmark is not None else request.link,
        link=link.name,
        target=opened.target,
        simulated=opened.time_base == "simulated fabric",
        schedule=schedule,
        stamps=played.stamps,
        null_schedule=played.null_schedule,
        null_stamps=played.null,
        broken_off=played.broken_off,
        link_facts=link_facts,
        conditions=played.still.facts(),
        seeds={"schedule": request.seed}
        | ({"traffic": benchmark.traffic.seed} if benchmark is not None else {}),
        facts={**facts.collect(started, project_root()), "target": dict(opened.facts)},
        benchmark=None
        if benchmark is None
        else {"name": benchmark.name, "digest": benchmark.digest},
        overlay=None if benchmark is None or request.link == "null" else _overlay_of(benchmark),
    )
    result: HostResult = build(record)
    folder = host_store.write(out_dir, result, played.stamps, played.null)
    return Outcome(folder, EXIT_STATUS[result["verdict"]])


def _overlay_of(benchmark: Benchmark) -> Named:
    overlay = find_overlay(benchmark.overlay)
    return {"name": overlay.name, "digest": overlay.digest}


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


def _mean_rate(benchmark: Benchmark) -> Fraction:
    """Return how many events a second come on average, pauses between trains or frames included."""
    arrival = benchmark.arrival
    if arrival.rate_hz is not None and arrival.process in _EVEN:
        return arrival.rate_hz
    overlay = find_overlay(benchmark.overlay)
    clock_hz = clock_of(benchmark, overlay, find_board(benchmark.board))
    schedule = make_schedule(benchmark, overlay, clock_hz)
    return Fraction(schedule.mean_rate_per_cycle) * clock_hz


def _pace(request: HostRequest, benchmark: Benchmark | None) -> tuple[Fraction, int]:
    rate_hz, events = request.rate_hz, request.events
    if benchmark is not None:
        rate_hz = rate_hz or _mean_rate(benchmark)
        events = events or benchmark.run.events
    if rate_hz is None:
        raise InputError("a rate is needed", where="--rate", hint='such as --rate "10 kHz"')
    if events is None:
        raise InputError("a number of events is needed", where="--events", hint="such as 20000")
    return rate_hz, events


def _open(
    request: HostRequest, benchmark: Benchmark | None, held: ExitStack, progress: Progress
) -> _Opened:
    """Return the link, and what is known of the board behind it."""
    if request.link == "null" or benchmark is None:
        return _Opened(NullLink())
    overlay = find_overlay(benchmark.overlay)
    if request.link == "mlperf":
        return _open_mlperf(request, benchmark, overlay, held, progress)
    board = find_board(request.board or resolve(request.target)[1] or benchmark.board)
    image = overlay.image(board.name)
    check_fit(benchmark, overlay)
    if request.link == "dma":
        dma_build(image)  # that there is one, before anything is opened
    elif board.uart is None:
        raise InputError(
            "link serial needs a board behind a serial line",
            where="--link",
            why=f"{board.name} has a processor",
            hint="--board arty-a7, or --link dma",
        )
    progress.stage("making events and golden outputs")
    payload = make_payload(benchmark, overlay)
    clock_hz = float(clock_of(benchmark, overlay, board))
    progress.stage(f"opening {request.target}")
    target = held.enter_context(
        open_target(
            request.target, board, progress.stage, wait_s=request.wait_s, purpose=benchmark.name
        )
    )
    if benchmark.memory is not None:
        target.use_memory(benchmark.memory.model)
    weights = others_than_built(overlay, benchmark)
    if request.link == "dma":
        dma = held.enter_context(
            DmaBoard(
                target,
                overlay,
                image,
                clock_hz,
                benchmark.accelerator,
                payload.inputs,
                payload.golden,
                weights,
            )
        )
        return _Opened(
            dma.link, target.name, target.facts(), target.time_base,
            partial(_after_dma, dma, target.time_base, progress),
        )  # fmt: skip
    session = sessions.start(target, overlay, image, clock_hz, blocks=False)
    sessions.reset(session, overlay, benchmark.accelerator, weights)
    load_weights(target, session.bench, overlay)
    where = session.ranges[sessions.BENCH]
    link = SerialLink(target, where, session.bench, overlay, payload.inputs, payload.golden)
    return _Opened(link, target.name, target.facts(), target.time_base)


def _after_dma(
    dma: DmaBoard, time_base: TimeBase, progress: Progress, broken_off: str | None
) -> dict[str, Any]:
    """Return what the fabric stamped, and pynq's own driver beside ours; or make the board well."""
    found: dict[str, Any] = {"transfer_ns": times(dma.link.transfer_ns)}
    if broken_off is not None:
        progress.stage("resetting the board")
        return {**found, "recovery": dma.recover()}
    try:
        progress.stage("reading the fabric's stamps")
        samples, clock = dma.fabric(), dma.session.clock
        found["fabric"] = {
            "time_base": time_base,
            "clock_hz": clock.measured_hz,
            "completed": samples.counters.completed,
            "faults": list(samples.counters.faults),
            **latencies(samples, Fraction(clock.measured_hz)),
        }
        progress.stage("the same through pynq's own driver")
        found["stock_driver"] = dma.stock_driver()
    except HarnessError as error:  # the run itself is over, and is kept
        found["incomplete"] = str(error)
    return found


def _open_mlperf(
    request: HostRequest,
    benchmark: Benchmark,
    overlay: Overlay,
    held: ExitStack,
    progress: Progress,
) -> _Opened:
    """Return the link to an MLPerf Tiny device, and what is known of it."""
    from harness.hostpaced.mlperf_link import MlperfLink  # noqa: PLC0415
    from harness.hostpaced.tiny import golden_values  # noqa: PLC0415
    from harness.targets.mlperf_tiny import TinyDevice, parse_port  # noqa: PLC0415

    port = parse_port(resolve(request.target)[0].text)
    progress.stage("making events and golden outputs")
    payload = make_payload(benchmark, overlay)
    progress.stage(f"looking for a device at {port.path}, {port.baud} baud")
    device = held.enter_context(TinyDevice(port))
    golden = golden_values(overlay.output, payload.golden)
    found = {"name": device.name, "profile": device.profile, "model": device.model}
    rows = [row.tobytes() for row in payload.inputs]
    time_base: TimeBase = "simulated fabric" if device.simulated else "fabric"
    return _Opened(MlperfLink(device, rows, golden), str(port), found, time_base)


def _play(request: HostRequest, schedule: HostSchedule, link: Link, progress: Progress) -> _Played:
    beginning = _beginning(schedule, NULL_NS)
    null = NullLink()
    broken_off = None
    progress.stage("calibrating the sender")
    interval_ns = int(schedule.interval_ns)
    with stillness(interval_ns, realtime=request.realtime, cpu=request.cpu) as still:
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
