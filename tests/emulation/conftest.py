"""Sessions on the virtual board, one per overlay for the whole test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from harness import session
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.session import Session
from harness.targets import Target, open_target

Open = Callable[[str], Session]


@pytest.fixture(scope="session")
def opened() -> Iterator[Open]:
    """Open a session on the virtual ZCU104 with an overlay, once per overlay."""
    targets: list[Target] = []
    sessions: dict[str, Session] = {}

    def open_session(name: str) -> Session:
        if name not in sessions:
            overlay = find_overlay(name)
            target = open_target("virtual", BOARDS["zcu104"])
            targets.append(target)
            sessions[name] = session.start(
                target, overlay, overlay.image("zcu104"), float(overlay.clock_hz)
            )
        return sessions[name]

    yield open_session
    for target in targets:
        target.close()
