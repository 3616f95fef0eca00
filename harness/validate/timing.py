"""Steps on time: latency and initiation interval of the contract, and the rate to be held."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from harness import benchmark as benchmarks
from harness import run
from harness.firmware.check import Check, equal
from harness.measure.evidence import Evidence as RunEvidence
from harness.measure.theory import hold_to_theory
from harness.measure.verdict import judge
from harness.quantity import parse_span
from harness.traffic import Schedule
from harness.validate.context import SOAK_NS
from harness.validate.play import NO_DEADLINE, crc_of, make_rows, play, room, spacing
from harness.validate.step import Number, Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.benchmark import Benchmark
    from harness.fabric.samples import Samples
    from harness.measure.evidence import Reason
    from harness.session import Clock
    from harness.validate.context import Context
    from harness.validate.play import Rows
    from harness.validate.step import Evidence

_SINGLES: Final = 256
_SHARE: Final = Fraction(4, 5)
_MOST_EVENTS: Final = (1 << 32) - 1
_RANDOM_NS: Final = 5
"""The run at random instants lasts this part of the other."""
_SLOW: Final = "the firmware is not the one of the manifest, or was built with other settings"
_TOO_FAST: Final = "the rate is more than the firmware takes"
_DISTINCT: Final = 256


def latency(context: Context) -> Iterator[Evidence]:
    """Each of some events that come alone takes the cycles of the contract."""
    rows = _rows(context)
    timing = context.timing
    gap = max(spacing(context), 4 * timing.latency_cycles if timing is not None else 0)
    samples = play(context, rows, Schedule.gaps_in_cycles((gap,), _SINGLES))
    service = samples.service
    yield equal("events that came out", _SINGLES, samples.counters.completed, _SLOW)
    least, most = service.minimum or 0, service.maximum or 0
    yield Number("latency_min_cycles", least, same=timing is not None)
    yield Number("latency_max_cycles", most, same=timing is not None)
    told = f"{least} to {most} cycles" if least != most else f"{least} cycles"
    if timing is not None:
        yield equal("latency", f"{timing.latency_cycles} cycles", told, _SLOW)
    yield f"{told}{_ns(context, most)}" + ("" if timing is not None else "; there is no contract")


def interval(context: Context) -> Iterator[Evidence]:
    """Events that stand in a queue are taken as often as the contract says."""
    rows, timing = _rows(context), context.timing
    sizes = context.overlay.bench
    events = min(sizes.queue_depth - 1, sizes.trace_depth, _SINGLES)
    samples = play(context, rows, Schedule.gaps_in_cycles((1,), events), trace=events)
    yield equal("events that came out", events, samples.counters.completed, _SLOW)
    steps = np.diff(samples.trace.accepted)
    if not steps.size:
        raise Skip("fewer than two events were traced")
    least, most = int(steps.min()), int(steps.max())
    yield Number("interval_min_cycles", least, same=timing is not None)
    yield Number("interval_max_cycles", most, same=timing is not None)
    told = f"{least} to {most} cycles" if least != most else f"{least} cycles"
    if timing is not None:
        yield equal("initiation interval", f"{timing.interval_cycles} cycles", told, _SLOW)
    yield told + ("" if timing is not None else "; there is no contract")


def rate(context: Context) -> Iterator[Evidence]:
    """The rate is held without a loss and without a late event, for as long as asked."""
    soak_ns = context.soak_ns or SOAK_NS[context.opened.time_base, context.level]
    yield from _held(context, _regular(context), soak_ns)


def at_random(context: Context) -> Iterator[Evidence]:
    """Events at random instants, at four fifths of the rate: every count is as theory has it."""
    soak_ns = context.soak_ns or SOAK_NS[context.opened.time_base, context.level]
    wanted_hz = _SHARE * _rate_hz(context)
    arrival: dict[str, Any] = {
        "process": "bernoulli",
        "rate": f"{float(wanted_hz):.3f} Hz",
        "seed": context.random.getrandbits(31) + 1,
    }
    yield Number("seed", arrival["seed"])
    yield from _held(context, arrival, soak_ns // _RANDOM_NS, late=False)


def _rows(context: Context) -> Rows:
    return make_rows(context.overlay, "noise", min(_DISTINCT, room(context.overlay)), 1)


def _rate_hz(context: Context) -> Fraction:
    """Return the rate to hold, in events per second."""
    if context.rate_hz is not None:
        return context.rate_hz
    if context.timing is None:
        raise Skip("the manifest states no initiation interval: say --rate")
    built_hz = Fraction(context.overlay.built_clock_hz(context.board.name))
    return built_hz / context.timing.interval_cycles


def _regular(context: Context) -> dict[str, Any]:
    """Return the arrival process that asks for the rate, exactly where that is the contract's."""
    wanted_hz = _rate_hz(context)
    if context.rate_hz is None and context.timing is not None:
        return {"process": "gaps", "gaps_cycles": [context.timing.interval_cycles]}
    return {"process": "periodic", "rate": f"{float(wanted_hz):.9g} Hz"}


@dataclass(frozen=True, slots=True, eq=False)
class _Soak:
    """A rate that was held, and all that it is judged by; `deadline_cycles` None for none."""

    clock: Clock
    benchmark: Benchmark
    schedule: Schedule
    rows: Rows
    deadline_cycles: int | None
    samples: Samples


def _held(
    context: Context, arrival: dict[str, Any], soak_ns: int, *, late: bool = True
) -> Iterator[Evidence]:
    """Play for a while and judge it as any run is judged."""
    wanted_hz = _rate_hz(context) * (1 if late else _SHARE)
    events = min(max(1, int(wanted_hz * soak_ns / 10**9)), _MOST_EVENTS)
    context.progress.stage(f"holding {float(wanted_hz) / 1e6:.6g} MHz for {soak_ns / 1e6:g} ms")
    soak = _play(context, _benchmark(context, arrival, events), late=late)
    yield from _judged(context, soak)
    counters, cycles = soak.samples.counters, soak.deadline_cycles
    for name, value in (
        ("events", counters.completed),
        ("dropped", counters.dropped),
        ("deadline_misses", counters.deadline_misses),
        ("max_depth", counters.max_depth),
        ("total_max_cycles", soak.samples.total.maximum or 0),
    ):
        yield Number(name, value)
    yield Number("rate_hz", float(wanted_hz))
    held_ms = soak.schedule.expected_cycles() / soak.clock.nominal_hz * 1000
    misses = f"{counters.deadline_misses} later than {cycles} cycles"
    yield (
        f"{counters.completed:,} events at {float(wanted_hz) / 1e6:.6g} MHz for {held_ms:.4g} ms: "
        f"{counters.dropped} dropped, {'no deadline' if cycles is None else misses}"
    )


def _play(context: Context, benchmark: Benchmark, *, late: bool) -> _Soak:
    """Play a benchmark with the user's deadline, or, if events may be late, the contract's."""
    if context.clock is None or not context.clock.measured_hz:
        raise Skip("the clock could not be measured, so no rate can be stated")
    clock_hz = Fraction(context.overlay.built_clock_hz(context.board.name))
    deadline = context.deadline
    if deadline is None and context.timing is not None and late:
        deadline = parse_span(f"{context.timing.latency_cycles} cycles")
    cycles = None if deadline is None else min(deadline.whole_cycles(clock_hz), NO_DEADLINE)
    schedule = run.make_schedule(benchmark, context.overlay, clock_hz)
    rows = _rows(context)
    samples = play(
        context,
        rows,
        schedule,
        trace=benchmark.run.trace,
        deadline_cycles=NO_DEADLINE if cycles is None else cycles,
    )
    return _Soak(context.clock, benchmark, schedule, rows, cycles, samples)


def _judged(context: Context, soak: _Soak) -> Iterator[Evidence]:
    counters, depth = soak.samples.counters, context.overlay.bench.queue_depth - 1
    yield equal("events dropped", 0, counters.dropped, _TOO_FAST)
    if soak.deadline_cycles is not None:
        hint = _TOO_FAST if context.timing is None else _SLOW
        yield equal("deadline misses", 0, counters.deadline_misses, hint)
    evidence = RunEvidence(
        benchmark=soak.benchmark,
        samples=soak.samples,
        clock=soak.clock,
        schedule_cycles=soak.schedule.expected_cycles(),
        deadline_cycles=soak.deadline_cycles,
        queue_limit=depth,
        compared=True,
        crc_expected=crc_of(soak.rows, counters.completed) if not counters.dropped else None,
    )
    # The clock has a step of its own, and counts of cycles are as good at another rate.
    reasons = [reason for reason in judge(evidence).reasons if "clock" not in reason.what]
    yield _agreed("counters, bins and stamps agree", reasons, "invalid")
    yield _agreed("requirements hold", reasons, "fail")
    theory = hold_to_theory(
        context.overlay,
        soak.schedule,
        {},
        depth,
        soak.deadline_cycles,
        soak.samples,
        soak.rows.raw,
    )
    if theory.exact:
        wrong = [item for item in theory.exact if item.agrees is False]
        told = [f"{item.name} {item.measured}, predicted {item.predicted}" for item in wrong]
        yield Number("theory_agrees", sum(item.agrees is True for item in theory.exact))
        yield Check(
            "counts are as theory has them", "all", "; ".join(told[:3]) or "all", not wrong, _SLOW
        )


def _agreed(what: str, reasons: list[Reason], effect: Literal["fail", "invalid"]) -> Check:
    """Return whether a verdict has no reasons of one kind."""
    found = [reason for reason in reasons if reason.effect == effect]
    told = "; ".join(f"{reason.what}: {reason.evidence}" for reason in found)
    hint = found[0].recommendation if found else ""
    return Check(what, "yes", told or "yes", not found, hint, effect)


def _benchmark(context: Context, arrival: dict[str, Any], events: int) -> Benchmark:
    """Return the run as a benchmark file would describe it, so that it is judged like one."""
    require: dict[str, Any] = {"bit_exact": True, "min_rate_ratio": Decimal("0.999")}
    overlay = context.overlay
    return benchmarks.build(
        {
            "schema": 1,
            "name": "validate",
            "summary": "The rate that must be held",
            "overlay": overlay.name,
            "board": context.board.name,
            "traffic": {"source": "noise", "distinct": min(_DISTINCT, room(overlay))},
            "arrival": arrival,
            "run": {
                "events": events,
                "derandomiser": overlay.bench.queue_depth - 1,
                "trace": min(_SINGLES, overlay.bench.trace_depth),
            },
            "require": require,
        },
        "validation",
    )


def _ns(context: Context, cycles: int) -> str:
    if context.clock is None or not context.clock.measured_hz:
        return ""
    return f", {cycles * 1e9 / context.clock.measured_hz:.6g} ns"
