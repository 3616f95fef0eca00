"""`harness history`: the runs in a folder."""

from __future__ import annotations

import argparse
import json

from harness.commands.options import Commands, add_out, positive


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    history = commands.add_parser(
        "history", help="list the runs in a folder, newest last; those paced by the host apart"
    )
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

    from harness.report import history, host_listing, listing, selection  # noqa: PLC0415

    entries = history.refresh(options.out, rebuild=options.rebuild)
    entries = selection.of_benchmark(entries, options.benchmark)[-(options.last or 0) :]
    paced = host_listing.entries(options.out)
    if options.benchmark is not None:
        name = selection.benchmark_name(options.benchmark)
        paced = [entry for entry in paced if entry.name == name]
    paced = paced[-(options.last or 0) :]
    if options.json:
        # Times of the host have keys of their own, and come after all others.
        rows = [asdict(entry) for entry in entries]
        rows += [{**asdict(entry), "folder": str(entry.folder)} for entry in paced]
        print(json.dumps(rows, indent=2))
        return 0
    if entries or not paced:
        listing.show_history(entries)
    if paced:
        host_listing.show(paced)
    return 0
