"""`harness estimate`: how much of a board's device an overlay would take."""

from __future__ import annotations

import argparse
import json

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    estimate = commands.add_parser(
        "estimate",
        help="show how much of each board's device an overlay would take",
        description="Show the stored estimates of resources, accelerator and measuring IP apart; "
        "or make them again with Yosys, which takes minutes an overlay.",
    )
    estimate.set_defaults(command=main)
    estimate.add_argument("overlay", nargs="*", help="name of an overlay (default: all)")
    estimate.add_argument(
        "--synthesise", action="store_true", help="synthesise, and store what comes of it"
    )
    estimate.add_argument(
        "--quick",
        action="store_true",
        help="leave redundant logic in the accelerator: for networks of hundreds of thousands of "
        "gates, minutes instead of much longer; counts too much, by up to a half",
    )
    estimate.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Print estimates, made before or now."""
    from harness.overlay import find_overlay, list_overlays  # noqa: PLC0415
    from harness.report import resources  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.synthesis import estimate, record  # noqa: PLC0415

    overlays = [find_overlay(name) for name in options.overlay or list_overlays()]
    if options.synthesise:
        for overlay in overlays:
            with Progress(quiet=options.json) as progress:
                found = estimate.estimate(overlay, progress.stage, quick=options.quick)
            record.write(overlay, found)
    rows = [row for overlay in overlays for row in resources.rows(overlay)]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        resources.show(rows)
    return 0
