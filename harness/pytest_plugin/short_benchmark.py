"""The fixture `benchmark`, apart from the others because pytest-benchmark has one of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.pytest_plugin.runs import Runner


@pytest.fixture
def benchmark(harness_benchmark: Runner) -> Runner:
    """Run a benchmark on the board: `benchmark("smoke/dial", {"run.events": 5000})`.

    Fails the test unless the verdict is `pass`; with `check=False` it returns the run whatever came
    of it. A run has `verdict`, `reasons`, `ns("total", "p99")`, `cycles(...)`, `histograms`,
    `trace`, `result` and `folder`. Files are looked for beside the test's file, then in pytest's
    root folder.
    """
    return harness_benchmark
