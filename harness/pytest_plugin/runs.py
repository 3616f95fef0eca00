"""Benchmarks run by tests, what tests see of them, and what a JUnit file keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness import benchmark as benchmarks
from harness import run
from harness.errors import HarnessError
from harness.fabric.samples import KINDS
from harness.pytest_plugin import words
from harness.pytest_plugin.boards import LoggedProgress
from harness.report import quality, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.fabric.samples import Kind, LatencyHistogram, Trace
    from harness.pytest_plugin.boards import Boards, OpenBoard
    from harness.report.schema import ReasonItem, Result

__all__ = ["BenchmarkFailed", "BenchmarkRun", "Runner", "run_on"]

STATISTICS: Final = ("p50", "p99", "p999", "max")


class BenchmarkFailed(AssertionError):  # noqa: N818 (pytest's own is called Failed)
    """The verdict of a run is not `pass`."""


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkRun:
    """A run and its verdict.

    Args:
        result: Content of `result.json`.
        histograms: Full histograms by `wait`, `service`, `total`, one-cycle bins.
        trace: Stamps of the traced events, in cycles.
        folder: The result folder.
    """

    result: Result
    histograms: Mapping[Kind, LatencyHistogram]
    trace: Trace | None
    folder: Path

    @property
    def verdict(self) -> str:
        """`pass`, `fail` or `invalid`."""
        return self.result["verdict"]

    @property
    def reasons(self) -> Sequence[ReasonItem]:
        """What the verdict rests on, the gravest first."""
        return self.result["reasons"]

    def check(self) -> None:
        """Fail the test unless the verdict is `pass`.

        Raises:
            BenchmarkFailed: It is not; the message has the reasons and what to do.
        """
        __tracebackhide__ = True
        if self.verdict != "pass":
            said = words.reasons(self.verdict, self.reasons)
            raise BenchmarkFailed(f"{self.result['benchmark']['name']} {said}")

    def cycles(self, kind: Kind, statistic: str) -> float:
        """Return a latency in cycles, as in `cycles("total", "p99")`; also min, mean, max.

        Raises:
            BenchmarkFailed: The run cannot state it, having too few events or bins.
        """
        __tracebackhide__ = True
        return self._value(kind, statistic, "cycles")

    def ns(self, kind: Kind, statistic: str) -> float:
        """Return a latency in ns, by the measured clock.

        Raises:
            BenchmarkFailed: As of `cycles`.
        """
        __tracebackhide__ = True
        return self._value(kind, statistic, "ns")

    def _value(self, kind: Kind, statistic: str, unit: str) -> float:
        __tracebackhide__ = True
        latency: Mapping[str, Any] = self.result["latency"][kind]
        found = latency[statistic]
        if found is None:
            why = latency["reasons"][statistic]
            raise BenchmarkFailed(f"{kind} {statistic} cannot be stated: {why}")
        return float(found[unit])

    def properties(self) -> dict[str, str | int | float]:
        """Return the measurements for a JUnit file: flat, units in the names, no nulls."""
        result = self.result
        found: dict[str, Any] = {
            "verdict": self.verdict,
            "benchmark": result["benchmark"]["name"],
            "benchmark_digest": result["benchmark"]["digest"],
            "overlay": result["overlay"]["name"],
            "overlay_digest": result["overlay"]["digest"],
            "target": result["target"],
            "board": result["facts"]["target"].get("board"),
            "time_base": result["time_base"],
            "clock_measured_hz": result["clock"]["measured_hz"],
            "target_hz": result["rate"]["target_hz"],
            "achieved_hz": result["rate"]["achieved_hz"],
            "scheduled_events": result["events"]["scheduled"],
            "completed_events": result["events"]["completed"],
            "dropped_events": result["events"]["dropped"],
            "missed_events": result["deadline"]["misses"],
            "queue_max_events": result["queue"]["max_depth"],
            "mismatched_beats": result["output"]["mismatches"],
            "folder": str(self.folder),
            **quality.columns(result),
        }
        for kind in KINDS:
            latency: Mapping[str, Any] = result["latency"][kind]
            for name in STATISTICS:
                for unit, value in (latency[name] or {}).items():
                    found[f"{kind}_{name}_{unit}"] = value
        return {name: value for name, value in found.items() if value is not None}


def run_on(
    boards: Boards, board: OpenBoard, benchmark: str, overrides: Iterable[str] = ()
) -> BenchmarkRun:
    """Run a benchmark on an open board, whatever the verdict.

    Raises:
        HarnessError: There was no run.
        KeyboardInterrupt: It was interrupted; what there was of it is stored.
    """
    request = run.Request(
        benchmark=benchmark,
        target=boards.settings.target,
        board=board.kind.name,
        out=boards.out,
        overrides=tuple(overrides),
    )
    outcome = run.run(request, LoggedProgress(), opened=board.target)
    stored = store.load(outcome.folder)
    if stored.result["verdict"] == "interrupted":
        raise KeyboardInterrupt
    return BenchmarkRun(stored.result, stored.histograms, stored.trace, outcome.folder)


class Runner:
    """What the fixture `benchmark` is.

    Args:
        boards: Where to run.
        user_properties: The test's; receives the measurements.
        folders: Where relative paths of benchmark files are looked for.
    """

    def __init__(
        self, boards: Boards, user_properties: list[tuple[str, object]], folders: Iterable[Path]
    ) -> None:
        self._boards = boards
        self._properties = user_properties
        self._folders = tuple(folders)
        self._runs = 0

    def __call__(
        self,
        name: str | Path,
        overrides: Mapping[str, object] | None = None,
        *,
        check: bool = True,
    ) -> BenchmarkRun:
        """Run a benchmark.

        Args:
            name: `suite/name`, or the path of a benchmark file.
            overrides: Keys of the benchmark to change, such as `{"run.events": 5000}`.
            check: Fail the test unless the verdict is `pass`.

        Raises:
            BenchmarkFailed: The verdict is not `pass`.
            HarnessError: There was no run.
        """
        __tracebackhide__ = True
        # JSON's strings, numbers, booleans and lists are TOML's.
        assignments = [f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items()]
        try:
            found = self._run(self._path(str(name)), assignments)
        except HarnessError as error:
            raise words.for_pytest(error) from None
        self._runs += 1
        prefix = "harness." if self._runs == 1 else f"harness.{self._runs}."
        self._properties += [(prefix + key, value) for key, value in found.properties().items()]
        if check:
            found.check()
        return found

    def _run(self, benchmark: str, overrides: Sequence[str]) -> BenchmarkRun:
        wished = benchmarks.load(benchmarks.find(benchmark), overrides).board
        return run_on(self._boards, self._boards.open(wished), benchmark, overrides)

    def _path(self, name: str) -> str:
        if not name.endswith(".toml"):
            return name
        found = (folder / name for folder in self._folders)
        return str(next((path for path in found if path.is_file()), name))
