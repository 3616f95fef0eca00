"""Whether runs differ from runs before them: exactly in simulation, by ranks on hardware.

Only like is compared with like. What was invalid or interrupted, and what ran another benchmark,
overlay, clock or board, or counted in another time base, is refused unless the user names that
difference as one to allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.errors import InputError
from harness.measure.exact import compare_exactly
from harness.measure.findings import Comparison
from harness.measure.replicates import ALPHA, THRESHOLD, compare_replicates
from harness.measure.validity import CLOCK_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.measure.summary import Identity, Run, Summary

ASPECTS: Final = ("benchmark", "overlay", "clock", "time-base", "board")
SIMULATED: Final = "simulated fabric"
_REFUSED: Final = ("invalid", "interrupted")


@dataclass(frozen=True, slots=True)
class Rules:
    """How to compare.

    Args:
        allow: Which of `ASPECTS` may differ.
        alpha: Largest probability of a false alarm in a statistical comparison.
        threshold: Least relative shift that matters there.
    """

    allow: frozenset[str] = frozenset()
    alpha: float = ALPHA
    threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise InputError("must lie between 0 and 1", where="alpha", why=f"got {self.alpha}")
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise InputError("must be 0 or more", where="threshold", why=f"got {self.threshold}")


DEFAULT: Final = Rules()


def compare(groups: Sequence[Sequence[Run]], rules: Rules = DEFAULT) -> list[Comparison]:
    """Compare all runs with those of the first group.

    Runs that were all counted in fabrics of boards are replicates: each further group is compared
    with the first by ranks. Otherwise, as the virtual board's cycle counts are to be the board's,
    every run is compared exactly with the first one of all.

    Args:
        groups: Runs that belong together, at least one each; one group will do for exact
            comparison.
        rules: How to compare.

    Raises:
        InputError: Runs are invalid, unlike, too few to compare, or on both sides of a statistical
            comparison.
    """
    runs = [run for group in groups for run in group]
    if not runs or not all(groups):
        raise InputError("there is nothing to compare", hint="name two runs or more")
    allowed = check_alike([run.summary for run in runs], rules)
    reference = runs[0].summary.identity
    if any(run.summary.identity.time_base == SIMULATED for run in runs):
        return _exact(runs, allowed)
    if len(groups) < 2:
        raise InputError(
            "runs on hardware are compared in groups",
            why="there is one group",
            hint="name those before and those after, such as 'before/*' 'after/*'",
        )
    clocks_differ = any(_clock_differs(reference, run.summary.identity) for run in runs)
    first = [run.summary for run in groups[0]]
    found = []
    for group in groups[1:]:
        second = [run.summary for run in group]
        check_apart([run.run for run in (*first, *second)])
        quantities = compare_replicates(
            first,
            second,
            alpha=rules.alpha,
            threshold=rules.threshold,
            unit="ns" if clocks_differ else "cycles",
        )
        names = [tuple(run.run for run in side) for side in (first, second)]
        found.append(Comparison("statistical", reference, names[0], names[1], allowed, quantities))
    return found


def unlike(first: Identity, second: Identity) -> dict[str, str]:
    """Return in which of `ASPECTS` two runs differ, and how."""
    found = {}
    if first.benchmark_digest != second.benchmark_digest:
        found["benchmark"] = (
            f"benchmarks {first.benchmark} {first.benchmark_digest[:12]} and "
            f"{second.benchmark} {second.benchmark_digest[:12]}"
        )
    if first.overlay_digest != second.overlay_digest:
        found["overlay"] = (
            f"overlays {first.overlay} {first.overlay_digest[:12]} and "
            f"{second.overlay} {second.overlay_digest[:12]}"
        )
    if _clock_differs(first, second):
        found["clock"] = f"clocks {first.clock_hz:.9g} Hz and {second.clock_hz:.9g} Hz"
    if first.time_base != second.time_base:
        found["time-base"] = f"time bases {first.time_base} and {second.time_base}"
    if first.board != second.board:
        found["board"] = f"boards {first.board} and {second.board}"
    return found


def check_sound(run: str, verdict: str) -> None:
    """Refuse a run whose numbers must not be believed.

    Args:
        run: Its id.
        verdict: Its own verdict.

    Raises:
        InputError: It is invalid or was interrupted.
    """
    if verdict in _REFUSED:
        raise InputError(
            f"a run that is {verdict} cannot be compared",
            where=run,
            hint="see why with: harness show; then repeat it",
        )


def check_alike(runs: Sequence[Summary], rules: Rules = DEFAULT) -> tuple[str, ...]:
    """Return, in words, the allowed differences of runs from the first; refuse any other.

    Raises:
        InputError: A run is invalid or was interrupted, or differs in what is not allowed.
    """
    told: dict[str, None] = {}
    for run in runs:
        check_sound(run.run, run.verdict)
        differences = unlike(runs[0].identity, run.identity)
        refused = [aspect for aspect in differences if aspect not in rules.allow]
        if refused:
            raise InputError(
                "the runs are not alike",
                where=f"{runs[0].run} and {run.run}",
                why="; ".join(differences[aspect] for aspect in refused),
                hint="harness compare takes them all the same with "
                + " ".join(f"--allow {aspect}" for aspect in refused),
            )
        told.update(dict.fromkeys(differences.values()))
    return tuple(told)


def _exact(runs: Sequence[Run], allowed: tuple[str, ...]) -> list[Comparison]:
    first, *others = runs
    if not others:
        raise InputError(
            "there is nothing to compare it with",
            where=first.summary.run,
            hint="name a second run, or compare it with --baseline",
        )
    return [
        Comparison(
            "exact",
            first.summary.identity,
            (first.summary.run,),
            (other.summary.run,),
            allowed,
            compare_exactly(first, other),
        )
        for other in others
    ]


def _clock_differs(first: Identity, second: Identity) -> bool:
    return abs(first.clock_hz - second.clock_hz) > CLOCK_TOLERANCE * first.clock_hz


def check_apart(names: Sequence[str]) -> None:
    """Refuse runs of which one is on both sides, or on one side twice.

    Raises:
        InputError: One is.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            "a run is there twice, so it is no replicate",
            where=twice,
            hint="each run may be on one side, once",
        )
