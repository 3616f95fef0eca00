"""Simulated runs compared exactly: the same RTL and the same schedule give the same cycles.

No statistics, no tolerance. Hashes decide; histograms and traces, where they are at hand, then show
how much has changed and where.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.fabric.samples import KINDS, Kind
from harness.measure.findings import Number, Quantity
from harness.measure.summary import STAMPS, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from numpy.typing import NDArray

    from harness.fabric.samples import LatencyHistogram, Trace
    from harness.measure.summary import Distribution, Run

Numbers = dict[str, Number]


def compare_exactly(before: Run, after: Run) -> tuple[Quantity, ...]:
    """Return every quantity of two runs, `same` or `changed`."""
    return (
        *(_latency(kind, before, after) for kind in KINDS),
        *_counts(before, after),
        _trace(before, after),
    )


def _latency(kind: Kind, before: Run, after: Run) -> Quantity:
    first, second = before.summary.latency(kind), after.summary.latency(kind)
    numbers, moved = _shifts(first, second)
    bins, events = _moved(before.histograms.get(kind), after.histograms.get(kind))
    numbers = {"bins_differ": bins, "events_moved": events, **numbers}
    name = f"{kind}.histogram"
    if first.sha256 == second.sha256:
        return Quantity(name, "same", "", {**numbers, "bins_differ": 0, "events_moved": 0})
    where = "bins differ" if bins is None else f"{_plural(bins, 'bin')} differ"
    if events:
        where += f", {_plural(events, 'event')} moved or came"
    told = f"{', '.join(moved)} cycles" if moved else "no statistic moved"
    return Quantity(name, "changed", f"{where}; {told}", numbers)


def _shifts(first: Distribution, second: Distribution) -> tuple[Numbers, list[str]]:
    """Return the statistics of both, and in words those that differ."""
    numbers: Numbers = {}
    moved = []
    for name in STATISTICS:
        old, new = first.statistic(name), second.statistic(name)
        numbers[f"{name}_before_cycles"] = _number(old)
        numbers[f"{name}_after_cycles"] = _number(new)
        shift = None if old is None or new is None else new - old
        numbers[f"{name}_shift_cycles"] = _number(shift)
        if old != new:
            by = "" if shift is None else f" ({float(shift):+.6g})"
            moved.append(f"{name} {_shown(old)} -> {_shown(new)}{by}")
    return numbers, moved


def _moved(
    first: LatencyHistogram | None, second: LatencyHistogram | None
) -> tuple[int | None, int | None]:
    """Return how many bins differ, and how many events of the second are in another bin."""
    if first is None or second is None:
        return None, None
    size = max(first.counts.size, second.counts.size)
    difference = _padded(second, size) - _padded(first, size)
    return int(np.count_nonzero(difference)), int(difference[difference > 0].sum())


def _padded(histogram: LatencyHistogram, size: int) -> NDArray[np.int64]:
    """Return the bins, and the overflow as one more, on a scale of `size` bins."""
    bins = np.zeros(size + 1, dtype=np.int64)
    bins[: histogram.counts.size] = histogram.counts
    bins[size] = histogram.overflow
    return bins


def _counts(before: Run, after: Run) -> Iterator[Quantity]:
    old, new = before.summary.counts, after.summary.counts
    for field in dataclasses.fields(old):
        yield _value(field.name, getattr(old, field.name), getattr(new, field.name))
    yield _value("verdict", before.summary.verdict, after.summary.verdict)


def _value(name: str, old: Number, new: Number) -> Quantity:
    numbers: Numbers = {"before": old, "after": new}
    if old == new:
        return Quantity(name, "same", "", numbers)
    by = ""
    if type(old) is int and type(new) is int and name != "output_crc":
        numbers["shift"] = new - old
        by = f" ({new - old:+,})"
    return Quantity(name, "changed", f"{_written(name, old)} -> {_written(name, new)}{by}", numbers)


def _trace(before: Run, after: Run) -> Quantity:
    first, second = before.summary.trace, after.summary.trace
    numbers: Numbers = {
        "events_before": None if first is None else first.events,
        "events_after": None if second is None else second.events,
    }
    if first == second:
        return Quantity("trace", "same", "", {**numbers, "events_differ": 0})
    if before.stamps is None or after.stamps is None:
        return Quantity("trace", "changed", "its stamps differ", numbers)
    differ, where, told = _first_difference(before.stamps(), after.stamps())
    numbers |= {"events_differ": differ, "first_event": where}
    return Quantity("trace", "changed", f"{told}; {_plural(differ, 'event')} differ", numbers)


def _first_difference(
    before: Iterable[Trace], after: Iterable[Trace]
) -> tuple[int, int | None, str]:
    """Return how many traced events differ, the first one's number, and what of it differs.

    Both traces are read once, in step, and never held whole.
    """
    differ, first, told = 0, None, "one is longer"
    for old, new in _in_step(before, after):
        common = min(old.shape[1], new.shape[1])
        wrong = (old[:, :common] != new[:, :common]).any(axis=0)
        longer = max(old.shape[1], new.shape[1]) - common
        if first is None and wrong.any():
            at = int(np.argmax(wrong))
            first, told = _told(old[:, at], new[:, at])
        elif first is None and longer:
            rest, side = (old, "after") if old.shape[1] > common else (new, "before")
            first = int(rest[0, common])
            told = f"event {first:,} is missing {side}"
        differ += int(wrong.sum()) + longer
    return differ, first, told


def _told(old: NDArray[np.int64], new: NDArray[np.int64]) -> tuple[int, str]:
    """Return the number of the first event that differs, and its stamps before and after."""
    event = int(min(old[0], new[0]))
    if old[0] != new[0]:
        missing = "after" if old[0] < new[0] else "before"
        return event, f"event {event:,} is missing {missing}"
    changes = [
        f"{name} {int(old[row]):,} -> {int(new[row]):,}"
        for row, name in enumerate(STAMPS)
        if old[row] != new[row]
    ]
    return event, f"first differs in event {event:,}: {', '.join(changes)} cycles"


def _in_step(
    before: Iterable[Trace], after: Iterable[Trace]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield int64 [4, n] blocks of both, n alike until one of them has ended."""
    nothing = np.zeros((len(STAMPS), 0), dtype=np.int64)
    sources = [map(_block, before), map(_block, after)]
    held = [nothing, nothing]
    ended = [False, False]
    while True:
        for side, source in enumerate(sources):
            while not held[side].shape[1] and not ended[side]:
                piece = next(source, None)
                ended[side] = piece is None
                held[side] = nothing if piece is None else piece
        sizes = [block.shape[1] for block in held]
        if not any(sizes):
            return
        # Once one has ended, all that the other holds is surplus.
        step = min(sizes) or max(sizes)
        yield held[0][:, :step], held[1][:, :step]
        held = [block[:, step:] for block in held]


def _block(trace: Trace) -> NDArray[np.int64]:
    return np.stack([getattr(trace, name) for name in STAMPS])


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _number(value: Fraction | None) -> float | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


def _shown(value: Fraction | None) -> str:
    return "none" if value is None else f"{float(value):.6g}"


def _written(name: str, value: Number) -> str:
    if value is None:
        return "none"
    if name == "output_crc" and isinstance(value, int):
        return f"{value:#010x}"
    return f"{value:,}" if type(value) is int else str(value)
