"""The fixtures `board` and `overlay`.

A fixture of the same name in the user's own files comes before these, as pytest has it. The long
names, `harness_board` and so on, are then still there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.pytest_plugin.boards import OpenBoard
    from harness.session import Session


@pytest.fixture(scope="session")
def board(harness_board: OpenBoard) -> OpenBoard:
    """The board of `--harness-target`: open, leased to this process, and found healthy.

    `board.load("dial")` returns a session with an overlay, `board.target` reaches registers and
    memory, `board.kind` says which board it is, `board.capabilities` what it can do. If it fails,
    the first test says so, and the others are skipped.
    """
    return harness_board


@pytest.fixture
def overlay(request: pytest.FixtureRequest, harness_board: OpenBoard) -> Session:
    """A session with the overlay that the test names, loaded anew and identified by its digest.

    Name it with `@pytest.mark.overlay("dial")`, or by
    `@pytest.mark.parametrize("overlay", ["dial", "loopback"], indirect=True)`.
    """
    __tracebackhide__ = True
    return harness_board.load_for(request)
