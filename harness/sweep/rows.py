"""What a sweep keeps of each run beside the run's own folder: one flat row, plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.schema import Latency
    from harness.report.store import Stored
    from harness.sweep.matrix import Point

ERROR: Final = "error"
SKIPPED: Final = "skipped"
_MEASURED: Final = frozenset({"pass", "fail"})
_EMPTY: Final = (
    "folder", "overlay_digest", "clock_hz", "rate_hz", "achieved_hz", "load", "scheduled",
    "completed", "dropped", "late", "deadline_cycles", "max_depth", "depth", "mean", "p50", "p99",
    "max", "theory",
)  # fmt: skip


def row_of(point: Point, stored: Stored) -> dict[str, Any]:
    """Return the row of a finished run; latencies are `total`, in cycles, None if not resolvable.

    `load` is events per initiation interval, None where that is not known; `theory` whether the run
    is what theory predicts.
    """
    result = stored.result
    total, clock_hz = result["latency"]["total"], result["clock"]["set_hz"]
    theory = result.get("theory")
    interval = None if theory is None else theory["interval_cycles"]
    rate_hz = result["rate"]["target_hz"]
    return {
        **_head(point),
        "verdict": result["verdict"],
        "why": "; ".join(f"{each['what']}: {each['evidence']}" for each in result["reasons"]),
        "folder": stored.folder.name,
        "overlay_digest": result["overlay"]["digest"],
        "clock_hz": clock_hz,
        "rate_hz": rate_hz,
        "achieved_hz": result["rate"]["achieved_hz"],
        "load": None if interval is None else rate_hz * interval / clock_hz,
        "scheduled": result["events"]["scheduled"],
        "completed": result["events"]["completed"],
        "dropped": result["events"]["dropped"],
        "late": result["deadline"]["misses"],
        "deadline_cycles": result["deadline"]["cycles"],
        "max_depth": result["queue"]["max_depth"],
        "depth": result["queue"]["limit"],
        "mean": _cycles(total, "mean"),
        "p50": _cycles(total, "p50"),
        "p99": _cycles(total, "p99"),
        "max": _cycles(total, "max"),
        "theory": None if theory is None else theory["agrees"],
    }


def failed(point: Point, why: str) -> dict[str, Any]:
    """Return the row of a point that gave no result."""
    return {**_head(point), "verdict": ERROR, "why": why, **dict.fromkeys(_EMPTY)}


def skipped(point: Point, why: str) -> dict[str, Any]:
    """Return the row of a point that cannot be run as it is: its parts do not go together."""
    return {**failed(point, why), "verdict": SKIPPED}


def is_measured(row: Mapping[str, Any]) -> bool:
    """Return whether the numbers of a row may be believed, be its verdict pass or fail."""
    return row["verdict"] in _MEASURED


def _head(point: Point) -> dict[str, Any]:
    return {
        "kind": "point",
        "digest": point.digest,
        "benchmark": point.benchmark,
        "overlay": point.overlay,
        "values": dict(point.values),
    }


def _cycles(latency: Latency, name: str) -> float | None:
    values: Mapping[str, Any] = dict(latency)
    return None if values[name] is None else values[name]["cycles"]
