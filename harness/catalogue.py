"""What there is to run: benchmarks, overlays, event sources, filling schemes, boards."""

from __future__ import annotations

from typing import Any

from harness import benchmark as benchmarks
from harness.errors import InputError
from harness.inventory import BOARDS
from harness.overlay import find_overlay, list_overlays
from harness.traffic import FILLING_NAMES, SOURCE_NAMES

Rows = list[dict[str, Any]]


def everything() -> dict[str, Rows]:
    """Return all sections, JSON-ready; an entry that cannot be read says why instead of what."""
    return {
        "benchmarks": _benchmarks(),
        "overlays": _overlays(),
        "sources": [{"name": name} for name in SOURCE_NAMES],
        "fillings": [{"name": name} for name in FILLING_NAMES],
        "boards": [
            {"name": board.name, "part": board.part, "title": board.title}
            for board in BOARDS.values()
        ],
    }


def _benchmarks() -> Rows:
    rows = []
    for name, path in benchmarks.list_benchmarks().items():
        try:
            found = benchmarks.load(path)
            rows.append({"name": name, "overlay": found.overlay, "summary": found.summary})
        except InputError as error:
            rows.append({"name": name, "overlay": "", "summary": f"cannot be read: {error}"})
    return rows


def _overlays() -> Rows:
    rows = []
    for name in list_overlays():
        try:
            found = find_overlay(name)
            rows.append({"name": name, "digest": found.digest[:12], "summary": found.summary})
        except InputError as error:
            rows.append({"name": name, "digest": "", "summary": f"cannot be read: {error}"})
    return rows
