"""Random deviates as integers, by look-up with 16 random bits.

Each table is an inverse distribution function at the middles of 65536 equal steps, rounded to whole
numbers: the last digit of a logarithm, in which machines differ, then cannot matter. What such a
table cannot do is tails: nothing beyond 4.3 standard deviations, or 11.8 mean lives.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

STEPS = 1 << 16


@lru_cache(maxsize=64)
def normal(sigma: float) -> NDArray[np.int32]:
    """Return normal deviates of mean 0 and a standard deviation, int32 [65536], rising."""
    of = NormalDist()
    upper = [of.inv_cdf((index + 0.5) / STEPS) for index in range(STEPS // 2, STEPS)]
    half = np.rint(np.array(upper) * sigma).astype(np.int32)
    return _frozen(np.concatenate([-half[::-1], half]))


@lru_cache(maxsize=64)
def exponential(mean: float) -> NDArray[np.int32]:
    """Return exponential deviates of a mean, int32 [65536], falling."""
    table = [-math.log((index + 0.5) / STEPS) * mean for index in range(STEPS)]
    return _frozen(np.rint(table).astype(np.int32))


@lru_cache(maxsize=64)
def power_law(least: float, exponent: float) -> NDArray[np.int32]:
    """Return deviates whose survival is (x / least)**-exponent, int32 [65536], falling."""
    table = [least * ((index + 0.5) / STEPS) ** (-1 / exponent) for index in range(STEPS)]
    return _frozen(np.rint(table).astype(np.int32))


@lru_cache(maxsize=64)
def poisson(mean: float) -> NDArray[np.int32]:
    """Return Poisson counts, int32 [65536], rising; what is rarer than 2**-17 is left out."""
    least = max(0, math.floor(mean - 10 * math.sqrt(mean)))
    counts = range(least, math.ceil(mean + 10 * math.sqrt(mean)) + 20)
    chances = [math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in counts]
    ends = np.minimum(np.rint(np.cumsum(chances) * STEPS), STEPS).astype(np.int64)
    ends[-1] = STEPS
    widths = np.diff(ends, prepend=0)
    return _frozen(np.repeat(np.array(counts, dtype=np.int32), widths))


@lru_cache(maxsize=64)
def circle(steps: int, radius: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return cosine and sine of the whole circle, times a radius; each int32 [steps]."""
    angles = [2 * math.pi * step / steps for step in range(steps)]
    cosines = np.rint([radius * math.cos(angle) for angle in angles]).astype(np.int32)
    sines = np.rint([radius * math.sin(angle) for angle in angles]).astype(np.int32)
    return _frozen(cosines), _frozen(sines)


def _frozen(table: NDArray[np.int32]) -> NDArray[np.int32]:
    table.flags.writeable = False
    return table
