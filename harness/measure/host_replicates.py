"""Runs that a host paced, compared by ranks: each run is one replicate.

Times of a host depend on the machine, on how its sender was scheduled, and on what else ran there.
Only runs of one link, schedule, target and machine say something about what changed between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.errors import InputError
from harness.measure.compare import DEFAULT, check_apart, check_sound
from harness.measure.findings import Comparison
from harness.measure.replicates import Series, judge_series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.measure.compare import Rules
    from harness.measure.summary import HostIdentity

STATISTICS: Final = (
    "response.p50", "response.p99", "response.p999", "link.p50", "link.p99", "issue_lag.p99",
)  # fmt: skip
_LEAST_NS: Final = 1000.0
"""What a shift is compared with where the median is smaller still: no host tells less apart."""

ASPECTS: Final = ("benchmark", "overlay", "board", "link", "schedule", "sender", "machine")


@dataclass(frozen=True, slots=True)
class HostSummary:
    """One run.

    Args:
        run: Its id.
        verdict: What its own verdict was.
        identity: What it is a run of.
        values: Each of `STATISTICS` in ns; None where it could not be stated.
        wrong: Answers that were not the golden model's; None where none were compared.
    """

    run: str
    verdict: str
    identity: HostIdentity
    values: Mapping[str, float | None]
    wrong: int | None


def compare_hosts(
    groups: Sequence[Sequence[HostSummary]], rules: Rules = DEFAULT
) -> list[Comparison]:
    """Compare each further group of runs with the first.

    Args:
        groups: Runs that belong together, at least one each.
        rules: How to compare.

    Raises:
        InputError: Runs are invalid, unlike, in one group only, or on both sides.
    """
    if len(groups) < 2:
        raise InputError(
            "runs that a host paced are compared in groups",
            why="there is one group",
            hint="name those before and those after, such as 'before/*' 'after/*'",
        )
    allowed = _check_alike([run for group in groups for run in group], rules)
    first, found = groups[0], []
    for group in groups[1:]:
        check_apart([run.run for run in (*first, *group)])
        series = [_series(name, first, group) for name in STATISTICS]
        if any(run.wrong is not None for run in (*first, *group)):
            wrong = [[float(run.wrong or 0) for run in side] for side in (first, group)]
            series.append(Series("mismatches", "", 1.0, tuple(wrong[0]), tuple(wrong[1])))
        found.append(
            Comparison(
                "statistical",
                first[0].identity,
                tuple(run.run for run in first),
                tuple(run.run for run in group),
                allowed,
                judge_series(series, len(first), len(group), rules.alpha, rules.threshold),
            )
        )
    return found


def _check_alike(runs: Sequence[HostSummary], rules: Rules) -> tuple[str, ...]:
    """Return, in words, the allowed differences of runs from the first; refuse any other."""
    told: dict[str, None] = {}
    for run in runs:
        check_sound(run.run, run.verdict)
        pairs = {
            name: (getattr(runs[0].identity, name), getattr(run.identity, name)) for name in ASPECTS
        }
        differ = {
            name: f"{name} {old!r} and {new!r}" for name, (old, new) in pairs.items() if old != new
        }
        refused = [name for name in differ if name not in rules.allow]
        if refused:
            raise InputError(
                "the runs are not alike",
                where=f"{runs[0].run} and {run.run}",
                why="; ".join(differ[name] for name in refused),
                hint="harness compare takes them all the same with "
                + " ".join(f"--allow {name}" for name in refused),
            )
        told.update(dict.fromkeys(differ.values()))
    return tuple(told)


def _series(name: str, before: Sequence[HostSummary], after: Sequence[HostSummary]) -> Series:
    sides = [
        tuple(value for run in side if (value := run.values[name]) is not None)
        for side in (before, after)
    ]
    short = next((run.run for run in (*before, *after) if run.values[name] is None), None)
    why = "" if short is None else f"run {short}: too few events for it"
    return Series(name, "ns", _LEAST_NS, sides[0], sides[1], why)
