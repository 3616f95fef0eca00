"""The command line. Every command imports what it needs when it runs: `--help` is instant.

Exit status: 0 pass, 1 a requirement failed, 2 bad input, 3 the run is invalid, 4 infrastructure
failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__, actions
from harness.board import SUBCOMMANDS
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_BASELINES = Path("baselines.json")
_FILE_HELP = "file of accepted runs (default: %(default)s)"
_RUN_HELP = "folder of a run, its id or how only one begins, or last"


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
        return actions.EXIT_INVALID
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
    run.set_defaults(command=actions.run_benchmark)
    run.add_argument("benchmark", help="suite/name, or the path of a benchmark file")
    run.add_argument("--target", default="virtual", help="how to reach a board (default: virtual)")
    run.add_argument("--board", help="which board (default: the benchmark's)")
    run.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS",
        help="how long to wait for somebody else who has the board (default: not at all)",
    )  # fmt: skip
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
    run.add_argument(
        "--live", action="store_true", help="show counters and latencies while the run lasts"
    )
    run.add_argument(
        "--metrics", type=int, metavar="PORT",
        help="serve them as Prometheus text on this port of loopback while the run lasts",
    )  # fmt: skip

    listing = commands.add_parser("list", help="list benchmarks, overlays, sources and boards")
    listing.set_defaults(command=actions.list_all)
    listing.add_argument("--json", action="store_true", help="print JSON")

    _add_host(commands)
    _add_history(commands)
    _add_show(commands)
    _add_compare(commands)
    _add_baseline(commands)
    _add_report(commands)
    _add_sweep(commands)
    _add_board(commands)

    build = commands.add_parser("build", help="compile an overlay's RTL for the virtual board")
    build.set_defaults(command=actions.build_overlays)
    build.add_argument("overlay", nargs="+", help="name of an overlay")

    generate = commands.add_parser(
        "generate", help="write the files that follow from an overlay's manifest"
    )
    generate.set_defaults(command=actions.generate_files)
    generate.add_argument("overlay", nargs="*", help="name of an overlay (default: all)")
    generate.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is not current"
    )
    return parser


def _add_host(commands: Commands) -> None:
    host = commands.add_parser(
        "host",
        help="pace events from this host over a link: times of the host, not of the fabric",
        description="Send events at absolute deadlines from this host, and time their answers from "
        "the scheduled instant. What the sender itself adds is measured on a null link in the "
        "same run.",
    )
    host.set_defaults(command=actions.run_host)
    host.add_argument("benchmark", nargs="?", help="whose events to send; not needed for null")
    host.add_argument("--rate", metavar="HZ", help='events per second, as in "10 kHz"')
    host.add_argument(
        "--events", type=_positive, metavar="N", help="events to send; inputs of accuracy mode"
    )
    host.add_argument(
        "--link", help="null, dma, serial or mlperf (default: mlperf for such a target, else null)"
    )
    host.add_argument("--process", default="periodic", choices=("periodic", "poisson"))
    host.add_argument("--seed", type=int, default=1, metavar="N", help="of a Poisson schedule")
    host.add_argument(
        "--target", default="virtual",
        help="how to reach a board (default: virtual); mlperf:///dev/ttyACM0[?baud=115200] for an "
        "MLPerf Tiny device: without --rate it is measured as MLPerf Tiny does, closed loop",
    )  # fmt: skip
    host.add_argument(
        "--mode", choices=("performance", "accuracy"),
        help="of an MLPerf Tiny device (default: performance)",
    )  # fmt: skip
    host.add_argument(
        "--quick", action="store_true", help="of an MLPerf Tiny device: runs of 1 ms, not of 10 s"
    )
    host.add_argument("--board", help="which board (default: the benchmark's)")
    host.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a key of the benchmark; may be repeated",
    )  # fmt: skip
    host.add_argument(
        "--realtime",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="schedule the sender in real time, if permitted: it then owns a CPU while it spins",
    )
    host.add_argument("--cpu", type=int, metavar="N", help="bind the sender to this CPU")
    host.add_argument(
        "--out", type=Path, default=Path("results/host"), metavar="DIR",
        help="folder of the results (default: %(default)s)",
    )  # fmt: skip
    host.add_argument("--json", action="store_true", help="print host.json instead of tables")


def _add_board(commands: Commands) -> None:
    board = commands.add_parser("board", help="stand in for a board, or look after one")
    kinds = board.add_subparsers(metavar="ACTION", required=True)
    for name in SUBCOMMANDS:
        import_module(f"harness.board.{name}").add_parser(kinds)


def _add_sweep(commands: Commands) -> None:
    sweep = commands.add_parser(
        "sweep",
        help="run a benchmark at many points, or search for where it stops to hold",
        description="Run every combination of the given values, or search between two rates or "
        "depths. Each point is an ordinary run folder; a sweep that was killed goes on with "
        "--resume.",
        epilog="exit status: 0 all points measured, 1 a search found nothing, 2 bad input, 3 a run "
        "is invalid, 4 a point failed",
    )
    sweep.set_defaults(command=actions.run_sweep)
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
        "--jobs", type=_positive, default=1, metavar="N", help="points side by side (default: 1)"
    )
    sweep.add_argument("--json", action="store_true", help="print JSON instead of tables")


def _add_history(commands: Commands) -> None:
    history = commands.add_parser("history", help="list the runs in a folder, newest last")
    history.set_defaults(command=actions.show_history)
    _add_out(history)
    history.add_argument(
        "--benchmark", metavar="NAME", help="only runs of this one: its name, or suite/name"
    )
    history.add_argument("--last", type=_positive, metavar="N", help="only the newest N")
    history.add_argument("--json", action="store_true", help="print JSON")
    history.add_argument(
        "--rebuild", action="store_true", help="read every run again, whatever the index says"
    )


def _add_show(commands: Commands) -> None:
    show = commands.add_parser("show", help="show one stored run")
    show.set_defaults(command=actions.show_run)
    show.add_argument("run", help=_RUN_HELP)
    _add_out(show)
    show.add_argument("--json", action="store_true", help="print its result.json")


def _add_compare(commands: Commands) -> None:
    compare = commands.add_parser(
        "compare",
        help="compare runs with each other, or with what was accepted",
        description="Compare runs with the first one. Simulated runs must agree to the last cycle; "
        "runs on hardware are replicates and are compared by ranks.",
        epilog="exit status: 0 no regression, 1 a regression or change, 2 the runs are not alike, "
        "3 nobody can tell",
    )
    compare.set_defaults(command=actions.compare_runs)
    compare.add_argument(
        "run",
        nargs="+",
        help=f"{_RUN_HELP}; or several as one group: a folder of runs, a pattern such as "
        "'before/*', or benchmark:NAME",
    )
    compare.add_argument(
        "--baseline", action="store_true", help="compare with the accepted runs of their kind"
    )
    compare.add_argument("--file", type=Path, default=_BASELINES, help=_FILE_HELP)
    compare.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=("benchmark", "overlay", "clock", "time-base", "board"),
        help="compare although they differ in this; may be repeated",
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
    _add_out(compare)
    compare.add_argument("--json", action="store_true", help="print JSON")
    compare.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the findings as JUnit XML"
    )


def _add_baseline(commands: Commands) -> None:
    baseline = commands.add_parser("baseline", help="accept runs as what others must equal")
    kinds = baseline.add_subparsers(metavar="ACTION", required=True)
    accept = kinds.add_parser("accept", help="accept runs, in place of earlier ones")
    accept.set_defaults(command=actions.accept_baseline)
    accept.add_argument("run", nargs="+", help=f"{_RUN_HELP}; or several, as for compare")
    accept.add_argument("--file", type=Path, default=_BASELINES, help=_FILE_HELP)
    _add_out(accept)
    listing = kinds.add_parser("list", help="list accepted runs")
    listing.set_defaults(command=actions.list_baselines)
    listing.add_argument("--file", type=Path, default=_BASELINES, help=_FILE_HELP)
    listing.add_argument("--json", action="store_true", help="print the file")


def _add_report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="write stored runs as one HTML page, as Markdown, or as figures",
        description="Write one HTML page that needs nothing else, for any number of runs; of "
        "several rates of one benchmark also latency and drops against load.",
    )
    report.set_defaults(command=actions.write_report)
    report.add_argument(
        "result", nargs="+", type=Path, help="folder of a run, or of results: all runs in it"
    )
    report.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help="the page (default: report.html, unless only something else is asked for)",
    )  # fmt: skip
    report.add_argument("--markdown", type=Path, metavar="FILE", help="a table for a pull request")
    report.add_argument(
        "--plots", type=Path, metavar="DIR", help="the histograms of each run, as .png and .svg"
    )


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="folder of the results"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)
