"""What queueing theory says of random arrivals, in closed form; time is in units of the service.

M/D/1 is Poisson arrivals before one server of fixed service. Geo/D/1 is the same counted in clock
cycles, with at most one arrival in each: the right model of a schedule that the fabric draws. With
`/K` at most K events are in the system, the one in service included; the others are lost.

The waiting time of M/D/1 is Erlang's (1909); its terms alternate and cancel, hence the decimals of
many digits. Losses come from the chain of what a departing event leaves behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Final

from harness.errors import InputError
from harness.measure.queueing import md1_mean_wait

LONGEST_WAIT: Final = 1000
"""Longest wait, in services, whose probability is computed: the digits grow with it."""
MOST_PLACES: Final = 2048
"""Largest system whose losses are computed: the work grows with its square."""
_DIGITS: Final = 50
_RESOLUTION: Final = 1e-9
_NEVER: Final = 1e-100


def md1_wait_second_moment(load: float) -> float:
    """Return E[W^2] of M/D/1: 2 E[W]^2 + load / (3 (1 - load)).

    Raises:
        InputError: The load is not in [0, 1).
    """
    return 2 * md1_mean_wait(load, 1) ** 2 + load / (3 * (1 - load))


def md1_wait_cdf(load: float, wait: float) -> float:
    """Return the probability that an event of M/D/1 waits at most `wait` services.

    Args:
        load: In [0, 1).
        wait: In services, at most `LONGEST_WAIT`.

    Raises:
        InputError: An argument is out of range.
    """
    md1_mean_wait(load, 1)
    if not wait <= LONGEST_WAIT:
        raise InputError(
            "a wait is too long for its probability to be computed",
            why=f"{wait} services, at most {LONGEST_WAIT}",
        )
    if wait < 0:
        return 0.0
    with localcontext() as context:
        # No term is larger than e^(2 load wait), 0.87 digits for each service of the wait.
        context.prec = _DIGITS + math.ceil(wait)
        rate, time = Decimal(load), Decimal(wait)
        total = Decimal(0)
        # e^(rate (t - k)) / k!, from term to term: exponentials of so many digits are slow.
        scale, decay = (rate * time).exp(), (-rate).exp()
        for k in range(math.floor(wait) + 1):
            if k:
                scale *= decay / k
            total += scale * ((rate * (k - time)) ** k if k else 1)
        return min(1.0, max(0.0, float((1 - rate) * total)))


def md1_wait_quantile(load: float, q: float) -> float:
    """Return the wait, in services, that a share `q` of the events of M/D/1 does not exceed.

    Raises:
        InputError: `load` is not in [0, 1), `q` is not in (0, 1), or the wait is above
            `LONGEST_WAIT`.
    """
    if not 0 < q < 1:
        raise InputError("a quantile lies strictly between 0 and 1", why=f"q = {q}")
    if md1_wait_cdf(load, 0) >= q:
        return 0.0
    low, high = 0.0, 1.0
    while md1_wait_cdf(load, high) < q:
        low, high = high, 2 * high if high == LONGEST_WAIT else min(2 * high, LONGEST_WAIT)
    while high - low > _RESOLUTION:
        middle = (low + high) / 2
        low, high = (middle, high) if md1_wait_cdf(load, middle) < q else (low, middle)
    return high


def md1k_loss(load: float, places: int) -> float:
    """Return the share of events that M/D/1/K loses.

    Args:
        load: Arrivals per service, above 0; may exceed 1.
        places: K, the event in service included.

    Raises:
        InputError: An argument is out of range.
    """
    _check(load, places)

    def arrivals(k: int) -> float:
        return math.exp(k * math.log(load) - load - math.lgamma(k + 1))

    left = _left_behind(arrivals, arrivals, places)
    return max(0.0, 1 - 1 / (left + load))


def geod1k_loss(probability: float, service_cycles: int, places: int) -> float:
    """Return the share of events that Geo/D/1/K loses.

    An event that comes due in the cycle of a departure finds that place free. Hence the service
    that ends an idle time sees arrivals in one cycle less than the others: its own event took it.

    Args:
        probability: That an event is due in a cycle, strictly between 0 and 1.
        service_cycles: Cycles of service, at least 1.
        places: K, the event in service included.

    Raises:
        InputError: An argument is out of range.
    """
    if not 0 < probability < 1 or service_cycles < 1:
        raise InputError(
            "a probability lies strictly between 0 and 1, a service takes a cycle or more",
            why=f"probability = {probability}, service = {service_cycles}",
        )
    load = probability * service_cycles
    _check(load, places)

    def binomial(trials: int) -> Callable[[int], float]:
        def mass(k: int) -> float:
            if k > trials:
                return 0.0
            ways = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            odds = k * math.log(probability) + (trials - k) * math.log1p(-probability)
            return math.exp(ways + odds)

        return mass

    left = _left_behind(binomial(service_cycles), binomial(service_cycles - 1), places)
    return max(0.0, 1 - 1 / (load + left * (1 - probability)))


def _left_behind(
    arrivals: Callable[[int], float], first_arrivals: Callable[[int], float], places: int
) -> float:
    """Return the probability that a departing event leaves the system empty.

    The states 0..K-1 are what is left behind. From j >= 1 a service adds `arrivals`; from 0 the
    next one adds `first_arrivals`. Solved upwards from an unnormalised state 0, rescaled as it
    grows: every state follows from those below it.

    Args:
        arrivals: Probability of k arrivals during a service.
        first_arrivals: Likewise for the service that ends an idle time.
        places: K.
    """
    mass = [arrivals(k) for k in range(places)]
    first = [first_arrivals(k) for k in range(places)]
    if places > 1 and mass[0] < _NEVER:
        return 0.0  # such an overload that the server never idles
    state = [1.0]
    for j in range(places - 1):
        known = state[0] * first[j]
        known += math.fsum(state[i] * mass[j - i + 1] for i in range(1, j + 1))
        state.append(max(0.0, (state[j] - known) / mass[0]))
        if state[-1] > 1e200:
            state = [value * 1e-200 for value in state]
    return state[0] / math.fsum(state)


def _check(load: float, places: int) -> None:
    if not 0 < load < math.inf:
        raise InputError("a load is positive and finite", why=f"load = {load}")
    if not 1 <= places <= MOST_PLACES:
        raise InputError(
            "the places of a queue are out of range", why=f"{places}, not in 1..{MOST_PLACES}"
        )
