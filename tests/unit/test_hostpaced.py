"""The host-paced sender: schedules exactly, times only to orders of magnitude."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import queue
import sys
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.cli import main
from harness.errors import BoardError, InputError, StorageError
from harness.hostpaced.links import Link, NullLink
from harness.hostpaced.pacing import NEVER, Stamps, play
from harness.hostpaced.schedule import HostSchedule, Process, draw
from harness.hostpaced.stillness import _spin_ns, stillness
from harness.measure import correction
from harness.report import host_result, host_store, host_terminal, store
from harness.report.host_result import HostRecord
from harness.targets import time_slice

SPIN_NS = 50_000


class Scripted:
    """A link of which a test decides what it does."""

    name = "scripted"

    def __init__(self, *, stall_at: int | None = None, fail_at: int | None = None) -> None:
        self.synchronous = True
        self.calls: list[tuple[str, int]] = []
        self.stall_at, self.fail_at = stall_at, fail_at
        self.finished = False

    def prepare(self, event: int) -> None:
        self.calls.append(("prepare", event))

    def submit(self, event: int) -> None:
        self.calls.append(("submit", event))
        if event == self.stall_at:
            time.sleep(0.05)
        if event == self.fail_at:
            raise BoardError("the link broke")

    def collect(self) -> Sequence[int]:
        return ()

    def finish(self) -> None:
        self.finished = True

    def facts(self) -> Mapping[str, object]:
        return {"calls": len(self.calls)}


class Queued(Scripted):
    """Answers by itself, from a queue; `lose` are never answered."""

    def __init__(self, lose: Sequence[int] = ()) -> None:
        super().__init__()
        self.synchronous = False
        self.lose = set(lose)
        self.queue: queue.Queue[int] = queue.Queue()

    def submit(self, event: int) -> None:
        if event not in self.lose:
            self.queue.put(event)
            self.queue.put(event)  # an answer that comes twice counts once

    def collect(self) -> Sequence[int]:
        try:
            return [self.queue.get(timeout=0.01)]
        except queue.Empty:
            return ()


@given(st.fractions(Fraction(1, 10), 1_000_000, max_denominator=10**6), st.integers(1, 300))
def test_periodic_instants_never_drift(rate_hz: Fraction, events: int) -> None:
    schedule = draw(rate_hz, events, "periodic", 1)
    assert schedule.due_ns.dtype == np.int64
    for event in (0, events // 2, events - 1):
        assert schedule.due_ns[event] == event * 10**9 * rate_hz.denominator // rate_hz.numerator


def test_poisson_instants_are_those_of_the_seed_and_of_the_rate() -> None:
    first, again, other = (draw(Fraction(10_000), 50_000, "poisson", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.due_ns, again.due_ns)
    assert (first.due_ns != other.due_ns).any()
    gaps = np.diff(first.due_ns)
    assert (gaps >= 0).all()
    assert abs(gaps.mean() / 100_000 - 1) < 5 / np.sqrt(gaps.size)
    assert abs(gaps.std() / gaps.mean() - 1) < 0.05
    assert abs(np.mean(gaps > 100_000) - np.exp(-1)) < 0.01


@pytest.mark.parametrize(
    ("rate_hz", "events", "process", "seed", "says"),
    [
        (Fraction(1_000_001), 1, "periodic", 1, "the fabric paces"),
        (Fraction(10), 0, "periodic", 1, "--events"),
        (Fraction(10), 10_000_001, "periodic", 1, "--events"),
        (Fraction(1, 1000), 1_000, "periodic", 1, "longer than a day"),
        (Fraction(10), 10, "poisson", -1, "--seed"),
    ],
)
def test_what_cannot_be_paced_is_refused(
    rate_hz: Fraction, events: int, process: Process, seed: int, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        draw(rate_hz, events, process, seed)


def test_each_event_is_prepared_then_submitted_and_never_early() -> None:
    link = Scripted()
    stamps, failure = play(link, draw(Fraction(2_000), 50, "periodic", 1), SPIN_NS)
    assert failure is None
    expected = [(what, event) for event in range(50) for what in ("prepare", "submit")]
    assert link.calls == expected
    assert link.finished
    assert (stamps.sent >= stamps.due).all()
    assert (stamps.done >= stamps.sent).all()
    assert stamps.answered.all()
    np.testing.assert_array_equal(stamps.response_ns, stamps.lag_ns + stamps.link_ns)


def test_a_stall_is_charged_to_every_event_it_delays_and_moves_no_deadline() -> None:
    """The point of it all: 50 ms at 1 kHz delay some fifty events, not one."""
    link = Scripted(stall_at=20)
    stamps, _ = play(link, draw(Fraction(1_000), 100, "periodic", 1), SPIN_NS)
    response_ms = stamps.response_ns / 1e6
    assert response_ms[20] >= 50
    for late in (1, 10, 30):
        assert response_ms[20 + late] >= 50 - late - 1
        assert stamps.link_ns[20 + late] < 40e6  # a closed-loop sender would have seen nothing
    np.testing.assert_array_equal(stamps.due, np.arange(100) * 1_000_000)


def test_answers_of_a_link_that_sends_them_by_itself_are_stamped_by_the_receiver() -> None:
    stamps, failure = play(Queued(), draw(Fraction(1_000), 60, "poisson", 4), SPIN_NS)
    assert failure is None
    assert stamps.answered.all()
    assert (stamps.done >= stamps.sent).all()


def test_lost_answers_end_the_run_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.hostpaced.pacing.DRAIN_NS", 100_000_000)
    began = time.monotonic()
    stamps, failure = play(Queued(lose=[3, 7]), draw(Fraction(1_000), 20, "periodic", 1), SPIN_NS)
    assert time.monotonic() - began < 5
    assert failure is None
    assert np.flatnonzero(~stamps.answered).tolist() == [3, 7]
    result = host_result.build(record(stamps))
    assert result["verdict"] == "invalid"
    assert "events were not answered" in {reason["what"] for reason in result["reasons"]}


def test_a_link_that_breaks_keeps_what_was_stamped() -> None:
    stamps, failure = play(Scripted(fail_at=5), draw(Fraction(1_000), 20, "periodic", 1), SPIN_NS)
    assert isinstance(failure, BoardError)
    assert stamps.answered.tolist() == [True] * 5 + [False] * 15
    assert (stamps.done[5:] == NEVER).all()


def test_stillness_is_undone() -> None:
    before = sys.getswitchinterval()
    assert gc.isenabled()
    with stillness(1_000_000) as still:
        assert not gc.isenabled()
        assert sys.getswitchinterval() < before
        assert still.scheduling == "ordinary"
        assert 0 <= still.spin_ns <= 250_000
        assert still.slice_ns in {None, 100_000}
    assert gc.isenabled()
    assert time_slice.request(0) != 100_000
    assert sys.getswitchinterval() == before


def test_a_sender_leaves_most_of_a_short_gap_to_others() -> None:
    with stillness(20_000) as still:
        assert 0 <= still.spin_ns <= 5_000


def test_a_time_slice_that_no_kernel_grants_is_none() -> None:
    assert time_slice.request(-1 % 2**63) in {None, 100_000_000}
    time_slice.request(0)


def made(due: list[int], sent: list[int], done: list[int]) -> Stamps:
    return Stamps(*(np.array(each, np.int64) for each in (due, sent, done)))


def record(stamps: Stamps, rate_hz: int = 1_000) -> HostRecord:
    schedule = HostSchedule(stamps.due, Fraction(rate_hz), "periodic", 1)
    return HostRecord(
        name="made_up",
        link="scripted",
        target=None,
        simulated=False,
        schedule=schedule,
        stamps=stamps,
        null_schedule=schedule,
        null_stamps=stamps,
        broken_off=None,
        link_facts={},
        conditions={
            "scheduling": "ordinary",
            "spin_ns": 1,
            "oversleep_p50_ns": 1,
            "oversleep_p99_ns": 2,
        },
        seeds={"schedule": 1},
        facts={},
    )


def steady(events: int, lag_ns: int, link_ns: int) -> Stamps:
    due = [event * 1_000_000 for event in range(events)]
    return made(due, [at + lag_ns for at in due], [at + lag_ns + link_ns for at in due])


def test_numbers_of_a_known_run() -> None:
    result = host_result.build(record(steady(500, 7, 100)))
    assert result["verdict"] == "pass"
    assert result["time_base"] == "host"
    measured = result["measured"]
    assert measured["achieved_ratio"] == 1.0
    for name, value in (("issue_lag_ns", 7), ("response_ns", 107), ("link_ns", 100)):
        times = measured[name]  # type: ignore[literal-required]
        assert (times["min"], times["p50"], times["p99"], times["max"]) == (value,) * 4
        assert times["p999"] is None  # 500 events cannot resolve it
        assert "needs" in times["reasons"]["p999"]
    assert measured["omission"]["added"] == 0


@pytest.mark.parametrize(("stretch", "verdict"), [(1.0, "pass"), (1.02, "invalid")])
def test_a_rate_that_is_not_kept_is_invalid(stretch: float, verdict: str) -> None:
    due = np.arange(1_000) * 1_000_000
    sent = (due * stretch).astype(np.int64)
    result = host_result.build(record(Stamps(due, sent, sent + 10)))
    assert result["verdict"] == verdict
    if verdict == "invalid":
        assert result["measured"]["achieved_ratio"] < 0.99
        assert {reason["what"] for reason in result["reasons"]} == {"the rate was not kept"}


def test_wrong_answers_fail_the_run_and_invalid_goes_before() -> None:
    wrong = {"mismatches": 2, "compared": 500, "first_mismatch": 7}
    right = record(steady(500, 7, 100))
    result = host_result.build(dataclasses.replace(right, link_facts=wrong))
    assert result["verdict"] == "fail"
    assert "2 of 500" in result["reasons"][0]["evidence"]
    broken = dataclasses.replace(right, link_facts=wrong, broken_off="pulled")
    assert host_result.build(broken)["verdict"] == "invalid"


def test_a_folder_is_read_back_whole(tmp_path: Path) -> None:
    stamps = steady(300, 7, 2_500_000)
    result = host_result.build(record(stamps))
    folder = host_store.write(store.prepare(tmp_path), result, stamps, stamps)
    found = host_store.load(folder)
    assert found.result == result
    np.testing.assert_array_equal(found.stamps.done, stamps.done)
    expected = correction.corrected(stamps.link_ns, 1_000_000)
    assert expected.total == 600
    np.testing.assert_array_equal(found.histograms["link_corrected"].counts, expected.counts)
    np.testing.assert_array_equal(
        found.histograms["null_issue_lag"].counts, correction.record(stamps.lag_ns).counts
    )
    with pytest.raises(StorageError, match="holds no result"):
        store.load(folder)  # never taken for a fabric's


def test_a_changed_or_newer_folder_is_refused(tmp_path: Path) -> None:
    stamps = steady(10, 1, 1)
    result = host_result.build(record(stamps))
    folder = host_store.write(store.prepare(tmp_path), {**result, "schema": 2}, stamps, stamps)
    with pytest.raises(StorageError, match="newer harness"):
        host_store.load(folder)
    (folder / "host.json").write_text("{}")
    with pytest.raises(StorageError, match="is not what was written"):
        host_store.load(folder)


def test_the_command_stores_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["host", "--rate", "2kHz", "--events", "600", "--no-realtime"]
    status = main([*arguments, "--out", str(tmp_path), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert status == (0 if result["verdict"] == "pass" else 3)
    assert (result["kind"], result["link"], result["time_base"]) == ("host", "null", "host")
    assert result["measured"]["answered"] == result["null"]["answered"] == 600
    assert result["measured"]["response_ns"]["p50"] < 100_000_000
    (folder,) = store.list_runs(tmp_path)
    assert host_store.load(folder).result == result


@pytest.mark.parametrize(
    ("benchmark", "overrides", "rate_hz"),
    [
        # 24 peaks in each of 10,000 frames a second, as many as were drawn; not 10 kHz.
        ("detectors/bragg_peaks", (), pytest.approx(240e3, rel=0.02)),
        # 100 shots take 133.3 us at 750 kHz, and the qubit idles for 100.
        ("detectors/qubit_readout", (), pytest.approx(100 / (100 / 750e3 + 100e-6), rel=1e-4)),
        ("detectors/tokamak_camera", (), 120e3),
        ("smoke/dial", ('arrival={process = "gaps", gaps_cycles = [400, 600]}',), 400e3),
    ],
)
def test_the_rate_of_a_benchmark_is_the_mean_pauses_included(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    benchmark: str,
    overrides: tuple[str, ...],
    rate_hz: float,
) -> None:
    wished = [word for item in overrides for word in ("--set", item)]
    main(["host", benchmark, "--events", "20", "--no-realtime", "--json", *wished,
          "--out", str(tmp_path)])  # fmt: skip
    assert json.loads(capsys.readouterr().out)["schedule"]["rate_hz"] == rate_hz


def test_what_is_shown_has_the_null_link_beside_each_number() -> None:
    out = io.StringIO()
    result = host_result.build(record(steady(5_000, 7_000, 100_000)))
    host_terminal.show(result, Path("here"), Console(file=out, width=120))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == "PASS made_up over link scripted"
    assert "issue lag: sent - scheduled 7.0 7.0 7.0 7.0" in lines
    assert "response: answered - scheduled 107.0 107.0 107.0 107.0" in lines
    assert lines.count("the null link's, in this run 7.0 7.0 7.0 7.0") == 1
    assert lines[-1] == "stored in here"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--events", "10"), "--rate"),
        (("--rate", "1 kHz"), "--events"),
        (("--rate", "1000", "--events", "10"), "frequency"),
        (("--rate", "1 kHz", "--events", "10", "--link", "dma"), "name a benchmark"),
        (("--rate", "1 kHz", "--events", "10", "--link", "warp"), "null, dma"),
        (("smoke/jet_tagger",), "the fabric paces"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert main(["host", *arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_null_link_is_a_link() -> None:
    link: Link = NullLink()
    assert link.synchronous
    assert link.facts() == {}
    assert link.collect() == ()


@pytest.mark.parametrize(
    ("p50", "p99", "share", "spin"),
    [
        (30_000, 80_000, 250_000, 100_000),
        (30_000, 8_000_000, 250_000, 45_000),
        (30_000, 8_000_000, 5_000, 5_000),
        (0, 0, 5_000, 0),
        (900_000, 900_000, 10**9, 300_000),
    ],
)
def test_spinning_covers_late_wake_ups_as_far_as_that_helps(
    p50: int, p99: int, share: int, spin: int
) -> None:
    assert _spin_ns(p50, p99, share) == spin
