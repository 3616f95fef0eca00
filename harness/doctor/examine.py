"""All probes in order, for a machine alone or with a board."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from harness.doctor import board as boards
from harness.doctor import local
from harness.doctor.finding import Finding, take
from harness.inventory import find_board
from harness.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["examine"]


def examine(target: str | None, board: str | None) -> Iterator[Finding]:
    """Yield what is found, as it is found.

    Args:
        target: A board to look at as well; None for this machine alone.
        board: Which kind it is; None for what boards.toml says.

    Raises:
        InputError: Target or board are unknown.
    """
    spec, known = resolve(target) if target is not None else (None, None)
    kind = find_board(board or known or ("arty-a7" if spec and spec.kind == "uart" else "zcu104"))
    for probe in local.probes():
        yield from take(probe)
    if spec is None:
        return
    with ExitStack() as held:
        for probe in boards.probes(spec, kind, held):
            broken = False
            for finding in take(probe):
                broken |= finding.state == "wrong"
                yield finding
            if broken and probe.name in {"network", "port", "answer"}:
                return  # the rest would only say it again, later
