"""`harness report`: stored runs as a page, as Markdown, or as figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    report = commands.add_parser(
        "report",
        help="write stored runs as one HTML page, as Markdown, or as figures",
        description="Write one HTML page that needs nothing else, for any number of runs; of "
        "several rates of one benchmark also latency and drops against load.",
    )
    report.set_defaults(command=main)
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


def main(options: argparse.Namespace) -> int:
    """Write reports of stored runs."""
    from harness.report import html, markdown  # noqa: PLC0415
    from harness.report.html import gather  # noqa: PLC0415
    from harness.sweep import journal  # noqa: PLC0415

    runs, unreadable = gather.gather(options.result)
    for folder in options.result:
        # What a sweep could not measure must not vanish from its report.
        unreadable.update(journal.unmeasured(folder))
    if options.output or not (options.markdown or options.plots):
        page = options.output or Path("report.html")
        gather.write(page, html.render(runs, unreadable))
        print(page)
    if options.markdown:
        gather.write(options.markdown, markdown.summary(runs, unreadable))
        print(options.markdown)
    if options.plots:
        for path in gather.plot(runs, options.plots):
            print(path)
    for folder, why in unreadable.items():
        print(f"harness: not shown: {folder}: {why}", file=sys.stderr)
    return 0
