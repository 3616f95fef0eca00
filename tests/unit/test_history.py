from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from harness.errors import BenchmarkError, InputError, StorageError
from harness.report import history, listing, reader, sealed, store
from harness.report.history import INDEX, Entry, refresh
from harness.report.selection import benchmark_name, find_run, find_runs, of_benchmark

if TYPE_CHECKING:
    from tests.unit.conftest import Synthetic

ROOT = Path(__file__).parents[2]
Make = Callable[..., Path]


@pytest.fixture
def make(synthetic: Synthetic, tmp_path: Path) -> Make:
    """Return what stores a run: some of its result's keys may be changed, and its folder named."""
    found, samples = synthetic.result()
    count = 0

    def write(name: str | None = None, minute: int | None = None, **changes: Any) -> Path:
        nonlocal count
        count += 1
        at = f"2026-01-31T09:{count if minute is None else minute:02}:00.000Z"
        facts = {"started_utc": at, "target": {"board": "zcu104"}}
        result: Any = {**found, "facts": facts, **changes}
        folder = store.write(store.prepare(tmp_path / "results"), result, samples)
        return folder if name is None else folder.rename(folder.with_name(name))

    return write


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "results"


def names(out: Path) -> list[str]:
    return [entry.run for entry in refresh(out)]


def rows(out: Path) -> list[Any]:
    with closing(sqlite3.connect(out / INDEX)) as database:
        return database.execute("SELECT * FROM runs ORDER BY run").fetchall()


# What is listed


def test_a_row_holds_what_the_result_says(make: Make, out: Path) -> None:
    folder = make()
    assert refresh(out) == [
        Entry(
            run=folder.name,
            started_utc="2026-01-31T09:01:00.000Z",
            benchmark="made_up",
            overlay="dial",
            overlay_digest="00112233445566778899aabbccddeeff",
            target="virtual (zcu104)",
            board="zcu104",
            time_base="simulated fabric",
            verdict="pass",
            events=5000,
            drops=0,
            misses=0,
            total_p50_cycles=26,
            total_p99_cycles=26,
            total_p999_cycles=26,
            total_max_cycles=26,
            total_p50_ns=130.0,
            total_p99_ns=130.0,
            total_p999_ns=130.0,
            total_max_ns=130.0,
            rate_ratio=1.0,
            clock_hz=2e8,
        )
    ]
    with closing(sqlite3.connect(out / INDEX)) as database:
        cursor = database.execute("SELECT * FROM runs")
        columns = [column[0] for column in cursor.description]
    assert columns == [*(field.name for field in dataclasses.fields(Entry)), "signature"]


def test_the_newest_is_last_whatever_the_folders_are_called(make: Make, out: Path) -> None:
    for name, minute in (("b", 30), ("a", 50), ("c", 10)):
        make(name, minute)
    assert names(out) == ["c", "b", "a"]
    make("d", facts={"started_utc": "2026-01-31T11:20:00+02:00"})
    assert names(out) == ["c", "d", "b", "a"]
    assert refresh(out)[1].started_utc == "2026-01-31T09:20:00.000Z"


@pytest.mark.parametrize("facts", [{}, {"started_utc": 5}, {"started_utc": "noon"}, {"target": 3}])
def test_facts_that_are_missing_are_missing(make: Make, out: Path, facts: Any) -> None:
    make(facts=facts)
    (entry,) = refresh(out)
    assert entry.verdict == "pass"
    assert (entry.started_utc, entry.board) == (None, None)


def test_what_could_not_be_stated_is_missing(synthetic: Synthetic, out: Path) -> None:
    found, _ = synthetic.result("run.events=100")
    store.write(store.prepare(out), {**found, "verdict": "interrupted"}, None)
    (entry,) = refresh(out)
    assert (entry.total_p50_cycles, entry.total_p99_cycles, entry.total_p99_ns) == (26, None, None)


# The index follows the folders


def test_runs_come_and_go(make: Make, out: Path) -> None:
    first, second = make(), make()
    assert names(out) == [first.name, second.name]
    third = make()
    shutil.rmtree(first)
    assert names(out) == [second.name, third.name]
    second.rename(out / "renamed")
    assert names(out) == ["renamed", third.name]
    shutil.rmtree(out / "renamed")
    shutil.rmtree(third)
    assert names(out) == []
    assert rows(out) == []


def test_only_what_changed_is_read_again(
    make: Make, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    verify = reader.Folder.verify

    def counted(folder: reader.Folder) -> None:
        read.append(folder.path.name)
        verify(folder)

    monkeypatch.setattr(reader.Folder, "verify", counted)
    first, second = make(), make()
    found = refresh(out)
    assert sorted(read) == sorted([first.name, second.name])
    before = (out / INDEX).stat()
    assert refresh(out) == found
    after = (out / INDEX).stat()
    assert len(read) == 2
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    (second / "latency.png").write_bytes(b"x")
    assert refresh(out) == found
    assert read[2:] == [second.name]
    assert refresh(out, rebuild=True) == found
    assert len(read) == 5


def test_an_index_that_was_kept_equals_one_that_is_rebuilt(make: Make, out: Path) -> None:
    for step in range(6):
        folder = make()
        if step % 2:
            (folder / "result.json").write_text("{}")
        if step == 3:
            shutil.rmtree(folder)
        refresh(out)
    kept = rows(out)
    (out / INDEX).unlink()
    refresh(out)
    assert rows(out) == kept
    refresh(out, rebuild=True)
    assert rows(out) == kept
    assert len(kept) == 5


def spoil_cell(index: Path) -> None:
    with closing(sqlite3.connect(index)) as database:
        database.execute("UPDATE runs SET total_p99_cycles = 1")
        database.commit()


def spoil_version(index: Path) -> None:
    with closing(sqlite3.connect(index)) as database:
        database.execute("PRAGMA user_version = 0")


def spoil_schema(index: Path) -> None:
    with closing(sqlite3.connect(index)) as database:
        database.execute("ALTER TABLE runs DROP COLUMN clock_hz")
        database.commit()


SPOILED: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda index: index.write_bytes(b""),
    "text": lambda index: index.write_text("no database"),
    "cut": lambda index: index.write_bytes(index.read_bytes()[:5000]),
    "holed": lambda index: index.write_bytes(index.read_bytes()[:4096] + bytes(12288)),
    "a number changed": spoil_cell,
    "another version": spoil_version,
    "another schema": spoil_schema,
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_index_is_made_anew_in_silence(
    make: Make, out: Path, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        make()
    found, kept = refresh(out), rows(out)
    SPOILED[how](out / INDEX)
    assert refresh(out) == found
    assert rows(out) == kept
    with closing(sqlite3.connect(out / INDEX)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (history.VERSION,)
    assert capfd.readouterr() == ("", "")


def test_an_index_that_cannot_be_kept_is_done_without(make: Make, out: Path) -> None:
    folder = make()
    (out / INDEX).mkdir()
    assert names(out) == names(out) == [folder.name]
    assert sorted(path.name for path in out.iterdir()) == sorted([folder.name, INDEX])


def test_where_there_is_nothing_nothing_is_made(tmp_path: Path) -> None:
    assert refresh(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no such folder of results; run a benchmark first"):
        refresh(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be listed"):
        refresh(tmp_path / "file")


def test_what_is_no_run_is_not_listed(make: Make, out: Path) -> None:
    folder = make()
    (out / "notes").mkdir()
    (out / "notes" / "x.txt").touch()
    (out / f".{folder.name}.partial").mkdir()
    (out / "picture.png").touch()
    store.write_files(out, "of_another_kind", {"host.json": b"{}"})
    assert names(out) == [folder.name]


# Damage


def damage_of(out: Path) -> str:
    (entry,) = (entry for entry in refresh(out) if entry.verdict == history.DAMAGED)
    assert entry.damage is not None
    assert entry == Entry(run=entry.run, damage=entry.damage)
    return entry.damage


def test_a_flipped_bit_in_any_file_is_told_and_the_others_stay(make: Make, out: Path) -> None:
    sound, folder = make(), make()
    refresh(out)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
        if path.name != sealed.MANIFEST:
            assert damage_of(out).startswith(f"{path.name}: is not what was written; its SHA-256")
        else:
            assert damage_of(out)
        assert refresh(out)[0].run == sound.name
        path.unlink()
        assert path.name in damage_of(out)
        path.write_bytes(content)
        assert [entry.damage for entry in refresh(out)] == [None, None]


def test_a_change_with_the_clock_set_back_is_noticed(make: Make, out: Path) -> None:
    path = make() / "trace.npz"
    path = path if path.exists() else path.with_suffix(".parquet")
    refresh(out)
    content, times = path.read_bytes(), path.stat()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "is not what was written" in damage_of(out)


def test_a_run_that_was_never_finished_is_told(make: Make, out: Path) -> None:
    folder = make()
    (folder / sealed.MANIFEST).unlink()
    assert "no manifest.json, which is written last" in damage_of(out)
    for path in folder.iterdir():
        path.unlink()
    assert "no manifest.json" in damage_of(out)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("schema", 99, "newer harness, in schema 99"),
        ("clock", {"nominal_hz": 1, "set_hz": 1, "measured_hz": 10**400}, "out of range"),
        ("queue", {"max_depth": "many", "limit": 1}, "queue.max_depth is of the wrong type"),
        ("deadline", {"cycles": 1, "misses": 2**63}, "out of range"),
    ],
)
def test_results_that_nobody_can_use_are_told(
    make: Make, out: Path, key: str, value: Any, words: str
) -> None:
    make(**{key: value})
    assert words in damage_of(out)


def test_what_a_newer_harness_can_read_is_no_longer_damaged(
    make: Make, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(schema=2)
    assert "newer harness" in damage_of(out)
    monkeypatch.setattr("harness.report.schema.SCHEMA", 2)
    assert [entry.damage for entry in refresh(out)] == [None]


def test_what_is_not_json_everywhere_is_told(make: Make, out: Path) -> None:
    folder = make()
    path = folder / "result.json"
    text = path.read_text().replace('"measured_hz": 200000000', '"measured_hz": NaN')
    path.write_text(text)
    manifest = json.loads((folder / sealed.MANIFEST).read_text())
    manifest["files"]["result.json"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / sealed.MANIFEST).write_text(json.dumps(manifest))
    assert "out of range" in damage_of(out)


# Processes that die or meet

KILLED = textwrap.dedent("""
    import os, sqlite3, sys
    from pathlib import Path
    from harness.report import history

    def die(*arguments, **options):
        os.kill(os.getpid(), 9)

    def after(function):
        def wrapped(*arguments, **options):
            function(*arguments, **options)
            die()
        return wrapped

    where = sys.argv[2]
    if where == "opened":
        history._seal = die
    elif where == "before fsync":
        os.fsync = die
    elif where == "before rename":
        Path.replace = die
    elif where == "after rename":
        Path.replace = after(Path.replace)
    history.refresh(Path(sys.argv[1]), rebuild=True)
""")


@pytest.mark.parametrize("where", ["opened", "before fsync", "before rename", "after rename"])
def test_a_process_killed_while_it_rebuilds_leaves_the_old_index_or_the_new(
    make: Make, out: Path, where: str
) -> None:
    make()
    refresh(out)
    old = rows(out)
    make()
    done = subprocess.run([sys.executable, "-c", KILLED, str(out), where], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    left = rows(out)
    assert len(left) == (2 if where == "after rename" else 1)
    assert left[:1] == old if where != "after rename" else set(left) > set(old)
    assert len(refresh(out)) == 2
    assert len(rows(out)) == 2


def test_what_a_killed_process_left_goes_away_once_it_is_old(make: Make, out: Path) -> None:
    make()
    young, old = (out / f".{INDEX}.{name}.partial" for name in ("young", "old"))
    young.touch()
    old.touch()
    os.utime(old, (1, 1))
    refresh(out)
    assert young.exists()
    assert not old.exists()


def test_processes_that_rebuild_at_once_leave_a_whole_index(make: Make, out: Path) -> None:
    for _ in range(3):
        make()
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.report.history import refresh
        for _ in range(8):
            assert len(refresh(Path(sys.argv[1]), rebuild=True)) == 3
    """)
    refresh(out)
    workers = [subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=ROOT) for _ in range(2)]
    looks = 0
    while any(worker.poll() is None for worker in workers):
        assert len(rows(out)) == 3
        looks += 1
    assert [worker.returncode for worker in workers] == [0, 0]
    assert looks
    assert not list(out.glob("*.partial"))


# Runs by name


def test_a_run_is_found_by_folder_id_beginning_and_age(
    make: Make, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = make("run_a1"), make("run_b1")
    make("run_b", minute=0)
    assert find_run(str(first), out) == first.resolve()
    assert find_run("run_a1", out) == find_run("run_a", out) == first
    assert find_run("run_b", out) == out / "run_b"  # an id, though another begins so
    assert find_run("last", out) == last
    monkeypatch.chdir(first)
    assert find_run(".", out).name == "run_a1"


def test_names_that_mean_no_run_or_several_are_refused(make: Make, out: Path) -> None:
    for index in range(7):
        make(f"run_{index}")
    with pytest.raises(InputError, match=r"7 runs begin so; run_2, .*run_6 and 2 older ones; give"):
        find_run("run", out)
    with pytest.raises(InputError, match=r"no such run; looked in .*did you mean run_3"):
        find_run("_3", out)
    with pytest.raises(InputError, match="the newest is run_6"):
        find_run("nothing", out)
    (out / "empty").mkdir()
    with pytest.raises(InputError, match="there is no run; run a benchmark first"):
        find_run("last", out / "empty")


def test_several_runs_are_found_by_folder_pattern_and_benchmark(
    make: Make, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"name": "smoke_dial", "digest": "0" * 64}
    a, b, c = make("a1"), make("a2"), make("b1", benchmark=other)
    assert find_runs(str(out), Path("none")) == [a, b, c]
    assert find_runs(f"{out}/a*", Path("none")) == [a, b]
    assert find_runs("?1", out) == [a, c]
    monkeypatch.chdir(out.parent)
    assert find_runs("results/[ab]1", Path("none")) == [Path("results/a1"), Path("results/b1")]
    assert find_runs("benchmark:made_up", out) == [a, b]
    assert find_runs("benchmark:smoke/dial", out) == [c]
    assert find_runs("last", out) == [c]
    with pytest.raises(InputError, match="no run matches"):
        find_runs("z*", out)
    with pytest.raises(InputError, match="no run of that benchmark; did you mean 'made_up'"):
        find_runs("benchmark:mad_up", out)


def test_benchmarks_go_by_their_name_or_their_file(make: Make, out: Path) -> None:
    assert benchmark_name("smoke_dial") == benchmark_name("smoke/dial") == "smoke_dial"
    with pytest.raises(BenchmarkError, match="smoke/dial"):
        benchmark_name("smoke/dail")
    make()
    assert len(of_benchmark(refresh(out), None)) == len(of_benchmark(refresh(out), "made_up")) == 1
    assert of_benchmark(refresh(out), "other") == []


# The table


def shown(entries: list[Entry], width: int = 160, *, colour: bool = False) -> str:
    buffer = io.StringIO()
    console = Console(file=buffer, width=width, force_terminal=colour, highlight=False)
    listing.show_history(entries, console)
    return buffer.getvalue()


def test_the_table_shows_runs_in_their_order(make: Make, out: Path) -> None:
    first, second = make(), make(verdict="fail", rate={"target_hz": 2e6, "achieved_hz": 1e6})
    (second / "result.json").touch()
    third = make()
    (third / "result.json").write_text("")
    text = shown(refresh(out))
    assert text.index(first.name) < text.index(second.name) < text.index(third.name)
    assert "dial 00112233, zcu104, simulated fabric" in text
    assert ", 50.00% of the rate" in text
    assert "result.json: is not what was written" in text
    assert shown([]) == "no runs\n"


HOSTILE = "[red]x[/red] \x1b[2J\x1b]0;pwned\x07 a\r\nb \u202e evil [/] \ud800 \x00"


def test_foreign_strings_cannot_style_or_command_the_terminal(make: Make, out: Path) -> None:
    make(
        target=HOSTILE,
        time_base=HOSTILE,
        verdict=HOSTILE,
        overlay={"name": HOSTILE, "digest": HOSTILE},
        benchmark={"name": "fine", "digest": "x"},
        facts={"target": {"board": HOSTILE}},
    )
    bad = make("bad\x1b[2J\udc80")
    (bad / sealed.MANIFEST).write_text("{")
    entries = refresh(out)
    assert refresh(out) == entries
    text = shown(entries, width=400, colour=True)
    for forbidden in ("\x1b[2J", "\x1b]", "\x07", "\r", "\u202e", "\x00", "\x1b[31mx"):
        assert forbidden not in text
    assert "[red]x[/red] \\x1b[2J\\x1b]0;pwned\\x07 a\\r\\nb \\u202e evil [/]" in text
    assert "bad\\x1b[2J\\udc80" in text
