"""What the command line offers, one module a command.

Each has `add_parser(commands)`, which sets `command` to a function from parsed options to an exit
status, and imports nothing heavy before that function runs.
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final[tuple[str, ...]] = (
    "run",
    "list",
    "traffic",
    "analyze",
    "host",
    "validate",
    "doctor",
    "history",
    "show",
    "compare",
    "baseline",
    "report",
    "sweep",
    "board",
    "bitstreams",
    "build",
    "generate",
    "estimate",
)
"""Names of the modules, in the order of the help text."""
