"""A run of an ideal fabric, made up from the queueing oracle, for everything above the fabric."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.benchmark import Benchmark, build, override
from harness.fabric.samples import Counters, LatencyHistogram, Samples, Trace
from harness.measure.evidence import Evidence
from harness.measure.queueing import finite_queue
from harness.measure.verdict import judge
from harness.report import result as results
from harness.report.result import RunRecord
from harness.session import Clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.report.schema import Result

CLOCK_HZ = 200e6


def histogram(latencies: NDArray[np.int64], bins: int = 256) -> LatencyHistogram:
    return LatencyHistogram(
        counts=np.bincount(latencies[latencies < bins], minlength=bins).astype(np.int64),
        overflow=int((latencies >= bins).sum()),
        count=latencies.size,
        minimum=int(latencies.min()) if latencies.size else None,
        maximum=int(latencies.max()) if latencies.size else None,
        total=int(latencies.sum()),
    )


class Synthetic:
    """Builds benchmarks, samples, evidence and results of a made-up run."""

    content: dict[str, Any] = {  # noqa: RUF012
        "schema": 1,
        "name": "made_up",
        "summary": "A made-up run",
        "overlay": "dial",
        "traffic": {"source": "noise"},
        "arrival": {"process": "periodic", "rate": "20 MHz"},
        "run": {"events": 5000, "deadline": "40 cycles", "trace": 64},
    }
    histogram = staticmethod(histogram)

    def benchmark(self, *overrides: str) -> Benchmark:
        content = self.content
        for assignment in overrides:
            content = override(content, assignment)
        return build(content, "made_up.toml")

    def samples(
        self, due: NDArray[np.int64], ii: int, latency: int, depth: int, bins: int = 256
    ) -> Samples:
        departures = finite_queue(due, ii, latency, depth)
        kept = ~departures.dropped
        s, a, d = due[kept], departures.accepted[kept], departures.done[kept]
        end = int(d.max()) + 1 if d.size else 1

        def running(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
            steps = np.bincount(first, minlength=end) - np.bincount(last, minlength=end)
            return np.asarray(np.cumsum(steps), dtype=np.int64)

        counters = Counters(
            scheduled=due.size,
            accepted=a.size,
            completed=d.size,
            dropped=int(departures.dropped.sum()),
            deadline_misses=int((d - s > 40).sum()),
            stall_cycles=0,
            occupancy_sum=int(running(s, d).sum()),
            max_depth=int(running(s, a).max(initial=0)),
            mismatches=0,
            first_mismatch=None,
            output_beats=d.size,
            crc=0x1234,
            run_cycles=end + 5,
            faults=(),
        )
        return Samples(
            wait=histogram(a - s, bins),
            service=histogram(d - a, bins),
            total=histogram(d - s, bins),
            counters=counters,
            trace=Trace(np.flatnonzero(kept)[:64], s[:64], a[:64], d[:64]),
        )

    def evidence(self, *overrides: str, ii: int = 4, depth: int = 64, **changes: Any) -> Evidence:
        """Return a periodic run: an event every ten cycles, 26 cycles of latency."""
        benchmark = self.benchmark(*overrides)
        due = np.arange(benchmark.run.events, dtype=np.int64) * 10
        evidence = Evidence(
            benchmark=benchmark,
            samples=self.samples(due, ii, 26, depth),
            clock=Clock(CLOCK_HZ, CLOCK_HZ, CLOCK_HZ, CLOCK_HZ),
            schedule_cycles=int(due[-1]) + 1,
            deadline_cycles=40,
            queue_limit=depth,
            compared=True,
            crc_expected=0x1234,
        )
        return dataclasses.replace(evidence, **changes)

    def count(self, evidence: Evidence, **changes: Any) -> Evidence:
        """Return the evidence with other counters."""
        assert evidence.samples is not None
        counters = dataclasses.replace(evidence.samples.counters, **changes)
        samples = dataclasses.replace(evidence.samples, counters=counters)
        return dataclasses.replace(evidence, samples=samples)

    def record(self, evidence: Evidence, **changes: Any) -> RunRecord:
        record = RunRecord(
            evidence=evidence,
            verdict=judge(evidence),
            time_base="simulated fabric",
            target="virtual (zcu104)",
            overlay_name="dial",
            overlay_digest="00112233445566778899aabbccddeeff",
            distinct=64,
            seeds={"traffic": 1},
            facts={"versions": {"harness": "0"}},
        )
        return dataclasses.replace(record, **changes)

    def result(self, *overrides: str, **changes: Any) -> tuple[Result, Samples]:
        evidence = self.evidence(*overrides, **changes)
        assert evidence.samples is not None
        return results.build(self.record(evidence)), evidence.samples


@pytest.fixture
def synthetic() -> Synthetic:
    return Synthetic()
