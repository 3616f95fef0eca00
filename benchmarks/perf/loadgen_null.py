"""MLPerf LoadGen's Server scenario with a null system under test in Python.

    python loadgen_null.py RATE_HZ EVENTS [--trace] [--realtime]

To be run by a Python that has `mlcommons-loadgen`. Prints JSON, ns: `response` percentiles out of
LoadGen's own summary, or with --trace, which costs LoadGen some time, its issue delays. With
--realtime the whole process is scheduled as the harness's sender is.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import re
import tempfile
from pathlib import Path
from typing import Any

QUANTILES = {"50.00": "p50", "99.00": "p99", "99.90": "p999"}


def play(rate_hz: float, events: int, out: Path, *, trace: bool) -> None:
    """Send events at Poisson instants; each is completed in the callback that issues it."""
    loadgen: Any = importlib.import_module("mlperf_loadgen")

    def issue(samples: Any) -> None:
        loadgen.QuerySamplesComplete(
            [loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples]
        )

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.server_target_qps = rate_hz
    settings.server_target_latency_ns = 10**10
    settings.min_query_count = settings.max_query_count = events
    settings.min_duration_ms = 0
    logs = loadgen.LogSettings()
    logs.enable_trace = trace
    logs.log_output = loadgen.LogOutputSettings()
    logs.log_output.outdir = str(out)
    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(1024, 1024, lambda _: None, lambda _: None)
    loadgen.StartTestWithLogSettings(system, library, settings, logs, "")
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)


def main() -> None:
    """Play once and print what LoadGen found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rate_hz", type=float)
    parser.add_argument("events", type=int)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--realtime", action="store_true")
    options = parser.parse_args()
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        play(options.rate_hz, options.events, out, trace=options.trace)
        if options.trace:
            text = (out / "mlperf_log_trace.json").read_text()
            delays = sorted(int(value) for value in re.findall(r'"issue_delay":(\d+)', text))
            found = {
                name: delays[math.ceil(len(delays) * float(q) / 100) - 1]
                for q, name in QUANTILES.items()
            }
        else:
            text = (out / "mlperf_log_summary.txt").read_text()
            pairs = re.findall(r"([\d.]+) percentile latency \(ns\) *: (\d+)", text)
            found = {QUANTILES[q]: int(value) for q, value in pairs if q in QUANTILES}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
