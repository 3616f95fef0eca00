"""What a test needs of a board, and what boards have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from harness.errors import HarnessError
from harness.pytest_plugin.words import for_pytest
from harness.tomlfile import near

if TYPE_CHECKING:
    from harness.inventory import Board
    from harness.pytest_plugin.boards import Boards

CAPABILITIES: Final = {
    "dma": "memory that a DMA reaches",
    "load": "a fabric that is configured through the target",
    "clock": "a fabric clock that can be set",
    "uart": "a serial line to the fabric",
}


def capabilities_of(board: Board) -> frozenset[str]:
    """Return which of `CAPABILITIES` a kind of board has."""
    found = {"dma", "load"} if board.uart is None else {"uart"}
    if board.fixed_clock_hz is None:
        found.add("clock")
    return frozenset(found)


def check(item: pytest.Item, boards: Boards) -> None:
    """Skip a test whose markers ask for what is not there; no board is touched."""
    if any(item.iter_markers("requires_board")) and boards.is_virtual:
        pytest.skip("needs a board, and the target is the virtual one: give --harness-target")
    wanted = [str(name) for mark in item.iter_markers("requires_capability") for name in mark.args]
    for name in wanted:
        if name not in CAPABILITIES:
            hint = near(name, list(CAPABILITIES))
            pytest.fail(f"requires_capability: unknown capability {name!r}; {hint}", pytrace=False)
    if not wanted:
        return
    try:
        kind = boards.kind()
    except HarnessError as error:
        pytest.fail(str(for_pytest(error)), pytrace=False)
    for name in wanted:
        if name not in capabilities_of(kind):
            pytest.skip(f"needs {CAPABILITIES[name]}, which a {kind.name} has not")
