"""What there is to run: benchmarks, overlays, event sources, filling schemes, boards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import benchmark as benchmarks
from harness.errors import InputError
from harness.inventory import all_boards
from harness.overlay import find_overlay, list_overlays
from harness.traffic import FILLING_NAMES, SOURCE_NAMES
from harness.traffic.instruments import instrument

Rows = list[dict[str, Any]]


def everything() -> dict[str, Rows]:
    """Return all sections, JSON-ready; an entry that cannot be read says why instead of what."""
    return {
        "benchmarks": _benchmarks(),
        "overlays": _overlays(),
        "sources": [{"name": name, "summary": instrument(name).summary} for name in SOURCE_NAMES],
        "fillings": [{"name": name} for name in FILLING_NAMES],
        "boards": [
            {"name": board.name, "part": board.part, "title": board.title}
            for board in all_boards().values()
        ],
    }


def _benchmarks() -> Rows:
    return [_entry(name, _benchmark) for name in benchmarks.list_benchmarks()]


def _benchmark(name: str) -> dict[str, Any]:
    found = benchmarks.load(benchmarks.find(name))
    return {"name": name, "overlay": found.overlay, "summary": found.summary}


def _overlays() -> Rows:
    return [_entry(name, _overlay) for name in list_overlays()]


def _overlay(name: str) -> dict[str, Any]:
    found = find_overlay(name)
    return {"name": name, "digest": found.digest[:12], "summary": found.summary}


def _entry(name: str, describe: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    try:
        return describe(name)
    except InputError as error:
        return {"name": name, "summary": f"cannot be read: {error}"}
