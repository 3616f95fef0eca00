"""`harness run`: run a benchmark and say whether it passes."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.options import Commands, add_wait

if TYPE_CHECKING:
    from harness.fabric.watch import Watcher, Watchers
    from harness.run import Progress as RunProgress


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    run = commands.add_parser("run", help="run a benchmark and say whether it passes")
    run.set_defaults(command=main)
    run.add_argument("benchmark", help="suite/name, or the path of a benchmark file")
    run.add_argument("--target", default="virtual", help="how to reach a board (default: virtual)")
    run.add_argument("--board", help="which board (default: the benchmark's)")
    add_wait(run)
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


def main(options: argparse.Namespace) -> int:
    """Run a benchmark, store its result and print it."""
    from harness import run  # noqa: PLC0415
    from harness.report import store, terminal  # noqa: PLC0415

    if options.plot:
        from harness.report import plots  # noqa: PLC0415

        plots.check_available()
    with ExitStack() as held:
        progress, watcher = _observers(options, held)
        outcome = run.run(
            run.Request(
                benchmark=options.benchmark,
                target=options.target,
                board=options.board,
                out=options.out,
                overrides=tuple(options.overrides),
                wait_s=options.wait,
            ),
            progress,
            watcher,
        )
    stored = store.load(outcome.folder)
    if options.plot:
        plots.latency_plot(stored.result, stored.histograms, outcome.folder.with_suffix(".png"))
    if options.json:
        print(json.dumps(stored.result, indent=2))
    else:
        terminal.show(stored.result, stored.histograms, outcome.folder)
    return outcome.exit_status


def _observers(options: argparse.Namespace, held: ExitStack) -> tuple[RunProgress, Watchers | None]:
    """Return who is told of a run's progress, and who sees it; `held` ends them."""
    from harness.fabric.watch import Watchers  # noqa: PLC0415
    from harness.report.live import LiveView  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    watchers: list[Watcher] = []
    if options.metrics is not None:
        from harness.report.metrics import MetricsServer  # noqa: PLC0415

        watchers.append(held.enter_context(MetricsServer(options.metrics)))
    if options.live:
        view = held.enter_context(LiveView())
        return view, Watchers((*watchers, view))
    progress = held.enter_context(Progress(quiet=options.json))
    return progress, Watchers(tuple(watchers)) if watchers else None
