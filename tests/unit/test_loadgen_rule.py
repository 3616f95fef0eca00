"""Our percentiles beside MLPerf LoadGen's, of the very latencies that LoadGen took.

LoadGen gives the value with index floor(q n) of the sorted ones, counted from 0. That is the
nearest rank wherever q n is not whole; where it is, LoadGen's is the next value up.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.measure import statistics
from harness.report.host_result import times

if TYPE_CHECKING:
    from pathlib import Path

loadgen: Any = pytest.importorskip(
    "mlperf_loadgen", reason="mlcommons-loadgen is not installed: pip install mlcommons-loadgen"
)


def play(events: int, out: Path) -> tuple[list[int], dict[Fraction, int]]:
    """Return every latency that LoadGen took of a null system, and its percentiles of them."""

    def issue(samples: Any) -> None:
        loadgen.QuerySamplesComplete(
            [loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples]
        )

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.server_target_qps = 20_000
    settings.server_target_latency_ns = 10**10
    settings.min_query_count = settings.max_query_count = events
    settings.min_duration_ms = 0
    logs = loadgen.LogSettings()
    logs.enable_trace = True
    logs.log_output = loadgen.LogOutputSettings()
    logs.log_output.outdir = str(out)
    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(64, 64, lambda _: None, lambda _: None)
    loadgen.StartTestWithLogSettings(system, library, settings, logs, "")
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)
    # Its trace is not quite JSON.
    trace = (out / "mlperf_log_trace.json").read_text()
    samples = re.findall(r'"name":"Sample",.*"ph":"b",.*"complete_ns":(\d+)', trace)
    latencies = [int(value) for value in samples]
    summary = (out / "mlperf_log_summary.txt").read_text()
    found = re.findall(r"([\d.]+) percentile latency \(ns\) *: (\d+)", summary)
    return latencies, {Fraction(share) / 100: int(value) for share, value in found}


@pytest.mark.parametrize("events", [3001, 4000])
def test_percentiles_are_those_of_loadgen(events: int, tmp_path: Path) -> None:
    latencies, theirs = play(events, tmp_path)
    assert len(latencies) == events
    ordered = sorted(latencies)
    assert {statistics.P50, statistics.P99, statistics.P999} <= set(theirs)
    for q, value in theirs.items():
        position = statistics.rank(events, q)
        whole = (q * events).denominator == 1
        assert value == ordered[position if whole else position - 1], q
    ours: Any = times(np.array(latencies))
    for name, q in (("p50", statistics.P50), ("p99", statistics.P99), ("p999", statistics.P999)):
        if (q * events).denominator != 1:
            assert ours[name] == theirs[q]
