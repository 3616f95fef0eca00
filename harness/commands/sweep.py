"""`harness sweep`: a benchmark at many points, or a search."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from harness.commands.options import EXIT_INVALID, Commands, positive


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    sweep = commands.add_parser(
        "sweep",
        help="run a benchmark at many points, or search for where it stops to hold",
        description="Run every combination of the given values, or search between two rates or "
        "depths. Each point is an ordinary run folder; a sweep that was killed goes on with "
        "--resume.",
        epilog="exit status: 0 all points measured, or skipped since their parts do not go "
        "together, 1 a search found nothing, 2 bad input, 3 a run is invalid, 4 a point failed",
    )
    sweep.set_defaults(command=main)
    sweep.add_argument("benchmark", nargs="?", help="suite/name, or the path of a benchmark file")
    for option, metavar, says in (
        ("--rates", "LO:HI:N", "rates, evenly spaced, as in '10 MHz:40 MHz:7'"),
        ("--depths", "A,B", "depths of the derandomiser"),
        ("--detectors", "A,B", "sources of events"),
        ("--overlays", "A,B", "overlays"),
        ("--benchmarks", "A,B", "more benchmarks"),
        ("--find", "WHAT", "search: knee, zero-loss or deadline between two --rates, depth"),
        ("--resolution", "X", "where a search stops: '10 kHz', or events for depth"),
        ("--board", "NAME", "which board (default: the benchmark's)"),
    ):
        sweep.add_argument(option, metavar=metavar, help=says)
    sweep.add_argument(
        "--set-sweep", action="append", default=[], metavar="KEY=A,B", help="values of any key"
    )
    sweep.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a key of every point; may be repeated",
    )  # fmt: skip
    sweep.add_argument(
        "--late", type=int, default=0, metavar="N",
        help="events that may be late or dropped, with --find deadline",
    )  # fmt: skip
    sweep.add_argument("--target", default="virtual", help="how to reach a board")
    sweep.add_argument("--out", type=Path, metavar="DIR", help="folder of the sweep, to be made")
    sweep.add_argument("--resume", type=Path, metavar="DIR", help="go on with a sweep begun there")
    sweep.add_argument(
        "--retry", action="store_true", help="with --resume: run again also what failed"
    )
    sweep.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="points side by side (default: 1)"
    )
    sweep.add_argument("--json", action="store_true", help="print JSON instead of tables")


def main(options: argparse.Namespace) -> int:
    """Run a sweep or a search, and print its points."""
    from harness.report import sweep as view  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.sweep import ask, engine  # noqa: PLC0415

    plan = ask.plan_of(options)
    folder = options.resume or options.out or ask.new_folder()
    try:
        with Progress(quiet=options.json) as progress:
            if plan is None:
                outcome = engine.resume(folder, options.jobs, progress, retry=options.retry)
            else:
                outcome = engine.begin(folder, plan, options.jobs, progress)
    except KeyboardInterrupt:
        print(f"harness: interrupted; go on with: harness sweep --resume {folder}", file=sys.stderr)
        return EXIT_INVALID
    if options.json:
        found = {"points": outcome.rows, "findings": outcome.findings, "folder": str(folder)}
        print(json.dumps(found, indent=2))
    else:
        view.show(outcome.rows, outcome.findings, folder)
    return outcome.exit_status
