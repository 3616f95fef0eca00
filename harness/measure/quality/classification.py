"""Classes found against true ones; triggers are the classes kept and not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.measure.quality.intervals import area, mean_of_shares, wilson
from harness.measure.quality.metric import CannotTellError, Decided, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.measure.quality.spec import Classification

_WILSON: Final = "Wilson"


def classified(task: Classification, decided: Decided) -> Iterator[Metric]:
    """Yield accuracy, the mean of the classes' efficiencies if it has a name, and these.

    Raises:
        CannotTellError: The source's classes are not the network's.
    """
    if not decided.labels:
        raise CannotTellError("the events have no classes")
    classes = 2 if task.threshold is not None else decided.values.shape[1]
    if classes != len(decided.labels):
        raise CannotTellError(
            f"the source has {len(decided.labels)} classes, the network tells {classes}"
        )
    right = found_classes(task, decided) == decided.truth
    names = [f"efficiency_{word(label)}" for label in decided.labels]
    each = [
        proportion(name, right[decided.truth == label], decided.share)
        for label, name in enumerate(names)
    ]
    yield proportion("accuracy", right, decided.share)
    if task.mean:
        yield _mean(task.mean, each, decided.share)
    yield from each


def found_classes(task: Classification, decided: Decided) -> NDArray[Any]:
    """Return the class that the network found, [events]."""
    if task.threshold is not None:
        return (decided.values[:, 0] > float(task.threshold)).astype(np.int64)
    return decided.values.argmax(axis=1) if decided.derived is None else decided.derived


def triggered(
    background: str, threshold: float, event_rate_hz: float, decided: Decided
) -> Iterator[Metric]:
    """Yield the rate and share of background that is kept, then efficiency and area of each signal.

    Args:
        background: Label of the background.
        threshold: Raw score above which an event is kept.
        event_rate_hz: Events a second that the instrument has, all taken for background.
        decided: What there is to judge.

    Raises:
        CannotTellError: The source has no such background, or the network no score.
    """
    if background not in decided.labels:
        raise CannotTellError(f"the events have no class {background!r}")
    if decided.derived is None:
        raise CannotTellError("the network has no score")
    usual = decided.labels.index(background)
    scores, kept = decided.derived, decided.derived > threshold
    accept = proportion("background_accept", kept[decided.truth == usual], decided.share)

    def rate(share: float | None) -> float | None:
        return None if share is None else share * event_rate_hz

    yield Metric(
        name="trigger_rate_hz",
        value=rate(accept.value),
        low=rate(accept.low),
        high=rate(accept.high),
        unit="Hz",
        count=accept.count,
        method=accept.method,
        reason=accept.reason,
    )
    yield accept
    for label, name in enumerate(decided.labels):
        if label != usual:
            mine = decided.truth == label
            yield proportion(f"efficiency_{word(name)}", kept[mine], decided.share)
            yield _area(f"auc_{word(name)}", scores[decided.truth == usual], scores[mine])


def proportion(name: str, holds: NDArray[np.bool_], share: float) -> Metric:
    """Return the share of events for which something holds.

    Args:
        name: Of the metric.
        holds: For each event.
        share: Of the events that are independent.
    """
    if not holds.size:
        return Metric(name, None, reason="no such events")
    value = float(holds.mean())
    low, high = wilson(value, holds.size * share)
    return Metric(name, value, low, high, count=holds.size, method=_WILSON)


def word(label: str) -> str:
    """Return a label as a part of a metric's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in label.lower())


def _mean(name: str, each: list[Metric], share: float) -> Metric:
    shares = [item.value for item in each if item.value is not None]
    count = sum(item.count for item in each)
    if len(shares) < len(each):
        return Metric(name, None, count=count, reason="not all classes are there")
    low, high = mean_of_shares(shares, [item.count * share for item in each])
    value = sum(shares) / len(shares)
    return Metric(name, value, low, high, count=count, method=f"{_WILSON}, combined")


def _area(name: str, background: NDArray[Any], signal: NDArray[Any]) -> Metric:
    count = background.size + signal.size
    if not background.size or not signal.size:
        return Metric(name, None, count=count, reason="no such events")
    value, ends = area(background, signal)
    if ends.low is None:
        overlap = 0 < value < 1
        reason = "too few events for an interval" if overlap else "the scores do not overlap"
        return Metric(name, value, count=count, reason=reason)
    return Metric(name, value, *ends, count=count, method="DeLong")
