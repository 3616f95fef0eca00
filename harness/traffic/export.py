"""Events and their truth into a file: NumPy, Parquet or CSV, with where they come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness import __version__
from harness.errors import BenchmarkError, InfrastructureError, StorageError
from harness.traffic.events import Events, Source
from harness.traffic.instruments import instrument


def provenance(events: Events, source: Source) -> dict[str, Any]:
    """Return where events come from and what their numbers mean, JSON-ready."""
    return {
        "source": events.name,
        "version": events.version,
        "seed": events.seed,
        "events": len(events.raw),
        "values": source.values,
        "shape": list(instrument(source.name).shape or (source.values,)),
        "number_format": str(source.number_format),
        "sha256": events.sha256,
        "labels": list(source.labels),
        "truth_names": list(source.truth_names),
        "harness": __version__,
    }


def write(
    path: Path,
    events: Events,
    source: Source,
    due: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
) -> None:
    """Write events to a file, whole or not at all.

    Args:
        path: Ends in `.npz`, `.parquet` or `.csv`.
        events: What to write.
        source: What made them.
        due: When they are due: columns of arrival times by name, none for a bare source.
        about: What goes into the file's metadata, as `provenance` returns it and more: `metadata`
            in an .npz, key `harness` of a Parquet schema, the first line, after #, of a CSV.

    Raises:
        BenchmarkError: The suffix is not known.
        StorageError: The file cannot be written.
        InfrastructureError: A library for the format is not installed.
    """
    if path.suffix not in _WRITERS:
        raise BenchmarkError(
            "is no format that events can be written in",
            where=str(path),
            hint=f"name it by what it is to be: {', '.join(_WRITERS)}",
        )
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        _WRITERS[path.suffix](partial, events, source, due, json.dumps(dict(about)))
        partial.replace(path)
    except OSError as cause:
        raise StorageError(
            "cannot be written", where=str(path), why=cause.strerror or str(cause)
        ) from cause
    finally:
        partial.unlink(missing_ok=True)


def _npz(
    path: Path, events: Events, _: Source, due: Mapping[str, NDArray[Any]], about: str
) -> None:
    arrays: dict[str, Any] = {"raw": events.raw, "truth": events.truth, **due}
    np.savez_compressed(path, metadata=np.array(about), **arrays)


def _columns(
    events: Events, source: Source, due: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return columns by name: arrival times, values, truth."""
    names = instrument(source.name).names or [f"value_{place}" for place in range(source.values)]
    columns = dict(due)
    columns |= {name: events.raw[:, place] for place, name in enumerate(names)}
    if source.truth_names:
        truth = enumerate(source.truth_names)
        return columns | {f"truth {name}": events.truth[:, place] for place, name in truth}
    return columns | {"truth": events.truth}


def _parquet(
    path: Path, events: Events, source: Source, due: Mapping[str, NDArray[Any]], about: str
) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as cause:
        raise InfrastructureError(
            "pyarrow is not installed",
            why="Parquet needs it",
            hint="pip install 'fpga-harness[host]', or write .npz",
        ) from cause
    table = pa.table(_columns(events, source, due))
    parquet.write_table(table.replace_schema_metadata({"harness": about}), path)


def _csv(
    path: Path, events: Events, source: Source, due: Mapping[str, NDArray[Any]], about: str
) -> None:
    import pandas as pd  # noqa: PLC0415

    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {about}\n")
        pd.DataFrame(_columns(events, source, due)).to_csv(file, index=False, lineterminator="\n")


_WRITERS: Final[Mapping[str, Callable[..., None]]] = {
    ".npz": _npz,
    ".parquet": _parquet,
    ".csv": _csv,
}
