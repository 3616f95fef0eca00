"""`harness show`: one stored run."""

from __future__ import annotations

import argparse
import json

from harness.commands.options import RUN_HELP, Commands, add_out


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    show = commands.add_parser("show", help="show one stored run")
    show.set_defaults(command=main)
    show.add_argument("run", help=RUN_HELP)
    add_out(show)
    show.add_argument("--json", action="store_true", help="print its result.json")


def main(options: argparse.Namespace) -> int:
    """Print one stored run."""
    from harness.report import host_listing, reader, selection, terminal  # noqa: PLC0415

    folder = reader.open_folder(selection.find_run(options.run, options.out))
    folder.verify()
    paced = host_listing.read(folder)
    if options.json:
        print(json.dumps(folder.result() if paced is None else paced, indent=2))
    elif paced is not None:
        host_listing.show_one(paced, folder.path)
    else:
        terminal.show(folder.result(), folder.histograms(), folder.path)
    return 0
