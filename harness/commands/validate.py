"""`harness validate`: whether the firmware on a board is the right one and does its job."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.options import Commands

if TYPE_CHECKING:
    from harness.validate.engine import Request


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser(
        "validate",
        help="say whether the firmware on a board is the right one and does its job",
        description="Load an overlay's image and check it, step by step with evidence: files, "
        "identity, clock, registers, outputs, latency, interval, and the rate held without a loss.",
        epilog="exit status: 0 pass, 1 a step failed or something changed, 2 bad input, 3 what was "
        "counted must not be believed, 4 board, link or machine failed",
    )
    parser.set_defaults(command=main)
    parser.add_argument("overlay", help="name of the overlay that should be on the board")
    parser.add_argument(
        "--target", default="virtual", help="how to reach the board (default: virtual)"
    )
    parser.add_argument(
        "--board", help="which board (default: boards.toml's, or the overlay's first)"
    )
    parser.add_argument(
        "--level",
        choices=("quick", "full"),
        default="quick",
        help="how thorough to be (default: quick)",
    )
    parser.add_argument(
        "--no-load",
        action="store_true",
        help="only look at what is running: no load, no reset, not one write",
    )
    parser.add_argument(
        "--rate",
        help="rate to hold, such as '40 MHz' (default: clock over interval of the manifest)",
    )
    parser.add_argument(
        "--deadline",
        help="largest total in time, such as '200 ns' (default: latency of the manifest)",
    )
    parser.add_argument(
        "--soak",
        help="board time for which the rate is held, such as '10 s' (default: by level and target)",
    )
    parser.add_argument(
        "--seed", type=int, help="of the random inputs, to repeat a validation (default: a new one)"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for somebody else who has the board",
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="also say what changed since this certificate"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the certificate here, as JSON"
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the steps as JUnit XML"
    )
    parser.add_argument("--json", action="store_true", help="print the certificate")


def main(options: argparse.Namespace) -> int:
    """Validate, and print or store what was found."""
    from harness.report import validation  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.validate import certificate, engine  # noqa: PLC0415

    request = _request(options)
    before = certificate.read(options.against) if options.against else None
    for path in (options.output, options.junit):
        certificate.check_place(path)
    with Progress(quiet=options.json) as progress:
        found = engine.validate(request, progress)
    changes = []
    if before is not None:
        changes = [asdict(change) for change in certificate.differences(before, found)]
        found["changes"] = changes
    if options.output:
        certificate.write(found, options.output)
    if options.junit:
        validation.write_junit(found, options.junit)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        validation.show(found)
        if before is not None:
            validation.show_changes(changes)
    status = engine.EXIT_STATUS[found["outcome"]]
    return status or int(any(change["matters"] for change in changes))


def _request(options: argparse.Namespace) -> Request:
    from harness.errors import InputError  # noqa: PLC0415
    from harness.quantity import parse_frequency, parse_span  # noqa: PLC0415
    from harness.validate.engine import Request  # noqa: PLC0415

    soak = parse_span(options.soak) if options.soak else None
    if soak is not None and soak.unit != "s":
        raise InputError("is a time, not cycles", where="--soak", hint="such as '10 s'")
    return Request(
        overlay=options.overlay,
        target=options.target,
        board=options.board,
        level=options.level,
        load=not options.no_load,
        rate_hz=parse_frequency(options.rate) if options.rate else None,
        deadline=parse_span(options.deadline) if options.deadline else None,
        soak_ns=None if soak is None else int(soak.amount * 10**9),
        seed=options.seed,
        wait_s=options.wait,
    )
