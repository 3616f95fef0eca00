"""A step of a validation: what it looks at, when it can, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import HarnessError, InfrastructureError, InputError, RunInvalidError
from harness.firmware.check import Check

if TYPE_CHECKING:
    from harness.validate.context import Context

__all__ = ["GRAVEST", "Evidence", "Number", "Outcome", "Result", "Skip", "Step", "take"]

Outcome = Literal["pass", "fail", "invalid", "error", "skipped"]
GRAVEST: Final[tuple[Outcome, ...]] = ("error", "invalid", "fail", "pass", "skipped")
"""What a validation comes to is the first of these that a step came to."""


@dataclass(frozen=True, slots=True)
class Number:
    """Something measured.

    Args:
        name: With its unit at the end.
        value: As measured.
        same: Whether a sound board must show the very same again, whatever level and seed.
    """

    name: str
    value: float | int | str
    same: bool = False


class Skip(Exception):  # noqa: N818 (not an error: there is nothing to look at)
    """A step has nothing to look at; the message says why."""


Evidence = Check | Number | str
"""A check, a number, or one line that sums the step up."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Args:
        name: Short, with the group before a dot.
        title: What it looks at, for people.
        look: Yields the evidence.
        needs: Steps without which it makes no sense; it is skipped unless they held.
        passive: Whether it only reads, so that it disturbs nothing that runs.
        why_not: Why it is skipped where nothing may be disturbed.
        full_only: Whether it is left out of a quick validation.
    """

    name: str
    title: str
    look: Callable[[Context], Iterator[Evidence]]
    needs: tuple[str, ...] = ()
    passive: bool = False
    why_not: str = "it writes to the fabric"
    full_only: bool = False


@dataclass(slots=True)
class Result:
    """What came of a step.

    Args:
        step: Which one.
        outcome: `pass`, `fail`, `invalid` (what it rests on must not be believed), `error` (board,
            link or machine failed) or `skipped`.
        reason: Why it was skipped, or what failed; empty for a pass.
        summary: One line of what was found.
        checks: What was expected and found.
        numbers: What was measured.
        began_ns: Monotonic clock of this machine.
        took_ns: Likewise.
    """

    step: Step
    outcome: Outcome = "pass"
    reason: str = ""
    summary: str = ""
    checks: list[Check] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    began_ns: int = 0
    took_ns: int = 0


def take(step: Step, context: Context) -> Result:
    """Take a step; whatever the board or a file does, a result comes of it.

    Raises:
        InputError: What the user asked for makes no sense, whatever the firmware.
    """
    result = Result(step, began_ns=time.monotonic_ns())
    try:
        for item in step.look(context):
            if isinstance(item, Check):
                result.checks.append(item)
            elif isinstance(item, Number):
                result.numbers.append(item)
            else:
                result.summary = item
    except Skip as skip:
        result.outcome, result.reason = "skipped", str(skip)
    except HarnessError as error:
        if type(error) is InputError:
            raise
        failed = isinstance(error, InfrastructureError | RunInvalidError)
        result.outcome, result.reason = ("error" if failed else "fail"), str(error)
    broken = [check for check in result.checks if not check.holds]
    if broken and result.outcome != "error":
        invalid = any(check.effect == "invalid" for check in broken)
        result.outcome = "invalid" if invalid else "fail"
        result.reason = result.reason or _told(broken)
    result.took_ns = time.monotonic_ns() - result.began_ns
    return result


def _told(broken: list[Check]) -> str:
    first = broken[0]
    more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
    return f"{first.what}: expected {first.expected}, found {first.found}{more}"
