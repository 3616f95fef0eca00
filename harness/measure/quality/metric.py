"""One number about a network's decisions, and what it was computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, with its 95 % interval.

    Args:
        name: Lower case, words joined by _; ends in the unit, if there is one.
        value: None where `reason` says why.
        low: Lower end of the interval; None where there is none.
        high: Upper end.
        unit: As people write it; empty for a pure number.
        count: Different events that it rests on.
        method: How the interval was found; empty where there is none.
        reason: Why value or interval is missing; empty otherwise.
        floating: The same figure of the network in floating point, as training found it.
        quantised: Of the quantised network, likewise.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    count: int = 0
    method: str = ""
    reason: str = ""
    floating: float | None = None
    quantised: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What there is to judge: different events, their truth and the outputs that they cause.

    Args:
        truth: As `harness.traffic.events.Events` has it.
        values: Last layer's outputs as real values, float64 [events, outputs].
        derived: The field derived from them, int64 [events]; None if there is none.
        labels: Of the source.
        truth_names: Of the source.
        share: Of the events that count as independent, above 0 and up to 1.
    """

    truth: NDArray[Any]
    values: NDArray[np.float64]
    derived: NDArray[np.int64] | None
    labels: tuple[str, ...]
    truth_names: tuple[str, ...]
    share: float = 1.0


class CannotTellError(Exception):
    """The truth of these events does not answer what is asked; the message says why."""
