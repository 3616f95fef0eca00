"""One validation, from what was asked to its certificate."""

from __future__ import annotations

import random
import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError
from harness.inventory import find_board
from harness.overlay import find_overlay, project_root
from harness.report import facts
from harness.targets import resolve
from harness.validate import certificate
from harness.validate.context import Context, Level
from harness.validate.step import GRAVEST, Result, take
from harness.validate.steps import STEPS

if TYPE_CHECKING:
    from fractions import Fraction

    from harness.quantity import Span
    from harness.run import Progress
    from harness.validate.step import Outcome, Step

__all__ = ["EXIT_STATUS", "Request", "validate"]

EXIT_STATUS: Final[dict[str, int]] = {"pass": 0, "fail": 1, "invalid": 3, "error": 4}


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    Args:
        overlay: Its name.
        target: How to reach the board.
        board: Which board; None for what boards.toml says, or the overlay's first.
        level: How thorough to be.
        load: Whether to load the image; if not, what runs is only looked at.
        rate_hz: Rate to hold; None for the contract's.
        deadline: Largest total in time; None for the contract's latency.
        soak_ns: Board time for which the rate is to be held; None for the level's.
        seed: Of the fresh inputs; None for one that nobody knows.
        wait_s: How long to wait for somebody else who has the board.
    """

    overlay: str
    target: str = "virtual"
    board: str | None = None
    level: Level = "quick"
    load: bool = True
    rate_hz: Fraction | None = None
    deadline: Span | None = None
    soak_ns: int | None = None
    seed: int | None = None
    wait_s: float = 0.0


def validate(request: Request, progress: Progress) -> dict[str, Any]:
    """Take every step that can be taken, and return the certificate.

    Args:
        request: What to validate.
        progress: Told how far it is.

    Raises:
        InputError: Overlay, board or target are unknown; everything else is a step's result.
    """
    overlay = find_overlay(request.overlay)
    _, known = resolve(request.target)
    board = find_board(request.board or known or overlay.boards[0])
    seed = secrets.randbits(63) if request.seed is None else request.seed
    began = facts.begin()
    results: list[Result] = []
    with ExitStack() as held:
        context = Context(
            overlay=overlay,
            board=board,
            where=request.target,
            level=request.level,
            load=request.load,
            random=random.Random(seed),  # noqa: S311 (reproducible inputs, no secrets)
            progress=progress,
            held=held,
            wait_s=request.wait_s,
            rate_hz=request.rate_hz,
            deadline=request.deadline,
            soak_ns=request.soak_ns,
        )
        for number, step in enumerate(STEPS, 1):
            progress.stage(f"{number}/{len(STEPS)} {step.name}: {step.title}")
            why_not = _why_not(step, context, {result.step.name: result for result in results})
            results.append(Result(step, "skipped", why_not) if why_not else take(step, context))
        found = _facts(context)
    outcome: Outcome = next(each for each in GRAVEST if any(r.outcome == each for r in results))
    return certificate.document(
        context,
        results,
        outcome,
        seed,
        {
            **facts.collect(began, project_root()),
            "monotonic_started_ns": began.monotonic_ns,
            "target": found,
        },
    )


def _facts(context: Context) -> dict[str, str]:
    """Return what identifies the board; nothing if it is gone by now."""
    if context.target is not None:
        with suppress(HarnessError):
            return dict(context.target.facts())
    return {}


def _why_not(step: Step, context: Context, before: dict[str, Result]) -> str:
    """Return why a step cannot be taken; empty if it can."""
    if not (context.load or step.passive):
        return f"--no-load: {step.why_not}"
    if step.full_only and not context.full:
        return "only with --level full"
    for name in step.needs:
        result = before[name]
        blocked = result.outcome == "skipped" and result.reason.startswith(_BLOCKED)
        if result.outcome not in {"pass", "skipped"} or blocked:
            root = result.reason.removeprefix(_BLOCKED) if blocked else name
            return f"{_BLOCKED}{root}"
    return ""


_BLOCKED: Final = "not without "
