"""Recorded arrival times out of a file: NumPy, Parquet or CSV. The file is not trusted."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.archives import DAMAGED
from harness.errors import BenchmarkError

UNITS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Parts of a second, by what the name of a column may end in."""
LARGEST_BYTES: Final = 1 << 30
_TIME: Final = re.compile(r"(time|timestamp|t)(_\w+)?", re.IGNORECASE)


def sha256_of(path: Path) -> str:
    """Return the digest of a file of recorded times.

    Raises:
        BenchmarkError: It cannot be read, or is larger than 1 GiB.
    """
    found = hashlib.sha256()
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BenchmarkError("is larger than 1 GiB", where=str(path), hint="cut it")
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    except OSError as cause:
        raise BenchmarkError(
            "cannot be read",
            where=str(path),
            why=cause.strerror or str(cause),
            hint="paths are relative to the benchmark file",
        ) from cause
    return found.hexdigest()


def read_times(path: Path, most: int, column: str | None, unit: str | None) -> list[Fraction]:
    """Return the first times of a trace in seconds, exactly.

    Args:
        path: A file that ends in `.npy`, `.npz`, `.parquet` or `.csv`.
        most: How many to read; the rest of the file is not looked at.
        column: Which column or array; None for the only one named as a time.
        unit: One of `UNITS`; None for what the column's name ends in.

    Raises:
        BenchmarkError: The file is of another kind or damaged, there is no such column or unit, or
            its times are not numbers that rise.
    """
    if path.suffix not in _READERS:
        raise BenchmarkError(
            "is no trace that can be read",
            where=str(path),
            hint=f"name it by what it is: {', '.join(_READERS)}",
        )
    try:
        name, times = _READERS[path.suffix](path, most, column)
    except BenchmarkError as error:
        raise BenchmarkError(error.what, where=str(path), why=error.why, hint=error.hint) from error
    except DAMAGED as cause:
        pickled = "pickle" in str(cause) or "Python objects" in str(cause)
        raise BenchmarkError(
            "holds pickled objects, which are not opened" if pickled else "cannot be read",
            where=str(path),
            why=str(cause).partition("\n")[0][:200],
            hint="save plain numbers" if pickled else f"is it really {path.suffix[1:]}?",
        ) from cause
    where = f"{path}: {name}" if name else str(path)
    _check(times, where)
    per_second = _unit(name, unit, where)
    # Integers and binary fractions alike are exact as they stand.
    return [Fraction(time) / per_second for time in times.tolist()]


def _unit(name: str, unit: str | None, where: str) -> int:
    """Return parts of a second.

    Raises:
        BenchmarkError: Nothing says which.
    """
    ending = name.rpartition("_")[2]
    if unit is None and ending not in UNITS:
        raise BenchmarkError(
            "the unit of its times is not known",
            where=where,
            hint=f'unit = "ns", or a name such as time_ns; units are {", ".join(UNITS)}',
        )
    return UNITS[unit or ending]


def _check(times: NDArray[Any], where: str) -> None:
    """Refuse what is no sequence of times.

    Raises:
        BenchmarkError: Not one-dimensional, empty, no numbers, NaN, negative, or falling.
    """
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        raise BenchmarkError(
            f"holds {times.dtype} of shape {times.shape}, not a row of numbers", where=where
        )
    if not times.size:
        raise BenchmarkError("holds no times", where=where)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise BenchmarkError(f"time {bad[0]} is {times[bad[0]]}", where=where, hint="clean it")
    bad = np.flatnonzero(times < 0)
    if bad.size:
        raise BenchmarkError(f"time {bad[0]} is negative: {times[bad[0]]}", where=where)
    bad = np.flatnonzero(times[1:] < times[:-1])
    if bad.size:
        raise BenchmarkError(
            f"time {bad[0] + 1} is before the one ahead of it",
            where=where,
            why=f"{times[bad[0] + 1]} after {times[bad[0]]}",
            hint="sort it",
        )


def _choose(columns: Iterable[str], column: str | None) -> str:
    """Return the name of the column that holds times.

    Raises:
        BenchmarkError: There is none, or more than one.
    """
    names = [str(name) for name in columns]
    found = [name for name in names if (name == column if column else _TIME.fullmatch(name))]
    if len(found) != 1:
        what = f"column {column!r} is not there" if column else "it is not clear which column"
        raise BenchmarkError(what, hint=f'column = "...", one of {", ".join(names[:20]) or "none"}')
    return found[0]


def _npy(path: Path, most: int, column: str | None) -> tuple[str, NDArray[Any]]:
    if column is not None:
        raise BenchmarkError("an .npy file has no columns", hint="remove column")
    with path.open("rb") as file:
        # NumPy takes anything else for a pickled object.
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("it does not begin as NumPy's files do")
    times = np.load(path, mmap_mode="r", allow_pickle=False)
    return "", np.array(times[:most]) if times.ndim else times


def _npz(path: Path, most: int, column: str | None) -> tuple[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        if sum(item.file_size for item in archive.infolist()) > LARGEST_BYTES:
            raise BenchmarkError("unpacks to more than 1 GiB", hint="cut it")
    with np.load(path, allow_pickle=False) as file:
        name = _choose(file.files, column)
        return name, file[name][:most]


def _parquet(path: Path, most: int, column: str | None) -> tuple[str, NDArray[Any]]:
    try:
        import pyarrow  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as cause:
        raise BenchmarkError("Parquet needs pyarrow", hint="pip install pyarrow") from cause
    try:
        with parquet.ParquetFile(path) as file:
            name = _choose(file.schema_arrow.names, column)
            for batch in file.iter_batches(batch_size=most, columns=[name]):
                return name, batch.column(0).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowException as cause:
        raise ValueError(str(cause)) from cause
    return name, np.empty(0)


def _csv(path: Path, most: int, column: str | None) -> tuple[str, NDArray[Any]]:
    import pandas as pd  # noqa: PLC0415

    name = _choose(pd.read_csv(path, nrows=0).columns, column)
    return name, pd.read_csv(path, usecols=[name], nrows=most)[name].to_numpy()


_READERS: Final = {".npy": _npy, ".npz": _npz, ".parquet": _parquet, ".csv": _csv}
