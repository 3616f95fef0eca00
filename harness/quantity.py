"""Frequencies and times as people write them: `"40.079 MHz"`, `"1 us"`, `"200 cycles"`.

They are parsed exactly. A number without a unit is refused: 200 could be MHz or Hz, ns or cycles,
and the wrong guess looks plausible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from harness.errors import InputError

_FORM: Final = re.compile(
    r"(?P<number>\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?) ?(?P<unit>[A-Za-z]+)"
)
_HERTZ: Final = {"Hz": 0, "kHz": 3, "MHz": 6, "GHz": 9}
_SECONDS: Final = {"s": 0, "ms": -3, "us": -6, "ns": -9}
_LONGEST_QUOTE: Final = 60

LOWEST_HZ: Final = Fraction(1, 1000)
HIGHEST_HZ: Final = Fraction(10**11)
SHORTEST_S: Final = Fraction(1, 10**12)
LONGEST_S: Final = Fraction(7 * 86_400)
MOST_CYCLES: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds or in clock cycles, as it was asked for.

    Args:
        amount: Exact number of `unit`, positive; whole where the unit is cycles.
        unit: `s` or `cycles`.
    """

    amount: Fraction
    unit: Literal["s", "cycles"]

    def in_cycles(self, clock_hz: Fraction) -> Fraction:
        """Return the exact number of cycles of a clock."""
        return self.amount if self.unit == "cycles" else self.amount * clock_hz

    def whole_cycles(self, clock_hz: Fraction) -> int:
        """Return the most whole cycles that fit in the span: a budget is never rounded up."""
        return int(self.in_cycles(clock_hz))


def parse_frequency(value: object) -> Fraction:
    """Return a frequency in Hz, exact.

    Args:
        value: Such as `"40.079 MHz"`; units Hz, kHz, MHz, GHz.

    Raises:
        InputError: Not a string of that form, or outside 1 mHz ... 100 GHz.
    """
    number, unit = _split(value, 'a frequency such as "200 MHz"', set(_HERTZ))
    return _within(number, _HERTZ[unit], LOWEST_HZ, HIGHEST_HZ, "1 mHz to 100 GHz")


def parse_span(value: object) -> Span:
    """Return a time, exact.

    Args:
        value: Such as `"1 us"` or `"200 cycles"`; units s, ms, us, ns, cycles.

    Raises:
        InputError: Not a string of that form, outside 1 ps ... 7 days, or no whole number of cycles
            below 2^32.
    """
    number, unit = _split(value, 'a time such as "1 us" or "200 cycles"', {*_SECONDS, "cycles"})
    if unit in _SECONDS:
        seconds = _within(number, _SECONDS[unit], SHORTEST_S, LONGEST_S, "1 ps to 7 days")
        return Span(seconds, "s")
    cycles = _within(number, 0, Fraction(1), Fraction(MOST_CYCLES), "1 to 2^32 - 1 cycles")
    if cycles.denominator != 1:
        raise InputError("cycles come in whole numbers", why=f"got {shorten(value)}")
    return Span(cycles, "cycles")


def shorten(value: object) -> str:
    """Return how a value looks in an error message, cut where it is long."""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return "an enormous number"
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 3]}..."


def _split(value: object, expected: str, units: set[str]) -> tuple[str, str]:
    if not isinstance(value, str):
        raise InputError(
            "the unit is missing", why=f"got {shorten(value)}", hint=f"write {expected}"
        )
    match = _FORM.fullmatch(value.strip())
    if match is None:
        raise InputError(
            "not a positive number with a unit",
            why=f"got {shorten(value)}",
            hint=f"write {expected}",
        )
    if match["unit"] not in units:
        raise InputError(
            f"unknown unit {shorten(match['unit'])}",
            why=f"units here are {', '.join(sorted(units))}",
            hint=f"write {expected}",
        )
    return match["number"], match["unit"]


def _within(number: str, power: int, lowest: Fraction, highest: Fraction, limits: str) -> Fraction:
    amount = Fraction(number) * Fraction(10) ** power
    if not lowest <= amount <= highest:
        raise InputError("out of range", why=f"got {number}", hint=f"allowed: {limits}")
    return amount
