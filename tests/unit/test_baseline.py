"""Stored runs compared, accepted and written as JUnit; the arithmetic is in test_compare.py."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from harness.errors import InputError, StorageError
from harness.measure.compare import DEFAULT, Rules, compare
from harness.report import baseline, comparison, junit, listing, store
from harness.report.comparable import load_run

if TYPE_CHECKING:
    from harness.measure.findings import Comparison
    from tests.unit.conftest import Synthetic

Make = Callable[..., Path]
HOSTILE = '<x a="1">&amp; ]]> [red]x[/red] \x1b[2J\x00\x07\r\n \u202e \ud800 \ufffe'


@pytest.fixture
def make(synthetic: Synthetic, tmp_path: Path) -> Make:
    """Return what stores a run; `latency` is that of its accelerator, in cycles."""
    out = store.prepare(tmp_path / "results")

    def write(latency: int = 26, seed: int | None = None, **changes: Any) -> Path:
        rng = np.random.default_rng(seed)
        gaps = np.full(2000, 10) if seed is None else rng.geometric(0.1, 2000)
        samples = synthetic.samples(np.cumsum(gaps).astype(np.int64), 4, latency, 64)
        evidence = synthetic.evidence("run.events=2000", samples=samples)
        result: Any = {
            **comparison_result(synthetic, evidence),
            "facts": {"target": {"board": "zcu104", "events_sha256": "e" * 64}},
            **changes,
        }
        return store.write(out, result, samples)

    return write


def comparison_result(synthetic: Synthetic, evidence: Any) -> Any:
    from harness.report import result

    return {**result.build(synthetic.record(evidence)), "verdict": "pass"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "baselines.json"


def changed(found: Comparison) -> list[str]:
    return [quantity.name for quantity in found.quantities if quantity.finding == "changed"]


def accept(file: Path, *folders: Path) -> list[baseline.Accepted]:
    return baseline.accept([load_run(folder) for folder in folders], file)


def against(file: Path, *folders: Path, rules: Rules = DEFAULT) -> list[Comparison]:
    return comparison.compare_stored([str(f) for f in folders], Path("none"), rules, file)


# Stored runs


def test_stored_runs_are_compared_to_the_last_event(make: Make) -> None:
    first, same, worse = make(seed=1), make(seed=1), make(27, seed=1)
    names = [str(folder) for folder in (first, same, worse)]
    equal, other = comparison.compare_stored(names, Path("none"), DEFAULT)
    assert (equal.finding, equal.before, equal.after) == ("same", (first.name,), (same.name,))
    assert changed(other) == ["service.histogram", "total.histogram", "trace"]
    trace = other.quantities[-1]
    assert "first differs in event 0: done " in trace.text
    assert trace.numbers["events_differ"] == 64
    assert comparison.exit_status([equal, other]) == 1
    assert comparison.exit_status([equal]) == 0
    document = json.loads(json.dumps(comparison.document([equal, other]), allow_nan=False))
    assert [each["finding"] for each in document["comparisons"]] == ["same", "changed"]


def test_the_form_that_a_run_is_stored_in_makes_no_difference(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(seed=1)
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "pyarrow", None)
        second = make(seed=1)
    assert (second / "trace.npz").exists()
    found = comparison.compare_stored([str(first), str(second)], Path("none"), DEFAULT)
    assert [each.finding for each in found] == ["same"]


@pytest.mark.parametrize("verdict", ["invalid", "interrupted"])
def test_a_run_that_must_not_be_believed_is_neither_compared_nor_accepted(
    make: Make, file: Path, verdict: str
) -> None:
    bad = make(verdict=verdict)
    with pytest.raises(InputError, match=f"{bad.name}: a run that is {verdict} cannot be compared"):
        comparison.compare_stored([str(make()), str(bad)], Path("none"), DEFAULT)
    with pytest.raises(InputError, match="cannot be compared"):
        accept(file, bad)
    assert not file.exists()


def test_a_run_whose_fabric_was_not_read_is_refused_for_what_it_is(
    synthetic: Synthetic, tmp_path: Path
) -> None:
    unread: Any = {**synthetic.result()[0], "verdict": "interrupted"}
    folder = store.write(store.prepare(tmp_path), unread, None)
    with pytest.raises(InputError, match="a run that is interrupted cannot be compared"):
        load_run(folder)


def test_a_damaged_run_is_not_compared(make: Make) -> None:
    folder = make()
    path = next(folder.glob("histograms.*"))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StorageError, match="is not what was written"):
        load_run(folder)
    with pytest.raises(StorageError, match="no usable clock"):
        load_run(make(clock={"nominal_hz": 1, "set_hz": 1, "measured_hz": 0}))


def hardware(make: Make, latency: int, runs: int, **changes: Any) -> Path:
    """Store runs of a board in a folder of their own."""
    folder = Path()
    for seed in range(runs):
        run = make(latency, seed=seed, time_base="fabric", **changes)
        folder = run.parent.parent / f"{latency}_{runs}"
        folder.mkdir(exist_ok=True)
        run.rename(folder / run.name)
    return folder


def test_runs_on_boards_are_compared_as_groups(make: Make) -> None:
    before, after = hardware(make, 26, 9), hardware(make, 30, 8)
    names = [f"{before}/*", str(after)]
    (found,) = comparison.compare_stored(names, Path("none"), DEFAULT)
    assert (found.mode, found.finding) == ("statistical", "regression")
    assert (len(found.before), len(found.after)) == (9, 8)
    regressions = {q.name for q in found.quantities if q.finding == "regression"}
    assert regressions >= {"service.p50", "service.p99", "service.mean", "total.mean"}
    assert not [name for name in regressions if name.startswith("wait")]


def test_four_runs_on_a_board_tell_nothing(make: Make) -> None:
    names = [str(hardware(make, 26, 4)), str(hardware(make, 90, 8))]
    found = comparison.compare_stored(names, Path("none"), DEFAULT)
    assert found[0].finding == "cannot tell"
    assert comparison.exit_status(found) == 3


# Accepted runs


def test_what_was_accepted_is_what_is_compared_with(make: Make, file: Path) -> None:
    first = make(seed=1)
    (entry,) = accept(file, first)
    assert str(entry.key) == "made_up on dial, zcu104, simulated fabric"
    assert entry.accepted_utc.endswith("Z")
    assert entry.accepted_by
    assert baseline.read(file).entries == (entry,)
    (found,) = against(file, make(seed=1))
    assert (found.finding, found.before) == ("same", (first.name,))
    (found,) = against(file, make(27, seed=1))
    assert changed(found) == ["service.histogram", "total.histogram", "trace"]
    # One event in another bin: the hash knows.
    run = load_run(first)
    moved = run.summary.total.sha256.replace("a", "b")
    kept = dataclasses.replace(
        run.summary, total=dataclasses.replace(run.summary.total, sha256=moved)
    )
    (found,) = compare([[dataclasses.replace(run, summary=kept, histograms={})], [run]])
    assert changed(found) == ["total.histogram"]


def test_the_file_can_be_read_reviewed_and_merged(make: Make, file: Path) -> None:
    accept(file, make(seed=1))
    other = {"name": "another", "digest": "0" * 64}
    accept(file, make(benchmark=other))
    text = file.read_text()
    assert text.endswith("}\n")
    content = json.loads(text)
    assert text == json.dumps(content, indent=2) + "\n"
    names = [entry["runs"][0]["identity"]["benchmark"] for entry in content["entries"]]
    assert names == ["another", "made_up"]
    assert content["entries"][1]["runs"][0]["total"]["sha256"]
    assert content["schema"] == 1


def test_a_run_takes_the_place_of_the_one_accepted_before(make: Make, file: Path) -> None:
    board = {"target": {"board": "kv260"}}
    accept(file, make(seed=1), make(seed=1, facts=board), make(seed=1, time_base="fabric"))
    before = {entry.key: entry for entry in baseline.read(file).entries}
    (new,) = accept(file, make(30, seed=1))
    after = {entry.key: entry for entry in baseline.read(file).entries}
    assert len(before) == len(after) == 3
    assert after[new.key] == new
    assert sum(before[key] != after[key] for key in after) == 1


def test_replicates_are_accepted_together_and_simulated_runs_once(make: Make, file: Path) -> None:
    folder = hardware(make, 26, 8)
    (entry,) = accept(file, *sorted(folder.iterdir()))
    assert len(entry.runs) == 8
    (found,) = against(file, hardware(make, 40, 9))
    assert (found.mode, found.finding) == ("statistical", "regression")
    (entry,) = accept(file, make(seed=1), make(seed=1))
    assert len(entry.runs) == 1
    with pytest.raises(InputError, match=r"not the same cannot be accepted .*differ in wait\."):
        accept(file, make(seed=1), make(seed=2))
    with pytest.raises(InputError, match="the runs are not alike; overlays"):
        accept(file, make(), make(overlay={"name": "dial", "digest": "9" * 32}))


def test_without_an_entry_the_way_to_one_is_told(make: Make, file: Path) -> None:
    run = make()
    with pytest.raises(InputError, match="it has no entries; harness baseline accept RUN --file"):
        against(file, run)
    accept(file, make(facts={"target": {"board": "kv260"}}))
    with pytest.raises(InputError) as caught:
        against(file, run)
    assert caught.value.exit_code == 2
    assert "made_up on dial, zcu104, simulated fabric was accepted" in str(caught.value)
    assert "made_up on dial, kv260, simulated fabric" in caught.value.why
    (found,) = against(file, run, rules=Rules(frozenset({"board"})))
    assert found.allowed == ("boards kv260 and zcu104",)
    nowhere = make(facts={})
    with pytest.raises(InputError, match="unknown board"):
        against(file, nowhere)


def test_an_accepted_run_of_another_overlay_is_refused_unless_allowed(
    make: Make, file: Path
) -> None:
    accept(file, make())
    other = make(overlay={"name": "dial", "digest": "9" * 32})
    with pytest.raises(InputError, match="not alike; overlays dial 001122334455 and dial 99999"):
        against(file, other)
    assert against(file, other, rules=Rules(frozenset({"overlay"})))[0].finding == "same"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b'{"schema": 1,\n<<<<<<< HEAD\n', "is not JSON; .*line 2.*merge conflict"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "schema is None"),
        (b'{"schema": 2}', "schema is 2, it reads 1; update the harness"),
        (b'{"schema": 1, "entries": 3}', "entries: must be a list"),
        (b'{"schema": 1, "entrees": []}', "entrees: is not a known key; did you mean 'entries'"),
        (b'{"schema": 1, "entries": [{"runs": []}]}', "accepted_utc: is missing"),
        (
            b'{"schema": 1, "entries": [{"accepted_utc": "", "accepted_by": "", "runs": []}]}',
            "holds no run",
        ),
        (b'{"schema": NaN}', "NaN is no number"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_kept(
    make: Make, file: Path, content: bytes, words: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=words):
        baseline.read(file)
    with pytest.raises(InputError):
        accept(file, make())
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("identity", "clock_hz"), 0, "clock_hz: is no clock"),
        (("identity", "benchmark"), 3, "benchmark: must be a string"),
        (("counts", "dropped"), "0", "dropped"),
        (("total", "p50"), 1.5, "p50"),
        (("total", "count"), True, "count: must be a whole number"),
        (("verdict",), "invalid", "cannot be compared"),
    ],
)
def test_an_entry_that_was_changed_into_nonsense_is_refused(
    make: Make, file: Path, path: tuple[str, ...], value: Any, words: str
) -> None:
    accept(file, make())
    content = json.loads(file.read_text())
    table = content["entries"][0]["runs"][0]
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        baseline.read(file)


def test_two_entries_of_one_kind_are_refused(make: Make, file: Path) -> None:
    accept(file, make())
    content = json.loads(file.read_text())
    content["entries"] *= 2
    file.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match="made_up on dial, zcu104, simulated fabric: is there twice"
    ):
        baseline.read(file)


@pytest.mark.parametrize("failing", ["open", "fsync", "replace"])
def test_a_disk_that_fails_leaves_the_old_file(
    make: Make, file: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    accept(file, make())
    old, run = file.read_bytes(), load_run(make(30))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner: Any = os if failing == "fsync" else Path
    with monkeypatch.context() as patch:
        patch.setattr(owner, failing, full)
        with pytest.raises(StorageError, match=r"cannot be written; No space left .* --file"):
            baseline._write(file, baseline.Baselines(1, (accepted_of(run),)))
    assert file.read_bytes() == old
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, "results"]


def accepted_of(run: Any) -> baseline.Accepted:
    return baseline.Accepted("2026-01-31T09:00:00Z", "someone", (run.summary,))


def test_a_link_to_the_file_stays_a_link(make: Make, file: Path) -> None:
    link = file.with_name("link.json")
    accept(file, make())
    link.symlink_to(file)
    accept(link, make(30))
    assert link.is_symlink()
    assert baseline.read(file).entries[0].runs[0].total.p50 == 30


def test_a_user_without_a_name_may_accept(
    make: Make, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert accept(file, make())[0].accepted_by == "unknown"


# JUnit


def parsed(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314


def found_of(make: Make) -> list[Comparison]:
    runs = [make(seed=1), make(seed=1), make(27, seed=1)]
    return comparison.compare_stored([str(run) for run in runs], Path("none"), DEFAULT)


def test_junit_has_a_case_for_each_quantity(make: Make, tmp_path: Path) -> None:
    found, path = found_of(make), tmp_path / "junit.xml"
    junit.write(found, path)
    root = parsed(path)
    assert root.tag == "testsuites"
    assert root.attrib == {"tests": "34", "failures": "3", "skipped": "0", "errors": "0"}
    for suite, each in zip(root, found, strict=True):
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases)) == str(len(each.quantities))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        for case, quantity in zip(cases, each.quantities, strict=True):
            assert case.get("name") == quantity.name
            assert case.get("classname") == f"made_up.{each.after[0]}"
            properties = {p.get("name"): p.get("value") for p in case.iter("property")}
            assert properties.pop("finding") == quantity.finding
            assert properties == {
                name: "" if value is None else str(value)
                for name, value in quantity.numbers.items()
            }
    failure = root[1].find("testcase[@name='total.histogram']/failure")
    assert failure is not None
    assert failure.get("type") == "changed"
    assert "p50 " in str(failure.get("message"))


def test_junit_skips_what_nobody_can_tell(make: Make, tmp_path: Path) -> None:
    names = [str(hardware(make, 26, 2)), str(hardware(make, 27, 3))]
    junit.write(comparison.compare_stored(names, Path("none"), DEFAULT), tmp_path / "junit.xml")
    root = parsed(tmp_path / "junit.xml")
    skipped = root.findall("testsuite/testcase/skipped")
    assert root.get("skipped") == str(len(skipped)) == "11"
    assert "at least 5 each" in str(skipped[0].get("message"))


def test_junit_is_xml_whatever_a_device_is_called(make: Make, tmp_path: Path) -> None:
    strange: dict[str, Any] = {
        "benchmark": {"name": "fine", "digest": HOSTILE},
        "overlay": {"name": HOSTILE, "digest": HOSTILE},
        "facts": {"target": {"board": HOSTILE}},
    }
    runs = [str(make(**strange)), str(make(27, **strange, verdict=HOSTILE))]
    found = comparison.compare_stored(runs, Path("none"), DEFAULT)
    path = tmp_path / "junit.xml"
    junit.write(found, path)
    root = parsed(path)
    board = root.find("testsuite/properties/property[@name='board']")
    assert board is not None
    assert str(board.get("value")).startswith('<x a="1">&amp; ]]> [red]x[/red] \\x1b[2J\\x00\\x07')
    assert b"\x1b" not in path.read_bytes()
    with pytest.raises(StorageError, match="cannot be written"):
        junit.write(found, tmp_path / "none" / "junit.xml")


# In the terminal


def printed(show: Callable[[Console], None], *, colour: bool = False) -> str:
    buffer = io.StringIO()
    show(Console(file=buffer, width=300, force_terminal=colour, highlight=False))
    return buffer.getvalue()


def test_a_comparison_is_shown_with_what_changed_only(make: Make) -> None:
    equal, other = found_of(make)
    text = printed(lambda console: listing.show_comparison(equal, console))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "SAME  made_up on dial, simulated fabric"
    assert lines[-1] == "17 quantities show no difference"
    text = printed(lambda console: listing.show_comparison(other, console))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0].startswith("CHANGED made_up on dial")
    assert lines[1:3] == [f"before {other.before[0]}", f"after {other.after[0]}"]
    assert lines[3].startswith("service.histogram changed 2 bins differ, 2,000 events moved")
    assert lines[-1] == "14 other quantities show no difference"


def test_a_statistical_comparison_is_shown_whole(make: Make) -> None:
    names = [str(hardware(make, 26, 8)), str(hardware(make, 30, 9))]
    (found,) = comparison.compare_stored(names, Path("none"), DEFAULT)
    text = printed(lambda console: listing.show_comparison(found, console))
    assert " REGRESSION " in text
    assert "before 8 runs: " in text
    assert "service.p50      regression" in text
    assert "wait.p50         no difference" in text
    assert text.count(", A12 ") == 11


def test_accepted_runs_are_shown(make: Make, file: Path) -> None:
    entries = accept(file, make(seed=1))
    text = printed(lambda console: listing.show_accepted(entries, file, console))
    for words in (
        "made_up",
        "dial 00112233, zcu104, simulated fabric",
        f"by {entries[0].accepted_by}",
    ):
        assert words in text
    text = printed(lambda console: listing.show_accepted([], file, console))
    assert text == f"no accepted runs in {file}\n"


def test_foreign_strings_cannot_style_or_command_the_terminal(make: Make, file: Path) -> None:
    strange: dict[str, Any] = {
        "benchmark": {"name": "fine", "digest": "x"},
        "overlay": {"name": HOSTILE, "digest": HOSTILE},
        "facts": {"target": {"board": HOSTILE}},
        "time_base": HOSTILE,
    }
    runs = [load_run(make(**strange, verdict=name)) for name in ("pass", HOSTILE)]
    summaries = [run.summary for run in runs]
    from harness.measure.exact import compare_exactly
    from harness.measure.findings import Comparison as Found

    names = (HOSTILE,)
    quantities = compare_exactly(*runs)
    found = Found("exact", summaries[0].identity, names, names, names, quantities)
    entry = baseline.Accepted(HOSTILE, HOSTILE, (summaries[1],))
    text = printed(lambda console: listing.show_comparison(found, console), colour=True)
    text += printed(lambda console: listing.show_accepted([entry], file, console), colour=True)
    assert "\\x1b[2J" in text
    for forbidden in ("\x1b[2J", "\x07", "\r", "\u202e", "\x00", "\x1b[31mx"):
        assert forbidden not in text
