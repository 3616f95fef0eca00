"""`harness history`: the runs in a folder."""

from __future__ import annotations

import argparse
import json

from harness.commands.options import Commands, add_out, positive


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    history = commands.add_parser("history", help="list the runs in a folder, newest last")
    history.set_defaults(command=main)
    add_out(history)
    history.add_argument(
        "--benchmark", metavar="NAME", help="only runs of this one: its name, or suite/name"
    )
    history.add_argument("--last", type=positive, metavar="N", help="only the newest N")
    history.add_argument("--json", action="store_true", help="print JSON")
    history.add_argument(
        "--rebuild", action="store_true", help="read every run again, whatever the index says"
    )


def main(options: argparse.Namespace) -> int:
    """Print the runs in a folder."""
    from dataclasses import asdict  # noqa: PLC0415

    from harness.report import history, listing, selection  # noqa: PLC0415

    entries = history.refresh(options.out, rebuild=options.rebuild)
    entries = selection.of_benchmark(entries, options.benchmark)[-(options.last or 0) :]
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        listing.show_history(entries)
    return 0
