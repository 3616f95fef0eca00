"""Words, options and checks that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

EXIT_INVALID: Final = 3
BASELINES: Final = Path("baselines.json")
RUN_HELP: Final = "folder of a run, its id or how only one begins, or last"


def add_out(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the folder of results."""
    parser.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="folder of the results"
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how long to wait for a board."""
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS",
        help="how long to wait for somebody else who has the board (default: not at all)",
    )  # fmt: skip


def positive(text: str) -> int:
    """Return the positive whole number that was written.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)
