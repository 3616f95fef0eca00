"""The page: every run, grouped by time base, in one file that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness import __version__
from harness.report import text
from harness.report.html import published, resident, sections, series, tables, throughput
from harness.report.html.deduced import deduce
from harness.report.html.document import document
from harness.report.html.markup import Html, tag
from harness.report.html.series import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.report.schema import Result
    from harness.report.store import Stored

_VERDICTS: Final = ("pass", "fail", "invalid", "interrupted")
_ORDER: Final = ("fabric", "simulated fabric", "host")


def render(stored: Sequence[Stored], unreadable: Mapping[Path, str] | None = None) -> str:
    """Return the page.

    Cycles of a board, cycles of a simulation and times of a host never share a table or an axis:
    each time base has its own part of the page.

    Args:
        stored: Runs, at least one.
        unreadable: Folders that could not be read, and why.

    Raises:
        OverlayError: An overlay's file of published figures is wrong.
    """
    bases: dict[str, list[Run]] = {}
    for index, item in enumerate(stored, start=1):
        run = Run(item, deduce(item.result, item.trace), f"run{index}")
        bases.setdefault(item.result["time_base"], []).append(run)
    known = sorted(bases, key=lambda base: _ORDER.index(base) if base in _ORDER else len(_ORDER))
    parts = [
        _part(base, bases[base], index, alone=len(stored) == 1) for index, base in enumerate(known)
    ]
    body = tag(
        "main",
        _header([run for base in known for run in bases[base]], known),
        *parts,
        _unread(unreadable or {}),
        tag("footer", f"Made by harness {__version__}. This page loads nothing from anywhere."),
    )
    return document(body, _title(stored))


def _title(stored: Sequence[Stored]) -> str:
    names = sorted({item.result["benchmark"]["name"] for item in stored})
    if len(stored) == 1:
        return f"{names[0]}: {stored[0].result['verdict']}"
    return f"{len(stored)} runs of {', '.join(names[:3])}{' and others' if len(names) > 3 else ''}"


def _header(runs: Sequence[Run], bases: Sequence[str]) -> Html:
    counts = dict.fromkeys(_VERDICTS, 0)
    for run in runs:
        verdict = run.result["verdict"]
        counts[verdict] = counts.get(verdict, 0) + 1
    told = [
        tag("span", tables.badge(verdict), f" {count}")
        for verdict, count in counts.items()
        if count
    ]
    overlays = sorted({run.result["overlay"]["name"] for run in runs})
    days = sorted({str(run.result["facts"].get("started_utc") or "")[:10] for run in runs} - {""})
    span = "" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    mixed = ""
    if len(bases) > 1:
        mixed = " They are kept apart: no table and no axis below holds two of them."
    return tag(
        "header",
        tag("p", "FPGA in the loop", class_="kicker"),
        tag("h1", _title([run.stored for run in runs])),
        tag(
            "p",
            " · ".join(filter(None, (f"overlay {', '.join(overlays)}", span))),
            class_="sub",
        ),
        tag("p", *told, class_="verdicts") if len(runs) > 1 else None,
        tag(
            "p",
            tag("b", "Time base: "),
            "; ".join(text.time_base(_first(runs, base)) for base in bases),
            f".{mixed}",
            class_="timebase",
        ),
    )


def _first(runs: Sequence[Run], base: str) -> Result:
    return next(run.result for run in runs if run.result["time_base"] == base)


def _part(base: str, runs: Sequence[Run], index: int, *, alone: bool) -> Html:
    found = series.collect(runs)
    return tag(
        "div",
        None if alone else tag("p", tag("span", base), class_="part"),
        None
        if alone
        else tag(
            "section",
            tag("h2", tag("span", "Runs"), tag("small", f"{len(runs)}, {base}")),
            tables.comparison(runs),
            tag("p", "Latencies in ns, cycles below them; total is due until done.", class_="note"),
        ),
        *(sections.of_series(item, f"load{index}-{k}") for k, item in enumerate(found)),
        *(
            resident.section(item, f"memory{index}-{k}")
            for k, item in enumerate(throughput.collect(runs))
        ),
        *(sections.of_run(run) for run in runs),
        *_published(runs),
        class_="base-part",
    )


def _published(runs: Sequence[Run]) -> list[Html]:
    overlays: dict[str, list[Run]] = {}
    for run in runs:
        overlays.setdefault(run.result["overlay"]["name"], []).append(run)
    parts = []
    for overlay, members in overlays.items():
        figures = published.find(overlay)
        believed = [run for run in members if run.result["verdict"] in series.BELIEVED]
        if figures is not None and believed:
            parts.append(sections.of_published(figures, believed))
    return parts


def _unread(folders: Mapping[Path, str]) -> Html | None:
    if not folders:
        return None
    rows = [
        tag("li", tag("code", folder), tag("span", f" {why}")) for folder, why in folders.items()
    ]
    return tag(
        "section",
        tag("h2", tag("span", "Not shown")),
        tag("ul", *rows, class_="findings"),
    )
