"""Where something that holds ceases to hold: a grid first, then halving, everything reported.

Halving believes that what fails once fails from there on. The grid and every later probe test that
belief; what contradicts it is part of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Ask = Callable[[Sequence[Fraction]], Sequence[bool]]
"""Say of each place whether it holds there."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Between which places something ceases to hold.

    Args:
        last: Highest place below every failure at which it holds; None if there is none.
        first: Lowest place at which it fails; None if it holds everywhere.
        probes: Every place that was looked at, rising, and whether it holds there.
        violations: Pairs of a place that fails and a higher one that holds.
    """

    last: Fraction | None
    first: Fraction | None
    probes: tuple[tuple[Fraction, bool], ...]
    violations: tuple[tuple[Fraction, Fraction], ...]


def boundary(
    ask: Ask, places: Sequence[Fraction], resolution: Fraction, round_to: Fraction
) -> Boundary:
    """Return where something ceases to hold, to a resolution.

    Args:
        ask: Looks at places.
        places: The grid to begin with, rising; its ends are the bracket.
        resolution: Halving ends when the two places are no further apart.
        round_to: Places are multiples of this.
    """
    known = dict(zip(places, ask(places), strict=True))
    while True:
        last, first = _ends(known)
        if last is None or first is None or first - last <= resolution:
            break
        middle = round((last + first) / 2 / round_to) * round_to
        if middle in known:
            break
        (known[middle],) = ask([middle])
    probes = tuple(sorted(known.items()))
    return Boundary(last, first, probes, tuple(_violations(probes)))


def _ends(known: dict[Fraction, bool]) -> tuple[Fraction | None, Fraction | None]:
    first = min((place for place, holds in known.items() if not holds), default=None)
    holding = (place for place, holds in known.items() if holds)
    last = max((place for place in holding if first is None or place < first), default=None)
    return last, first


def _violations(
    probes: tuple[tuple[Fraction, bool], ...],
) -> list[tuple[Fraction, Fraction]]:
    """Return each place that holds above a failure, with the failure nearest below it."""
    found = []
    failed = None
    for place, holds in probes:
        if not holds:
            failed = place
        elif failed is not None:
            found.append((failed, place))
    return found
