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


def memory(result: Result) -> str:
    """Return what a run took from external memory, empty if its overlay has no port to one."""
    if "memory" not in result:
        return ""
    found = result["memory"]
    share = found["bytes_per_inference"]
    taken = NOTHING if share is None else decimal(share)
    name = result["facts"].get("target", {}).get("memory", "the board's own")
    return (
        f"{taken} bytes an inference off chip, {decimal(100 * found['resident_share'])} % of the "
        f"weights resident; {count(found['stalled_cycles'])} cycles waiting for weights; "
        f"memory: {clean(name)}"
    )
