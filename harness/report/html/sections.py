"""The sections of the page: one run, one series of runs, published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.report import text
from harness.report.html import (
    architecture,
    decided,
    depth,
    facts,
    histogram,
    load,
    orbit,
    tables,
    timeline,
    train,
)
from harness.report.html.markup import Html, join, tag
from harness.report.html.published import BASES
from harness.report.html.series import BELIEVED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from harness.fabric.samples import Trace
    from harness.report.html.published import Figure, Published
    from harness.report.html.series import Run, Series
    from harness.report.schema import Result

_SOURCES: Final = {
    "record": "as the runs recorded",
    "contract": "from the overlay's manifest",
    "trace": "from the traces",
}
_DOUBT: Final = "The numbers of this run must not be believed. They are shown to find out why."


def of_run(run: Run) -> Html:
    """Return all there is to say about a run."""
    result, trace = run.result, run.stored.trace
    return tag(
        "section",
        tag(
            "h2",
            tables.badge(result["verdict"]),
            tag("span", result["benchmark"]["name"]),
            tag("small", f"{result['overlay']['name']} on {result['target']}, {_rate(result)}"),
        ),
        None if result["verdict"] in BELIEVED else tag("p", _DOUBT, class_="banner"),
        _reasons(result),
        facts.tiles(run),
        tables.latencies(result),
        decided.of_run(result),
        _distribution(run),
        *_stamps(run, trace),
        tag("h3", "What follows from the stamps"),
        facts.findings(run),
        architecture.of_run(run),
        tag("h3", "Facts"),
        facts.table(run),
        tag("p", "Stored in ", tag("code", run.stored.folder.absolute().name), class_="note"),
        id=run.name,
        class_="run",
    )


def of_series(series: Series, name: str) -> Html:
    """Return the section of runs that differ in their rate."""
    first, knee = series.runs[0].result, series.knee()
    notes = [
        f"{len(series.runs)} runs of {first['benchmark']['name']}, {first['overlay']['name']} on "
        f"{first['target']}, clock {text.hertz(series.clock_hz)}, "
        f"{text.count(first['queue']['limit'])} places in the derandomiser."
    ]
    if series.interval is not None:
        known = _SOURCES[series.interval.source]
        notes.append(
            f"Load 1 is one event every {series.interval.cycles} cycles: the initiation interval, "
            f"{known}."
        )
    if knee is not None:
        rate = text.hertz(knee.result["rate"]["target_hz"])
        notes.append(
            f"Knee, {rate}: the last run at which at most 1 % of the events pile up or are dropped."
        )
    notes.append(_theory(series))
    if series.left_out:
        notes.append(f"Left out as not to be believed: {series.left_out}.")
    return tag(
        "section",
        tag(
            "h2",
            tag("span", "Load"),
            tag("small", f"{first['benchmark']['name']}{_arrivals(series)}"),
        ),
        _figure(
            "", load.figure(series, name), " ".join(filter(None, notes)), tables.of_series(series)
        ),
        class_="load",
    )


def of_published(published: Published, runs: Sequence[Run]) -> Html:
    """Return the published figures about an overlay's task, beside what was measured here."""
    overlay = runs[0].result["overlay"]["name"]
    titles = ("run", "board", "clock", "service", "total p99", "initiation interval", "outputs")
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    return tag(
        "section",
        tag("h2", tag("span", "Beside published figures"), tag("small", overlay)),
        tag("p", f"Task: {published.task}."),
        tag("h3", f"Measured here ({runs[0].result['time_base']})"),
        tag(
            "div",
            tag(
                "table",
                tag("thead", head),
                tag("tbody", *(_measured(run) for run in runs)),
                class_="runs",
            ),
            class_="wide",
        ),
        tag("h3", "Published by others"),
        tag("ul", *(_card(figure) for figure in published.figure), class_="cards"),
        class_="published",
    )


def _rate(result: Result) -> str:
    return text.hertz(result["rate"]["target_hz"])


def _reasons(result: Result) -> Html | None:
    if not result["reasons"]:
        return None
    rows = [
        tag(
            "li",
            tag("b", reason["effect"], class_=f"effect {_effect(reason['effect'])}"),
            tag("span", _sentence(f"{reason['what']}: {reason['evidence']}")),
            tag("em", _sentence(reason["recommendation"])),
        )
        for reason in result["reasons"]
    ]
    return tag("ul", *rows, class_="reasons")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _effect(effect: str) -> str:
    return effect if effect in {"fail", "invalid", "interrupted", "note"} else "invalid"


def _figure(title: str, drawing: Html, caption: str, numbers: Html | None = None) -> Html:
    return tag(
        "figure",
        tag("h3", title) if title else None,
        tag("div", drawing, class_="canvas"),
        tag("figcaption", caption),
        numbers,
    )


def _distribution(run: Run) -> Html:
    drawn = histogram.figure(run.result, run.stored.histograms, f"{run.name}-h")
    if drawn is None:
        why = "the fabric was not read" if not run.stored.histograms else "no event was completed"
        return tag("p", f"No distribution of latencies: {why}.", class_="note")
    ns = histogram.ns_per_cycle(run.result)
    deadline = run.result["deadline"]["cycles"]
    far = ""
    if deadline is not None and deadline > histogram.limits(run.result, run.stored.histograms)[1]:
        far = f" The deadline, {text.nanoseconds(deadline * ns)}, lies to the right of the figure."
    return _figure(
        "Distribution",
        drawn,
        f"Every completed event, time base: {run.result['time_base']}. Counts are logarithmic, so "
        f"that rare late events show. Percentiles are values of events, not interpolated.{far}",
        tables.of_histograms(run.stored.histograms, ns),
    )


def _stamps(run: Run, trace: Trace | None) -> list[Html]:
    if trace is None or not trace.event.size:
        why = "the fabric was not read" if trace is None else "the trace is empty (run.trace)"
        return [tag("p", f"No timeline: {why}.", class_="note")]
    ns = histogram.ns_per_cycle(run.result)
    stretch = timeline.choose(trace)
    many = f"{trace.event.size:,}"
    deadline = run.result["deadline"]["cycles"]
    drawn = timeline.figure(trace, stretch, run.deduced, ns, deadline, f"{run.name}-t")
    shown = stretch.last - stretch.first
    where = "around the longest wait" if stretch.worst else "from the first on"
    parts = [
        _figure(
            "Timeline",
            drawn,
            f"{shown} of {many} traced events, {where}: one a row, each from the cycle in which it "
            "was due over its acceptance to its last output beat.",
            tables.of_stamps(trace, stretch),
        )
    ]
    if not (trace.accepted > trace.scheduled).any() and not run.deduced.missing.size:
        parts.append(_idle(run, trace))
        return parts
    waiting = depth.figure(trace, stretch, run.result, f"{run.name}-q")
    if waiting is not None:
        parts.append(
            _figure(
                "Queue",
                waiting,
                f"Events that were due and not yet accepted, from the stamps of {many} events"
                f"{_before(trace)}. Grey: the stretch above.",
            )
        )
    parts += _places(run, trace, ns)
    return parts


def _idle(run: Run, trace: Trace) -> Html:
    """Return, instead of empty figures, that nothing waited."""
    words = f"None of the {trace.event.size:,} traced events waited, and none was dropped"
    if run.deduced.orbit is not None:
        turns = (int(trace.event[-1] - trace.event[0]) + 1) / run.deduced.orbit.filling.slots.size
        words += f": whatever its place in the train, all along {turns:.2f} turns of the orbit"
    return join((tag("h3", "Queue"), tag("p", f"{words}.")))


def _before(trace: Trace) -> str:
    return "" if not trace.event[0] else "; what waited when the trace began is not in it"


def _places(run: Run, trace: Trace, ns: float) -> list[Html]:
    groups = run.deduced.groups
    in_train = train.figure(trace, run.deduced, ns, f"{run.name}-b")
    on_orbit = orbit.figure(trace, run.deduced, ns, f"{run.name}-o")
    if groups is None or in_train is None:
        return []
    found = train.by_place(trace, groups, run.deduced.missing)
    lost = ", and the share of them that found the derandomiser full" * bool(found.dropped.any())
    parts = [
        _figure(
            f"Along the {groups.name}",
            in_train,
            f"Wait of the traced events by place in the {groups.name}{lost}.",
            tables.of_places(found, groups),
        )
    ]
    if on_orbit is not None:
        parts.append(
            _figure(
                "Along the orbit",
                on_orbit,
                "Wait along the orbit: trains in the order of injection, the abort gap at the end.",
            )
        )
    return parts


def _arrivals(series: Series) -> str:
    known = {
        "bernoulli": ", random arrivals",
        "periodic": ", periodic arrivals",
        "lhc": ", LHC arrivals",
        "frames": ", events in frames",
        "spills": ", events in spills",
        "shots": ", shots in sequences",
        "trace": ", recorded arrivals",
    }
    return known.get(series.process, "")


def _theory(series: Series) -> str:
    if series.interval is None or series.service_cycles is None:
        return ""
    places = series.runs[0].result["queue"]["limit"] + 1
    if series.process == "bernoulli":
        return (
            "Dashed: theory, the mean of Geo/D/1 with an endless queue, and the share that "
            f"Geo/D/1/{places} loses."
        )
    if series.process == "periodic":
        return "Dashed: D/D/1, which does not wait below load 1 and loses the excess above it."
    return "Dashed: the share that no accelerator of this interval can take."


def _measured(run: Run) -> Html:
    result, interval = run.result, run.deduced.interval
    service = result["latency"]["service"]
    ends = f"{text.ns_of(service['min'])} to {text.ns_of(service['max'])}"
    cycles = f"{text.cycles_of(service['min'])} to {text.cycles_of(service['max'])} cycles"
    if service["min"] == service["max"]:
        ends, cycles = text.ns_of(service["max"]), f"{text.cycles_of(service['max'])} cycles"
    target = result["facts"].get("target")
    board = target.get("board") if isinstance(target, dict) else None
    exact = result["output"]["bit_exact"]
    cells: tuple[object, ...] = (
        tag("a", result["benchmark"]["name"], href=f"#{run.name}"),
        board or result["target"],
        text.hertz(result["clock"]["measured_hz"]),
        join((ends, tag("small", cycles))),
        text.ns_of(result["latency"]["total"]["p99"]),
        text.NOTHING if interval is None else f"{interval.cycles} cycles",
        "not compared" if exact is None else "bit-exact" if exact else "WRONG",
    )
    return tag("tr", *(tag("td", cell) for cell in cells))


def _card(figure: Figure) -> Html:
    latency = [
        *([f"{figure.latency_ns} ns"] if figure.latency_ns is not None else []),
        *([f"{figure.latency_cycles} cycles"] if figure.latency_cycles is not None else []),
    ]
    facts_told = (
        ("latency", ", ".join(latency)),
        ("clock", _unit(figure.clock_mhz, "MHz")),
        ("initiation interval", _unit(figure.ii, "cycles" if figure.ii != 1 else "cycle")),
        ("accuracy", _accuracy(figure)),
        ("device", figure.device),
    )
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts_told if value]
    return tag(
        "li",
        tag("h4", figure.system),
        tag("p", BASES[figure.basis], class_="basis"),
        tag("dl", *rows),
        tag("p", figure.comparable),
        tag("p", figure.source, class_="source"),
    )


def _accuracy(figure: Figure) -> str:
    data = f" ({figure.data})" if figure.data else ""
    return "" if figure.accuracy is None else f"{figure.accuracy} %{data}"


def _unit(value: Decimal | int | None, unit: str) -> str:
    return "" if value is None else f"{value} {unit}"
