"""The command line. Every command imports what it needs when it runs: `--help` is instant.

Exit status: 0 pass, 1 a requirement failed, 2 bad input, 3 the run is invalid, 4 infrastructure
failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.errors import HarnessError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_INVALID = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except HarnessError as error:
        print(f"harness: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        return EXIT_INVALID
    except (BrokenPipeError, SystemExit):
        # The reader has gone (rich turns that into SystemExit): no error of ours. What Python would
        # still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Benchmark neural networks on FPGAs, in the loop: open loop, in the fabric.",
        epilog="exit status: 0 pass, 1 a requirement failed, 2 bad input, 3 run invalid, "
        "4 infrastructure failed",
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run a benchmark and say whether it passes")
    run.set_defaults(command=_run)
    run.add_argument("benchmark", help="suite/name, or the path of a benchmark file")
    run.add_argument("--target", default="virtual", help="how to reach a board (default: virtual)")
    run.add_argument("--board", help="which board (default: the benchmark's)")
    run.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="folder of the results"
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change a key of the benchmark, as in run.events=1000; may be repeated",
    )
    run.add_argument("--json", action="store_true", help="print result.json instead of tables")
    run.add_argument(
        "--plot",
        action="store_true",
        help="also draw the histograms, as a .png beside the result folder",
    )

    listing = commands.add_parser("list", help="list benchmarks, overlays, sources and boards")
    listing.set_defaults(command=_list)
    listing.add_argument("--json", action="store_true", help="print JSON")

    build = commands.add_parser("build", help="compile an overlay's RTL for the virtual board")
    build.set_defaults(command=_build)
    build.add_argument("overlay", nargs="+", help="name of an overlay")

    generate = commands.add_parser(
        "generate", help="write the files that follow from an overlay's manifest"
    )
    generate.set_defaults(command=_generate)
    generate.add_argument("overlay", nargs="*", help="name of an overlay (default: all)")
    generate.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is not current"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    from harness import run  # noqa: PLC0415
    from harness.report import store, terminal  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    if options.plot:
        from harness.report import plots  # noqa: PLC0415

        plots.check_available()
    with Progress(quiet=options.json) as progress:
        outcome = run.run(
            run.Request(
                benchmark=options.benchmark,
                target=options.target,
                board=options.board,
                out=options.out,
                overrides=tuple(options.overrides),
            ),
            progress,
        )
    stored = store.load(outcome.folder)
    if options.plot:
        plots.latency_plot(stored.result, stored.histograms, outcome.folder.with_suffix(".png"))
    if options.json:
        print(json.dumps(stored.result, indent=2))
    else:
        terminal.show(stored.result, stored.histograms, outcome.folder)
    return outcome.exit_status


def _list(options: argparse.Namespace) -> int:
    from harness import catalogue  # noqa: PLC0415
    from harness.report import terminal  # noqa: PLC0415

    found = catalogue.everything()
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        terminal.show_catalogue(found)
    return 0


def _build(options: argparse.Namespace) -> int:
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets.virtual import build_fabric  # noqa: PLC0415

    for name in options.overlay:
        with Progress(quiet=False) as progress:
            library = build_fabric(find_overlay(name), progress.stage)
        print(f"{name}: {library}")
    return 0


def _generate(options: argparse.Namespace) -> int:
    from harness.generate.write import generate  # noqa: PLC0415
    from harness.overlay import find_overlay, list_overlays  # noqa: PLC0415

    names = options.overlay or list_overlays()
    if not names:
        raise InputError("there is no overlay", where="overlays/")
    for name in names:
        for path in generate(find_overlay(name), check=options.check):
            print(path)
    return 0
