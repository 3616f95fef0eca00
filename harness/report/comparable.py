"""From a stored run to what of it takes part in a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import InputError, StorageError
from harness.fabric.samples import KINDS
from harness.measure.compare import check_sound
from harness.measure.summary import Counts, Identity, Run, Summary, distribution, mark
from harness.report.reader import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.fabric.samples import Kind, LatencyHistogram, Trace
    from harness.measure.summary import TraceMark
    from harness.report.reader import Folder
    from harness.report.schema import Result


def load_run(path: Path) -> Run:
    """Read a run that is to be compared; its trace is read in pieces, now and when it is needed.

    Raises:
        StorageError: It is damaged.
        InputError: It is invalid or was interrupted, so its numbers must not be believed.
    """
    folder = open_folder(path)
    result = folder.result()
    check_sound(path.name, result["verdict"])
    histograms = folder.histograms()
    missing = [kind for kind in KINDS if kind not in histograms]
    if missing:
        raise StorageError(f"has no histogram of {missing[0]}", where=str(path))

    def stamps() -> Iterator[Trace]:
        with folder.trace() as (_, pieces):
            yield from pieces

    trace = mark(stamps())
    summary = _summary(folder, result, histograms, trace if trace.events else None)
    return Run(summary, histograms, stamps)


def board_of(result: Result) -> str | None:
    """Return the board that a result names among its facts."""
    return _text(_target_facts(result).get("board"))


def started_of(result: Result) -> str | None:
    """Return when the run began, as ISO 8601 text."""
    return _text(result["facts"].get("started_utc"))


def _summary(
    folder: Folder,
    result: Result,
    histograms: Mapping[Kind, LatencyHistogram],
    trace: TraceMark | None,
) -> Summary:
    try:
        identity = Identity(
            benchmark=result["benchmark"]["name"],
            benchmark_digest=result["benchmark"]["digest"],
            overlay=result["overlay"]["name"],
            overlay_digest=result["overlay"]["digest"],
            board=board_of(result),
            time_base=result["time_base"],
            clock_hz=float(result["clock"]["measured_hz"]),
        )
    except (InputError, OverflowError) as cause:
        raise StorageError("has no usable clock", where=str(folder.path), why=str(cause)) from cause
    return Summary(
        run=folder.path.name,
        started_utc=started_of(result),
        verdict=result["verdict"],
        identity=identity,
        counts=_counts(result),
        wait=distribution(histograms["wait"]),
        service=distribution(histograms["service"]),
        total=distribution(histograms["total"]),
        trace=trace,
    )


def _counts(result: Result) -> Counts:
    events, output = result["events"], result["output"]
    return Counts(
        scheduled=events["scheduled"],
        completed=events["completed"],
        dropped=events["dropped"],
        in_flight=events["in_flight"],
        deadline_misses=result["deadline"]["misses"],
        max_depth=result["queue"]["max_depth"],
        mismatches=output["mismatches"],
        first_mismatch=output["first_mismatch"],
        output_beats=output["beats"],
        output_crc=output["crc"],
        bit_exact=output["bit_exact"],
        events_sha256=_text(_target_facts(result).get("events_sha256")),
    )


def _target_facts(result: Result) -> Mapping[str, Any]:
    # Facts have no schema: whoever wrote them wrote what it knew.
    found = result["facts"].get("target")
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
