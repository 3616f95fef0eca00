"""Estimates of resources as rows and as a table: one row for each overlay, board and part."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.architecture.devices import device_table
from harness.overlay import Overlay
from harness.synthesis.record import LABEL, family_of, read, shares

Row = dict[str, Any]
_COLUMNS = ("lut", "ff", "dsp", "bram", "uram")


def rows(overlay: Overlay) -> list[Row]:
    """Return what is known of an overlay, JSON-ready; a row without `used` says why."""
    found = read(overlay)
    if found is None:
        hint = f"run: harness estimate {overlay.name} --synthesise"
        return [{"overlay": overlay.name, "why": f"nobody has made an estimate; {hint}"}]
    made: list[Row] = []
    for board in overlay.boards:
        family, device = family_of(board), device_table().devices[board]
        for part, used in found.families[family].rows().items():
            made.append(
                {
                    "overlay": overlay.name,
                    "board": board,
                    "device": device.part,
                    "part": part,
                    "used": asdict(used),
                    "share": shares(used, device),
                    "tool": found.tool,
                    "label": LABEL,
                    "current": found.digest == overlay.digest,
                }
            )
    return made


def show(found: list[Row], console: Console | None = None) -> None:
    """Print rows as a table, with the share of the device."""
    console = console or Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("overlay", "board", "part"):
        table.add_column(name, no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    notes: list[str] = []
    for row in found:
        if "why" in row:
            notes.append(f"{row['overlay']}: {row['why']}")
            continue
        whole = row["part"] == "total"
        cells = [_cell(row["used"][name], row["share"][name], whole=whole) for name in _COLUMNS]
        table.add_row(row["overlay"], row["board"], row["part"], *cells)
        if not row["current"] and row["part"] == "total":
            notes.append(f"{row['overlay']}: the estimate is of an earlier version of the design")
    console.print(table)
    console.print(Text(LABEL, style="dim"))
    for note in dict.fromkeys(notes):
        console.print(Text(note, style="yellow"))


def _cell(used: float, share: float | None, *, whole: bool) -> Text:
    """Return a count; of the whole design also what share of the device it is."""
    if not whole:
        return Text(f"{used:,g}")
    # Without a share the device has none of it, or nobody has published how many.
    told = "?" if share is None else f"{100 * share:.0f}%"
    too_much = share > 1 if share is not None else used > 0
    return Text(f"{used:,g} {told}", style="bold red" if too_much else "bold")
