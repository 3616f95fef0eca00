"""A run that is watched, live or by scrapes, is the run that is not; and nothing is left behind."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from harness.cli import main
from harness.errors import InfrastructureError, InputError
from harness.fabric.plan import RunPlan
from harness.fabric.samples import LatencyHistogram
from harness.fabric.watch import CYCLES_A_WORD, SHARE, About, Look, Watch, Watchers
from harness.overlay import find_overlay
from harness.report import store
from harness.report.live import LiveView
from harness.report.metrics import HOST, MetricsServer, buckets
from harness.session import Session
from harness.traffic import Schedule
from tests.emulation.conftest import Open

pytestmark = pytest.mark.xdist_group("dial")

CLOCK_HZ = 200_000_000
ROWS: NDArray[np.uint8] = np.arange(256, dtype=np.uint8).reshape(64, 4)
ABOUT = About("made_up", "virtual", "simulated fabric", 1_000, 200e6, 40)


class Recorder:
    """A watcher that keeps what it sees."""

    def __init__(self) -> None:
        self.about: About | None = None
        self.looks: list[Look] = []

    def begin(self, about: About) -> None:
        self.about = about

    def look(self, look: Look) -> None:
        self.looks.append(look)


def play(session: Session, schedule: Schedule, interval: int, *, watched: bool) -> tuple[Any, Any]:
    """Play on `dial`; return what was read and, if watched, watcher and words read by looks."""
    bench = session.bench
    bench.reset()
    registers = {r.name: r.offset for r in find_overlay("dial").accelerator.registers}
    for name, value in (("INITIATION_INTERVAL", interval), ("DELAY", 9), ("JITTER_MASK", 7)):
        bench.set_accelerator(registers[name], value)
    bench.load_events(ROWS)
    bench.load_golden(ROWS)
    bench.arm(RunPlan(schedule, len(ROWS), 1, 1, 200, 60))
    recorder, counted_words = Recorder(), [0]
    watch = Watch(bench, recorder)
    read = session.target.read

    def counted(address: int, words: int) -> NDArray[np.uint32]:
        counted_words[0] += words
        return read(address, words)

    def poll(done: int) -> None:
        if watched:
            session.target.read = counted  # type: ignore[method-assign]
            try:
                watch.poll()
            finally:
                session.target.read = read  # type: ignore[method-assign]

    assert bench.play(int(schedule.expected_cycles() * 5) + 1, poll)
    samples = bench.read_out(4096)
    if watched:
        watch.finish(samples)
    return samples, (recorder, counted_words[0])


def same(first: Any, second: Any) -> None:
    assert first.counters == second.counters
    for kind, histogram in first.histograms().items():
        np.testing.assert_array_equal(histogram.counts, second.histograms()[kind].counts)
    for name in ("event", "scheduled", "accepted", "done"):
        np.testing.assert_array_equal(getattr(first.trace, name), getattr(second.trace, name))


def test_looks_change_nothing_grow_and_leave_the_bus_alone(opened: Open) -> None:
    session = opened("dial")
    schedule = Schedule.bernoulli(30_000_000, CLOCK_HZ, 77, 60_000)
    unwatched, _ = play(session, schedule, 6, watched=False)
    samples, (recorder, words) = play(session, schedule, 6, watched=True)
    same(unwatched, samples)
    looks: list[Look] = recorder.looks
    assert len(looks) >= 3
    for name in ("run_cycles", "scheduled", "completed", "dropped", "deadline_misses", "max_depth"):
        values = [getattr(look, name) for look in looks]
        assert values == sorted(values), name
    assert 0 < looks[0].completed < 60_000
    assert looks[-1].completed + looks[-1].dropped == 60_000
    assert all(look.waiting <= look.max_depth for look in looks)
    seen = [look.total for look in looks if look.total is not None]
    assert len(seen) >= 2  # also before the end
    for earlier, later in pairwise(seen):
        assert (earlier.counts <= later.counts).all()
    # Besides the first look, and two words a poll that say whether another can be afforded.
    allowed = samples.counters.run_cycles * SHARE / CYCLES_A_WORD + 128 + 2 * 60
    assert 0 < words <= 1.1 * allowed


def test_an_event_in_every_cycle_leaves_the_bins_unread_until_the_end(opened: Open) -> None:
    """Or the read of a bin would not be answered before the run is over."""
    session = opened("loopback")
    schedule = Schedule.periodic(CLOCK_HZ, CLOCK_HZ, 300_000)
    bench = session.bench
    bench.reset()
    rows = np.zeros((64, session.identity.in_bytes), np.uint8)
    bench.load_events(rows)
    bench.load_golden(rows)
    bench.arm(RunPlan(schedule, 64, 1, 1, 200, 60))
    recorder = Recorder()
    watch = Watch(bench, recorder)
    assert bench.play(1_500_000, lambda _: watch.poll())
    samples = bench.read_out(0)
    watch.finish(samples)
    assert samples.counters.completed == 300_000
    assert len(recorder.looks) >= 2
    assert recorder.looks[0].total is None
    assert recorder.looks[-1].total is samples.total


def test_a_short_run_is_seen_at_its_end(opened: Open) -> None:
    schedule = Schedule.periodic(20_000_000, CLOCK_HZ, 50)
    samples, (recorder, _) = play(opened("dial"), schedule, 6, watched=True)
    assert recorder.looks[-1].completed == 50
    assert recorder.looks[-1].total is samples.total


# ---------------------------------------------------------------------- the command


def without_facts(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    assert content.pop("facts")
    return content


def test_live_and_metrics_give_the_same_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name, more in (("plain", ()), ("live", ("--live",)), ("metrics", ("--metrics", "0"))):
        out = tmp_path / name
        arguments = ["run", "smoke/dial", "--set", "run.events=20000", "--json", "--out", str(out)]
        before = set(threading.enumerate())
        assert main([*arguments, *more]) == 0
        assert set(threading.enumerate()) <= before
        folders += store.list_runs(out)
        said = capsys.readouterr().err
        if name == "live":
            assert re.search(r"completed [\d,]+, dropped 0, misses 0, waiting", said)
    results = [without_facts(folder) for folder in folders]
    assert results[0] == results[1] == results[2]
    tables = [store.load(folder) for folder in folders]
    for other in tables[1:]:
        for kind, histogram in tables[0].histograms.items():
            np.testing.assert_array_equal(histogram.counts, other.histograms[kind].counts)


def test_a_port_in_use_is_one_line_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["run", "smoke/dial", "--out", str(tmp_path / "out"), "--metrics", str(port)]
        assert main(arguments) == 4
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"port {port}" in said
        with pytest.raises(InfrastructureError):
            MetricsServer(port)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is no port"):
        MetricsServer(70_000)


# ---------------------------------------------------------------------- the views


def histogram() -> LatencyHistogram:
    counts = np.zeros(64, np.int64)
    counts[[1, 2, 20, 33]] = [5, 3, 900, 1]
    return LatencyHistogram(counts, 2, 911, 1, 99, 18_000)


def made(completed: int = 911, total: LatencyHistogram | None = None) -> Look:
    return Look(10_000, 950, completed, 30, 4, 7, 12, total)


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        assert "text/plain" in answer.headers["Content-Type"]
        lines = answer.read().decode().splitlines()
    return {
        re.sub(r'(benchmark|target|time_base)="[^"]*",?', "", name): float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_metrics_are_those_of_the_last_look_and_end_with_the_server() -> None:
    before = set(threading.enumerate())
    with MetricsServer(0) as server:
        assert server._server.server_address[0] == "127.0.0.1"
        assert scrape(server.port) == {}
        server.begin(ABOUT)
        server.look(made(5))
        assert scrape(server.port)["harness_events_completed_total{}"] == 5
        server.look(made(total=histogram()))
        found = scrape(server.port)
        port = server.port
    assert found["harness_events_scheduled_total{}"] == 950
    assert found["harness_events_dropped_total{}"] == 30
    assert found["harness_events_deadline_misses_total{}"] == 4
    assert found["harness_queue_waiting{}"] == 7
    assert found["harness_total_latency_seconds_count{}"] == 911
    assert found["harness_total_latency_seconds_sum{}"] == 18_000 / 200e6
    assert set(threading.enumerate()) == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, port), timeout=5)
    with socket.create_server((HOST, port)):
        pass  # the port is free again


def test_a_client_that_says_nothing_does_not_hold_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.report.metrics._Handler.timeout", 0.2)
    with MetricsServer(0) as server, socket.create_connection((HOST, server.port)):
        server.begin(ABOUT)
        server.look(made())
        assert scrape(server.port)["harness_queue_max_depth{}"] == 12


def test_buckets_are_cumulative_and_exact_at_their_edges() -> None:
    found = buckets(histogram(), 1.0)
    assert found == [
        ("1.0", 5), ("2.0", 8), ("4.0", 8), ("8.0", 8), ("16.0", 8), ("32.0", 908), ("+Inf", 911),
    ]  # fmt: skip


def test_the_live_view_shows_counters_and_bars() -> None:
    out = io.StringIO()
    view = LiveView(Console(file=out, width=100, force_terminal=True, color_system=None))
    with view:
        view.stage("playing")
        view.begin(ABOUT)
        view.look(made())
        assert "not read yet" in shown(view)
        view.look(made(total=histogram()))
        text = shown(view)
    assert "made_up on virtual, time base simulated fabric" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "rate 18.22 MHz" in lines
    assert "completed 911" in lines
    assert "dropped 30" in lines
    assert "misses 4" in lines
    assert "waiting 7 (at most 12)" in lines
    assert any(line.startswith("19 ") and line.endswith(" 900") for line in lines)


def shown(view: LiveView) -> str:
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(view.render())
    return out.getvalue()


def test_several_watchers_see_the_same() -> None:
    first, second = Recorder(), Recorder()
    both = Watchers((first, second))
    both.begin(ABOUT)
    look = made()
    both.look(look)
    assert first.about is second.about is ABOUT
    assert first.looks == second.looks == [look]
