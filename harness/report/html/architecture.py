"""What must live on chip, on a page of its own and beside a run."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from harness import __version__
from harness.accelerators.model_file import load_model
from harness.architecture import analysis as analyses_of
from harness.architecture.devices import device_table
from harness.architecture.network import Network, Workload, of_model
from harness.errors import InputError
from harness.overlay import find_overlay
from harness.report import architecture as words
from harness.report.html import axes
from harness.report.html.document import document
from harness.report.html.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.architecture.analysis import Analysis
    from harness.architecture.published import PublishedSystem
    from harness.report.html.series import Run

_HEIGHT: Final = 400.0
_NEAR: Final = 13.0


def render(analyses: Sequence[Analysis], systems: Sequence[PublishedSystem]) -> str:
    """Return a page on some networks and published systems."""
    title = "What must live on chip"
    if len(analyses) == 1:
        title = f"{analyses[0].network.name}: what must live on chip"
    header = tag(
        "header",
        tag("p", "FPGA in the loop", class_="kicker"),
        tag("h1", title),
        tag(
            "p",
            "Arithmetic on published figures. Nothing on this page was measured here; figures that "
            "were not found are missing.",
            class_="timebase",
        ),
    )
    body = tag(
        "main",
        header,
        _overview(analyses, systems),
        *(_section(item) for item in analyses),
        _systems(systems) if systems else None,
        _sources(analyses),
        tag("footer", f"Made by harness {__version__}. This page loads nothing from anywhere."),
    )
    return document(body, title)


def of_run(run: Run) -> Html | None:
    """Return whether the weights of a run's overlay must be on chip, at its rate, on its board.

    None where that cannot be asked: the overlay is not here as it ran, has no model, or its board
    is not in the table of devices.
    """
    result = run.result
    target: Any = result["facts"].get("target")
    board = target.get("board") if isinstance(target, dict) else None
    if not isinstance(board, str) or board not in device_table().devices:
        return None
    known = _network(result["overlay"]["name"], result["overlay"]["digest"])
    orbit = run.deduced.orbit
    rate = orbit.crossing_hz if orbit is not None else result["rate"]["target_hz"]
    if known is None or not rate or not result["clock"]["measured_hz"]:
        return None
    clock = Fraction(result["clock"]["measured_hz"])
    cycles = result["deadline"]["cycles"]
    workload = Workload(
        name=result["benchmark"]["name"],
        interval_s=1 / Fraction(rate),
        budget_s=None if cycles is None else cycles / clock,
        process="lhc" if orbit is not None else run.deduced.process,
    )
    found = analyses_of.analyse(known[0], workload, [board], clock, known[1])
    judged = found.judgements[0]
    return tag(
        "div",
        tag("h3", "Must it be on chip?"),
        tag("p", tag("b", f"{board}: {judged.outcome.value}"), f". Decided by {judged.binding}."),
        _facts(words.demand(found)),
        _table(words.DEVICE_COLUMNS, [words.device_row(judged)]),
        tag("p", f"Computed, not measured. {words.LEGEND}.", class_="note"),
    )


@lru_cache(maxsize=16)
def _network(name: str, digest: str) -> tuple[Network, str] | None:
    """Return network and contract of the overlay with that digest, if it is here and has a model.

    A page may hold hundreds of runs of one overlay, and to read its model takes a while.
    """
    try:
        overlay = find_overlay(name)
        if overlay.digest != digest or overlay.model_path is None:
            return None
        return of_model(load_model(overlay.model_path)), analyses_of.contract(overlay)
    except InputError:
        return None


def _overview(analyses: Sequence[Analysis], systems: Sequence[PublishedSystem]) -> Html:
    names = [item.device for item in analyses[0].judgements]
    matrix = [
        [item.network.name, *(words.SHORT[one.outcome] for one in item.judgements)]
        for item in analyses
    ]
    meaning = "; ".join(f"{short}: {outcome.value}" for outcome, short in words.SHORT.items())
    points = list(_points(analyses, systems))
    return tag(
        "section",
        tag("h2", tag("span", "At a glance")),
        _table(words.WORKLOAD_COLUMNS, [words.workload_row(item) for item in analyses]),
        tag("h3", "Must it be on chip?"),
        _table(["network", *names], matrix),
        tag("p", f"{meaning}.", class_="note"),
        tag("figure", tag("div", _figure(points, names), class_="canvas"), _key(points))
        if points
        else None,
    )


def _section(item: Analysis) -> Html:
    verdicts = [(one.device, one.outcome.value, one.binding) for one in item.judgements]
    rest = words.remarks(item)
    return tag(
        "section",
        tag("h2", tag("span", item.network.name), tag("small", item.summary)),
        _facts(words.demand(item)),
        tag("h3", "Verdicts"),
        _table(("device", "verdict", "because of"), verdicts),
        tag("h3", "Numbers"),
        _table(words.DEVICE_COLUMNS, [words.device_row(one) for one in item.judgements]),
        tag("p", f"{words.LEGEND}.", class_="note"),
        tag("ul", *(tag("li", line) for line in rest), class_="findings") if rest else None,
    )


def _systems(systems: Sequence[PublishedSystem]) -> Html:
    rows = [(*words.system_row(item), item.note, item.source) for item in systems]
    return tag(
        "section",
        tag("h2", tag("span", "Published systems")),
        _table((*words.SYSTEM_COLUMNS, "note", "source"), rows),
    )


def _sources(analyses: Sequence[Analysis]) -> Html:
    names = list(dict.fromkeys(one.device for item in analyses for one in item.judgements))
    return tag(
        "section",
        tag("h2", tag("span", "Sources of the devices' figures")),
        tag("p", "In brackets, how far the numbers were verified when the table was written."),
        tag("ul", *(tag("li", line) for line in words.sources(names)), class_="findings"),
    )


def _facts(rows: Iterable[tuple[str, str]]) -> Html:
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", value)) for name, value in rows),
        class_="facts",
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    head = tag("tr", *(tag("th", title, scope="col") for title in columns))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")


_Point = tuple[float, float, str, str]


def _points(analyses: Sequence[Analysis], systems: Sequence[PublishedSystem]) -> Iterator[_Point]:
    """Yield interval in ns, GB/s, name, and class of the dot."""
    for item in analyses:
        if item.bandwidth_gbps:
            kind = "p99" if item.ours else "p50"
            interval = float(item.workload.interval_s) * 1e9
            yield interval, item.bandwidth_gbps, item.network.name, kind
    for one in systems:
        if one.interval is not None and one.bandwidth is not None:
            yield float(one.interval.amount) * 1e9, float(one.bandwidth) / 1e9, one.name, "wait"


def _figure(points: Sequence[_Point], names: Sequence[str]) -> Html:
    """Return interval against bandwidth, with the peaks of memories as lines."""
    area = axes.frame(14.0, _HEIGHT)
    xs = axes.Log(
        min(1.0, *(point[0] for point in points)) / 2,
        max(1e7, *(point[0] for point in points)) * 2,
        area.left,
        area.right,
    )
    ys = axes.Log(
        min(0.05, *(point[1] for point in points)) / 2,
        max(1000.0, *(point[1] for point in points)) * 2,
        area.bottom,
        area.top,
    )
    peaks: dict[float, list[str]] = {}
    for name in names:
        for memory in device_table().devices[name].memory or ():
            if memory.peak_gbps is not None:
                peaks.setdefault(float(memory.peak_gbps), []).append(name)
    lines = [
        part
        for peak, boards in peaks.items()
        for part in (
            axes.line(area.left, ys(peak), area.right, ys(peak), "mark full"),
            axes.label(
                area.right - 4, ys(peak) - 4, f"{', '.join(boards)}: {peak:,.4g} GB/s", "end"
            ),
        )
    ]
    dots = [
        tag("circle", cx=xs(x), cy=ys(y), r=4.0, class_=f"dot {kind}") for x, y, _, kind in points
    ]
    labels = [
        axes.label(x + 9, y + 4, numbers, kind="flag")
        for x, y, numbers in _clustered([(xs(x), ys(y)) for x, y, _, _ in points])
    ]
    described = "; ".join(f"{name}: {y:.3g} GB/s every {x:.4g} ns" for x, y, name, _ in points)
    return axes.chart(
        area.bottom + 50,
        "bandwidth",
        "Time between events against the bandwidth that fetching all weights takes",
        described,
        axes.left_axis(area, ys, "weights, GB/s", 7, whole=False),
        axes.bottom_axis(area, xs, "time from one event to the next, ns", 9),
        *lines,
        *dots,
        *labels,
    )


def _clustered(places: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, str]]:
    """Yield where numbers go: points too close for two labels share one."""
    groups: list[tuple[float, float, list[int]]] = []
    for number, (x, y) in enumerate(places, start=1):
        for gx, gy, members in groups:
            if abs(gx - x) < _NEAR and abs(gy - y) < _NEAR:
                members.append(number)
                break
        else:
            groups.append((x, y, [number]))
    for x, y, members in groups:
        yield x, y, ", ".join(str(number) for number in members)


def _key(points: Sequence[_Point]) -> Html:
    kinds = {"p99": "overlay of this project", "p50": "published workload",
             "wait": "published system"}  # fmt: skip
    named = ", ".join(
        f"{number} {name} ({kinds[kind]})"
        for number, (_, _, name, kind) in enumerate(points, start=1)
    )
    return tag(
        "figcaption",
        "Bandwidth if every weight were fetched for every event; lines are the peaks of memories. "
        f"{named}.",
    )
