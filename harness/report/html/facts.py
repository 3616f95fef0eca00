"""What a run was: its numbers at a glance, its facts, and what its stamps tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.errors import InputError
from harness.measure.queueing import geod1_mean_wait
from harness.report import quality, text, theory
from harness.report.html.histogram import value_of
from harness.report.html.load import dropped_share, percent
from harness.report.html.markup import Html, tag
from harness.report.html.tables import load_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.html.series import Run
    from harness.report.schema import Result

_ARRIVALS: Final = {
    "bernoulli": "at random, in each cycle with the same probability",
    "periodic": "periodic, as the stamps show",
    "frames": "at random places in frames, as the run recorded",
    "spills": "in spills, as the run recorded",
    "shots": "in sequences back to back, as the run recorded",
    "trace": "at recorded times",
    "unknown": "not known: the trace fits no process that this report knows",
}
_INTERVALS: Final = {
    "record": "as the run recorded",
    "contract": "as the overlay's manifest promises",
    "trace": "at which every waiting event of the trace was accepted",
}


def tiles(run: Run) -> Html:
    """Return the numbers that a reader looks for first."""
    result = run.result
    return tag("ul", *(_tile(*parts) for parts in _tiles(run, result)), class_="tiles")


def table(run: Run) -> Html:
    """Return the facts of a run, name and value."""
    rows = [
        tag("div", tag("dt", name), tag("dd", value)) for name, value in _facts(run.result) if value
    ]
    return tag("dl", *rows, class_="facts")


def findings(run: Run) -> Html:
    """Return what follows from the stamps and from theory."""
    return tag("ul", *(tag("li", words) for words in _findings(run)), class_="findings")


def _tile(title: str, value: object, below: str, state: str = "") -> Html:
    return tag(
        "li",
        tag("span", title, class_="title"),
        tag("b", value),
        tag("small", below),
        class_=state or None,
    )


def _tiles(run: Run, result: Result) -> Iterator[tuple[str, object, str, str]]:
    total, events = result["latency"]["total"], result["events"]
    for key, title in (("p99", "total p99"), ("max", "total max")):
        value = value_of(total, key)
        cycles = "cannot be stated" if value is None else f"{text.cycles_of(value)} cycles"
        yield title, text.ns_of(value), cycles, ""
    limit, misses = result["deadline"]["cycles"], result["deadline"]["misses"]
    if limit is not None:
        late_ns = text.nanoseconds(limit * 1e9 / result["clock"]["measured_hz"])
        yield "deadline misses", text.count(misses), f"later than {late_ns}", "bad" * bool(misses)
    share = dropped_share(run)
    of = f"of {text.count(events['scheduled'])} events"
    if share:
        of = f"{percent(share)} of {text.count(events['scheduled'])}"
    yield "dropped", text.count(events["dropped"]), of, "bad" * bool(events["dropped"])
    load = load_of(run)
    below = "asked for" if load is None else f"asked for: load {load:.3f}"
    yield "rate", text.hertz(result["rate"]["target_hz"]), below, ""
    exact, mismatches = result["output"]["bit_exact"], result["output"]["mismatches"]
    beats = text.count(result["output"]["beats"])
    yield (
        "outputs",
        "not compared" if exact is None else "bit-exact" if exact else "wrong",
        f"all {beats} beats" if exact else f"{text.count(mismatches)} of {beats} beats differ",
        "" if exact is None else "good" if exact else "bad",
    )


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    facts: dict[str, Any] = result["facts"]
    rate = result["rate"]
    target = _table(facts, "target")
    yield "time base", text.time_base(result)
    yield "benchmark", f"{result['benchmark']['name']}, digest {result['benchmark']['digest']}"
    yield "overlay", f"{result['overlay']['name']}, digest {result['overlay']['digest']}"
    board = [str(target[key]) for key in ("board", "part") if target.get(key)]
    yield "target", ", ".join([result["target"], *board])
    yield "clock", text.clock_of(result)
    yield (
        "rate",
        f"{text.hertz(rate['target_hz'])} asked, {text.hertz(rate['achieved_hz'])} completed",
    )
    yield "events", text.events_of(result)
    yield "decision", text.decision(result)
    yield "derandomiser", text.queue_of(result)
    yield "outputs", text.outputs_of(result)
    yield "quality", quality.line(result)
    yield "weights", text.weights(result)
    if "memory" in result:
        yield "memory", text.memory(result)
    yield "seeds", ", ".join(f"{name} {seed}" for name, seed in result["seeds"].items())
    yield "when", _when(facts)
    yield "versions", ", ".join(f"{k} {v}" for k, v in _table(facts, "versions").items() if v)
    host = _table(facts, "host")
    yield "host", ", ".join(str(host[key]) for key in ("cpu", "platform") if host.get(key))
    git = _table(facts, "git")
    changed = ", with local changes" if git.get("dirty") else ""
    yield "source", f"commit {git['commit']}{changed}" if git.get("commit") else ""
    yield "events' SHA-256", str(target.get("events_sha256") or "")


def _when(facts: dict[str, Any]) -> str:
    started, duration = facts.get("started_utc"), facts.get("duration_ns")
    if not started:
        return ""
    took = f", took {duration / 1e9:.1f} s" if isinstance(duration, int | float) else ""
    return f"{started}{took}"


def _findings(run: Run) -> Iterator[str]:
    deduced, result = run.deduced, run.result
    if deduced.orbit is not None:
        yield (
            f"Arrivals: bunches of the filling scheme {deduced.orbit.filling.name} at "
            f"{text.hertz(round(deduced.orbit.crossing_hz, -3))} crossings, as the stamps show."
        )
    else:
        yield f"Arrivals: {_ARRIVALS[deduced.process]}."
    if result.get("theory") is not None:
        yield f"Theory, held to by the run itself: {theory.line(result)}."
    interval, load = deduced.interval, load_of(run)
    if interval is None or load is None:
        yield "Initiation interval: not known; no event of the trace waited for another."
        return
    yield (
        f"Initiation interval: {interval.cycles} cycles, {_INTERVALS[interval.source]}. "
        f"The rate asked for is {100 * load:.1f} % of what it allows{_in_train(run, load)}."
    )
    if deduced.agreeing is not None and deduced.agreeing[1]:
        same, of = deduced.agreeing
        yield (
            f"Lindley's recursion with this interval gives the cycle of acceptance of "
            f"{'all' if same == of else text.count(same) + ' of'} {text.count(of)} traced events."
        )
    mean = result["latency"]["wait"]["mean"]
    if deduced.process == "bernoulli" and mean is not None and not result["events"]["dropped"]:
        try:
            wanted = geod1_mean_wait(load / interval.cycles, interval.cycles)
        except InputError:
            return  # at a load of 1 or more no queue settles
        yield (
            f"Queueing theory (Geo/D/1, an endless queue) expects a mean wait of "
            f"{text.decimal(wanted)} cycles; it was {text.cycles_of(mean)}. Waits are "
            "correlated, so a run of this length scatters around it."
        )


def _in_train(run: Run, load: float) -> str:
    orbit = run.deduced.orbit
    if orbit is None:
        return ""
    peak = load * orbit.crossing_hz / run.result["rate"]["target_hz"]
    return f", and {100 * peak:.1f} % within a train"


def _table(facts: dict[str, Any], key: str) -> dict[str, Any]:
    value = facts.get(key)
    return value if isinstance(value, dict) else {}
