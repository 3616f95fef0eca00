"""`harness board`: what stands in for a board, or looks after one. One module a subcommand.

Each has `add_parser(commands)` and `main(options) -> int`, and imports nothing heavy before `main`.
"""

from __future__ import annotations

from typing import Final

SUBCOMMANDS: Final[tuple[str, ...]] = (
    "serve",
    "uart",
    "mlperf_tiny",
    "list",
    "release",
)
"""Names of the modules, in the order of the help text."""
