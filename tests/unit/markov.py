"""Waits behind a server of fixed service as a Markov chain, solved exactly: an oracle for tests.

A wait is the last one plus the service, less the gap, and never negative. Gaps are geometric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Waits:
    """`variance` of one wait, and n times that of the mean of n, in squared cycles."""

    service: int
    stationary: NDArray[np.float64]
    variance: float
    spread_of_mean: float


def waits(load: float, service: int, states: int) -> Waits:
    """Solve the chain of Geo/D/1, cut off at so many cycles of wait."""
    p = load / service
    chain = np.zeros((states, states))
    for wait in range(states):
        gaps = np.arange(1, wait + service)
        masses = p * (1 - p) ** (gaps - 1)
        np.add.at(chain[wait], np.minimum(wait + service - gaps, states - 1), masses)
        chain[wait, 0] += (1 - p) ** (wait + service - 1)
    balance = (np.eye(states) - chain).T
    balance[-1] = 1
    stationary = np.linalg.solve(balance, np.eye(states)[-1])
    about_mean = np.arange(states) - stationary @ np.arange(states)
    # Poisson's equation: what a start in a state adds to all later waits.
    adds = np.linalg.solve(np.eye(states) - chain + stationary, about_mean)
    variance = float(stationary @ about_mean**2)
    return Waits(
        service, stationary, variance, float(2 * stationary @ (about_mean * adds)) - variance
    )
