"""Tables: of all runs, of latencies, and of the numbers behind a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.fabric.samples import KINDS
from harness.measure.confidence import QUANTILES
from harness.report import text
from harness.report.html.histogram import MEANINGS, value_of
from harness.report.html.load import dropped_share, percent
from harness.report.html.markup import Html, join, tag
from harness.report.html.series import BELIEVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.fabric.samples import Kind, LatencyHistogram, Trace
    from harness.report.html.series import Run, Series
    from harness.report.html.timeline import Stretch
    from harness.report.html.train import ByPlace
    from harness.report.schema import Latency, Result, Value
    from harness.traffic.groups import Groups

_RANGES = 24
_MOST_PLACES = 400


def badge(verdict: str) -> Html:
    """Return a verdict as a coloured word."""
    known = verdict if verdict in {"pass", "fail", "invalid", "interrupted"} else "invalid"
    return tag("span", verdict.upper(), class_=f"badge {known}")


def plain(titles: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> Html:
    """Return a table of numbers that a reader may open below a chart."""
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag(
        "details",
        tag("summary", caption),
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", *body), class_="data"),
            class_="wide",
        ),
    )


def comparison(runs: Sequence[Run]) -> Html:
    """Return the table of all runs of one time base; the script makes it sortable."""
    titles = (
        ("verdict", "", None),
        ("run", "started", None),
        ("board", "clock", None),
        ("rate", "load", "n"),
        ("dropped", "share", "n"),
        ("p50", "total, ns", "n"),
        ("p99", "total, ns", "n"),
        ("p99.9", "total, ns", "n"),
        ("max", "total, ns", "n"),
        ("late", "deadline", "n"),
        ("outputs", "", None),
    )
    head = [
        tag(
            "th", tag("span", title), tag("small", unit) if unit else None, scope="col", class_=kind
        )
        for title, unit, kind in titles
    ]
    body = [
        tag("tr", *_cells(run), class_=None if _believed(run.result) else "doubt") for run in runs
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", *head)),
            tag("tbody", *body),
            class_="runs sortable",
        ),
        class_="wide",
    )


def _cells(run: Run) -> list[Html]:
    result = run.result
    share, load = dropped_share(run), load_of(run)
    target = result["facts"].get("target")
    board = target.get("board") if isinstance(target, dict) else None
    when = str(result["facts"].get("started_utc") or "")[:19].replace("T", " ")
    misses, limit = result["deadline"]["misses"], result["deadline"]["cycles"]
    clock_hz, rate_hz = result["clock"]["measured_hz"], result["rate"]["target_hz"]
    late = "" if limit is None else text.nanoseconds(limit * 1e9 / clock_hz)
    cells: list[tuple[object, object, bool]] = [
        (badge(result["verdict"]), result["verdict"], False),
        (
            join(
                (
                    tag("a", result["benchmark"]["name"], href=f"#{run.name}"),
                    tag("small", when or run.stored.folder.name),
                )
            ),
            when or run.stored.folder.name,
            False,
        ),
        (_two(board or result["target"], text.hertz(clock_hz)), board or result["target"], False),
        (_two(text.hertz(rate_hz), "" if load is None else f"load {load:.3f}"), rate_hz, True),
        (text.NOTHING if share is None else percent(share), share, True),
    ]
    for key in ("p50", "p99", "p999", "max"):
        value = value_of(result["latency"]["total"], key)
        cells.append((_both(value), None if value is None else value["ns"], True))
    cells.append((_two(text.count(misses), late), misses, True))
    cells.append((_outputs(result), _outputs(result), False))
    return [
        tag("td", content, data_v="" if order is None else order, class_="n" if numeric else None)
        for content, order, numeric in cells
    ]


def load_of(run: Run) -> float | None:
    """Return the offered load, None if no initiation interval is known."""
    interval, result = run.deduced.interval, run.result
    if interval is None:
        return None
    return result["rate"]["target_hz"] * interval.cycles / result["clock"]["measured_hz"]


def latencies(result: Result) -> Html:
    """Return wait, service and total with all their statistics, in ns and cycles."""
    head = tag(
        "tr",
        tag("th", "latency in ns", tag("small", "and cycles"), scope="col"),
        *(tag("th", title, scope="col") for title in text.STATISTICS.values()),
    )
    rows = []
    for kind in KINDS:
        latency = result["latency"][kind]
        cells = [tag("td", _spread(latency, key), class_="n") for key in text.STATISTICS]
        name = tag("th", kind, tag("small", MEANINGS[kind]), scope="row")
        rows.append(tag("tr", name, *cells, class_=f"row-{kind}"))
    base = f"Time base: {text.time_base(result)}."
    told = (text.interval(result["latency"][kind], key) for kind in KINDS for key in QUANTILES)
    sure = ("Below percentiles: their 95 % intervals in ns.",) if any(told) else ()
    missing = [f"No {', '.join(names)}: {why}." for why, names in text.missing(result).items()]
    words = (base, *sure, *missing)
    notes = [tag("p", line, class_="note") for line in words]
    return join(
        (
            tag(
                "div",
                tag("table", tag("thead", head), tag("tbody", *rows), class_="latencies"),
                class_="wide",
            ),
            *notes,
        )
    )


def of_histograms(histograms: Mapping[Kind, LatencyHistogram], ns_per_cycle: float) -> Html:
    """Return the counts of all three latencies in at most 24 ranges of cycles, and beyond."""
    filled = [np.flatnonzero(histogram.counts) for histogram in histograms.values()]
    first = min(int(bins[0]) for bins in filled if bins.size)
    last = max(int(bins[-1]) for bins in filled if bins.size)
    step = -(-(last - first + 1) // _RANGES)
    rows: list[list[object]] = []
    for low in range(first, last + 1, step):
        high = min(low + step - 1, last)
        counts = [int(histograms[kind].counts[low : high + 1].sum()) for kind in KINDS]
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        rows.append([span, text.nanoseconds(low * ns_per_cycle), *map(text.count, counts)])
    beyond = [histograms[kind].overflow for kind in KINDS]
    if any(beyond):
        bins = min(histograms[kind].counts.size for kind in KINDS)
        edge = text.nanoseconds(bins * ns_per_cycle)
        rows.append([f"{bins:,} or more", edge, *map(text.count, beyond)])
    return plain(("cycles", "from", *KINDS), rows, "The same as a table: events by latency")


def of_stamps(trace: Trace, stretch: Stretch) -> Html:
    """Return the stamps of the events of a stretch."""
    rows = []
    for row in range(stretch.first, stretch.last):
        event, due, taken, done = (
            int(stamps[row])
            for stamps in (trace.event, trace.scheduled, trace.accepted, trace.done)
        )
        values = (event, due, taken, done, taken - due, done - taken, done - due)
        rows.append([text.count(value) for value in values])
    titles = ("event", "due", "accepted", "done", "wait", "service", "total")
    return plain(titles, rows, "The same as a table: stamps in cycles")


def of_places(found: ByPlace, groups: Groups) -> Html:
    """Return waits and drops by place in the train, of the first `_MOST_PLACES` places."""
    columns = (found.taken, found.dropped, found.least, found.median, found.most)
    rows = [
        [str(place + 1), *(text.count(int(column[place])) for column in columns)]
        for place in range(min(found.taken.size, _MOST_PLACES))
    ]
    titles = (groups.item, "events", "dropped", "least wait", "median", "longest")
    return plain(
        titles, rows, f"The same as a table: by place in the {groups.name}, waits in cycles"
    )


def of_series(series: Series) -> Html:
    """Return the numbers of a load chart."""
    rows = []
    for run in series.runs:
        share = dropped_share(run)
        total: Any = run.result["latency"]["total"]
        known = series.interval is not None
        rows.append(
            [
                text.hertz(run.result["rate"]["target_hz"]),
                f"{series.place(run):.3f}" if known else text.NOTHING,
                *(text.ns_of(total[key]) for key in ("mean", "p50", "p99", "max")),
                text.NOTHING if share is None else percent(share),
            ]
        )
    titles = ("rate", "load", "mean total", "p50", "p99", "max", "dropped")
    return plain(titles, rows, "The same as a table")


def _both(value: Value | None) -> Html:
    """Return ns, and cycles below."""
    if value is None:
        return tag("span", text.NOTHING)
    return join((text.decimal(value["ns"], 1), tag("small", f"{text.cycles_of(value)} cycles")))


def _spread(latency: Latency, key: str) -> Html:
    """Return a statistic as `_both` does, and its interval below."""
    interval = text.interval(latency, key, "ns")
    told = tag("small", f"95 %: {interval}") if interval else None
    return join((_both(value_of(latency, key)), told))


def _two(above: str, below: str) -> Html:
    return join((above, tag("small", below) if below else None))


def _outputs(result: Result) -> str:
    exact = result["output"]["bit_exact"]
    return "not compared" if exact is None else "bit-exact" if exact else "WRONG"


def _believed(result: Result) -> bool:
    return result["verdict"] in BELIEVED
