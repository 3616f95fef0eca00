"""Runs that a host paced, as the commands for stored runs meet them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.cli import main
from harness.hostpaced.pacing import Stamps
from harness.report import host_listing, host_result, host_store, host_terminal, store
from tests.unit.test_hostpaced import record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Synthetic

EVENTS = 3000


def write(out: Path, shift_ns: int = 0, seed: int = 0, **changes: Any) -> Path:
    random = np.random.default_rng(seed)
    due = np.arange(EVENTS, dtype=np.int64) * 1_000_000
    sent = due + random.integers(0, 2_000, EVENTS)
    stamps = Stamps(due, sent, sent + 50_000 + shift_ns + random.integers(0, 9_000, EVENTS))
    result: Any = {**host_result.build(record(stamps)), **changes}
    return host_store.write(store.prepare(out), result, stamps, stamps)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(each) for each in arguments])
    found = capsys.readouterr()
    return status, found.out, found.err


def test_history_lists_them_apart_from_those_of_fabrics(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, samples = synthetic.result()
    fabric = store.write(store.prepare(tmp_path), result, samples)
    paced = write(tmp_path / "host")
    status, out, _ = run(capsys, "history", "--out", tmp_path)
    assert status == 0
    first, second = out.split("from the host")
    assert fabric.name in first.replace("\n", "")
    assert paced.name not in first
    assert paced.name in second.replace("\n", "")
    _, out, _ = run(capsys, "history", "--out", tmp_path, "--json")
    rows = json.loads(out)
    assert [row["run"] for row in rows] == [fabric.name, paced.name]
    assert "total_p99_ns" not in rows[1]
    assert rows[1]["response_p50_ns"] > 50_000
    assert len(json.loads(run(capsys, "history", "--out", tmp_path / "host", "--json")[1])) == 1


def test_show_prints_them_as_their_command_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "host")
    for name in (folder, folder.name, folder.name[:20], "last"):
        status, out, _ = run(capsys, "show", name, "--out", tmp_path)
        assert status == 0
        assert "response: answered - scheduled" in out
    shown = json.loads(run(capsys, "show", folder, "--json")[1])
    assert shown == host_store.load(folder).result


def test_a_damaged_one_is_listed_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path)
    (folder / "host.json").write_text("{}")
    (entry,) = host_listing.entries(tmp_path)
    assert entry.verdict == "damaged"
    assert "is not what was written" in str(entry.damage)
    assert "is not what was written" in run(capsys, "history", "--out", tmp_path)[1]
    status, _, err = run(capsys, "show", folder)
    assert status == 4
    assert "is not what was written" in err


def many(out: Path, seeds: range, shift_ns: int = 0, **changes: Any) -> Path:
    for seed in seeds:
        write(out, shift_ns, seed, **changes)
    return out


def test_repeated_runs_are_compared_by_ranks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = many(tmp_path / "before", range(8))
    same = many(tmp_path / "same", range(100, 108))
    slower = many(tmp_path / "slower", range(200, 208), shift_ns=3_000)
    few = many(tmp_path / "few", range(300, 303))
    assert run(capsys, "compare", before, same)[0] == 0
    junit = tmp_path / "junit.xml"
    status, out, _ = run(capsys, "compare", before, slower, "--json", "--junit", junit)
    assert status == 1
    (found,) = json.loads(out)["comparisons"]
    worse = {each["name"] for each in found["quantities"] if each["finding"] == "regression"}
    assert worse == {"response.p50", "response.p99", "response.p999", "link.p50", "link.p99"}
    assert found["identity"]["time_base"] == "host"
    assert "response.p99" in junit.read_text()
    assert run(capsys, "compare", slower, before)[0] == 0
    assert run(capsys, "compare", before, few)[0] == 3


def test_a_rerun_of_the_same_raises_no_alarm_too_often(tmp_path: Path) -> None:
    """A/A: one of 500 comparisons may raise a false alarm; 60 of them should raise none."""
    from harness.measure.host_replicates import compare_hosts
    from harness.report.host_comparable import load_host_run

    template = load_host_run(write(tmp_path))
    random = np.random.default_rng(5)

    def made(name: str) -> Any:
        values = {key: float(random.normal(60_000, 5_000)) for key in template.values}
        return type(template)(name, "pass", template.identity, values, None)

    alarms = 0
    for _ in range(60):
        groups = [[made(f"{side}{n}") for n in range(8)] for side in "ab"]
        alarms += compare_hosts(groups)[0].finding == "regression"
    assert alarms <= 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"link": "dma"}, "link 'scripted' and 'dma'"),
        ({"target": "uart:///dev/ttyUSB1"}, "--allow board"),
        ({"conditions": {"scheduling": "realtime"}}, "--allow sender"),
        ({"overlay": {"name": "dial", "digest": "0" * 32}}, "--allow overlay"),
        ({"verdict": "invalid"}, "that is invalid cannot be compared"),
    ],
)
def test_unlike_runs_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], says: str
) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b", **changes)
    status, _, err = run(capsys, "compare", first, second)
    assert status == 2
    assert says in err


def test_a_fabric_and_a_host_are_never_compared(
    synthetic: Synthetic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, samples = synthetic.result()
    fabric = store.write(store.prepare(tmp_path), result, samples)
    paced = write(tmp_path / "host")
    status, _, err = run(capsys, "compare", fabric, paced)
    assert status == 2
    assert "never compared" in err
    assert run(capsys, "compare", paced, "--baseline")[0] == 2
    assert run(capsys, "compare", paced)[0] == 2


def test_runs_from_before_they_named_their_overlay_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored: Any = host_store.load(write(tmp_path)).result
    old = {key: value for key, value in stored.items() if key not in {"benchmark", "overlay"}}
    for played in ("measured", "null"):
        old[played] = dict(old[played])
        for kind in ("issue_lag_ns", "response_ns", "link_ns"):
            times = old[played][kind] = dict(old[played][kind])
            found = times.pop("confidence")
            assert found["p50"]["low"] <= times["p50"] <= found["p50"]["high"]
    from harness.report.host_schema import check

    result = check(old, "host.json")
    assert result == old
    host_terminal.show(result)
    out = capsys.readouterr().out
    assert "response: answered - scheduled" in out
    assert "95 % interval" not in out
    host_terminal.show(stored)
    assert "95 % interval" in capsys.readouterr().out
