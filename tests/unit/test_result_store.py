from __future__ import annotations

import copy
import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.errors import StorageError
from harness.fabric.samples import KINDS, Kind, LatencyHistogram
from harness.measure.verdict import interrupted
from harness.report import result, schema, sealed, store, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Synthetic

ROOT = Path(__file__).parents[2]
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow, an extra, is not installed"
)
FORMS = [pytest.param(tables.PARQUET, marks=needs_pyarrow), tables.NPZ]


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes pyarrow disappear for the rest of the test."""

    def hide() -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)

    return hide


def same(first: LatencyHistogram, second: LatencyHistogram) -> bool:
    names = ("overflow", "count", "minimum", "maximum", "total")
    return np.array_equal(first.counts, second.counts) and all(
        getattr(first, name) == getattr(second, name) for name in names
    )


# The content of result.json


def test_a_result_has_exactly_the_keys_of_its_schema(synthetic: Synthetic) -> None:
    found, _ = synthetic.result()
    assert list(found) == [
        "schema",
        "verdict",
        "reasons",
        "time_base",
        "target",
        "overlay",
        "benchmark",
        "arrival",
        "seeds",
        "clock",
        "events",
        "rate",
        "latency",
        "deadline",
        "queue",
        "output",
        "theory",
        "weights",
        "facts",
    ]
    assert found["events"] == {
        "scheduled": 5000,
        "completed": 5000,
        "dropped": 0,
        "in_flight": 0,
        "distinct": 64,
    }
    total = found["latency"]["total"]
    assert list(total) == [
        "count",
        "overflow",
        "min",
        "max",
        "mean",
        "p50",
        "p99",
        "p999",
        "reasons",
        "confidence",
    ]
    assert total["p99"] == {"cycles": 26, "ns": 130}
    assert found["deadline"] == {"cycles": 40, "misses": 0}
    assert found["queue"] == {"max_depth": 0, "limit": 64}
    assert found["clock"] == {
        "nominal_hz": 2e8, "set_hz": 2e8, "measured_hz": 2e8, "asked_hz": 2e8, "uncertainty_hz": 0,
    }  # fmt: skip
    assert found["output"]["bit_exact"] is True
    assert found["verdict"] == "pass"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_ns_follow_the_measured_clock(synthetic: Synthetic) -> None:
    from harness.session import Clock

    found, _ = synthetic.result(clock=Clock(200e6, 200e6, 200e6, 187.5e6))
    assert found["latency"]["service"]["max"] == {"cycles": 26, "ns": pytest.approx(138.6667)}


def test_a_run_has_no_more_distinct_events_than_events(synthetic: Synthetic) -> None:
    assert synthetic.result("run.events=20")[0]["events"]["distinct"] == 20


def test_missing_numbers_are_null_with_a_reason(synthetic: Synthetic) -> None:
    found, _ = synthetic.result("run.events=300")
    total = found["latency"]["total"]
    assert total["p99"] is not None
    assert total["p999"] is None
    assert total["reasons"] == {"p999": "not resolvable: 300 events, needs 2995"}


def test_a_run_that_was_not_read_is_still_a_result(synthetic: Synthetic, tmp_path: Path) -> None:
    evidence = synthetic.evidence(samples=None)
    record = synthetic.record(evidence, verdict=interrupted("SIGINT"))
    found = result.build(record)
    assert found["verdict"] == "interrupted"
    assert found["events"]["scheduled"] is None
    assert set(found["latency"]["wait"]["reasons"].values()) == {"the fabric was not read"}
    stored = store.load(store.write(tmp_path, found, None))
    assert stored.result == found
    assert stored.histograms == {}
    assert stored.trace is None


def test_an_interrupted_run_keeps_what_was_read(synthetic: Synthetic, tmp_path: Path) -> None:
    evidence = synthetic.evidence()
    found = result.build(synthetic.record(evidence, verdict=interrupted("SIGTERM")))
    stored = store.load(store.write(tmp_path, found, evidence.samples))
    assert stored.result["verdict"] == "interrupted"
    assert stored.result["events"]["completed"] == 5000
    assert set(stored.histograms) == set(KINDS)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("schema",), 2, "newer harness"),
        (("schema",), 0, "schema is 0"),
        (("schema",), "1", "schema is of the wrong type"),
        (("latency", "total"), None, "latency.total is not a table"),
        (("latency", "total", "p99"), 5, "latency.total.p99 is not a table"),
        (("latency", "total", "p99"), {"cycles": 5}, "latency.total.p99.ns is missing"),
        (("latency", "wait", "reasons"), {"p99": 1}, "wrong type"),
        (("events", "scheduled"), "5", "events.scheduled is of the wrong type"),
        (("events", "distinct"), True, "events.distinct is of the wrong type"),
        (("reasons",), [{}], "reasons.effect is missing"),
        (("clock", "set_hz"), None, "clock.set_hz is of the wrong type"),
    ],
)
def test_what_is_no_result_is_refused(
    synthetic: Synthetic, path: tuple[str, ...], value: object, word: str
) -> None:
    found: Any = copy.deepcopy(synthetic.result()[0])
    table = found
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value
    with pytest.raises(StorageError, match=word):
        schema.check(found, "x")


@pytest.mark.parametrize("content", [None, [], 3, {}, {"schema": 1}])
def test_other_json_is_refused(content: object) -> None:
    with pytest.raises(StorageError, match="is not a result"):
        schema.check(content, "x")


# Tables


@pytest.mark.parametrize("form", FORMS)
def test_tables_survive_either_form(
    synthetic: Synthetic, form: str, without_pyarrow: Callable[[], None]
) -> None:
    due = np.sort(np.random.default_rng(2).integers(0, 3000, 500)).astype(np.int64)
    samples = synthetic.samples(due, 9, 26, 40, bins=128)
    assert samples.total.overflow > 0
    if form == tables.NPZ:
        without_pyarrow()
    made, content = tables.encode_histograms(samples.histograms())
    assert made == form
    found = tables.decode_histograms(form, content, "x")
    assert list(found) == list(KINDS)
    assert all(same(found[kind], samples.histograms()[kind]) for kind in KINDS)
    made, content = tables.encode_trace(samples.trace)
    trace = tables.decode_trace(made, content, "x")
    for name in ("event", "scheduled", "accepted", "done"):
        assert np.array_equal(getattr(trace, name), getattr(samples.trace, name))


@pytest.mark.parametrize("form", FORMS)
def test_empty_tables_survive_either_form(
    synthetic: Synthetic, form: str, without_pyarrow: Callable[[], None]
) -> None:
    if form == tables.NPZ:
        without_pyarrow()
    samples = synthetic.samples(np.zeros(0, dtype=np.int64), 1, 1, 1)
    found = tables.decode_histograms(*tables.encode_histograms(samples.histograms()), "x")
    assert all(same(found[kind], samples.histograms()[kind]) for kind in KINDS)
    assert tables.decode_trace(*tables.encode_trace(samples.trace), "x").event.size == 0


def test_a_histogram_can_be_kept_alone(synthetic: Synthetic) -> None:
    samples = synthetic.result()[1]
    cases: list[dict[Kind, LatencyHistogram]] = [{}, {"total": samples.total}]
    for some in cases:
        found = tables.decode_histograms(*tables.encode_histograms(some), "x")
        assert list(found) == list(some)


@needs_pyarrow
def test_other_tools_can_read_the_parquet(synthetic: Synthetic, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    found, samples = synthetic.result()
    frame = pandas.read_parquet(store.write(tmp_path, found, samples) / "histograms.parquet")
    assert list(frame.columns) == ["kind", "cycles", "count"]
    assert frame.to_dict("list") == {
        "kind": ["wait", "service", "total"],
        "cycles": [0, 26, 26],
        "count": [5000, 5000, 5000],
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PK\x03\x04", b"\x80\x04N."])
def test_damaged_tables_are_refused(form: str, content: bytes) -> None:
    with pytest.raises(StorageError, match=r"^x: is not"):
        tables.decode_histograms(form, content, "x")
    with pytest.raises(StorageError, match=r"^x: is not"):
        tables.decode_trace(form, content, "x")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, extent=np.array([object()], dtype=object))
    with pytest.raises(StorageError, match="is not a NumPy archive of ours"):
        tables.decode_trace(tables.NPZ, path.read_bytes(), "x")


# The folder


def test_what_is_written_is_read(synthetic: Synthetic, tmp_path: Path) -> None:
    found, samples = synthetic.result()
    out = store.prepare(tmp_path / "a" / "b")
    folder = store.write(out, found, samples)
    stems = sorted(path.stem for path in folder.iterdir())
    assert stems == ["histograms", "manifest", "result", "trace"]
    assert store.list_runs(out) == [folder]
    assert [path.name for path in out.iterdir()] == [folder.name]
    stored = store.load(folder)
    assert stored.result == found
    assert same(stored.histograms["total"], samples.total)


@needs_pyarrow
def test_a_board_writes_what_a_workstation_reads(
    synthetic: Synthetic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_pyarrow: Callable[[], None],
) -> None:
    found, samples = synthetic.result()
    parquet = store.write(tmp_path, found, samples)
    without_pyarrow()
    npz = store.write(tmp_path, found, samples)
    assert (npz / "histograms.npz").exists()
    assert same(store.load(npz).histograms["wait"], samples.wait)
    with pytest.raises(StorageError, match=r"pyarrow is not installed; pip install 'fpga-harness"):
        store.load(parquet)
    monkeypatch.undo()
    assert same(store.load(npz).histograms["wait"], samples.wait)
    assert same(store.load(parquet).histograms["wait"], samples.wait)


def test_runs_of_the_same_second_do_not_meet(synthetic: Synthetic, tmp_path: Path) -> None:
    found, _ = synthetic.result()
    folders = [store.write(tmp_path, found, None) for _ in range(20)]
    assert len(set(folders)) == 20
    assert sorted(folders) == store.list_runs(tmp_path)


def test_a_run_that_is_there_is_never_touched(
    synthetic: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = synthetic.result()
    monkeypatch.setattr(store, "_name", lambda _: "same")
    folder = store.write(tmp_path, found, None)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StorageError, match="cannot be written"):
        store.write(tmp_path, {**found, "verdict": "fail"}, None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["same"]


def test_every_flipped_bit_is_noticed(synthetic: Synthetic, tmp_path: Path) -> None:
    found, samples = synthetic.result()
    folder = store.write(tmp_path, found, samples)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for place in {0, len(content) // 3, len(content) // 2, len(content) - 2}:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            if path.name == sealed.MANIFEST and content[place : place + 1].isspace():
                continue
            with pytest.raises(StorageError):
                store.load(folder)
        path.write_bytes(content[:-1])
        if path.name != sealed.MANIFEST:
            with pytest.raises(StorageError, match="is not what was written"):
                store.load(folder)
        path.unlink()
        with pytest.raises(StorageError):
            store.load(folder)
        path.write_bytes(content)
    assert store.load(folder).result == found


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a manifest"),
        ('{"schema": 2, "files": {}}', "newer harness"),
        ('{"schema": 1, "files": []}', "not a manifest"),
        ('{"schema": 1, "files": {}}', "holds no result"),
        ('{"schema": 1, "files": {"../x": {}}}', "plain file name"),
        ('{"schema": 1, "files": {"result.json": 3}}', "without its SHA-256"),
        ('{"schema": 1, "files": {"none": {}}}', "without its SHA-256"),
        ('{"schema": 1, "files": {"none": {"sha256": "0"}}}', "cannot be read"),
    ],
)
def test_other_manifests_are_refused(
    synthetic: Synthetic, tmp_path: Path, manifest: str, word: str
) -> None:
    folder = store.write(tmp_path, synthetic.result()[0], None)
    (folder / sealed.MANIFEST).write_text(manifest)
    with pytest.raises(StorageError, match=word):
        store.load(folder)


def test_unfinished_folders_are_not_runs(synthetic: Synthetic, tmp_path: Path) -> None:
    folder = store.write(tmp_path, synthetic.result()[0], None)
    hidden = folder.rename(tmp_path / f".{folder.name}.partial")
    assert store.list_runs(tmp_path) == []
    with pytest.raises(StorageError, match="never written to its end"):
        store.load(hidden)
    (tmp_path / "other").mkdir()
    with pytest.raises(StorageError, match="is not a finished run"):
        store.load(tmp_path / "other")
    with pytest.raises(StorageError, match="is not a finished run"):
        store.load(tmp_path / "none")
    assert store.list_runs(tmp_path / "none") == []


def test_pictures_may_be_added_to_a_run(synthetic: Synthetic, tmp_path: Path) -> None:
    folder = store.write(tmp_path, synthetic.result()[0], None)
    (folder / "latency.png").write_bytes(b"x")
    store.load(folder)


# Disks and processes that fail


def test_a_file_in_the_way_is_found_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="a file is in the way"):
            store.prepare(folder)


def test_a_folder_nobody_may_write_is_found_before_the_run() -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        store.prepare(Path("/proc/none"))
    with pytest.raises(StorageError, match="cannot be written"):
        store.prepare(Path("/proc/self"))


def test_a_full_disk_is_found_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 30, 1 << 30, 1 << 20))
    with pytest.raises(StorageError, match="too little space"):
        store.prepare(tmp_path)
    assert list(tmp_path.iterdir()) == []


class FailingDisk:
    """Lets so many operations pass, then fails each one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, passes: int, code: int) -> None:
        self.left = passes
        self.code = code
        for owner, name in ((os, "fsync"), (Path, "open"), (Path, "mkdir"), (Path, "rename")):
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def wrap(self, function: Any) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise OSError(self.code, os.strerror(self.code))
            return function(*arguments, **options)

        return wrapped


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_fails_at_any_operation_leaves_nothing_to_believe(
    synthetic: Synthetic, tmp_path: Path, code: int
) -> None:
    found, samples = synthetic.result()
    for passes in range(12):
        out = tmp_path / f"{code}_{passes}"
        out.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, passes, code)
            with pytest.raises(StorageError, match=os.strerror(code)):
                store.write(out, found, samples)
            assert disk.left == -1
        # Only the last step, making the name durable, comes after the run is whole.
        left = list(out.iterdir())
        assert left == store.list_runs(out)
        assert len(left) == int(passes == 11), passes
        assert all(store.load(folder).result == found for folder in left)
    with pytest.MonkeyPatch.context() as patch:
        disk = FailingDisk(patch, 12, code)
        store.write(tmp_path / f"{code}_0", found, samples)
        assert disk.left == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_preparing_fails_cleanly(tmp_path: Path, code: int) -> None:
    for passes in range(5):
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(patch, passes, code)
            with pytest.raises(StorageError, match=os.strerror(code)):
                store.prepare(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_short_write_is_no_success(
    synthetic: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no /dev/full here")
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda _, mode: real(device, mode.replace("x", "w")))
    with pytest.raises(StorageError, match="No space left on device; free some space"):
        store.write(tmp_path, synthetic.result()[0], None)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_writing_leaves_nothing(
    synthetic: Synthetic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(tmp_path, synthetic.result()[0], None)
    assert list(tmp_path.iterdir()) == []


KILLED_AT_EVERY_STEP = """
    import json, os, signal, sys
    from pathlib import Path
    sys.modules["pyarrow"] = None  # its threads would not survive the fork
    from harness.report import store, tables

    out, content = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())

    def child(steps):
        left = steps

        def dying(function):
            def wrapped(*arguments, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)
            return wrapped

        os.fsync = dying(os.fsync)
        Path.open, Path.mkdir, Path.rename = map(dying, (Path.open, Path.mkdir, Path.rename))
        store.write(out, content, None)
        os._exit(0)

    for steps in range(100):
        pid = os.fork()
        if pid == 0:
            child(steps)
        status = os.waitpid(pid, 0)[1]
        if os.WIFEXITED(status):
            print(steps, os.WEXITSTATUS(status))
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
"""


def test_kill_9_at_any_step_leaves_nothing_to_believe(synthetic: Synthetic, tmp_path: Path) -> None:
    found, _ = synthetic.result()
    content, out = tmp_path / "content.json", tmp_path / "out"
    content.write_text(json.dumps(found))
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_AT_EVERY_STEP), str(out), str(content)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    steps, status = map(int, done.stdout.split())
    assert (steps, status) == (8, 0)
    # Whole are the run that nobody killed and the one killed between renaming and the last sync.
    runs = store.list_runs(out)
    assert len(runs) == 2
    assert all(store.load(folder).result == found for folder in runs)
    hidden = [path for path in out.iterdir() if path not in runs]
    assert len(hidden) == steps - 2
    for folder in hidden:
        with pytest.raises(StorageError, match="never written to its end"):
            store.load(folder)


STARTS_THREADS = """
    import json, os, sys
    import numpy as np
    import pyarrow, pyarrow.parquet
    from harness.fabric.samples import LatencyHistogram, Trace
    from harness.report import tables

    before = set(os.listdir("/proc/self/task"))
    some = np.arange(4096, dtype=np.int64)
    histogram = LatencyHistogram(some, 0, int(some.sum()), 1, 4095, int(some @ some))
    tables.decode_histograms(*tables.encode_histograms({"total": histogram}), "x")
    tables.decode_trace(*tables.encode_trace(Trace(some, some, some, some)), "x")
    print(len(set(os.listdir("/proc/self/task")) - before))
"""


@needs_pyarrow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_tables_start_no_threads() -> None:
    # A worker of Arrow's that gives back memory of Python's while Python exits aborts the process:
    # a run that passed ended with status 134, in three of eight runs.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STARTS_THREADS)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert int(done.stdout) == 0
