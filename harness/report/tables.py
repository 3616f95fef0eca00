"""Histograms and traces as files: Parquet where pyarrow is installed, NumPy archives elsewhere.

Boards have no wheel of pyarrow; a result written there is read on a workstation and the other way
round. Both forms hold the same columns: `kind`, `cycles`, `count` with the non-empty bins, and
`event`, `scheduled`, `accepted`, `done`. What bins alone cannot tell (their number, overflow, exact
sum, extremes) is in the Parquet metadata under `harness`, or in the array `extent`, as JSON.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.archives import DAMAGED
from harness.errors import StorageError
from harness.fabric.samples import KINDS, Kind, LatencyHistogram, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PARQUET: Final = "parquet"
NPZ: Final = "npz"
_EXTENT: Final = "extent"
_METADATA: Final = b"harness"
_MOST_BINS: Final = 1 << 24
_TRACE: Final = ("event", "scheduled", "accepted", "done")
_FIELDS: Final = ("overflow", "count", "minimum", "maximum", "total")

Columns = dict[str, Any]


def encode_histograms(histograms: Mapping[Kind, LatencyHistogram]) -> tuple[str, bytes]:
    """Return the form, `parquet` or `npz`, and the content of a file of histograms."""
    kinds: list[str] = []
    cycles: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    counts: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    extent: dict[str, dict[str, int | None]] = {}
    for kind, histogram in histograms.items():
        filled = np.flatnonzero(histogram.counts)
        kinds += [kind] * filled.size
        cycles.append(filled.astype(np.int64))
        counts.append(histogram.counts[filled])
        extent[kind] = {"bins": histogram.counts.size}
        extent[kind].update({name: getattr(histogram, name) for name in _FIELDS})
    columns = {
        "kind": np.array(kinds, dtype="U7"),
        "cycles": np.concatenate(cycles),
        "count": np.concatenate(counts),
    }
    return _encode(columns, json.dumps(extent))


def decode_histograms(form: str, content: bytes, where: str) -> dict[Kind, LatencyHistogram]:
    """Return what `encode_histograms` was given.

    Raises:
        StorageError: It is damaged, or a Parquet file and pyarrow is not installed.
    """
    columns, note = _decode(form, content, where)
    try:
        extent = json.loads(note)
        return {kind: _histogram(kind, columns, extent[kind]) for kind in KINDS if kind in extent}
    except (KeyError, ValueError, TypeError, IndexError) as cause:
        raise StorageError("is not a table of histograms", where=where, why=repr(cause)) from cause


def encode_trace(trace: Trace) -> tuple[str, bytes]:
    """Return the form, `parquet` or `npz`, and the content of a file of stamps."""
    return _encode({name: getattr(trace, name) for name in _TRACE}, "{}")


def decode_trace(form: str, content: bytes, where: str) -> Trace:
    """Return what `encode_trace` was given.

    Raises:
        StorageError: It is damaged, or a Parquet file and pyarrow is not installed.
    """
    columns, _ = _decode(form, content, where)
    try:
        return Trace(*(np.asarray(columns[name], dtype=np.int64) for name in _TRACE))
    except (KeyError, ValueError, TypeError) as cause:
        raise StorageError("is not a table of stamps", where=where, why=repr(cause)) from cause


def encode_columns(columns: Columns) -> tuple[str, bytes]:
    """Return the form, `parquet` or `npz`, and the content of a file of columns of one length."""
    return _encode(columns, "{}")


def decode_columns(form: str, content: bytes, where: str) -> Columns:
    """Return what `encode_columns` was given.

    Raises:
        StorageError: It is damaged, or a Parquet file and pyarrow is not installed.
    """
    return _decode(form, content, where)[0]


def _histogram(kind: Kind, columns: Columns, extent: dict[str, Any]) -> LatencyHistogram:
    if not 0 <= extent["bins"] <= _MOST_BINS:
        raise ValueError("number of bins out of range")
    rows = np.asarray(columns["kind"]) == kind
    counts = np.zeros(extent["bins"], dtype=np.int64)
    counts[np.asarray(columns["cycles"], dtype=np.int64)[rows]] = np.asarray(columns["count"])[rows]
    return LatencyHistogram(counts, **{name: extent[name] for name in _FIELDS})


def _encode(columns: Columns, note: str) -> tuple[str, bytes]:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        buffer = io.BytesIO()
        extent = np.frombuffer(note.encode(), dtype=np.uint8)
        np.savez_compressed(buffer, **columns, **{_EXTENT: extent})
        return NPZ, buffer.getvalue()
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata({_METADATA: note.encode()}), sink)
    return PARQUET, sink.getvalue().to_pybytes()


def _decode(form: str, content: bytes, where: str) -> tuple[Columns, str]:
    if form == NPZ:
        return _decode_npz(content, where)
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as cause:
        raise StorageError(
            "is a Parquet file, and pyarrow is not installed",
            where=where,
            hint="pip install 'fpga-harness[host]'",
        ) from cause
    try:
        # Not read_table: its workers may outlive the call, and one that gives `content` back while
        # Python exits aborts the process.
        with parquet.ParquetFile(pa.BufferReader(content), pre_buffer=False) as file:
            table = file.read(use_threads=False)
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        return columns, (table.schema.metadata or {})[_METADATA].decode()
    except (pa.ArrowException, OSError, KeyError, ValueError) as cause:
        raise StorageError("is not a Parquet file of ours", where=where, why=repr(cause)) from cause


def _decode_npz(content: bytes, where: str) -> tuple[Columns, str]:
    try:
        # Never pickles: a result may come from anywhere.
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
        return columns, columns.pop(_EXTENT).tobytes().decode()
    except DAMAGED as cause:
        raise StorageError(
            "is not a NumPy archive of ours", where=where, why=repr(cause)
        ) from cause
