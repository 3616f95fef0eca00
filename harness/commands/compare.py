"""`harness compare`: runs with each other, or with what was accepted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.commands.options import BASELINES, RUN_HELP, Commands, add_out

_FILE_HELP = "file of accepted runs (default: %(default)s)"


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    compare = commands.add_parser(
        "compare",
        help="compare runs with each other, or with what was accepted",
        description="Compare runs with the first one. Simulated runs must agree to the last cycle; "
        "runs on hardware, and those that a host paced, are replicates and are compared by ranks.",
        epilog="exit status: 0 no regression, 1 a regression or change, 2 the runs are not alike, "
        "3 nobody can tell",
    )
    compare.set_defaults(command=main)
    compare.add_argument(
        "run",
        nargs="+",
        help=f"{RUN_HELP}; or several as one group: a folder of runs, a pattern such as "
        "'before/*', or benchmark:NAME",
    )
    compare.add_argument(
        "--baseline", action="store_true", help="compare with the accepted runs of their kind"
    )
    compare.add_argument("--file", type=Path, default=BASELINES, help=_FILE_HELP)
    compare.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=(
            "benchmark",
            "overlay",
            "clock",
            "time-base",
            "board",
            "link",
            "schedule",
            "sender",
            "machine",
        ),
        help="compare although they differ in this; may be repeated (the last four are of runs "
        "that a host paced)",
    )
    compare.add_argument(
        "--alpha",
        type=float,
        default=0.002,
        help="largest probability of a false alarm on hardware (default: %(default)s)",
    )
    compare.add_argument(
        "--threshold",
        type=float,
        default=1.0,
        metavar="PERCENT",
        help="least shift that matters on hardware, in percent (default: %(default)s)",
    )
    add_out(compare)
    compare.add_argument("--json", action="store_true", help="print JSON")
    compare.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the findings as JUnit XML"
    )


def main(options: argparse.Namespace) -> int:
    """Compare runs with each other or with a baseline, and print the findings."""
    from harness.measure.compare import Rules  # noqa: PLC0415
    from harness.report import comparison, junit, listing  # noqa: PLC0415

    found = comparison.compare_stored(
        options.run,
        options.out,
        Rules(frozenset(options.allow), options.alpha, options.threshold / 100),
        options.file if options.baseline else None,
    )
    if options.junit:
        junit.write(found, options.junit)
    if options.json:
        print(json.dumps(comparison.document(found), indent=2))
    else:
        for each in found:
            listing.show_comparison(each)
    return comparison.exit_status(found)
