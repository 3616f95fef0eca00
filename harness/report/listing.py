"""Many runs as a person reads them in a terminal: history, comparisons, accepted runs.

As in `harness.report.terminal`, what comes from outside is shown as plain text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import text
from harness.report.history import DAMAGED
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.measure.findings import Comparison, Finding, Quantity
    from harness.report.baseline import Accepted
    from harness.report.history import Entry

_FULL_RATE: Final = 0.9999
_VERDICTS: Final[Mapping[str, str]] = {
    "pass": "green",
    "fail": "red",
    "invalid": "yellow",
    "interrupted": "yellow",
    DAMAGED: "magenta",
}
_FINDINGS: Final[Mapping[Finding, str]] = {
    "changed": "bold white on red",
    "regression": "bold white on red",
    "cannot tell": "bold black on yellow",
    "improvement": "bold black on green",
    "no difference": "bold black on green",
    "same": "bold black on green",
}


def show_history(entries: Sequence[Entry], console: Console | None = None) -> None:
    """Print runs, in the order given, and below why some cannot be read.

    Args:
        entries: What `harness.report.history.refresh` returned, or some of it.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    if not entries:
        out.print("no runs")
        return
    table = _table("run", "verdict")
    for title in ("p50 ns", "p99 ns", "max ns", "drops", "misses"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(
            _what(entry),
            Text(clean(entry.verdict), _VERDICTS.get(entry.verdict, "")),
            _ns(entry.total_p50_ns),
            _ns(entry.total_p99_ns),
            _ns(entry.total_max_ns),
            text.count(entry.drops),
            text.count(entry.misses),
        )
    out.print(table)
    for entry in entries:
        if entry.damage is not None:
            out.print(Text(f"{clean(entry.run)}: {clean(entry.damage)}", "dim"), soft_wrap=True)


def show_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print one comparison: the finding first, then what it rests on.

    Args:
        found: What was compared.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    head = Text()
    head.append(f" {found.finding.upper()} ", _FINDINGS[found.finding])
    head.append(f" {clean(found.identity.benchmark)}", "bold")
    head.append(f" on {clean(found.identity.overlay)}, {clean(found.identity.time_base)}")
    out.print(head)
    for title, runs in (("before", found.before), ("after", found.after)):
        names = ", ".join(clean(run) for run in runs)
        count = f"{len(runs)} runs: " if len(runs) > 1 else ""
        out.print(Text.assemble((f"{title:<7}", "dim"), f"{count}{names}"), soft_wrap=True)
    for difference in found.allowed:
        out.print(Text(f"allowed: {clean(difference)}", "yellow"))
    told = [quantity for quantity in found.quantities if quantity.text]
    if told:
        out.print(_quantities(told))
    rest = len(found.quantities) - len(told)
    if rest:
        out.print(Text(f"{rest} {'other ' if told else ''}quantities show no difference", "dim"))


def show_accepted(entries: Sequence[Accepted], file: Path, console: Console | None = None) -> None:
    """Print accepted runs.

    Args:
        entries: Entries of the file, or some of them.
        file: The file.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    if not entries:
        out.print(Text(f"no accepted runs in {clean(file)}"))
        return
    table = _table("accepted", "verdict")
    for title in ("runs", "p50", "p99", "max cycles"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in entries:
        newest = entry.runs[-1]
        identity = newest.identity
        what = Text(clean(identity.benchmark))
        where = _place(identity.overlay, identity.overlay_digest, identity.board)
        when = f"{clean(entry.accepted_utc)} by {clean(entry.accepted_by)}"
        what.append(f"\n{where}, {clean(identity.time_base)}\n{when}", "dim")
        table.add_row(
            what,
            Text(clean(newest.verdict), _VERDICTS.get(newest.verdict, "")),
            text.count(len(entry.runs)),
            text.count(newest.total.p50),
            text.count(newest.total.p99),
            text.count(newest.total.max),
        )
    out.print(table)


def _table(*titles: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _quantities(quantities: Sequence[Quantity]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for quantity in quantities:
        style = _FINDINGS[quantity.finding].rpartition(" ")[2]
        table.add_row(
            Text(clean(quantity.name)),
            Text(quantity.finding, style),
            Text(clean(quantity.text)),
        )
    return table


def _what(entry: Entry) -> Text:
    """Return the id of a run and, below it, what was run on what: whose cycles these are."""
    found = Text(clean(entry.run))
    if entry.damage is None:
        place = _place(entry.overlay or "", entry.overlay_digest or "", entry.board)
        found.append(f"\n{place}, {clean(entry.time_base)}", "dim")
        if entry.rate_ratio is not None and entry.rate_ratio < _FULL_RATE:
            found.append(f", {entry.rate_ratio:.2%} of the rate", "yellow")
    return found


def _place(overlay: str, digest: str, board: str | None) -> str:
    return f"{clean(overlay)} {clean(digest)[:8]}, {clean(board or 'unknown board')}"


def _ns(value: float | None) -> str:
    return text.NOTHING if value is None else text.decimal(value, 1)
