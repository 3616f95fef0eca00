"""`harness build`: compile RTL for the virtual board."""

from __future__ import annotations

import argparse
import hashlib

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    build = commands.add_parser("build", help="compile an overlay's RTL for the virtual board")
    build.set_defaults(command=main)
    build.add_argument("overlay", nargs="+", help="name of an overlay")
    build.add_argument(
        "--key", action="store_true",
        help="compile nothing; print a digest of all that goes in, to name a cache of the result",
    )  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Compile overlays for the virtual board."""
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets.virtual import build_fabric, fabric_key  # noqa: PLC0415

    if options.key:
        keys = [fabric_key(find_overlay(name)) for name in sorted(options.overlay)]
        print(hashlib.sha256("".join(keys).encode()).hexdigest()[:32])
        return 0
    for name in options.overlay:
        with Progress(quiet=False) as progress:
            library = build_fabric(find_overlay(name), progress.stage)
        print(f"{name}: {library}")
    return 0
