"""`harness generate`: the files that follow from a manifest."""

from __future__ import annotations

import argparse

from harness.commands.options import Commands
from harness.errors import InputError


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    generate = commands.add_parser(
        "generate", help="write the files that follow from an overlay's manifest"
    )
    generate.set_defaults(command=main)
    generate.add_argument("overlay", nargs="*", help="name of an overlay (default: all)")
    generate.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is not current"
    )


def main(options: argparse.Namespace) -> int:
    """Write or check the files that follow from manifests."""
    from harness.generate.write import generate  # noqa: PLC0415
    from harness.overlay import find_overlay, list_overlays  # noqa: PLC0415

    names = options.overlay or list_overlays()
    if not names:
        raise InputError("there is no overlay", where="overlays/")
    for name in names:
        for path in generate(find_overlay(name), check=options.check):
            print(path)
    return 0
