"""Stored runs read piece by piece: verified, and in memory that does not grow with the trace.

`harness.report.store.load` reads a run whole. Here only what is asked for is read, files are hashed
in chunks, and a trace comes in batches: ten million events need no more than one batch at a time.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, cast

import numpy as np

from harness.archives import DAMAGED
from harness.errors import StorageError
from harness.fabric.samples import Trace
from harness.report import store, tables
from harness.report.schema import check
from harness.report.sealed import Sealed, parse_json, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Result

BATCH_EVENTS: Final = 1 << 17
_CHUNK_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 256 << 20
_STAMPS: Final = ("event", "scheduled", "accepted", "done")
_FORMS: Final = (tables.PARQUET, tables.NPZ)


@dataclass(frozen=True, slots=True)
class Folder(Sealed):
    """A finished run of a fabric, of which only the manifest has been read."""

    def result(self) -> Result:
        """Return the content of `result.json`.

        Raises:
            StorageError: It is damaged, or not a result.
        """
        where = self.path / store.RESULT
        if store.RESULT not in self.digests:
            raise StorageError("holds no result", where=str(self.path))
        return check(parse_json(self._small(store.RESULT), where), str(where))

    def histograms(self) -> Mapping[Kind, LatencyHistogram]:
        """Return the histograms by kind; none for a run whose fabric was not read.

        Raises:
            StorageError: They are damaged, or pyarrow is needed and not installed.
        """
        form = self._form("histograms")
        if form is None:
            return {}
        name = f"histograms.{form}"
        return tables.decode_histograms(form, self._small(name), str(self.path / name))

    @contextmanager
    def trace(self, batch_events: int = BATCH_EVENTS) -> Iterator[tuple[int, Iterator[Trace]]]:
        """Give the number of traced events and an iterator over them in batches.

        The file is verified first and stays open, so that what is read is what was verified.

        Args:
            batch_events: Most events in a batch.

        Raises:
            StorageError: It is damaged, or pyarrow is needed and not installed.
        """
        form = self._form("trace")
        if form is None:
            yield 0, iter(())
            return
        name = f"trace.{form}"
        with self.file(name) as file:
            where = str(self.path / name)
            yield (_parquet if form == tables.PARQUET else _archive)(file, where, batch_events)

    def _form(self, stem: str) -> str | None:
        return next((form for form in _FORMS if f"{stem}.{form}" in self.digests), None)

    def _small(self, name: str) -> bytes:
        with self.file(name) as file:
            content = file.read(_SMALL_BYTES + 1)
        if len(content) > _SMALL_BYTES:
            raise StorageError("is too large", where=str(self.path / name))
        return content


def open_folder(path: Path) -> Folder:
    """Return a finished run, whose manifest is sound.

    Raises:
        StorageError: It was never finished, its manifest is damaged, or a newer harness wrote it.
    """
    sealed = unseal(path)
    return Folder(sealed.path, sealed.digests)


def _parquet(file: IO[bytes], where: str, batch_events: int) -> tuple[int, Iterator[Trace]]:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as cause:
        raise StorageError(
            "is a Parquet file, and pyarrow is not installed",
            where=where,
            hint="pip install 'fpga-harness[host]'",
        ) from cause

    def batches(source: Any) -> Iterator[Trace]:
        try:
            for group in range(source.num_row_groups):
                # One group at a time: pyarrow would otherwise read ahead.
                found = source.iter_batches(batch_events, row_groups=[group], columns=list(_STAMPS))
                for batch in found:
                    yield _trace([batch.column(name).to_numpy() for name in _STAMPS])
        except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as cause:
            raise StorageError("is not a table of stamps", where=where, why=repr(cause)) from cause

    try:
        source = parquet.ParquetFile(file, buffer_size=_CHUNK_BYTES, pre_buffer=False)
        return source.metadata.num_rows, batches(source)
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise StorageError("is not a Parquet file of ours", where=where, why=repr(cause)) from cause


def _archive(file: IO[bytes], where: str, batch_events: int) -> tuple[int, Iterator[Trace]]:
    def batches(columns: list[tuple[int, np.dtype[Any], IO[bytes]]]) -> Iterator[Trace]:
        try:
            for first in range(0, columns[0][0], batch_events):
                rows = min(batch_events, columns[0][0] - first)
                yield _trace([_rows(member, dtype, rows) for _, dtype, member in columns])
        except DAMAGED as cause:
            raise StorageError("is not a table of stamps", where=where, why=repr(cause)) from cause

    try:
        archive = zipfile.ZipFile(file)
        columns = [_column(archive.open(f"{name}.npy")) for name in _STAMPS]
    except DAMAGED as cause:
        raise StorageError(
            "is not a NumPy archive of ours", where=where, why=repr(cause)
        ) from cause
    if len({rows for rows, _, _ in columns}) != 1:
        raise StorageError("is not a table of stamps", where=where, why="columns differ in length")
    return columns[0][0], batches(columns)


def _column(member: IO[bytes]) -> tuple[int, np.dtype[Any], IO[bytes]]:
    """Return length and type of a stored array, and the stream that its values follow in."""
    form: Any = np.lib.format  # without annotations
    version = form.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"array format {version}")
    shape, _, dtype = form.read_array_header_1_0(member)
    if len(shape) != 1 or dtype.kind not in "iu":
        raise ValueError(f"array of {dtype} and shape {shape}")
    return shape[0], dtype, member


def _rows(member: IO[bytes], dtype: np.dtype[Any], rows: int) -> NDArray[Any]:
    content = member.read(rows * dtype.itemsize)
    return np.frombuffer(content, dtype, rows)


def _trace(columns: list[NDArray[Any]]) -> Trace:
    return Trace(*(cast("NDArray[np.int64]", np.asarray(c, dtype=np.int64)) for c in columns))
