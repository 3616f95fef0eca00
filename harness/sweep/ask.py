"""From the options of `harness sweep` to a plan."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import benchmark as benchmarks
from harness.errors import InputError
from harness.overlay import find_overlay
from harness.quantity import LOWEST_HZ, parse_frequency, shorten
from harness.sweep import matrix
from harness.sweep.matrix import FINDS, Axis, Plan, Search

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_GRID: Final = 5
_HALVINGS: Final = 10
_CHOICES: Final = (
    "benchmark", "rates", "depths", "detectors", "overlays", "benchmarks", "find", "resolution",
    "board", "set_sweep", "overrides", "out",
)  # fmt: skip


def plan_of(options: argparse.Namespace) -> Plan | None:
    """Return what was asked for; None to go on with a sweep that has its plan.

    Raises:
        InputError: The options contradict each other, or one is wrong.
    """
    if options.resume is not None:
        given = next((name for name in _CHOICES if getattr(options, name)), None)
        if given is not None:
            raise InputError(
                "is in the plan of the sweep already",
                where=f"--{given.replace('_', '-')}",
                hint="give --resume alone, or begin a new sweep",
            )
        return None
    if options.retry:
        raise InputError(
            "is for a sweep that goes on", where="--retry", hint="give --resume as well"
        )
    names = matrix.split(options.benchmarks) if options.benchmarks else ()
    chosen = ((options.benchmark,) if options.benchmark else ()) + names
    if not chosen:
        raise InputError("a sweep needs a benchmark", hint="such as smoke/dial")
    Axis("--benchmarks", chosen)  # neither empty nor twice
    board = (f"board={options.board}",) if options.board else ()
    axes = tuple(_axes(options))
    search = _search(options, chosen[0]) if options.find else None
    if search is None and not axes and len(chosen) == 1:
        raise InputError(
            "there is nothing to sweep", hint="give --rates, --depths, --set-sweep or --find"
        )
    return Plan(chosen, options.target, (*options.overrides, *board), axes, search)


def new_folder() -> Path:
    """Return a folder for a sweep that was given none."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return Path("results") / f"sweep_{now}_{secrets.token_hex(3)}"


def _axes(options: argparse.Namespace) -> Iterator[Axis]:
    if options.rates and options.find in {None, "depth"}:
        yield matrix.rate_axis(*matrix.parse_rates(options.rates))
    if options.depths and options.find != "depth":
        yield matrix.parse_depths(options.depths)
    for key, text in (("traffic.source", options.detectors), ("overlay", options.overlays)):
        if text is not None:
            yield Axis(key, matrix.split(text))
    for text in options.set_sweep:
        yield matrix.parse_assignment(text)


def _search(options: argparse.Namespace, benchmark: str) -> Search:
    if options.find not in FINDS:
        known = ", ".join(FINDS)
        raise InputError(
            "cannot be found", where=f"--find {shorten(options.find)}", hint=f"known: {known}"
        )
    if options.find == "depth":
        return _depth(options, benchmark)
    if options.rates is None:
        raise InputError(
            "needs two rates to search between",
            where=f"--find {options.find}",
            hint="give --rates '10 MHz:40 MHz'",
        )
    low, high, steps = matrix.parse_rates(options.rates, _GRID)
    finest = max((high - low) / 2**_HALVINGS, LOWEST_HZ)
    resolution = parse_frequency(options.resolution) if options.resolution else finest
    return Search(options.find, low, high, steps, resolution, options.late)


def _depth(options: argparse.Namespace, benchmark: str) -> Search:
    """Return the search for a depth: between the ends of --depths, or over all the fabric has."""
    if options.depths:
        depths = [int(value) for value in matrix.parse_depths(options.depths).values]
    else:
        found = benchmarks.load(benchmarks.find(benchmark), options.overrides)
        depths = [1, find_overlay(found.overlay).bench.queue_depth - 1]
    step = options.resolution or "1"
    if re.fullmatch("[1-9][0-9]{0,8}", step) is None:
        raise InputError("not a number of events", where="--resolution", why=shorten(step))
    low, high = Fraction(min(depths)), Fraction(max(depths))
    steps = min(_GRID, int(high - low) + 1)
    return Search("depth", low, high, steps, Fraction(step))
