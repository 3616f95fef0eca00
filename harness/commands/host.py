"""`harness host`: pace events from this host over a link."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.options import Commands, add_wait, positive
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.report.tiny_result import Mode


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    host = commands.add_parser(
        "host",
        help="pace events from this host over a link: times of the host, not of the fabric",
        description="Send events at absolute deadlines from this host, and time their answers from "
        "the scheduled instant. What the sender itself adds is measured on a null link in the "
        "same run.",
    )
    host.set_defaults(command=main)
    host.add_argument("benchmark", nargs="?", help="whose events to send; not needed for null")
    host.add_argument("--rate", metavar="HZ", help='events per second, as in "10 kHz"')
    host.add_argument(
        "--events", type=positive, metavar="N", help="events to send; inputs of accuracy mode"
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
    add_wait(host)
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


def main(options: argparse.Namespace) -> int:
    """Run a host-paced benchmark, store its result and print it."""
    from harness.targets import resolve  # noqa: PLC0415

    spec, _ = resolve(options.target)
    link = options.link or ("mlperf" if spec.kind == "mlperf" else "null")
    if link == "mlperf" and options.rate is None:
        return _run_tiny(options)
    if options.quick or options.mode:
        raise InputError(
            "is of an MLPerf Tiny device that is measured as its rules say",
            where="--quick" if options.quick else "--mode",
            hint="add --target mlperf:///dev/ttyACM0, and leave --rate out",
        )
    from harness import hostrun  # noqa: PLC0415
    from harness.quantity import parse_frequency  # noqa: PLC0415
    from harness.report import host_store, host_terminal  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    with Progress(quiet=options.json) as progress:
        outcome = hostrun.run(
            hostrun.HostRequest(
                link=link,
                out=options.out,
                benchmark=options.benchmark,
                rate_hz=None if options.rate is None else parse_frequency(options.rate),
                events=options.events,
                process=options.process,
                seed=options.seed,
                target=options.target,
                board=options.board,
                overrides=tuple(options.overrides),
                realtime=options.realtime,
                cpu=options.cpu,
                wait_s=options.wait,
            ),
            progress,
        )
    stored = host_store.load(outcome.folder)
    if options.json:
        print(json.dumps(stored.result, indent=2))
    else:
        host_terminal.show(stored.result, outcome.folder)
    return outcome.exit_status


def _run_tiny(options: argparse.Namespace) -> int:
    """Measure an MLPerf Tiny device as its rules say, store the result and print it."""
    from harness import tinyrun  # noqa: PLC0415
    from harness.hostpaced import tiny  # noqa: PLC0415
    from harness.report import tiny_result, tiny_terminal  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    if options.benchmark is None:
        raise InputError(
            "an MLPerf Tiny device needs inputs",
            where="--target",
            hint="name a benchmark, such as smoke/jet_tagger",
        )
    mode: Mode = options.mode or "performance"
    paced = {
        "--board": options.board is not None,
        "--process": options.process != "periodic",
        "--cpu": options.cpu is not None,
        "--events": options.events is not None and mode == "performance",
        "--quick": options.quick and mode == "accuracy",
    }
    for option in (name for name, given in paced.items() if given):
        raise InputError(
            f"has no meaning in {mode} mode of MLPerf Tiny, which is a closed loop",
            where=option,
            hint="leave it out, or add --rate to pace events from this host",
        )
    with Progress(quiet=options.json) as progress:
        outcome = tinyrun.run(
            tinyrun.TinyRequest(
                benchmark=options.benchmark,
                target=options.target,
                out=options.out,
                mode=mode,
                plan=tiny.QUICK if options.quick else tiny.RULES,
                events=options.events,
                overrides=tuple(options.overrides),
            ),
            progress,
        )
    result = tiny_result.load(outcome.folder)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        tiny_terminal.show(result, outcome.folder)
    return outcome.exit_status
