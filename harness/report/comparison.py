"""Stored runs compared: what the command line asks for, and what it gets back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from harness.errors import InputError
from harness.measure.compare import compare
from harness.measure.host_replicates import compare_hosts
from harness.report import baseline
from harness.report.comparable import load_run
from harness.report.host_comparable import is_paced, load_host_run
from harness.report.selection import find_runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.measure.compare import Rules
    from harness.measure.findings import Comparison, Finding
    from harness.measure.summary import Run

SCHEMA: Final = 1
EXIT_STATUS: Final[Mapping[Finding, int]] = {
    "changed": 1,
    "regression": 1,
    "cannot tell": 3,
    "improvement": 0,
    "no difference": 0,
    "same": 0,
}


def compare_stored(
    names: Sequence[str], out_dir: Path, rules: Rules, baselines: Path | None = None
) -> list[Comparison]:
    """Compare runs with each other or with what was accepted.

    Args:
        names: Runs, as in `harness.report.selection.find_runs`; each name is one group.
        out_dir: Folder of results.
        rules: How to compare.
        baselines: File of accepted runs to compare with; None to compare with the first group.

    Raises:
        InputError: A name means no run, runs are unlike or invalid, or none of their kind was
            accepted.
        StorageError: A run is damaged.
    """
    folders = [find_runs(name, out_dir) for name in names]
    paced = {is_paced(folder) for group in folders for folder in group}
    if paced == {True, False}:
        raise InputError(
            "times of a fabric and of a host are never compared",
            where=" ".join(names),
            hint="compare runs of one kind",
        )
    if paced == {True}:
        if baselines is not None:
            raise InputError(
                "runs that a host paced have no baseline",
                where="--baseline",
                why="one run of a host says too little",
                hint="compare repeated runs: harness compare 'before/*' 'after/*'",
            )
        return compare_hosts([[load_host_run(each) for each in group] for group in folders], rules)
    groups = [[load_run(folder) for folder in group] for group in folders]
    if baselines is None:
        return compare(groups, rules)
    runs = [run for group in groups for run in group]
    return baseline.compare_with_accepted(runs, baseline.read(baselines), rules, baselines)


def load_runs(name: str, out_dir: Path) -> list[Run]:
    """Return the runs that one name on the command line means, oldest first.

    Raises:
        InputError: It means no run, or one that is invalid.
        StorageError: A run is damaged.
    """
    return [load_run(folder) for folder in find_runs(name, out_dir)]


def exit_status(found: Sequence[Comparison]) -> int:
    """Return 1 for a change or a regression, else 3 where nobody can tell, else 0."""
    statuses = {EXIT_STATUS[each.finding] for each in found}
    return 1 if 1 in statuses else max(statuses)


def document(found: Sequence[Comparison]) -> dict[str, Any]:
    """Return comparisons, JSON-ready."""
    return {
        "schema": SCHEMA,
        "comparisons": [{"finding": each.finding, **dataclasses.asdict(each)} for each in found],
    }
