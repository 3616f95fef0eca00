"""A result as a person reads it in a terminal: verdict first, then what it rests on.

Everything that comes from outside (names, targets, error texts) is shown as plain text: it can
neither style the output nor send the terminal commands.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from rich.box import SIMPLE
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from harness.fabric.samples import KINDS
from harness.report import quality, text, theory
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Latency, Result, Value

_STYLES: Final[Mapping[str, str]] = {
    "pass": "bold black on green",
    "fail": "bold white on red",
    "invalid": "bold black on yellow",
    "interrupted": "bold black on yellow",
}
_MARKS: Final[Mapping[str, str]] = {"fail": "red", "invalid": "yellow", "interrupted": "yellow"}
_LEVEL: Final = "95 % interval"
_ROWS: Final = 16
_BAR: Final = 36


def show(
    result: Result,
    histograms: Mapping[Kind, LatencyHistogram],
    folder: Path | None = None,
    console: Console | None = None,
) -> None:
    """Print a result.

    Args:
        result: Content of `result.json`.
        histograms: By kind; may be empty.
        folder: Where the result is stored, to be named at the end.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    out.print(_headline(result))
    if result["reasons"]:
        out.print(_reasons(result))
    out.print(_facts(result))
    out.print(_latencies(result))
    for reason, names in text.missing(result).items():
        out.print(Text(clean(f"  no {', '.join(names)}: {reason}"), style="dim"))
    if decided := list(quality.rows(result)):
        out.print(_decided(decided))
    if "total" in histograms:
        out.print(_bars(histograms["total"], result, ascii_only=out.options.ascii_only))
    if folder is not None:
        # A path is for copying: never wrapped.
        out.print(Text(f"stored in {clean(folder)}", style="dim"), soft_wrap=True)


def show_catalogue(
    found: Mapping[str, Sequence[Mapping[str, object]]], console: Console | None = None
) -> None:
    """Print lists of things as tables.

    Args:
        found: Title to rows; the keys of a section's first row are its columns.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    for title, rows in found.items():
        table = Table(box=SIMPLE, title=Text(clean(title), style="bold"), title_justify="left")
        columns = list(rows[0]) if rows else ["none found"]
        for column in columns:
            table.add_column(Text(clean(column)), overflow="fold")
        for row in rows:
            table.add_row(*(Text(clean(row.get(column, text.NOTHING))) for column in columns))
        out.print(table)


def _headline(result: Result) -> Text:
    verdict = result["verdict"]
    line = Text()
    line.append(f" {clean(verdict).upper()} ", _STYLES.get(verdict, "bold"))
    line.append(f" {clean(result['benchmark']['name'])}", "bold")
    line.append(f" on {clean(result['target'])}")
    return line


def _reasons(result: Result) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for reason in result["reasons"]:
        effect = Text(clean(reason["effect"]), _MARKS.get(reason["effect"], "dim"))
        line = Text(f"{clean(reason['what'])}: {clean(reason['evidence'])}; ")
        line.append(clean(reason["recommendation"]), "dim")
        table.add_row(effect, line)
    return table


def _facts(result: Result) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (
        ("time base", text.time_base(result)),
        ("overlay", f"{result['overlay']['name']}, digest {result['overlay']['digest']}"),
        ("clock", text.clock_of(result)),
        ("events", text.events_of(result)),
        ("rate", _rate(result)),
        ("deadline", _deadline(result)),
        ("decision", text.decision(result)),
        ("queue", text.queue_of(result)),
        ("outputs", text.outputs_of(result)),
        ("quality", quality.line(result)),
        ("weights", text.weights(result)),
        ("theory", theory.line(result)),
        *([("memory", text.memory(result))] if "memory" in result else []),
    ):
        if value:
            table.add_row(Text(name), Text(clean(value)))
    return table


def _rate(result: Result) -> str:
    target, achieved = result["rate"]["target_hz"], result["rate"]["achieved_hz"]
    if achieved is None or not target:
        return f"{text.hertz(target)} asked"
    share = 100 * achieved / target
    return f"{text.hertz(achieved)} achieved, {text.hertz(target)} asked ({share:.2f} %)"


def _deadline(result: Result) -> str:
    cycles, misses = result["deadline"]["cycles"], result["deadline"]["misses"]
    if cycles is None:
        return "none"
    ns = 1e9 * cycles / result["clock"]["measured_hz"]
    return f"{text.count(misses)} misses of {cycles:,} cycles, {text.nanoseconds(ns)}"


def _latencies(result: Result) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1))
    table.add_column("latency", justify="right", no_wrap=True)
    for title in text.STATISTICS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for kind in KINDS:
        latency = result["latency"][kind]
        values = [_value(latency, name) for name in text.STATISTICS]
        style = "bold" if kind == "total" else ""
        table.add_row(f"{kind}, cycles", *(text.cycles_of(value) for value in values), style=style)
        # The unit stands on the left, or the columns are too wide for 80 letters.
        table.add_row("ns", *(_ns(value) for value in values), style="dim")
        spread = [text.interval(latency, name) for name in text.STATISTICS]
        if any(spread):
            table.add_row(_LEVEL, *spread, style="dim")
    return table


def _decided(rows: Sequence[quality.Row]) -> Group:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(quality.TITLES[0], min_width=14, overflow="fold")
    for title in quality.TITLES[1:]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return Group(table, Text(f"  {quality.BESIDE}", style="dim"))


def _ns(value: Value | None) -> str:
    return text.NOTHING if value is None else text.decimal(value["ns"], 1)


def _value(latency: Latency, name: str) -> Value | None:
    return cast("Value | None", cast("dict[str, Any]", latency)[name])


def _bars(histogram: LatencyHistogram, result: Result, *, ascii_only: bool) -> Group:
    rows = ranges(histogram)
    most = max((count for _, _, count in rows), default=0)
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(justify="right", no_wrap=True)
    ns_per_cycle = 1e9 / result["clock"]["measured_hz"]
    for low, high, count in rows:
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}" if high else f"{low:,} or more"
        # Logarithmic, or the rare late events, which matter most, would not show.
        share = math.log1p(count) / math.log1p(most) if count else 0.0
        bar = ("#" if ascii_only else "\u2588") * max(round(_BAR * share), int(count > 0))
        table.add_row(span, text.nanoseconds(low * ns_per_cycle), bar, text.count(count))
    title = "total latency in cycles, events (bars are logarithmic)"
    return Group(Text(title if rows else "total latency: no events"), table)


def ranges(histogram: LatencyHistogram) -> list[tuple[int, int | None, int]]:
    """Return rows of first cycle, last cycle (None: open) and events: at most 16, and overflow."""
    filled = np.flatnonzero(histogram.counts)
    rows: list[tuple[int, int | None, int]] = []
    if filled.size:
        low, high = int(filled[0]), int(filled[-1])
        step = -(-(high - low + 1) // _ROWS)
        for first in range(low, high + 1, step):
            last = min(first + step - 1, high)
            rows.append((first, last, int(histogram.counts[first : last + 1].sum())))
    if histogram.overflow:
        rows.append((histogram.counts.size, None, histogram.overflow))
    return rows
