"""After a fault: the mildest reset that makes a board compute right again, or its quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.targets import Target

__all__ = ["Rung", "recover"]


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to reset something.

    Args:
        name: For people.
        reset: Does it; raises HarnessError if it cannot.
    """

    name: str
    reset: Callable[[], None]


def recover(target: Target, rungs: Sequence[Rung], probe: Callable[[], None]) -> dict[str, Any]:
    """Climb from the mildest reset to the harshest until the board answers as it should.

    A board that can be spoken to and still does not, is quarantined: nobody gets it until a person
    has looked after it. One that cannot be spoken to may be well behind a broken line, and is not.

    Args:
        target: How the board is reached.
        rungs: What to try, mildest first.
        probe: Raises HarnessError unless the board answers as it should.

    Returns:
        JSON-ready: `recovered_by` (null if nothing helped), what was `tried` and how it `failed`,
        and whether the board was `quarantined`.
    """
    tried = []
    for rung in rungs:
        try:
            rung.reset()
            probe()
        except HarnessError as error:
            tried.append({"rung": rung.name, "failed": str(error)})
            continue
        return {"recovered_by": rung.name, "tried": tried, "quarantined": False}
    return {"recovered_by": None, "tried": tried, "quarantined": _quarantine(target, tried)}


def _quarantine(target: Target, tried: Sequence[dict[str, str]]) -> bool:
    if target.lease is None:
        return False
    try:
        target.facts()
    except HarnessError:
        return False
    last = tried[-1]
    target.lease.quarantine(f"not well again after {last['rung']}: {last['failed']}")
    return True
