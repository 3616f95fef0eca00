"""`harness list`: what there is to run."""

from __future__ import annotations

import argparse
import json

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    listing = commands.add_parser("list", help="list benchmarks, overlays, sources and boards")
    listing.set_defaults(command=main)
    listing.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Print what there is to run."""
    from harness import catalogue  # noqa: PLC0415
    from harness.report import terminal  # noqa: PLC0415

    found = catalogue.everything()
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        terminal.show_catalogue(found)
    return 0
