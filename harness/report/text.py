"""Numbers and foreign strings as people read them; shared by the terminal and by plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.fabric.samples import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.schema import ClockHz, Latency, Result, Value, Weights

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


def interval(latency: Latency, name: str, unit: str = "cycles") -> str:
    """Return the confidence interval of a percentile, such as `80-94`.

    Args:
        latency: Of a result.
        name: `p50`, `p99` or `p999`; there is none of the other statistics.
        unit: `cycles` or `ns`.

    Returns:
        `NOTHING` where it cannot be stated; empty where there is none, or where it is one value.
    """
    found: dict[str, Any] = dict(latency.get("confidence", {}))
    item = found.get(name)
    if not isinstance(item, dict):
        return ""
    if item["low"] is None or item["high"] is None:
        return NOTHING
    low, high = (decimal(item[end][unit], 1) for end in ("low", "high"))
    return "" if low == high else f"{low}-{high}"


def missing(result: Result) -> dict[str, list[str]]:
    """Return what the latencies of a result lack, statistics and their intervals, by reason."""
    causes: dict[str, list[str]] = {}
    for kind in KINDS:
        latency = result["latency"][kind]
        reasons = latency["reasons"]
        for name, reason in reasons.items():
            causes.setdefault(reason, []).append(f"{kind} {STATISTICS.get(name, name)}")
        for name, item in dict(latency.get("confidence", {})).items():
            # Without a percentile there is none of its interval either; once is enough.
            if isinstance(item, dict) and item["reason"] and name not in reasons:
                title = f"interval of {kind} {STATISTICS.get(name, name)}"
                causes.setdefault(item["reason"], []).append(title)
    return causes


def time_base(result: Result) -> str:
    """Return, as a sentence without a full stop, whose time the numbers of a result are."""
    known = _TIME_BASES.get(result["time_base"], "unknown")
    return f"{clean(result['time_base'])}: {known}"


def weights(result: Result) -> str:
    """Return where the weights lived and what that cost an event; empty for older results."""
    found, written = result.get("weights"), result.get("runtime_weights")
    if found is None:
        return ""
    other = (
        ""
        if written is None
        else f"; written before the run: {clean(written['file'])}, SHA-256 {written['sha256'][:16]}"
    )
    return residency(found) + other


def residency(found: Weights) -> str:
    """Return where weights lived and what that cost an event."""
    if found["residency"] == "none":
        return "none: the accelerator has no model"
    size = "" if found["bytes"] is None else f", {found['bytes']:,} bytes"
    fetched = found["off_chip_bytes_per_inference"]
    cost = "not counted" if fetched is None else f"{decimal(fetched)} bytes"
    return f"{clean(found['residency'])}{size}; off chip for every event: {cost}"


def clock_of(result: Result) -> str:
    """Return the fabric clock: counted, given by the dividers, built for."""
    clock = result["clock"]
    return (
        f"{hertz(clock['measured_hz'])} measured{_give_or_take(clock)}, "
        f"{hertz(clock['set_hz'])} set, built for {hertz(clock['nominal_hz'])}"
    )


def _give_or_take(clock: ClockHz) -> str:
    """Return how uncertain the measured clock is, in parts per million; nothing if it is exact."""
    relative = clock.get("uncertainty_hz", 0.0) / clock["measured_hz"]
    return f" give or take {1e6 * relative:.3g} ppm" if relative else ""


def events_of(result: Result) -> str:
    """Return what became of the events."""
    events = result["events"]
    return (
        f"{count(events['scheduled'])} scheduled, "
        f"{count(events['completed'])} completed, "
        f"{count(events['dropped'])} dropped, {count(events['in_flight'])} in flight; "
        f"{count(events['distinct'])} distinct"
    )


def queue_of(result: Result) -> str:
    """Return how many events waited, and might have."""
    queue = result["queue"]
    return f"at most {count(queue['max_depth'])} waited, {count(queue['limit'])} may"


def outputs_of(result: Result) -> str:
    """Return what was computed against what the golden model computes."""
    output = result["output"]
    if output["bit_exact"] is None:
        return "not compared"
    crc = "" if output["crc"] is None else f", CRC {output['crc']:#010x}"
    if output["bit_exact"]:
        return f"bit-exact in {count(output['beats'])} beats{crc}"
    wanted = output["crc_expected"]
    expected = "" if wanted is None else f", expected {wanted:#010x}"
    first = output["first_mismatch"]
    place = "" if first is None else f", first in event {first:,}"
    return (
        f"WRONG: {count(output['mismatches'])} of {count(output['beats'])} beats differ"
        f"{place}{crc}{expected}"
    )


def decision(result: Result) -> str:
    """Return how long after an event's last input beat its result was there; empty if not asked."""
    if "decision" not in result:
        return ""
    found = result["decision"]
    least, tail, most = found["min"], found["p99"], found["max"]
    if least is None or most is None:
        return f"not known: {found['reason']}"
    spread = f"{cycles_of(most)} cycles, {ns_of(most)}"
    if least != most:
        p99 = found["reason"] if tail is None else f"p99 {cycles_of(tail)}, {ns_of(tail)}"
        spread = f"{cycles_of(least)} to {spread}; {p99};"
    return f"{spread} after the last of {count(found['input_beats'])} input beats"


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
