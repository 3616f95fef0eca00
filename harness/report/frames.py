"""Results as pandas frames, for notebooks: one row a run, or one row a traced event."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from harness.errors import HarnessError, StorageError
from harness.fabric.samples import KINDS
from harness.measure.confidence import QUANTILES
from harness.report import history, quality
from harness.report.comparable import board_of
from harness.report.reader import open_folder
from harness.report.selection import find_run, of_benchmark
from harness.report.values import plain, real, utc, whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from harness.report.schema import Result

_STATISTICS: Final = ("min", "mean", "p50", "p99", "p999", "max")
_STAMPS: Final = ("event", "scheduled", "accepted", "done")
_LATENCY_TYPES: Final[Mapping[str, str]] = {
    f"{kind}_{name}_{unit}": "float64" if unit == "ns" or name == "mean" else "Int64"
    for kind in KINDS
    for name in _STATISTICS
    for unit in ("cycles", "ns")
} | {
    f"{kind}_{name}_{end}_cycles": "Int64"
    for kind in KINDS
    for name in QUANTILES
    for end in ("low", "high")
}
_TYPES: Final[Mapping[str, str]] = {
    "run": "string",
    "started_utc": "datetime64[ns, UTC]",
    "ended_utc": "datetime64[ns, UTC]",
    "benchmark": "string",
    "benchmark_digest": "string",
    "overlay": "string",
    "overlay_digest": "string",
    "target": "string",
    "board": "string",
    "time_base": "string",
    "verdict": "string",
    "scheduled_events": "Int64",
    "completed_events": "Int64",
    "dropped_events": "Int64",
    "distinct_events": "Int64",
    "deadline_cycles": "Int64",
    "missed_events": "Int64",
    "queue_limit_events": "Int64",
    "queue_max_events": "Int64",
    "clock_nominal_hz": "float64",
    "clock_set_hz": "float64",
    "clock_measured_hz": "float64",
    "target_hz": "float64",
    "achieved_hz": "float64",
    "rate_ratio": "float64",
    **_LATENCY_TYPES,
    "bit_exact": "boolean",
    "mismatched_beats": "Int64",
    "output_crc": "Int64",
    "folder": "string",
    "damage": "string",
}


def load_results(
    path: str | os.PathLike[str] = "results", benchmark: str | None = None
) -> pd.DataFrame:
    """Return all runs of a folder, oldest first.

    Args:
        path: Folder of results.
        benchmark: Only the runs of this one: its name, `suite/name`, or the path of its file.

    Returns:
        One row a run. Columns say their unit: `total_p99_ns`, `clock_measured_hz`; the 95 %
        interval of a percentile is `total_p99_low_cycles` to `total_p99_high_cycles`. What the
        networks decided is in columns such as `quality_accuracy`, `quality_accuracy_low` and
        `..._high`, float64, as far as any of the runs has it. Counts are
        nullable integers, times and rates float64. What a run could not state is missing. A damaged
        run has the verdict `damaged`, the reason in `damage`, and no numbers; it belongs to no
        benchmark.

    Raises:
        InputError: There is no such folder or benchmark.
        StorageError: The folder cannot be read.
    """
    out_dir = Path(path)
    rows = []
    for entry in of_benchmark(history.refresh(out_dir), benchmark):
        row: dict[str, Any] = {"run": entry.run, "folder": plain(str(out_dir / entry.run))}
        damage = entry.damage
        if damage is None:
            try:
                row.update(_row(open_folder(out_dir / entry.run).result()))
            except HarnessError as cause:
                damage = plain(str(cause))
        if damage is not None:
            row.update(verdict=history.DAMAGED, damage=damage)
        rows.append(row)
    decided = dict.fromkeys(name for row in rows for name in row if name.startswith(quality.PREFIX))
    types = {**_TYPES, **dict.fromkeys(decided, "float64")}
    frame: pd.DataFrame = pd.DataFrame(
        {name: _column([row.get(name) for row in rows], kind) for name, kind in types.items()}
    )
    return frame


def load_trace(
    run: str | os.PathLike[str], path: str | os.PathLike[str] = "results"
) -> pd.DataFrame:
    """Return the stamps of a run's traced events, in order of completion.

    The trace is read in batches straight into the frame: besides the frame's 32 bytes an event,
    memory does not grow with the trace.

    Args:
        run: Its folder; or its id in `path`, or how only one begins, or `last`.
        path: Folder of results.

    Returns:
        int64 columns `event`, its number in the schedule, and `scheduled_cycles`,
        `accepted_cycles`, `done_cycles`, since the start of the run.

    Raises:
        InputError: There is no such run.
        StorageError: It is damaged.
    """
    folder = open_folder(find_run(str(run), Path(path)))
    with folder.trace() as (events, pieces):
        # One block with a row a column is how a frame holds its values: nothing is copied again.
        block = np.empty((len(_STAMPS), events), dtype=np.int64)
        filled = 0
        for piece in pieces:
            last = filled + piece.event.size
            if last <= events:
                for row, name in enumerate(_STAMPS):
                    block[row, filled:last] = getattr(piece, name)
            filled = last
    if filled != events:
        raise StorageError(
            "does not hold as many events as it says",
            where=str(folder.path),
            why=f"{filled} instead of {events}",
        )
    names = [name if name == "event" else f"{name}_cycles" for name in _STAMPS]
    frame: pd.DataFrame = pd.DataFrame(block.T, columns=names, copy=False)
    return frame


def _row(result: Result) -> dict[str, Any]:
    events, clock, rate = result["events"], result["clock"], result["rate"]
    deadline, queue, output = result["deadline"], result["queue"], result["output"]
    board = board_of(result)
    asked, achieved = real(rate["target_hz"]), real(rate["achieved_hz"])
    return {
        "started_utc": utc(result["facts"].get("started_utc")),
        "ended_utc": utc(result["facts"].get("ended_utc")),
        "benchmark": plain(result["benchmark"]["name"]),
        "benchmark_digest": plain(result["benchmark"]["digest"]),
        "overlay": plain(result["overlay"]["name"]),
        "overlay_digest": plain(result["overlay"]["digest"]),
        "target": plain(result["target"]),
        "board": None if board is None else plain(board),
        "time_base": plain(result["time_base"]),
        "verdict": plain(result["verdict"]),
        "scheduled_events": whole(events["scheduled"]),
        "completed_events": whole(events["completed"]),
        "dropped_events": whole(events["dropped"]),
        "distinct_events": whole(events["distinct"]),
        "deadline_cycles": whole(deadline["cycles"]),
        "missed_events": whole(deadline["misses"]),
        "queue_limit_events": whole(queue["limit"]),
        "queue_max_events": whole(queue["max_depth"]),
        "clock_nominal_hz": real(clock["nominal_hz"]),
        "clock_set_hz": real(clock["set_hz"]),
        "clock_measured_hz": real(clock["measured_hz"]),
        "target_hz": asked,
        "achieved_hz": achieved,
        "rate_ratio": achieved / asked if asked and achieved is not None else None,
        **_latencies(result),
        "bit_exact": output["bit_exact"],
        "mismatched_beats": whole(output["mismatches"]),
        "output_crc": whole(output["crc"]),
        **{plain(name): real(value) for name, value in quality.columns(result).items()},
    }


def _latencies(result: Result) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for kind in KINDS:
        latency: Mapping[str, Any] = result["latency"][kind]
        for name in _STATISTICS:
            value = latency[name]
            cycles, ns = (None, None) if value is None else (value["cycles"], value["ns"])
            found[f"{kind}_{name}_cycles"] = real(cycles) if name == "mean" else whole(cycles)
            found[f"{kind}_{name}_ns"] = real(ns)
        intervals: Mapping[str, Any] = latency.get("confidence", {})
        for name in QUANTILES:
            for end in ("low", "high"):
                edge = intervals.get(name, {}).get(end)
                found[f"{kind}_{name}_{end}_cycles"] = (
                    None if edge is None else whole(edge["cycles"])
                )
    return found


def _column(values: list[Any], kind: Any) -> pd.Series[Any]:
    # Years that a nanosecond stamp cannot reach are missing rather than an error.
    is_time = kind.startswith("datetime")
    found = pd.to_datetime(values, utc=True, errors="coerce") if is_time else values
    column: pd.Series[Any] = pd.Series(found, dtype=kind)
    return column
