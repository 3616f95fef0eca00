"""Numbers and foreign strings as people read them; shared by the terminal and by plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.schema import Result, Value

NOTHING: Final = "-"
STATISTICS: Final[Mapping[str, str]] = {
    "min": "min",
    "mean": "mean",
    "p50": "p50",
    "p99": "p99",
    "p999": "p99.9",
    "max": "max",
}
_TIME_BASES: Final[Mapping[str, str]] = {
    "fabric": "cycles counted in the fabric of a real board",
    "simulated fabric": "cycles counted by the same RTL in simulation; no board took part",
    "host": "times taken by the host, its own delays included",
}


def clean(value: object) -> str:
    """Return a string from outside without anything that would move a cursor or hide text.

    Escape sequences, line breaks and direction overrides appear as their escapes.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in str(value).encode("utf-8", "backslashreplace").decode()
    )


def hertz(value: float | None) -> str:
    """Return a frequency with the unit that suits it."""
    if value is None:
        return NOTHING
    for power, unit in ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")):
        if abs(value) >= power:
            return f"{value / power:.6g} {unit}"
    return f"{value:.6g} Hz"


def decimal(value: float, digits: int = 2) -> str:
    """Return a number with separators and, if it is not whole, `digits` after the point."""
    rounded = round(value, digits)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.{digits}f}"


def nanoseconds(value: float) -> str:
    """Return a time to a tenth of a nanosecond."""
    return f"{decimal(value, 1)} ns"


def count(value: int | None) -> str:
    """Return a count with separators."""
    return NOTHING if value is None else f"{value:,}"


def cycles_of(value: Value | None) -> str:
    """Return the cycles of a time."""
    return NOTHING if value is None else decimal(value["cycles"])


def ns_of(value: Value | None) -> str:
    """Return the nanoseconds of a time."""
    return NOTHING if value is None else nanoseconds(value["ns"])


def time_base(result: Result) -> str:
    """Return, as a sentence without a full stop, whose time the numbers of a result are."""
    known = _TIME_BASES.get(result["time_base"], "unknown")
    return f"{clean(result['time_base'])}: {known}"


def weights(result: Result) -> str:
    """Return where the weights lived and what that cost an event; empty for older results."""
    found = result.get("weights")
    if found is None:
        return ""
    if found["residency"] == "none":
        return "none: the accelerator has no model"
    size = "" if found["bytes"] is None else f", {found['bytes']:,} bytes"
    fetched = found["off_chip_bytes_per_inference"]
    cost = "not counted" if fetched is None else f"{decimal(fetched)} bytes"
    return f"{clean(found['residency'])}{size}; off chip for every event: {cost}"
