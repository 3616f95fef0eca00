"""`harness traffic` as a user meets it: files that hold what they say, and figures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import benchmark as benchmarks
from harness import cli
from harness.errors import BenchmarkError
from harness.traffic import SOURCE_NAMES, detector
from harness.traffic.instruments import INSTRUMENTS, instrument

SMALL = ["jets", "lar_samples", "digit_bits"]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main(["traffic", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.main(["traffic", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Return metadata and columns of an exported file, by somebody else's reader."""
    import pandas as pd
    from pyarrow import parquet

    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(str(arrays.pop("metadata"))), arrays
    if path.suffix == ".parquet":
        table = parquet.read_table(path)
        about = json.loads(table.schema.metadata[b"harness"])
        return about, {name: table[name].to_numpy() for name in table.column_names}
    about = json.loads(path.read_text().partition("\n")[0].removeprefix("# "))
    frame = pd.read_csv(path, comment="#")
    return about, {str(name): frame[name].to_numpy() for name in frame.columns}


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
@pytest.mark.parametrize("name", SMALL)
def test_an_export_holds_the_events_and_says_where_they_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    printed = json.loads(run(capsys, name, "-n", 500, "-o", path, "--seed", 9, "--json"))
    events = detector(name).generate(500, 9)
    about, columns = read(path)
    assert printed == {**about, "written": [str(path)]}
    assert about["sha256"] == events.sha256
    assert (about["source"], about["seed"], about["version"]) == (name, 9, events.version)
    if suffix == ".npz":
        raw, truth = columns["raw"], columns["truth"]
        assert raw.dtype == events.raw.dtype
    else:
        width = events.raw.shape[1]
        raw = np.stack(list(columns.values())[:width], axis=1)
        truth = np.stack(list(columns.values())[width:], axis=1)
    assert np.array_equal(raw, events.raw)
    assert np.array_equal(truth.reshape(events.truth.shape), events.truth)
    again = raw.astype(events.raw.dtype.newbyteorder("<"))
    assert hashlib.sha256(np.ascontiguousarray(again).tobytes()).hexdigest() == about["sha256"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_a_benchmark_comes_with_its_arrival_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    run(capsys, "latency/jet_tagger_lhc", "-n", 100, "-o", path, "--set", "traffic.distinct=40")
    about, columns = read(path)
    assert about["process"] == "lhc"
    assert about["distinct"] == 40
    due = columns["due_cycle"]
    assert (np.diff(due) > 0).all()
    assert columns["due_ns"] == pytest.approx(due * 1e9 / about["clock_hz"])
    assert columns["place_in_train"].tolist() == [*range(8), *range(48), *range(44)]
    values = columns["raw"] if suffix == ".npz" else np.stack(list(columns.values())[3:], axis=1)
    assert np.array_equal(values[:60], values[40:])


def test_an_export_that_fails_leaves_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no format" in refused(capsys, "jets", "-o", tmp_path / "x.xlsx")
    assert cli.main(["traffic", "jets", "-o", str(tmp_path / "no" / "x.csv")]) == 4
    assert "cannot be written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_neither_a_source_nor_a_benchmark_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "did you mean 'jets'" in refused(capsys, "jet")
    assert "negative" in refused(capsys, "jets", "--seed", -1)
    assert "too many" in refused(capsys, "plasma_frames", "-n", 10**9)
    assert "name a benchmark" in refused(capsys, "jets", "--set", "arrival.seed=3")


def test_the_list_tells_of_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(run(capsys, "--json"))
    assert [row["name"] for row in rows] == list(SOURCE_NAMES)
    assert all(row["what"] and row["rate"] for row in rows)
    assert "digit_spikes" in run(capsys)


def test_instruments_describe_the_sources_that_there_are() -> None:
    assert set(INSTRUMENTS) == set(SOURCE_NAMES)
    for name in SOURCE_NAMES:
        about = instrument(name)
        if name == "noise":
            continue
        values = detector(name).values
        assert int(np.prod(about.shape)) == values or about.view == "stream"
        assert len(about.names) in {0, values}
    with pytest.raises(BenchmarkError, match="unknown event source"):
        instrument("x")


@pytest.mark.parametrize(
    "name",
    ["jets", "l1_objects", "trigger_cells", "lar_samples", "plasma_frames", "iq_windows",
     "bragg_patches", "digit_bits", "digit_spikes", "noise"],
)  # fmt: skip
def test_every_source_can_be_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    run(capsys, name, "-n", 80, "--plot", first)
    assert first.read_bytes().startswith(b"\x89PNG")
    run(capsys, name, "-n", 80, "--plot", second, "--seed", 2)
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["l1_objects", "trigger_cells", "lar_samples", "iq_windows",
                                  "digit_bits"])  # fmt: skip
def test_a_handful_of_events_can_be_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, count: int
) -> None:
    run(capsys, name, "-n", count, "--plot", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")


def test_a_benchmark_is_drawn_with_its_arrivals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(capsys, "smoke/jet_tagger", "-n", 60, "--plot")
    assert (tmp_path / "smoke_jet_tagger.png").exists()


def test_a_figure_of_an_unknown_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["traffic", "jets", "-n", "9", "--plot", str(tmp_path / "a.xyz")]) == 4
    assert "not a format of figures" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# A benchmark that replays a file of times


def benchmark_file(folder: Path, extra: str = "") -> Path:
    path = folder / "replay.toml"
    path.write_text(
        'schema = 1\nname = "replay"\nsummary = "x"\noverlay = "jet_tagger"\n'
        '[traffic]\nsource = "jets"\n[arrival]\nprocess = "trace"\nfile = "data/times.csv"\n'
        f"{extra}[run]\nevents = 60\n"
    )
    (folder / "data").mkdir()
    (folder / "data" / "times.csv").write_text("time_us,energy\n1,5\n3,5\n7.5,4\n")
    return path


def test_a_trace_is_found_beside_its_benchmark_and_belongs_to_its_digest(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = benchmark_file(tmp_path / "one"), benchmark_file(tmp_path / "two")
    first, second = benchmarks.load(one), benchmarks.load(two)
    content = (tmp_path / "one" / "data" / "times.csv").read_bytes()
    assert first.arrival.sha256 == hashlib.sha256(content).hexdigest()
    assert first.digest == second.digest  # the same content elsewhere
    (tmp_path / "two" / "data" / "times.csv").write_text("time_us\n1\n3\n7.25\n")
    assert benchmarks.load(two).digest != first.digest


def test_a_trace_that_changed_is_refused(tmp_path: Path) -> None:
    path = benchmark_file(tmp_path, f'sha256 = "{"0" * 64}"\n')
    with pytest.raises(BenchmarkError, match="not the one that the benchmark means"):
        benchmarks.load(path)


def test_a_trace_that_is_missing_is_named(tmp_path: Path) -> None:
    path = benchmark_file(tmp_path)
    (tmp_path / "data" / "times.csv").unlink()
    with pytest.raises(BenchmarkError, match=r"data/times.csv: cannot be read; No such file"):
        benchmarks.load(path)


def test_the_replayed_times_are_those_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.npz"
    run(capsys, benchmark_file(tmp_path), "-n", 6, "-o", out)
    about, columns = read(out)
    due = columns["due_ns"]
    assert about["clock_hz"] == 200e6
    assert (due[1:4] - due[0]).tolist() == [2000, 6500, 9750]  # and the mean gap, 3.25 us
