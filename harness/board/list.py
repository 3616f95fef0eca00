"""`harness board list`: the user's boards, who has them, and which are out of order."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser(
        "list",
        help="show your boards and who has them",
        description="Show the boards of boards.toml, and what is leased or quarantined on this "
        "machine. No board is touched.",
    )
    parser.set_defaults(command=main)
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Print one line a board."""
    rows = _rows()
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from harness.report.text import clean  # noqa: PLC0415

    out = Console(highlight=False)
    if not rows:
        out.print("no boards.toml, and nothing is in use", soft_wrap=True)
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("name", "board", "target", "state", "notes"):
        table.add_column(title, no_wrap=title in {"name", "board"}, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(row[key] or "")) for key in row))
    out.print(table)
    return 0


def _rows() -> list[dict[str, Any]]:
    """Return the named boards, then those in use or out of order that have no name."""
    from harness.targets.boards_file import read_boards  # noqa: PLC0415
    from harness.targets.lease import leases, quarantined  # noqa: PLC0415
    from harness.targets.spec import parse_spec  # noqa: PLC0415

    states = {holder.resource: f"held by {holder}" for holder, held in leases() if held}
    states |= {name: f"quarantined: {reason}" for name, reason in quarantined().items()}
    rows: list[dict[str, Any]] = []
    for name, entry in read_boards().items():
        state = states.pop(parse_spec(entry.target).resource, "free")
        rows.append(
            {
                "name": name, "board": entry.board, "target": entry.target, "state": state,
                "notes": entry.notes,
            }
        )  # fmt: skip
    rows += [
        {"name": None, "board": None, "target": resource, "state": state, "notes": ""}
        for resource, state in states.items()
    ]
    return rows
