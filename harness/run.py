"""One benchmark, from its file to its result: read this first.

    benchmark file -> events and golden outputs -> session (target, overlay, identity, clock)
      -> load, arm, play -> read out -> verdict -> result folder

Everything that can be refused is refused before a board is touched.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness import benchmark as benchmarks
from harness import session as sessions
from harness.accelerators.golden import crc32_of_looped, golden_rows, identity_rows
from harness.architecture.residency import residency
from harness.errors import BenchmarkError, InputError
from harness.fabric.loading import with_weights
from harness.fabric.plan import COUNTER_MODULUS, RunPlan
from harness.fabric.watch import About, Watch
from harness.fabric.weights import load_weights
from harness.inventory import find_board
from harness.measure.evidence import Evidence
from harness.measure.quality.assess import assess, check_required, held_to
from harness.measure.theory import Theory, hold_to_theory
from harness.measure.verdict import Verdict, interrupted, judge
from harness.memories import find_memory
from harness.overlay import Overlay, find_overlay, project_root
from harness.report import facts, store
from harness.report.result import RunRecord, build
from harness.targets import open_target, resolve
from harness.tomlfile import near
from harness.traffic import Events, Schedule, open_source
from harness.traffic.arrival import make

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.accelerators import Model
    from harness.benchmark import Benchmark
    from harness.fabric.samples import Samples
    from harness.fabric.watch import Watcher
    from harness.fabric.weights import Weights
    from harness.inventory import Board
    from harness.manifest import RegisterSpec
    from harness.measure.quality.assess import Quality
    from harness.session import Session
    from harness.targets import Target

EXIT_STATUS = {"pass": 0, "fail": 1, "invalid": 3, "interrupted": 3}
NO_DEADLINE = COUNTER_MODULUS - 1


class Progress(Protocol):
    """Who is told how far a run has come."""

    def stage(self, text: str) -> None:
        """Say what is being done now."""

    def events(self, done: int, of: int) -> None:
        """Say how many of the events have completed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    Args:
        benchmark: `suite/name`, or the path of a benchmark file.
        target: How to reach a board.
        board: Which board; None for the benchmark's own.
        out: Folder that receives the result folder.
        overrides: Assignments that change keys of the benchmark.
        wait_s: How long to wait for somebody else who has the board.
    """

    benchmark: str
    target: str
    board: str | None
    out: Path
    overrides: tuple[str, ...] = ()
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    folder: Path
    exit_status: int


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """What is written into the fabric's memories.

    Args:
        events: The events as the detector gives them.
        inputs: Bytes of their input beats, uint8 [distinct, bytes].
        golden: Bytes of the output beats they must cause, uint8 [distinct, bytes].
    """

    events: Events
    inputs: NDArray[np.uint8]
    golden: NDArray[np.uint8]


def run(
    request: Request,
    progress: Progress,
    watcher: Watcher | None = None,
    opened: Target | None = None,
) -> Outcome:
    """Run a benchmark and store its result, whatever the verdict.

    Args:
        request: What to run.
        progress: Told how far it has come.
        watcher: Shown counters and histogram while the run lasts; the result does not depend on it.
        opened: The request's target, if it is open already; it stays open.

    Raises:
        InputError: Something the user gave is wrong.
        InfrastructureError: The machine, the board or the link failed.
    """
    benchmark = benchmarks.load(benchmarks.find(request.benchmark), request.overrides)
    overlay = find_overlay(benchmark.overlay)
    board = find_board(request.board or resolve(request.target)[1] or benchmark.board)
    image = overlay.image(board.name)
    clock_hz = clock_of(benchmark, overlay, board)
    check_fit(benchmark, overlay)
    # In cycles of the clock that is asked for: the same schedule on every board. A clock that is
    # set or runs otherwise makes the run invalid.
    schedule = make_schedule(benchmark, overlay, clock_hz)
    deadline = _deadline_cycles(benchmark, clock_hz)
    out_dir = store.prepare(request.out)
    started = facts.begin()

    progress.stage("making events and golden outputs")
    payload = make_payload(benchmark, overlay)
    worth = _worth(benchmark, overlay, payload, schedule.mean_rate_per_cycle * float(clock_hz))
    progress.stage(f"opening {request.target}")
    with (
        nullcontext(opened)
        if opened is not None
        else open_target(
            request.target, board, progress.stage, wait_s=request.wait_s, purpose=benchmark.name
        )
    ) as target:
        if benchmark.memory is not None:
            target.use_memory(benchmark.memory.model)
        session = sessions.start(target, overlay, image, float(clock_hz))
        progress.stage("loading events")
        weights = _load(session, overlay, benchmark, payload, schedule, deadline)
        watch = _watch(session, benchmark, deadline, watcher) if watcher is not None else None
        progress.stage("playing")
        samples, broken_off = _play(session, benchmark, schedule, progress, watch)
        off_chip = None if weights is None else weights.off_chip()
        found = {**target.facts(), "events_sha256": payload.events.sha256}
        time_base, name = target.time_base, target.name

    counters = samples.counters
    evidence = Evidence(
        benchmark=benchmark,
        samples=samples,
        clock=session.clock,
        schedule_cycles=schedule.expected_cycles(),
        deadline_cycles=deadline,
        queue_limit=benchmark.run.derandomiser,
        compared=True,
        # Which outputs a run with drops sends is not known; they are compared beat by beat.
        crc_expected=crc32_of_looped(payload.golden, counters.completed)
        if counters.dropped == 0 and broken_off is None
        else None,
    )
    theory: Theory | None = None
    if broken_off is None:
        progress.stage("asking theory")
        theory = hold_to_theory(
            overlay,
            schedule,
            benchmark.accelerator,
            benchmark.run.derandomiser,
            deadline,
            samples,
            payload.events.raw,
        )
    worth = held_to(worth, evidence, broken_off)
    verdict: Verdict = (
        judge(evidence, theory, worth) if broken_off is None else interrupted(broken_off)
    )
    record = RunRecord(
        evidence=evidence,
        verdict=verdict,
        time_base=time_base,
        target=name,
        overlay_name=overlay.name,
        overlay_digest=session.identity.digest,
        distinct=benchmark.traffic.distinct,
        seeds=_seeds(benchmark),
        facts={**facts.collect(started, project_root()), "target": found},
        theory=theory,
        residency=residency(
            overlay, None if off_chip is None else off_chip.each(counters.completed)
        ),
        off_chip=off_chip,
        groups=schedule.groups,
        input_beats=overlay.input.beats,
        quality=worth,
    )
    folder = store.write(out_dir, build(record), samples)
    return Outcome(folder, EXIT_STATUS[verdict.outcome])


def check_fit(benchmark: Benchmark, overlay: Overlay) -> None:
    """Refuse a benchmark that the overlay's memories or registers cannot hold.

    Raises:
        BenchmarkError: It asks for more than there is; the message says what there is.
    """
    sizes, distinct = overlay.bench, benchmark.traffic.distinct
    for key, asked, most in (
        ("traffic.distinct", distinct, sizes.event_rows // overlay.input.beats),
        ("traffic.distinct", distinct, sizes.golden_rows // overlay.output.beats),
        ("run.derandomiser", benchmark.run.derandomiser, sizes.queue_depth - 1),
        ("run.trace", benchmark.run.trace, sizes.trace_depth),
    ):
        if asked > most:
            raise BenchmarkError(
                f"{asked} is more than overlay {overlay.name} holds",
                where=key,
                why=f"it has room for {most}",
                hint=f"at most {most}",
            )
    if benchmark.weights is not None and overlay.model is None:
        raise BenchmarkError(
            f"overlay {overlay.name} has no weights", where="weights.file", hint="remove it"
        )
    if benchmark.memory is not None:
        find_memory(benchmark.memory.model)
        if overlay.memory is None:
            raise BenchmarkError(
                f"overlay {overlay.name} has no port to external memory",
                where="memory.model",
                hint="remove it",
            )
    known = {register.name: register for register in overlay.accelerator.registers}
    for name in benchmark.accelerator:
        if name not in known or known[name].access != "rw":
            raise BenchmarkError(
                f"overlay {overlay.name} has no register {name!r} to write",
                where=f"accelerator.{name}",
                hint=near(name, list(known)) if known else "remove it",
            )
        _check_kept(known[name], benchmark.accelerator[name])


def _check_kept(register: RegisterSpec, value: int) -> None:
    """Refuse a value that the register would take for another."""
    if register.kept(value) != value:
        raise BenchmarkError(
            f"{value} is out of bounds",
            where=f"accelerator.{register.name}",
            why=f"the register keeps {register.least}..{register.most}",
            hint=register.description,
        )


def clock_of(benchmark: Benchmark, overlay: Overlay, board: Board) -> Fraction:
    """Return the fabric clock to ask for: the benchmark's, or what the board's image is built for.

    Raises:
        BenchmarkError: The board's clock is another, and cannot be set.
    """
    built_hz, asked_hz = overlay.built_clock_hz(board.name), benchmark.run.clock_hz
    if board.fixed_clock_hz is not None and asked_hz not in {None, Fraction(built_hz)}:
        raise BenchmarkError(
            f"the clock of board {board.name} cannot be set",
            where="run.clock",
            why=f"{float(asked_hz or 0):g} Hz asked, its image runs at {built_hz} Hz",
            hint=f"--set 'run.clock={built_hz // 1_000_000} MHz', and a rate that goes with it",
        )
    return asked_hz or Fraction(built_hz)


def make_schedule(benchmark: Benchmark, overlay: Overlay, clock_hz: Fraction) -> Schedule:
    """Return when the benchmark's events are due, for a given fabric clock.

    Raises:
        BenchmarkError: The fabric cannot schedule that rate.
    """
    arrival, entries = benchmark.arrival, overlay.bench.gap_entries
    try:
        return make(arrival, benchmark.run.events, clock_hz, entries)
    except InputError as error:
        where = error.where or "arrival"
        raise BenchmarkError(error.what, where=where, why=error.why, hint=error.hint) from error


def make_payload(benchmark: Benchmark, overlay: Overlay) -> Payload:
    """Make the events, their input beats and the outputs that a correct accelerator gives.

    Raises:
        BenchmarkError: The source's events are not what the accelerator takes.
        OverlayError: The model file is wrong.
    """
    stream = overlay.input
    source = open_source(benchmark.traffic.source, stream.format, stream.values)
    events = source.generate(benchmark.traffic.distinct, benchmark.traffic.seed)
    inputs = stream.format.pack(events.raw, stream.width_bits)
    if overlay.model is None:
        return Payload(events, inputs, identity_rows(inputs))
    model = with_weights(overlay.model, benchmark.weights)
    golden = golden_rows(model, events.raw, overlay.output.width_bits)
    return Payload(events, inputs, golden)


def _worth(
    benchmark: Benchmark, overlay: Overlay, payload: Payload, event_rate_hz: float
) -> Quality:
    """Return what the golden outputs of the events that are played are worth.

    Raises:
        BenchmarkError: Something is required that there is no number of.
        OverlayError: What the overlay's folder says of it is wrong.
    """
    stream, events = overlay.input, payload.events
    played = min(len(events.raw), benchmark.run.events)
    source = open_source(events.name, stream.format, stream.values)
    events = replace(events, raw=events.raw[:played], truth=events.truth[:played])
    model = with_weights(overlay.model, benchmark.weights) if overlay.model else None
    quality = assess(overlay, model, source, events, payload.golden[:played], event_rate_hz)
    check_required(benchmark.require.quality, quality)
    return quality


def _deadline_cycles(benchmark: Benchmark, clock_hz: Fraction) -> int | None:
    span = benchmark.run.deadline
    return None if span is None else min(span.whole_cycles(clock_hz), NO_DEADLINE)


def others_than_built(overlay: Overlay, benchmark: Benchmark) -> Model | None:
    """Return the network whose weights are to be written; None to run with those of the image.

    Raises:
        BenchmarkError: The fabric cannot take them.
        OverlayError: The model file is wrong.
    """
    if benchmark.weights is None or overlay.model is None:
        return None
    return with_weights(overlay.model, benchmark.weights)


def _load(
    session: Session,
    overlay: Overlay,
    benchmark: Benchmark,
    payload: Payload,
    schedule: Schedule,
    deadline_cycles: int | None,
) -> Weights | None:
    """Fill memories and registers; return the weights if the overlay keeps them elsewhere."""
    bench = session.bench
    sessions.reset(session, overlay, benchmark.accelerator, others_than_built(overlay, benchmark))
    bench.load_events(payload.inputs)
    bench.load_golden(payload.golden)
    bench.arm(
        RunPlan(
            schedule=schedule,
            distinct=benchmark.traffic.distinct,
            in_beats=overlay.input.beats,
            out_beats=overlay.output.beats,
            derandomiser=benchmark.run.derandomiser,
            deadline_cycles=NO_DEADLINE if deadline_cycles is None else deadline_cycles,
            trace_start=benchmark.run.trace_start,
        )
    )
    return load_weights(session.target, bench, overlay)


def _watch(
    session: Session, benchmark: Benchmark, deadline_cycles: int | None, watcher: Watcher
) -> Watch:
    watcher.begin(
        About(
            benchmark=benchmark.name,
            target=session.target.name,
            time_base=session.target.time_base,
            events=benchmark.run.events,
            clock_hz=session.clock.measured_hz,
            deadline_cycles=deadline_cycles,
        )
    )
    return Watch(session.bench, watcher)


def _play(
    session: Session,
    benchmark: Benchmark,
    schedule: Schedule,
    progress: Progress,
    watch: Watch | None,
) -> tuple[Samples, str | None]:
    """Play and read out; the second value says what broke the run off, if anything did."""
    bench, events = session.bench, schedule.events
    expected_ns = int(schedule.expected_cycles() * 1e9 / session.clock.set_hz) + 1
    broken_off = None

    def polled(done: int) -> None:
        progress.events(done, events)
        if watch is not None:
            watch.poll()

    try:
        if not bench.play(expected_ns, polled):
            bench.stop()
    except KeyboardInterrupt:
        # What the fabric has counted so far is worth keeping, marked for what it is.
        bench.stop()
        broken_off = "interrupted from the keyboard"
    progress.stage("reading out")
    samples = bench.read_out(benchmark.run.trace)
    if watch is not None:
        watch.finish(samples)
    return samples, broken_off


def _seeds(benchmark: Benchmark) -> dict[str, int]:
    seeds = {"traffic": benchmark.traffic.seed}
    if benchmark.arrival.seed is not None:
        # What the fabric draws itself, or what its table of gaps was drawn with.
        seeds["arrival" if benchmark.arrival.random else "gaps"] = benchmark.arrival.seed
    return seeds
