from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import inspect
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness
from harness.errors import InputError, StorageError
from harness.fabric.samples import KINDS, Trace
from harness.report import reader, sealed, store, tables

if TYPE_CHECKING:
    from tests.unit.conftest import Synthetic

ROOT = Path(__file__).parents[2]
HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None
FORMS = [
    pytest.param(tables.PARQUET, marks=pytest.mark.skipif(not HAS_PYARROW, reason="no pyarrow")),
    tables.NPZ,
]


def stamps(size: int) -> Trace:
    rng = np.random.default_rng(size)
    event = np.cumsum(rng.integers(1, 3, size))
    scheduled = np.cumsum(rng.geometric(0.1, size))
    accepted = scheduled + rng.integers(0, 9, size)
    columns = (event, scheduled, accepted, accepted + 26)
    return Trace(*(column.astype(np.int64) for column in columns))


def write(
    synthetic: Synthetic, out: Path, trace: Trace | None = None, form: str = "", **changes: Any
) -> Path:
    found, samples = synthetic.result()
    result: Any = {**found, **changes}
    if trace is not None:
        samples = dataclasses.replace(samples, trace=trace)
    with pytest.MonkeyPatch.context() as patch:
        if form == tables.NPZ:
            patch.setitem(sys.modules, "pyarrow", None)
        folder = store.write(store.prepare(out), result, samples)
    assert not form or (folder / f"trace.{form}").exists()
    return folder


# One row a run


def test_a_row_holds_what_the_result_says(synthetic: Synthetic, tmp_path: Path) -> None:
    facts = {
        "started_utc": "2026-01-31T09:30:00.125Z",
        "ended_utc": "2026-01-31T09:30:02Z",
        "target": {"board": "kv260"},
    }
    folder = write(synthetic, tmp_path, facts=facts)
    frame = harness.load_results(tmp_path)
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row.run == folder.name
    assert row.folder == str(folder)
    assert row.started_utc == pd.Timestamp("2026-01-31 09:30:00.125", tz="UTC")
    assert (row.ended_utc - row.started_utc).total_seconds() == 1.875
    assert (row.benchmark, row.overlay, row.board) == ("made_up", "dial", "kv260")
    assert (row.verdict, row.time_base) == ("pass", "simulated fabric")
    assert (row.scheduled_events, row.completed_events, row.dropped_events) == (5000, 5000, 0)
    assert (row.deadline_cycles, row.missed_events) == (40, 0)
    assert (row.total_p99_cycles, row.total_p99_ns, row.wait_max_ns) == (26, 130.0, 0.0)
    assert (row.total_p99_low_cycles, row.total_p99_high_cycles) == (26, 26)
    assert (row.service_mean_cycles, row.service_mean_ns) == (26.0, 130.0)
    assert (row.clock_measured_hz, row.rate_ratio) == (2e8, 1.0)
    assert row.bit_exact is np.True_
    assert row.output_crc == 0x1234
    assert pd.isna(row.damage)


def test_columns_are_typed_and_say_their_unit(synthetic: Synthetic, tmp_path: Path) -> None:
    write(synthetic, tmp_path)
    full = harness.load_results(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    none = harness.load_results(empty)
    assert len(none) == 0
    pd.testing.assert_series_equal(none.dtypes, full.dtypes)
    kinds = {name: str(kind) for name, kind in full.dtypes.items()}
    assert kinds["started_utc"] == "datetime64[ns, UTC]"
    assert kinds["bit_exact"] == "boolean"
    for name, kind in kinds.items():
        ending = str(name).rpartition("_")[2]
        if ending in {"ns", "hz", "ratio"}:
            assert kind == "float64", name
        elif ending in {"cycles", "events", "beats", "overflow", "crc"}:
            wanted = "float64" if "mean" in str(name) else "Int64"
            assert kind == wanted, name
        else:
            assert kind in {"string", "boolean", "datetime64[ns, UTC]"}, name
    for kind in KINDS:
        for statistic in ("min", "mean", "p50", "p99", "p999", "max"):
            assert {f"{kind}_{statistic}_cycles", f"{kind}_{statistic}_ns"} <= set(kinds)


def test_runs_are_in_order_and_can_be_chosen(synthetic: Synthetic, tmp_path: Path) -> None:
    for minute, name in ((3, "made_up"), (1, "smoke_dial"), (2, "made_up")):
        facts = {"started_utc": f"2026-01-31T09:0{minute}:00Z"}
        write(synthetic, tmp_path, facts=facts, benchmark={"name": name, "digest": "0"})
    assert harness.load_results(tmp_path).started_utc.dt.minute.tolist() == [1, 2, 3]
    assert len(harness.load_results(str(tmp_path), "made_up")) == 2
    assert len(harness.load_results(tmp_path, benchmark="smoke/dial")) == 1
    assert len(harness.load_results(tmp_path, benchmark="other")) == 0
    with pytest.raises(InputError, match="no such folder"):
        harness.load_results(tmp_path / "none")


def test_what_is_missing_is_missing_and_not_zero(synthetic: Synthetic, tmp_path: Path) -> None:
    found, _ = synthetic.result("run.events=100")
    result: Any = {**found, "facts": {"started_utc": "9999-12-31T00:00:00Z"}}
    result["deadline"] = {"cycles": None, "misses": None}
    result["output"] = dict.fromkeys(result["output"])
    store.write(store.prepare(tmp_path), result, None)
    row = harness.load_results(tmp_path).iloc[0]
    for name in (
        "started_utc",  # beyond what a stamp in ns can hold
        "board",
        "total_p99_ns",
        "total_p99_cycles",
        "deadline_cycles",
        "missed_events",
        "bit_exact",
        "mismatched_beats",
        "output_crc",
    ):
        assert pd.isna(row[name]), name
    assert row.total_p50_cycles == 26


def test_a_damaged_run_is_a_row_without_numbers(synthetic: Synthetic, tmp_path: Path) -> None:
    write(synthetic, tmp_path, facts={"started_utc": "2026-01-31T09:00:00Z"})
    bad = write(synthetic, tmp_path)
    path = next(bad.glob("trace.*"))
    path.write_bytes(path.read_bytes()[:-1])
    frame = harness.load_results(tmp_path).set_index("run")
    assert frame.verdict.tolist().count("damaged") == 1
    row = frame.loc[bad.name]
    assert row.verdict == "damaged"
    assert row.damage.startswith(f"{path.name}: is not what was written")
    assert pd.isna(row.total_p99_ns)
    assert pd.isna(row.benchmark)


def test_strange_text_and_numbers_do_no_harm(synthetic: Synthetic, tmp_path: Path) -> None:
    write(synthetic, tmp_path, target="a\x00\ud800[red]")
    write(synthetic, tmp_path, queue={"max_depth": 1, "limit": 2**70})
    frame = harness.load_results(tmp_path)
    assert sorted(frame.verdict) == ["damaged", "pass"]
    assert frame.target.dropna().tolist() == ["a\x00\\ud800[red]"]
    assert frame.damage.dropna().tolist()[0].endswith("holds a number out of range")


# One row an event


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_trace_is_what_was_stored(
    synthetic: Synthetic, tmp_path: Path, form: str, size: int
) -> None:
    trace = stamps(size)
    folder = write(synthetic, tmp_path, trace, form)
    frame = harness.load_trace(folder)
    names = ["event", "scheduled_cycles", "accepted_cycles", "done_cycles"]
    assert [(str(n), str(kind)) for n, kind in frame.dtypes.items()] == [
        (n, "int64") for n in names
    ]
    assert frame.event.tolist() == trace.event.tolist()
    assert frame.scheduled_cycles.tolist() == trace.scheduled.tolist()
    assert frame.accepted_cycles.tolist() == trace.accepted.tolist()
    assert frame.done_cycles.tolist() == trace.done.tolist()


def test_a_run_is_named_as_on_the_command_line(synthetic: Synthetic, tmp_path: Path) -> None:
    folder = write(synthetic, tmp_path, stamps(7))
    for name in (folder, str(folder), folder.name, folder.name[:16], "last"):
        assert len(harness.load_trace(name, tmp_path)) == 7
    with pytest.raises(InputError, match="no such run"):
        harness.load_trace("none", path=tmp_path)


def test_a_run_whose_fabric_was_not_read_has_no_rows(synthetic: Synthetic, tmp_path: Path) -> None:
    found, _ = synthetic.result()
    folder = store.write(store.prepare(tmp_path), found, None)
    frame = harness.load_trace(folder)
    assert len(frame) == 0
    assert frame.dtypes.astype(str).unique().tolist() == ["int64"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tests.unit.conftest import Synthetic

    out = tmp_path_factory.mktemp("results")
    forms = (tables.PARQUET, tables.NPZ) if HAS_PYARROW else (tables.NPZ,)
    return {form: write(Synthetic(), out, stamps(1000), form) for form in forms}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(batch=st.integers(1, 1500))
def test_batches_of_any_size_hold_every_event(folders: dict[str, Path], batch: int) -> None:
    for folder in folders.values():
        with reader.open_folder(folder).trace(batch) as (events, pieces):
            found = list(pieces)
        assert events == 1000
        assert all(piece.event.size <= batch for piece in found)
        for name in ("event", "scheduled", "accepted", "done"):
            column = np.concatenate([getattr(piece, name) for piece in found])
            assert np.array_equal(column, getattr(stamps(1000), name))


@pytest.mark.skipif(not HAS_PYARROW, reason="no pyarrow")
def test_row_groups_of_other_writers_are_read(synthetic: Synthetic, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = write(synthetic, tmp_path, stamps(1000), tables.PARQUET)
    path = folder / "trace.parquet"
    parquet.write_table(parquet.read_table(path), path, row_group_size=170)
    seal(folder, path.name)
    assert harness.load_trace(folder).event.tolist() == stamps(1000).event.tolist()


def seal(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that a test has changed."""
    import hashlib
    import json

    manifest = json.loads((folder / sealed.MANIFEST).read_text())
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest["files"][name]["sha256"] = digest
    (folder / sealed.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_trace_is_refused_before_a_row_is_given(
    synthetic: Synthetic, tmp_path: Path, form: str
) -> None:
    folder = write(synthetic, tmp_path, stamps(3000), form)
    path = folder / f"trace.{form}"
    content = path.read_bytes()
    path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    with pytest.raises(StorageError, match="is not what was written"):
        harness.load_trace(folder)
    for wrong in (b"", b"PAR1", b"PK\x03\x04", content[:-40], content[:200]):
        path.write_bytes(wrong)
        seal(folder, path.name)
        with pytest.raises(StorageError, match=r"is not a"):
            harness.load_trace(folder)
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        harness.load_trace(folder)


def other_archive(path: Path, **columns: Any) -> None:
    arrays = {name: np.arange(5) for name in ("event", "scheduled", "accepted", "done")}
    np.savez(path, **{**arrays, **columns})


@pytest.mark.parametrize(
    "columns",
    [
        {"done": np.arange(4)},
        {"event": np.zeros((5, 1), np.int64)},
        {"event": np.zeros(5)},
        {"event": np.array([object()] * 5, dtype=object)},
    ],
)
def test_archives_of_another_shape_are_refused(
    synthetic: Synthetic, tmp_path: Path, columns: dict[str, Any]
) -> None:
    folder = write(synthetic, tmp_path, stamps(5), tables.NPZ)
    other_archive(folder / "trace.npz", **columns)
    seal(folder, "trace.npz")
    with pytest.raises(StorageError, match="is not a"):
        harness.load_trace(folder)


def test_an_archive_that_says_more_than_it_holds_is_refused(
    synthetic: Synthetic, tmp_path: Path
) -> None:
    folder = write(synthetic, tmp_path, stamps(5), tables.NPZ)
    path = folder / "trace.npz"
    other_archive(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"(5,)", b"(7,)"))
    seal(folder, path.name)
    with pytest.raises(StorageError, match="is not a table of stamps"):
        harness.load_trace(folder)


@pytest.mark.parametrize("said", [4, 6])
def test_a_trace_that_is_longer_or_shorter_than_it_says_is_refused(
    synthetic: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int
) -> None:
    folder = write(synthetic, tmp_path, stamps(5))
    lying = contextlib.nullcontext((said, iter([stamps(5)])))
    monkeypatch.setattr(reader.Folder, "trace", lambda _: lying)
    with pytest.raises(StorageError, match=f"as many events as it says; 5 instead of {said}"):
        harness.load_trace(folder)


def test_a_trace_in_parquet_needs_pyarrow(
    synthetic: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not HAS_PYARROW:
        pytest.skip("pyarrow is not installed")
    folder = write(synthetic, tmp_path, stamps(5), tables.PARQUET)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StorageError, match="pyarrow is not installed; pip install"):
        harness.load_trace(folder)


MEASURE = textwrap.dedent("""
    import importlib.util, sys
    from pathlib import Path
    import harness
    from harness.report import reader

    def peak():
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

    harness.load_trace
    if importlib.util.find_spec("pyarrow"):
        import pyarrow.parquet
    before = peak()
    with reader.open_folder(Path(sys.argv[1])).trace() as (_, pieces):
        events = sum(piece.event.size for piece in pieces)
    streamed = peak()
    assert len(harness.load_trace(sys.argv[1])) == events
    print(events, streamed - before, peak() - before)
""")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_trace(synthetic: Synthetic, tmp_path: Path) -> None:
    size = 4_000_000 if HAS_PYARROW else 1_000_000  # archives are slow to compress
    trace_mib = 32 * size / 2**20
    trace = Trace(*(np.arange(size, dtype=np.int64) for _ in range(4)))
    folder = write(synthetic, tmp_path, trace, tables.PARQUET if HAS_PYARROW else tables.NPZ)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)],
        cwd=ROOT,
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    events, streamed_mib, loaded_mib = map(float, done.stdout.split())
    assert events == size
    assert streamed_mib < 0.75 * trace_mib
    assert loaded_mib < trace_mib + 80


# The package


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, harness; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pandas", "pyarrow", "harness.report", "harness.errors"}


def test_the_package_offers_what_its_stub_says() -> None:
    assert set(harness.__all__) == {"__version__", "load_results", "load_trace"}
    assert set(harness.__all__) <= set(dir(harness))
    stub = (ROOT / "harness" / "__init__.pyi").read_text()
    for name in harness.__all__:
        assert name in stub
    assert list(inspect.signature(harness.load_results).parameters) == ["path", "benchmark"]
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        harness.load_everything  # type: ignore[attr-defined]  # noqa: B018
