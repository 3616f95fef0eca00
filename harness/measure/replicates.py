"""Repeated runs on hardware compared by ranks: a run is one replicate, its events are not.

The events of a run share one load of the bitstream, one state of the board, and a queue; a million
of them are still one measurement. So each run gives one p50, one p99, one mean of each latency, and
these are ranked. A regression is both improbable by chance and large enough to matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from harness.fabric.samples import KINDS, Kind
from harness.measure.findings import Number, Quantity
from harness.measure.rank_test import RankTest, holm, mann_whitney, runs_needed, smallest_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.measure.findings import Finding
    from harness.measure.summary import Summary

Unit = Literal["cycles", "ns"]
LEAST_RUNS: Final = 5
ALPHA: Final = 0.002
THRESHOLD: Final = 0.01
_STATISTICS: Final = ("p50", "p99", "mean")
_COUNTS: Final = ("dropped", "deadline_misses")


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity in all runs.

    Args:
        name: Such as `total.p99`.
        unit: Of the values; empty for counts.
        least: What a shift is compared with where the median before is smaller still.
        before: Values of the runs before, one a run.
        after: Values of the runs after.
        missing: Why some run has no value; empty if all have.
    """

    name: str
    unit: str
    least: float
    before: tuple[float, ...]
    after: tuple[float, ...]
    missing: str = ""


def compare_replicates(
    before: Sequence[Summary],
    after: Sequence[Summary],
    *,
    alpha: float = ALPHA,
    threshold: float = THRESHOLD,
    unit: Unit = "cycles",
) -> tuple[Quantity, ...]:
    """Return what the ranks of repeated runs say.

    Args:
        before: Runs to compare with.
        after: Runs to judge.
        alpha: Largest probability of a false alarm in any of the quantities together (Holm).
        threshold: Least shift of the median that matters, as a share of the median before, or of
            one cycle or one event where that is more.
        unit: `ns` where the clocks differ, so that cycles cannot be compared.

    Returns:
        p50, p99 and mean of each latency, drops, deadline misses where there is a deadline, and
        the outputs where they were compared.
    """
    series = _all_series(before, after, unit)
    found = judge_series(series, len(before), len(after), alpha, threshold)
    return (*found, *_outputs(before, after))


def judge_series(
    series: Sequence[Series], before: int, after: int, alpha: float, threshold: float
) -> tuple[Quantity, ...]:
    """Return what the ranks of repeated runs say of several quantities together.

    Args:
        series: The quantities.
        before: Runs to compare with.
        after: Runs to judge.
        alpha: Largest probability of a false alarm in any of them together (Holm).
        threshold: Least relative shift that matters.
    """
    obstacle = _too_few(before, after, alpha, len(series))
    tests = [
        None if obstacle or each.missing else mann_whitney(each.before, each.after)
        for each in series
    ]
    adjusted = holm([1.0 if test is None else test.p for test in tests])
    return tuple(
        _unknown(each, each.missing or obstacle)
        if test is None
        else _judged(each, test, p, alpha, threshold)
        for each, test, p in zip(series, tests, adjusted, strict=True)
    )


def _all_series(before: Sequence[Summary], after: Sequence[Summary], unit: Unit) -> list[Series]:
    series = [_latency(kind, name, before, after, unit) for kind in KINDS for name in _STATISTICS]
    for name in _COUNTS:
        values = [[getattr(run.counts, name) for run in side] for side in (before, after)]
        known = [tuple(float(v) for v in side if v is not None) for side in values]
        if any(known):
            incomplete = [len(part) for part in known] != [len(before), len(after)]
            why = "not counted in every run" if incomplete else ""
            series.append(Series(name, "", 1.0, known[0], known[1], why))
    return series


def _latency(
    kind: Kind, name: str, before: Sequence[Summary], after: Sequence[Summary], unit: Unit
) -> Series:
    missing = ""
    sides: list[tuple[float, ...]] = []
    for runs in (before, after):
        values = []
        for run in runs:
            spread = run.latency(kind)
            value = spread.statistic(name)
            if value is None:
                missing = missing or f"run {run.run}: {spread.reasons.get(name, 'no events')}"
            else:
                values.append(float(value) * _per_cycle(run, unit))
        sides.append(tuple(values))
    return Series(f"{kind}.{name}", unit, _per_cycle(before[0], unit), sides[0], sides[1], missing)


def _per_cycle(run: Summary, unit: Unit) -> float:
    return 1.0 if unit == "cycles" else 1e9 / run.identity.clock_hz


def _too_few(first: int, second: int, alpha: float, tests: int) -> str:
    """Return why so many runs cannot show anything, empty if they can."""
    least = max(LEAST_RUNS, runs_needed(alpha / tests))
    advice = f"repeat it until each side has {least}"
    if min(first, second) < LEAST_RUNS:
        return f"{first} and {second} runs, at least {LEAST_RUNS} each are needed; {advice}"
    if smallest_p(first, second) > alpha / tests:
        return (
            f"{first} and {second} runs cannot differ with p below "
            f"{smallest_p(first, second):.2g}, and {tests} quantities at alpha {alpha:g} "
            f"need {alpha / tests:.2g}; {advice}"
        )
    return ""


def _unknown(series: Series, why: str) -> Quantity:
    return Quantity(series.name, "cannot tell", why, _numbers(series))


def _judged(series: Series, test: RankTest, p: float, alpha: float, threshold: float) -> Quantity:
    old, new = median(series.before), median(series.after)
    share = (new - old) / max(abs(old), series.least)
    finding: Finding = "no difference"
    if p <= alpha and abs(share) >= threshold and new != old:
        finding = "regression" if share > 0 else "improvement"
    unit = f" {series.unit}" if series.unit else ""
    text = (
        f"median {old:.6g} -> {new:.6g}{unit} ({share:+.2%}), "
        f"p {test.p:.2g} ({p:.2g} among all), A12 {test.a12:.2f}"
    )
    numbers = {
        **_numbers(series),
        "shift_share": share,
        "p": test.p,
        "p_adjusted": p,
        "p_is_exact": test.exact,
        "a12": test.a12,
    }
    return Quantity(series.name, finding, text, numbers)


def _numbers(series: Series) -> dict[str, Number]:
    ending = f"_{series.unit}" if series.unit else ""
    numbers: dict[str, Number] = {
        "runs_before": len(series.before),
        "runs_after": len(series.after),
    }
    for side, values in (("before", series.before), ("after", series.after)):
        known = bool(values)
        numbers[f"median_{side}{ending}"] = median(values) if known else None
        numbers[f"min_{side}{ending}"] = min(values) if known else None
        numbers[f"max_{side}{ending}"] = max(values) if known else None
    return numbers


def _outputs(before: Sequence[Summary], after: Sequence[Summary]) -> tuple[Quantity, ...]:
    """Judge the outputs: what is wrong once is wrong, so no number of runs is needed."""
    sides = [[run.counts.bit_exact for run in side] for side in (before, after)]
    if not any(value is not None for side in sides for value in side):
        return ()
    wrong, unknown = [side.count(False) for side in sides], sides[1].count(None)
    numbers: dict[str, Number] = {"runs_wrong_before": wrong[0], "runs_wrong_after": wrong[1]}
    finding: Finding = "no difference"
    text = ""
    if wrong[1] and not wrong[0]:
        finding = "regression"
        text = f"outputs are not the golden model's in {wrong[1]} of {len(after)} runs"
    elif unknown:
        finding, text = "cannot tell", f"outputs were not compared in {unknown} runs"
    elif wrong[0] and not wrong[1]:
        finding, text = "improvement", "outputs are the golden model's now"
    return (Quantity("bit_exact", finding, text, numbers),)
