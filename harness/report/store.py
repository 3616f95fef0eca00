"""One folder a run, written whole or not at all, and verified when read.

    20260131T093000Z_jet_tagger_lhc_5f3a9c/
      result.json          see harness.report.result
      histograms.parquet   or .npz, see harness.report.tables
      trace.parquet        or .npz
      manifest.json        SHA-256 of each of the others, written last

Everything is written and synced in a hidden folder beside its place, which is then renamed. What a
killed process leaves has a hidden name or lacks the manifest, and is never believed.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import StorageError
from harness.report import tables
from harness.report.schema import Result, check
from harness.report.sealed import MANIFEST, as_json, parse_json, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.fabric.samples import Kind, LatencyHistogram, Samples, Trace

RESULT: Final = "result.json"
_HISTOGRAMS: Final = "histograms"
_TRACE: Final = "trace"
_LEAST_FREE_BYTES: Final = 16 << 20
_HINTS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "free some space, or choose another folder with --out",
    errno.EDQUOT: "your quota is used up; choose another folder with --out",
    errno.EACCES: "choose a folder you may write to with --out",
    errno.EPERM: "choose a folder you may write to with --out",
    errno.EROFS: "the file system is read-only; choose another folder with --out",
    errno.ENOTDIR: "a file is in the way; choose another folder with --out",
    errno.EEXIST: "a file is in the way; choose another folder with --out",
}


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A run read back.

    Args:
        folder: Where it lies.
        result: Content of `result.json`.
        histograms: By kind; empty for a run whose fabric was not read.
        trace: Stamps; None for a run whose fabric was not read.
    """

    folder: Path
    result: Result
    histograms: Mapping[Kind, LatencyHistogram]
    trace: Trace | None


def prepare(out_dir: Path) -> Path:
    """Make sure, before a run, that its result can be written; return the absolute folder.

    Raises:
        StorageError: The folder cannot be made or written to, or has less than 16 MiB left.
    """
    folder = out_dir.absolute()
    with _reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe_{secrets.token_hex(8)}"
        probe.mkdir()
        try:
            _write(probe / "probe", b"0" * 4096)
            _sync(probe)
        finally:
            shutil.rmtree(probe, ignore_errors=True)
        free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        raise StorageError(
            "too little space for a result",
            where=str(folder),
            why=f"{free} bytes left, a result may take {_LEAST_FREE_BYTES}",
            hint=_HINTS[errno.ENOSPC],
        )
    return folder


def write(out_dir: Path, result: Result, samples: Samples | None) -> Path:
    """Write one run and return its folder; a run there before is never touched.

    Args:
        out_dir: Folder that `prepare` returned.
        result: Content of `result.json`.
        samples: Raw values; None if the fabric was not read.

    Raises:
        StorageError: It could not be written; nothing that looks like a result is left.
    """
    files = {RESULT: as_json(result)}
    if samples is not None:
        form, content = tables.encode_histograms(samples.histograms())
        files[f"{_HISTOGRAMS}.{form}"] = content
        form, content = tables.encode_trace(samples.trace)
        files[f"{_TRACE}.{form}"] = content
    return write_files(out_dir, result["benchmark"]["name"], files)


def write_files(out_dir: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write the files of one run, whole or not at all, and return its folder.

    Args:
        out_dir: Folder that `prepare` returned.
        name: Part of the folder's name; a file name's worth.
        files: Content by plain file name; the manifest is added.

    Raises:
        StorageError: They could not be written; nothing that looks like a result is left.
    """
    complete = {**files, MANIFEST: seal(files)}
    final = out_dir / _name(name)
    partial = out_dir / f".{final.name}.partial"
    with _reported(out_dir):
        partial.mkdir()
        try:
            for file, content in complete.items():
                _write(partial / file, content)
            _sync(partial)
            partial.rename(final)
        except BaseException:
            # Also on Ctrl-C; what a kill -9 leaves has a hidden name.
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _sync(out_dir)
    return final


def load(folder: Path) -> Stored:
    """Read one run back and verify every byte of it.

    Raises:
        StorageError: It was never finished, was changed or damaged since, or was written by a newer
            harness.
    """
    files = read_files(folder)
    where = folder / RESULT
    if RESULT not in files:
        found = ", ".join(sorted(files)) or "nothing"
        raise StorageError("holds no result", where=str(folder), why=f"its files: {found}")
    result = check(parse_json(files[RESULT], where), str(where))
    histograms: Mapping[Kind, LatencyHistogram] = {}
    trace = None
    for form in (tables.PARQUET, tables.NPZ):
        for stem in (_HISTOGRAMS, _TRACE):
            name = f"{stem}.{form}"
            if name not in files:
                continue
            if stem == _TRACE:
                trace = tables.decode_trace(form, files[name], str(folder / name))
            else:
                histograms = tables.decode_histograms(form, files[name], str(folder / name))
    return Stored(folder, result, histograms, trace)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a run by name, every byte of them verified.

    Raises:
        StorageError: It was never finished, was changed or damaged since, or was written by a newer
            harness.
    """
    sealed = unseal(folder)
    return {name: sealed.read(name) for name in sealed.digests}


def list_runs(out_dir: Path) -> list[Path]:
    """Return the folders of finished runs, oldest first; none if there is no such folder."""
    return sorted(path.parent for path in out_dir.glob(f"[!.]*/{MANIFEST}"))


def _name(benchmark: str) -> str:
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{now}_{benchmark}_{secrets.token_hex(3)}"


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, as fsync of a file does not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageError(
            "the result cannot be written",
            where=str(folder),
            why=cause.strerror or str(cause),
            hint=_HINTS.get(cause.errno or 0, "choose another folder with --out"),
        ) from cause
