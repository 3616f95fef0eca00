"""95 % intervals of what a network's decisions are judged by, in closed form.

* Proportions: Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927), which is sound
  at 0 of n as well, where a trigger's background usually is.
* Means of independent proportions: from the distance of each Wilson end to its proportion (MOVER;
  G. Y. Zou and A. Donner, Statist. Med. 27, 2008).
* Areas under a curve: DeLong's variance (Biometrics 44, 1988) on the logit scale.
* All else: the statistic of 20 sections of the events against that of all (sectioning; S. Asmussen
  and P. Glynn, Stochastic Simulation, 2007), which a memory of some events does not upset.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from harness.measure.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SECTIONS: Final = 20
LEAST_FOR_AREA: Final = 20
"""Events of a class; the variance of fewer says too little for an interval that can be trusted."""
_Z: Final = NormalDist().inv_cdf(1 - ALPHA / 2)


class Ends(NamedTuple):
    """An interval; both ends are None where there is none."""

    low: float | None
    high: float | None


NO_ENDS: Final = Ends(None, None)


def wilson(share: float, events: float) -> tuple[float, float]:
    """Return the score interval of a proportion.

    Args:
        share: Found, 0 to 1.
        events: Independent ones that it was found among, above 0; need not be whole.
    """
    square = _Z * _Z
    centre = share + square / (2 * events)
    half = _Z * math.sqrt(share * (1 - share) / events + square / (4 * events * events))
    whole = 1 + square / events
    # Exact at the ends, where rounding would leave a trace.
    low = 0.0 if share == 0 else (centre - half) / whole
    high = 1.0 if share == 1 else (centre + half) / whole
    return low, high


def mean_of_shares(shares: Sequence[float], events: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the mean of independent proportions; arguments as of `wilson`."""
    ends = [wilson(share, count) for share, count in zip(shares, events, strict=True)]
    mean = sum(shares) / len(shares)
    down = math.hypot(*(share - end[0] for share, end in zip(shares, ends, strict=True)))
    up = math.hypot(*(end[1] - share for share, end in zip(shares, ends, strict=True)))
    return mean - down / len(shares), mean + up / len(shares)


def area(background: NDArray[Any], signal: NDArray[Any]) -> tuple[float, Ends]:
    """Return the chance that a signal event scores above a background event, ties half.

    Args:
        background: Scores, at least one.
        signal: Scores, at least one.

    Returns:
        The area under the curve, and its interval where both have `LEAST_FOR_AREA` events and it
        is neither 0 nor 1.
    """
    above = _placements(background, signal)
    found = float(above.mean())
    least = min(len(signal), len(background))
    if least < LEAST_FOR_AREA or not 0 < found < 1:
        return found, NO_ENDS
    below = 1 - _placements(signal, background)
    variance = above.var(ddof=1) / len(signal) + below.var(ddof=1) / len(background)
    half = _Z * math.sqrt(variance) / (found * (1 - found))
    logit = math.log(found / (1 - found))
    return found, Ends(_logistic(logit - half), _logistic(logit + half))


def sectioned(statistic: Callable[..., float], *columns: NDArray[Any]) -> tuple[float | None, Ends]:
    """Return a statistic of events, and its interval.

    Args:
        statistic: Of columns like these; NaN where it cannot be stated.
        columns: Rows in the order of the events, of one length each.

    Returns:
        None where it cannot be stated; no interval where it cannot of some section.
    """
    whole = statistic(*columns) if len(columns[0]) else math.nan
    if not math.isfinite(whole):
        return None, NO_ENDS
    if len(columns[0]) < 2 * SECTIONS:
        return whole, NO_ENDS
    split = zip(*(np.array_split(column, SECTIONS) for column in columns), strict=True)
    parts = np.array([statistic(*section) for section in split])
    if not np.isfinite(parts).all():
        return whole, NO_ENDS
    spread = math.sqrt(float(((parts - whole) ** 2).sum()) / (SECTIONS * (SECTIONS - 1)))
    half = student(SECTIONS - 1) * spread
    return whole, Ends(whole - half, whole + half)


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t, to five digits from 19 degrees of freedom on.

    The expansion of R. A. Fisher and E. A. Cornish (Technometrics 2, 1960).
    """
    z = _Z
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def _placements(below: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of `below` that each score exceeds, ties half; float64 [scores]."""
    ordered = np.sort(below)
    under = np.searchsorted(ordered, scores, side="left")
    up_to = np.searchsorted(ordered, scores, side="right")
    placed: NDArray[np.float64] = (under + up_to) / (2 * len(ordered))
    return placed


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
