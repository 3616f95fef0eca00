"""What the doctor finds, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STYLES: Final[Mapping[str, str]] = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def show_finding(finding: Mapping[str, Any], console: Console | None = None) -> None:
    """Print one finding."""
    out = console or Console(highlight=False, soft_wrap=True)
    line = Text(f"  {finding['state']:<7}", _STYLES[finding["state"]])
    line.append(f"{clean(finding['name']):<20}", "not bold default")
    line.append(clean(finding["found"]), "not bold default")
    out.print(line)
    if finding["hint"]:
        out.print(Text(f"  {'':<27}-> {clean(finding['hint'])}", "italic"))


def show_end(found: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what it all comes to, the first cause again."""
    out = console or Console(highlight=False, soft_wrap=True)
    wrong = [finding for finding in found if finding["state"] == "wrong"]
    if not wrong:
        out.print("nothing is wrong")
        return
    first = wrong[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    out.print(f"wrong: {clean(first['name'])}: {clean(first['found'])}{more}", markup=False)
    if first["hint"]:
        out.print(f"to do: {clean(first['hint'])}", markup=False)
