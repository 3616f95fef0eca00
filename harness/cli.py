"""The command line. Every command imports what it needs when it runs: `--help` is instant.

Exit status: 0 pass, 1 a requirement failed, 2 bad input, 3 the run is invalid, 4 infrastructure
failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from harness import __version__
from harness.commands import COMMANDS
from harness.commands.options import EXIT_INVALID
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = make_parser().parse_args(arguments)
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


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Benchmark neural networks on FPGAs, in the loop: open loop, in the fabric.",
        epilog="exit status: 0 pass, 1 a requirement failed, 2 bad input, 3 run invalid, "
        "4 infrastructure failed",
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"harness.commands.{name}").add_parser(commands)
    return parser
