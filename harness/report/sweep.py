"""A sweep in a terminal: a table of its points, latency over load, and what was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import text
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_COLUMNS: Final = ("verdict", "rate", "load", "dropped", "late", "depth", "p50", "p99", "max")
_STYLES: Final[Mapping[str, str]] = {"pass": "green", "fail": "red"}
_RATE: Final = "arrival.rate"  # has a column of its own
_WIDTH: Final = 60
_HEIGHT: Final = 12

Row = dict[str, Any]


def show(
    rows: Sequence[Row],
    findings: Sequence[Row],
    folder: Path,
    console: Console | None = None,
) -> None:
    """Print a sweep.

    Args:
        rows: As `harness.sweep.rows` makes them.
        findings: Of the searches, as `harness.sweep.engine` makes them.
        folder: Where the sweep is stored.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    out.print(_table(rows))
    for row in rows:
        if row["verdict"] not in _STYLES:
            out.print(Text(clean(f"{_named(row)}: {row['verdict']}: {row['why']}"), "yellow"))
    for line in plot(rows):
        out.print(Text(line), soft_wrap=True)
    for finding in findings:
        for line in told(finding):
            out.print(Text(clean(line)))
    out.print(Text(f"stored in {clean(folder)}", style="dim"), soft_wrap=True)


def told(finding: Row) -> Iterator[str]:
    """Yield what a search found, in lines: the answer, and what it rests on."""
    unit = finding["unit"]
    at = " ".join(f"{key}={value}" for key, value in finding["values"].items())
    place = f"{finding['benchmark']} {at}".strip()
    value = finding["value"]
    answer = "not found" if value is None else _quantity(value, unit)
    why = f", {finding['why']}" if finding["why"] else ""
    yield f"{place}: {finding['meaning']}: {answer}{why}"
    low, high = (_quantity(end, unit) for end in finding["bracket"])
    allowed = f", {finding['allowed']} allowed" if finding["find"] == "deadline" else ""
    yield f"  bracket {low} to {high}, to {_quantity(finding['resolution'], unit)}{allowed}"
    for fails, holds in finding["violations"]:
        yield (
            f"  NOT MONOTONIC: turns at {_quantity(fails, unit)} and back at "
            f"{_quantity(holds, unit)}; the answer is the one nearest to the lower end"
        )


def plot(rows: Sequence[Row]) -> list[str]:
    """Return p50 (o) and p99 (#) of the total latency over load, or over rate, as text.

    Nothing for fewer than two points; the vertical scale is logarithmic.
    """
    known = [row for row in rows if row["p50"] is not None and row["rate_hz"] is not None]
    over = "load" if all(row["load"] is not None for row in known) else "rate_hz"
    if len({row[over] for row in known}) < 2:
        return []
    xs = [row[over] for row in known]
    values = [row[name] for row in known for name in ("p50", "p99") if row[name] is not None]
    low, high = math.log(max(min(values), 1)), math.log(max(*values, 2))
    canvas = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for name, mark in (("p50", "o"), ("p99", "#")):
        for row in known:
            if row[name] is not None:
                across = (row[over] - min(xs)) / (max(xs) - min(xs))
                up = (math.log(max(row[name], 1)) - low) / (high - low) if high > low else 0
                canvas[round((1 - up) * (_HEIGHT - 1))][round(across * (_WIDTH - 1))] = mark
    labels = {0: f"{math.exp(high):,.0f}", _HEIGHT - 1: f"{math.exp(low):,.0f}"}
    ends = [f"{x:.3g}" if over == "load" else text.hertz(x) for x in (min(xs), max(xs))]
    foot = ends[0] + ends[1].rjust(_WIDTH - len(ends[0]))
    return [
        f"total latency in cycles over {'load' if over == 'load' else 'rate'}: p50 o, p99 #",
        *(f"{labels.get(n, ''):>9} |{''.join(line).rstrip()}" for n, line in enumerate(canvas)),
        f"{'':>9} +{'-' * _WIDTH}",
        f"{'':>11}{foot}",
    ]


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    keys = list(dict.fromkeys(key for row in rows for key in row["values"] if key != _RATE))
    several = len({row["benchmark"] for row in rows}) > 1
    for title in (*(("benchmark",) if several else ()), *keys):
        # The last word of a key says enough here.
        table.add_column(Text(clean(title.rpartition(".")[2])), overflow="fold")
    for title in _COLUMNS:
        table.add_column(title, justify="right", overflow="fold")
    for row in rows:
        cells = [row["benchmark"]] if several else []
        cells += [row["values"].get(key, text.NOTHING) for key in keys]
        verdict = Text(clean(row["verdict"]), _STYLES.get(row["verdict"], "yellow"))
        table.add_row(*(Text(clean(cell)) for cell in cells), verdict, *_numbers(row))
    return table


def _numbers(row: Row) -> list[str]:
    load = row["load"]
    return [
        text.hertz(row["rate_hz"]),
        text.NOTHING if load is None else f"{load:.3f}",
        text.count(row["dropped"]),
        text.count(row["late"]),
        text.count(row["max_depth"]),
        *(
            text.NOTHING if row[name] is None else text.decimal(row[name])
            for name in ("p50", "p99", "max")
        ),
    ]


def _named(row: Row) -> str:
    return " ".join(f"{key}={value}" for key, value in row["values"].items()) or row["benchmark"]


def _quantity(value: float, unit: str) -> str:
    if unit == "Hz":
        return text.hertz(value)
    return f"{value:,} {unit.removesuffix('s') if value == 1 else unit}"
