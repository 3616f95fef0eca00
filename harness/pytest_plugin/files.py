"""Benchmark files as tests: one item a file."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest._code.code import TerminalRepr  # pytest has no other name for it


def collect(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of a TOML file, if it is to be a test."""
    config = parent.config
    if not parent.session.isinitpath(path):
        if not config.getoption("harness_benchmarks"):
            return None
        try:
            place = f"/{path.relative_to(config.rootpath).as_posix()}"
        except ValueError:
            place = path.as_posix()
        patterns = config.getini("harness_benchmark_files")
        if not any(fnmatch(place, pattern) for pattern in patterns):
            return None
    return BenchmarkFile.from_parent(parent, path=path)


class BenchmarkFile(pytest.File):
    """A benchmark file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the one test."""
        yield BenchmarkItem.from_parent(self, name=self.path.stem)


class BenchmarkItem(pytest.Item):
    """Runs the file's benchmark; its verdict is the test's."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]  # what from_parent was given
        self.add_marker("harness_benchmark")

    def runtest(self) -> None:
        """Run the benchmark; skip it if its overlay is not made for the board."""
        from harness import benchmark as benchmarks  # noqa: PLC0415
        from harness.overlay import find_overlay  # noqa: PLC0415
        from harness.pytest_plugin import boards_of  # noqa: PLC0415
        from harness.pytest_plugin.runs import Runner  # noqa: PLC0415

        boards = boards_of(self.config)
        file = str(self.path)
        benchmark = benchmarks.load(benchmarks.find(file))
        kind = boards.kind(benchmark.board)
        if kind.name not in find_overlay(benchmark.overlay).boards:
            pytest.skip(f"overlay {benchmark.overlay} is not made for board {kind.name}")
        Runner(boards, self.user_properties, ())(file)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str | TerminalRepr:
        """Return reasons instead of a traceback, where there are reasons."""
        from harness.errors import HarnessError  # noqa: PLC0415
        from harness.pytest_plugin.runs import BenchmarkFailed  # noqa: PLC0415

        if isinstance(excinfo.value, HarnessError | BenchmarkFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the file and the name under which failures are listed."""
        return self.path, None, f"benchmark {self.name}"
