"""Stored runs read piece by piece: verified, and in memory that does not grow with the trace.

`harness.report.store.load` reads a run whole. Here only what is asked for is read, files are hashed
in chunks, and a trace comes in batches: ten million events need no more than one batch at a time.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import numpy as np

from harness.errors import StorageError
from harness.fabric.samples import Trace
from harness.report import store, tables
from harness.report.schema import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Result

BATCH_EVENTS: Final = 1 << 17
_CHUNK_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 256 << 20
_STAMPS: Final = ("event", "scheduled", "accepted", "done")
_FORMS: Final = (tables.PARQUET, tables.NPZ)


@dataclass(frozen=True, slots=True)
class Folder:
    """A finished run, of which only the manifest has been read.

    Args:
        path: Where it lies.
        digests: SHA-256 in hex by file name, as the manifest lists them.
    """

    path: Path
    digests: Mapping[str, str]

    def result(self) -> Result:
        """Return the content of `result.json`.

        Raises:
            StorageError: It is damaged, or not a result.
        """
        where = self.path / store.RESULT
        if store.RESULT not in self.digests:
            raise StorageError("holds no result", where=str(self.path))
        return check(_parse(self._small(store.RESULT), where), str(where))

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

    def verify(self) -> None:
        """Read every file and compare it with the manifest.

        Raises:
            StorageError: A file is missing, damaged or was changed.
        """
        for name in self.digests:
            with self._verified(name):
                pass

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
        with self._verified(name) as file:
            where = str(self.path / name)
            yield (_parquet if form == tables.PARQUET else _archive)(file, where, batch_events)

    def _form(self, stem: str) -> str | None:
        return next((form for form in _FORMS if f"{stem}.{form}" in self.digests), None)

    def _small(self, name: str) -> bytes:
        with self._verified(name) as file:
            content = file.read(_SMALL_BYTES + 1)
        if len(content) > _SMALL_BYTES:
            raise StorageError("is too large", where=str(self.path / name))
        return content

    @contextmanager
    def _verified(self, name: str) -> Iterator[IO[bytes]]:
        """Open a listed file that is as it was written."""
        path = self.path / name
        with _opened(path) as file:
            try:
                digest = hashlib.sha256()
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                file.seek(0)
            except OSError as cause:
                raise _unreadable(path, cause) from cause
            if digest.hexdigest() != self.digests[name]:
                raise StorageError(
                    "is not what was written",
                    where=str(path),
                    why=f"its SHA-256 is not the one in {store.MANIFEST}",
                    hint="the file was changed or damaged; repeat the run",
                )
            yield file


def open_folder(path: Path) -> Folder:
    """Return a finished run, whose manifest is sound.

    Raises:
        StorageError: It was never finished, its manifest is damaged, or a newer harness wrote it.
    """
    where = path / store.MANIFEST
    if path.name.startswith(".") or not where.is_file():
        raise StorageError(
            "is not a finished run",
            where=str(path),
            why=f"there is no {store.MANIFEST}, which is written last",
            hint="give the folder of one run",
        )
    with _opened(where) as file:
        content = file.read(_CHUNK_BYTES)
    manifest = _parse(content, where)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    listed = manifest.get("files") if isinstance(manifest, dict) else None
    if isinstance(schema, int) and schema > store.SCHEMA:
        raise StorageError(
            f"was written by a newer harness, in schema {schema}",
            where=str(where),
            why=f"this one reads up to {store.SCHEMA}",
            hint="update the harness",
        )
    if schema != store.SCHEMA or not isinstance(listed, dict):
        raise StorageError("is not a manifest of a run", where=str(where))
    return Folder(path, {name: _digest(name, entry, where) for name, entry in listed.items()})


def _digest(name: str, entry: object, where: Path) -> str:
    digest = entry.get("sha256") if isinstance(entry, dict) else None
    if Path(name).name != name or not isinstance(digest, str):
        raise StorageError(f"lists {name!r} in a way that cannot be followed", where=str(where))
    return digest


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except (OSError, ValueError) as cause:
        raise _unreadable(path, cause) from cause
    with file:
        yield file


def _unreadable(path: Path, cause: Exception) -> StorageError:
    why = getattr(cause, "strerror", None) or str(cause)
    return StorageError("cannot be read", where=str(path), why=why)


def _parse(content: bytes, where: Path) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise StorageError("is not JSON", where=str(where), why=str(cause)) from cause


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
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
            raise StorageError("is not a table of stamps", where=where, why=repr(cause)) from cause

    try:
        archive = zipfile.ZipFile(file)
        columns = [_column(archive.open(f"{name}.npy")) for name in _STAMPS]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as cause:
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
