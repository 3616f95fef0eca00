"""`harness doctor`: what is installed, what the board is, what is wrong, what to do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser(
        "doctor",
        help="say what is installed, what the board is, what is wrong, and what to do",
        epilog="exit status: 0 nothing is wrong, 1 something is",
    )
    parser.set_defaults(command=main)
    parser.add_argument(
        "--target", help="a board to look at as well, as after harness run --target"
    )
    parser.add_argument("--board", help="which kind it is (default: boards.toml's, else zcu104)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Look at everything, and print it."""
    from harness.doctor import examine  # noqa: PLC0415
    from harness.report import doctor  # noqa: PLC0415

    found = []
    for finding in examine.examine(options.target, options.board):
        found.append(asdict(finding))
        if not options.json:
            doctor.show_finding(found[-1])
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        doctor.show_end(found)
    return int(any(finding["state"] == "wrong" for finding in found))
