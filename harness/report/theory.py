"""Theory beside measurement, as `result.json` holds it and as one line for people."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from harness.report import text

if TYPE_CHECKING:
    from harness.measure.theory import Compared, Quantity
    from harness.measure.theory import Theory as Held
    from harness.report.schema import ClosedFormItem, Result, Theory, TheoryItem


def build(held: Held) -> Theory:
    """Return the `theory` object of a result."""
    timing = held.timing
    return {
        "model": None if held.reason else held.model,
        "places": held.depth + 1,
        "interval_cycles": None if timing is None else timing.interval_cycles,
        "latency_cycles": None if timing is None else timing.latency_cycles,
        "events": held.events,
        "whole": held.whole,
        "exact": [_exact(item) for item in held.exact],
        "closed_forms": [_closed(item) for item in held.closed],
        "agrees": held.agrees,
        "reason": held.reason,
    }


def line(result: Result) -> str:
    """Return one line that says whether the run is what theory predicts."""
    theory = result.get("theory")
    if theory is None:
        return "not consulted"
    if theory["model"] is None:
        return f"predicts nothing: {theory['reason']}"
    model = theory["model"].replace("/K", f"/{theory['places']}")
    interval, latency = theory["interval_cycles"], theory["latency_cycles"]
    by = f"interval {text.count(interval)}, latency {text.count(latency)}"
    head = f"{model}, {'service by the data' if interval is None else by}: "
    if theory["agrees"] is None:
        return f"{head}nothing could be compared"
    parts = [_verdict(theory, result)]
    parts += [
        f"{_words(form['name'])} {form['measured']:.4g}, "
        f"{form['model']} gives {form['low']:.4g} to {form['high']:.4g}"
        for form in theory["closed_forms"]
        if form["agrees"] is not None
        and form["measured"] is not None
        and form["low"] != form["high"]
    ]
    return head + "; ".join(parts)


def _verdict(theory: Theory, result: Result) -> str:
    wrong = next((item for item in theory["exact"] if item["agrees"] is False), None)
    if wrong is not None:
        return (
            f"DIFFERS in {_words(wrong['name'])}, {_number(wrong['predicted'])} predicted, "
            f"{_number(wrong['measured'])} measured"
        )
    if theory["agrees"] is False:
        return "DIFFERS from a closed form"
    same = sum(item["agrees"] is True for item in theory["exact"])
    of = text.count(theory["events"])
    if theory["whole"]:
        return f"{same} numbers of {of} events exactly as predicted"
    scheduled = text.count(result["events"]["scheduled"])
    return f"traced events exactly as predicted ({of} of {scheduled} were)"


def _exact(item: Quantity) -> TheoryItem:
    return {
        "name": item.name,
        "predicted": _json(item.predicted),
        "measured": _json(item.measured),
        "agrees": item.agrees,
        "reason": item.reason,
    }


def _closed(item: Compared) -> ClosedFormItem:
    form = item.form
    return {
        "name": form.name,
        "model": form.model,
        "predicted": form.value,
        "low": form.low,
        "high": form.high,
        "measured": item.measured,
        "agrees": item.agrees,
        "reason": form.reason,
    }


def _json(value: Fraction | None) -> float | None:
    """Return a whole value as an integer, so that JSON keeps all its digits."""
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


def _number(value: float | None) -> str:
    return text.NOTHING if value is None else text.decimal(value, 4)


def _words(name: str) -> str:
    return name.replace("_", " ")
