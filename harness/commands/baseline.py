"""`harness baseline`: accept runs as what others must equal."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.commands.options import BASELINES, RUN_HELP, Commands, add_out

_FILE_HELP = "file of accepted runs (default: %(default)s)"


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    baseline = commands.add_parser("baseline", help="accept runs as what others must equal")
    kinds = baseline.add_subparsers(metavar="ACTION", required=True)
    accept = kinds.add_parser("accept", help="accept runs, in place of earlier ones")
    accept.set_defaults(command=accept_baseline)
    accept.add_argument("run", nargs="+", help=f"{RUN_HELP}; or several, as for compare")
    accept.add_argument("--file", type=Path, default=BASELINES, help=_FILE_HELP)
    add_out(accept)
    listing = kinds.add_parser("list", help="list accepted runs")
    listing.set_defaults(command=list_baselines)
    listing.add_argument("--file", type=Path, default=BASELINES, help=_FILE_HELP)
    listing.add_argument("--json", action="store_true", help="print the file")


def accept_baseline(options: argparse.Namespace) -> int:
    """Accept a run as what others must equal."""
    from harness.report import baseline, listing  # noqa: PLC0415
    from harness.report.comparison import load_runs  # noqa: PLC0415

    runs = [run for name in options.run for run in load_runs(name, options.out)]
    listing.show_accepted(baseline.accept(runs, options.file), options.file)
    return 0


def list_baselines(options: argparse.Namespace) -> int:
    """Print the accepted runs."""
    from harness.report import baseline, listing  # noqa: PLC0415

    found = baseline.read(options.file)
    if options.json:
        print(json.dumps(baseline.document(found), indent=2))
    else:
        listing.show_accepted(found.entries, options.file)
    return 0
