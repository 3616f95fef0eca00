"""Host-paced runs on disk: folders as those of `harness.report.store`, with files of their own.

    20260131T093000Z_null_5f3a9c/
      host.json            see harness.report.host_schema
      stamps.parquet       event, due, sent, done in ns from the start; -1 for never. Or .npz
      histograms.parquet   HdrHistogram bins: kind, lower_ns, count. Or .npz
      manifest.json

`kind` is `issue_lag`, `response`, `link` or `link_corrected`, and each of them with `null_` before
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InputError, StorageError
from harness.hostpaced.pacing import Stamps
from harness.measure import correction
from harness.report import sealed, store, tables
from harness.report.host_schema import HostResult, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RESULT: Final = "host.json"
_STAMPS: Final = "stamps"
_HISTOGRAMS: Final = "histograms"
_COLUMNS: Final = ("due", "sent", "done")
_KIND_LETTERS: Final = "U24"


@dataclass(frozen=True, slots=True, eq=False)
class StoredHost:
    """A host-paced run read back.

    Args:
        folder: Where it lies.
        result: Content of `host.json`.
        stamps: Of every event on the link.
        histograms: By kind.
    """

    folder: Path
    result: HostResult
    stamps: Stamps
    histograms: dict[str, correction.HdrHistogram]


def write(out_dir: Path, result: HostResult, stamps: Stamps, null: Stamps) -> Path:
    """Write one run and return its folder.

    Args:
        out_dir: Folder that `store.prepare` returned.
        result: Content of `host.json`.
        stamps: Of every event on the link.
        null: Of every event on the null link.

    Raises:
        StorageError: It could not be written; nothing that looks like a result is left.
    """
    interval_ns = result["measured"]["omission"]["interval_ns"]
    histograms = dict(_histograms("", stamps, interval_ns))
    histograms.update(_histograms("null_", null, interval_ns))
    files = {RESULT: sealed.as_json(result)}
    numbers = {"event": np.arange(stamps.due.size)}
    form, files_content = tables.encode_columns(
        {**numbers, **{name: getattr(stamps, name) for name in _COLUMNS}}
    )
    files[f"{_STAMPS}.{form}"] = files_content
    form, files_content = tables.encode_columns(_bins(histograms))
    files[f"{_HISTOGRAMS}.{form}"] = files_content
    return store.write_files(out_dir, result["name"], files)


def load(folder: Path) -> StoredHost:
    """Read one run back and verify every byte of it.

    Raises:
        StorageError: It is not a host-paced run, was never finished, was changed or damaged since,
            or was written by a newer harness.
    """
    files = store.read_files(folder)
    if RESULT not in files:
        raise StorageError(
            f"holds no {RESULT}", where=str(folder), why="it is not the run of a host-paced sender"
        )
    result = check(sealed.parse_json(files[RESULT], folder / RESULT), str(folder / RESULT))
    found: dict[str, dict[str, Any]] = {}
    for form in (tables.PARQUET, tables.NPZ):
        for stem in (_STAMPS, _HISTOGRAMS):
            name = f"{stem}.{form}"
            if name in files:
                found[stem] = tables.decode_columns(form, files[name], str(folder / name))
    try:
        columns = [np.asarray(found[_STAMPS][name], np.int64) for name in _COLUMNS]
        return StoredHost(folder, result, Stamps(*columns), _unbinned(found[_HISTOGRAMS]))
    except (KeyError, ValueError, TypeError, IndexError, InputError) as cause:
        raise StorageError("lacks tables of a run", where=str(folder), why=repr(cause)) from cause


def _histograms(
    prefix: str, stamps: Stamps, interval_ns: int
) -> Iterator[tuple[str, correction.HdrHistogram]]:
    yield f"{prefix}issue_lag", correction.record(stamps.lag_ns)
    yield f"{prefix}response", correction.record(stamps.response_ns)
    yield f"{prefix}link", correction.record(stamps.link_ns)
    if correction.omitted(stamps.link_ns, max(1, interval_ns)) <= correction.MOST_ADDED:
        corrected = correction.corrected(stamps.link_ns, max(1, interval_ns))
        yield f"{prefix}link_corrected", corrected


def _bins(histograms: dict[str, correction.HdrHistogram]) -> dict[str, NDArray[Any]]:
    filled = {kind: np.flatnonzero(each.counts) for kind, each in histograms.items()}
    kinds = [np.full(bins.size, kind, _KIND_LETTERS) for kind, bins in filled.items()]
    return {
        "kind": np.concatenate(kinds),
        "lower_ns": np.concatenate([correction.lower_edges(bins) for bins in filled.values()]),
        "count": np.concatenate([histograms[kind].counts[bins] for kind, bins in filled.items()]),
    }


def _unbinned(columns: dict[str, Any]) -> dict[str, correction.HdrHistogram]:
    kinds = np.asarray(columns["kind"]).astype(_KIND_LETTERS)
    bins = correction.bin_of(np.asarray(columns["lower_ns"], np.int64))
    counts = np.asarray(columns["count"], np.int64)
    found = {}
    for kind in np.unique(kinds):
        rows = kinds == kind
        whole = np.zeros(correction.BINS, np.int64)
        whole[bins[rows]] = counts[rows]
        found[str(kind)] = correction.HdrHistogram(whole)
    return found
