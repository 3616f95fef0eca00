"""Quantities estimated against true ones, and inputs made again from a code."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.measure.quality.intervals import SECTIONS, sectioned
from harness.measure.quality.metric import CannotTellError, Decided, Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from harness.measure.quality.spec import Regression

_NAMED: Final = re.compile(r"(?P<name>[^\[]*?)\s*(?:\[(?P<unit>[^\]]*)\])?")
_WIDTH: Final = 0.68


def estimated(task: Regression, decided: Decided) -> Iterator[Metric]:
    """Yield root mean square error and bias, then what else the task asks for.

    Raises:
        CannotTellError: The source's quantities are not the network's.
    """
    if len(decided.truth_names) != decided.values.shape[1]:
        raise CannotTellError(
            f"the events have {len(decided.truth_names)} true quantities, "
            f"the network tells {decided.values.shape[1]}"
        )
    found, truth = paired(task, decided)
    errors = found - truth
    names, unit = _described(decided.truth_names)
    yield _metric("rms_error", unit, _rms, errors)
    if task.pooled:
        yield _metric("bias", unit, np.mean, errors)
    else:
        for column, name in enumerate(names):
            yield _metric(f"bias_{name}", unit, np.mean, errors[:, column])
    if task.pooled:
        yield _metric("half_width", unit, _half_width, errors)
    if task.large is not None:
        yield from _large(float(task.large), unit, errors, truth)
    if task.distance:
        away = np.sqrt(np.square(errors).sum(axis=1))
        yield _metric("mean_distance", unit, np.mean, away)
        yield _metric("median_distance", unit, np.median, away)
        yield _metric("p75_distance", unit, lambda part: np.quantile(part, 0.75), away)
    if task.phase_above is not None:
        yield _phase(float(task.phase_above), found, truth)


def paired(task: Regression, decided: Decided) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what was found and what is true of the same events, in the unit of the truth.

    Raises:
        CannotTellError: There are not enough events.
    """
    events, delay = len(decided.truth), task.delay
    place = np.arange(events) % task.turn if task.turn else np.arange(events)
    rows = np.flatnonzero(place >= delay)
    if not rows.size:
        raise CannotTellError(f"outputs are about {delay} events before, and there are {events}")
    found = decided.values[rows] / float(task.scale)
    return found, decided.truth[rows - delay].astype(np.float64)


def remade(
    decoded: NDArray[np.float64], true: NDArray[np.float64], code_bits: int, bits: int
) -> list[Metric]:
    """Return how far inputs made again from a code are from the true ones.

    Args:
        decoded: What the decoder makes of the outputs, [events, inputs].
        true: The inputs as real values, of that shape.
        code_bits: Bits of the outputs of an event.
        bits: Bits of its inputs.
    """
    hit = true.sum(axis=1) > 0
    away, whole = (decoded - true)[hit], true[hit]
    return [
        _metric("rms_error", "", _rms, decoded - true),
        _metric("missed_share_of_squares", "", _missed, away, whole),
        _metric("misplaced_share_of_charge", "", _misplaced, away, whole),
        Metric("compression", bits / code_bits, count=len(true), reason="follows from the formats"),
    ]


def _large(
    least: float, unit: str, errors: NDArray[np.float64], truth: NDArray[np.float64]
) -> Iterator[Metric]:
    """Yield median error and half width where the true value is above a limit."""

    def median(error: NDArray[np.float64], true: NDArray[np.float64]) -> float:
        chosen = error[true > least]
        return float(np.median(chosen)) if chosen.size else math.nan

    def half_width(error: NDArray[np.float64], true: NDArray[np.float64]) -> float:
        chosen = error[true > least]
        return _half_width(chosen) if chosen.size else math.nan

    count = int(np.count_nonzero((truth > least).any(axis=1)))
    yield _metric("large_bias", unit, median, errors, truth, count=count)
    yield _metric("large_half_width", unit, half_width, errors, truth, count=count)


def _phase(least: float, found: NDArray[np.float64], truth: NDArray[np.float64]) -> Metric:
    if truth.shape[1] != 2:
        raise CannotTellError(f"a phase has a sine and a cosine, not {truth.shape[1]} values")
    strong = np.hypot(*truth.T) >= least
    phases = [np.arctan2(*part[strong].T) for part in (found, truth)]
    turned = np.angle(np.exp(1j * (phases[0] - phases[1])), deg=True)
    return _metric("phase_error", "deg", _rms, turned)


def _metric(
    name: str,
    unit: str,
    statistic: Callable[..., Any],
    *columns: NDArray[np.float64],
    count: int | None = None,
) -> Metric:
    value, ends = sectioned(lambda *parts: float(statistic(*parts)), *columns)
    full = f"{name}_{_word(unit)}" if unit else name
    events = len(columns[0]) if count is None else count
    if value is None:
        return Metric(full, None, unit=unit, count=events, reason="no such events")
    if ends.low is None:
        reason = "too few events for an interval"
        return Metric(full, value, unit=unit, count=events, reason=reason)
    return Metric(full, value, *ends, unit=unit, count=events, method=f"{SECTIONS} sections")


def _described(truth_names: tuple[str, ...]) -> tuple[list[str], str]:
    """Return the quantities' names as words, and the unit that they share.

    Raises:
        CannotTellError: They do not share one.
    """
    parts = [_NAMED.fullmatch(name) for name in truth_names]
    units = {"" if part is None else part["unit"] or "" for part in parts}
    if len(units) != 1:
        raise CannotTellError(f"the true quantities have several units: {', '.join(sorted(units))}")
    return [_word("" if part is None else part["name"]) for part in parts], units.pop()


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text.lower())


def _rms(errors: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.square(errors).mean()))


def _half_width(errors: NDArray[np.float64]) -> float:
    return float(np.quantile(np.abs(errors), _WIDTH))


def _missed(away: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    return float(np.square(away).sum() / np.square(whole).sum())


def _misplaced(away: NDArray[np.float64], whole: NDArray[np.float64]) -> float:
    return float((np.abs(away).sum(axis=1) / whole.sum(axis=1)).mean())
