"""How far the mean of a correlated series may be off: batch means.

Waits in a queue remember each other, so that the variance of their mean is not variance / n but
tau times that, tau being the autocorrelation time in events. Means of long batches are nearly
independent; their spread tells the variance of the mean of all, with nothing assumed of the law.
Batches must be much longer than tau, or the correlation hides in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_BATCHES: Final = 20
TAUS_PER_BATCH: Final = 10


@dataclass(frozen=True, slots=True)
class BatchMeans:
    """The mean of a series, and how far it may be off.

    Args:
        mean: Of the events in whole batches.
        error: Standard deviation of that mean.
        tau: Autocorrelation time in events; 1 for independent events.
        batches: How many.
        batch: Events in each.
    """

    mean: float
    error: float
    tau: float
    batches: int
    batch: int


def batch_means(series: NDArray[Any], batch: int) -> BatchMeans:
    """Return mean, standard error and autocorrelation time of a stationary series.

    Args:
        series: Numbers, shape (n,).
        batch: Events in a batch; what is left over at the end is not used.

    Raises:
        InputError: Fewer than two batches fit.
    """
    batches = series.size // batch if batch >= 1 else 0
    if batches < 2:
        raise InputError(
            "too few events for batch means", why=f"{series.size} events in batches of {batch}"
        )
    used = np.asarray(series[: batches * batch], dtype=np.float64)
    means = used.reshape(batches, batch).mean(axis=1)
    spread, whole = float(means.var(ddof=1)), float(used.var())
    return BatchMeans(
        mean=float(means.mean()),
        error=math.sqrt(spread / batches),
        tau=batch * spread / whole if whole else 1.0,
        batches=batches,
        batch=batch,
    )


def settled_tau(series: NDArray[Any]) -> float | None:
    """Return the autocorrelation time of a series of which nothing else is known.

    Batches are doubled until they are `TAUS_PER_BATCH` times as long as what they themselves show.

    Args:
        series: Numbers, shape (n,).

    Returns:
        In events, at least 1; None if fewer than `LEAST_BATCHES` of that length fit, as with a
        series that drifts.
    """
    sums = np.asarray(series, dtype=np.float64)
    whole, batch = float(sums.var()) if sums.size else 0.0, 1
    while sums.size >= LEAST_BATCHES:
        tau = float(sums.var(ddof=1)) / whole / batch if whole else 1.0
        if batch >= TAUS_PER_BATCH * tau:
            return max(1.0, tau)
        sums = sums[: sums.size // 2 * 2].reshape(-1, 2).sum(axis=1)
        batch *= 2
    return None


def queue_tau(load: float) -> float:
    """Return how many events the waits of M/D/1 remember: 2 (2 + load) / ((4 - load)(1 - load)^2).

    n times the variance of the mean of n waits tends to load (2 + load) / (6 (1 - load)^4) squared
    services; divided by the variance of one wait that is the above: 2.54 at .3, 5.71 at .5, 18.2 at
    .7, 43.75 at .8, 187 at .9. Arrivals that are drawn cycle by cycle, Geo/D/1, remember less; a
    test solves their Markov chain.

    Raises:
        InputError: The load is not in [0, 1).
    """
    if not 0 <= load < 1:
        raise InputError("a queue settles only with a load in [0, 1)", why=f"load = {load}")
    return 2 * (2 + load) / ((4 - load) * (1 - load) ** 2)


def queue_batch(events: int, load: float) -> int | None:
    """Return a batch for the waits of a queue: long against their memory, and enough of them.

    Args:
        events: Of the series.
        load: In [0, 1).

    Returns:
        Events in a batch; None if `LEAST_BATCHES` of `TAUS_PER_BATCH` autocorrelation times do not
        fit.

    Raises:
        InputError: The load is not in [0, 1).
    """
    batch = math.ceil(TAUS_PER_BATCH * queue_tau(load))
    if events < LEAST_BATCHES * batch:
        return None
    # More batches than a few hundred tell little; longer ones leave less correlation behind.
    return max(batch, events // 400)
