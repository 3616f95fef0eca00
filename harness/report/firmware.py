"""Images of overlays as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def show_images(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print images, and below them what is wrong with any."""
    out = console or Console(highlight=False, soft_wrap=True)
    table = Table("overlay", "board", "kind", "SHA-256", "", "provenance", box=SIMPLE)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    for row in rows:
        mark = Text("wrong", "bold red") if row["problems"] else Text("ok", "green")
        told = (
            row["overlay"],
            row["board"],
            row["kind"],
            row["bit_sha256"][:12],
            row["provenance"],
        )
        table.add_row(*(Text(clean(item) or "-") for item in told), mark)
    out.print(table)
    for row in rows:
        for problem in row["problems"]:
            out.print(Text(f"{clean(row['overlay'])} {clean(row['board'])}: {clean(problem)}"))
