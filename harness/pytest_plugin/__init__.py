"""The harness in other people's tests: options, fixtures, markers, benchmark files as tests.

pytest loads this module in every environment in which the harness is installed, whether or not a
test needs it. So nothing but pytest is imported here; the rest is when the first test asks for a
board.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from harness.pytest_plugin import settings, short_benchmark, short_names

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from harness.pytest_plugin.boards import Boards, OpenBoard
    from harness.pytest_plugin.runs import Runner
    from harness.session import Session

MARKERS: Final = (
    "requires_board: skipped on the virtual board in this process",
    "requires_capability(*names): skipped where the board lacks one of dma, load, clock, uart",
    "overlay(name, clock=None): what the fixture `overlay` loads, such as overlay('dial'); "
    "clock such as '200 MHz'",
    "harness_benchmark: a benchmark file collected as a test",
)
_BOARDS: Final = pytest.StashKey["Boards"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Describe options and their twins in the ini file."""
    settings.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register markers and fixtures, and look at what was asked for."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(short_names)
    # pytest-benchmark has a fixture of that name, and came first.
    if not config.pluginmanager.hasplugin("benchmark"):
        config.pluginmanager.register(short_benchmark)
    if path := settings.boards_file(config):
        _set_variable(config, "HARNESS_BOARDS", str(path))
    if settings.target(config) != settings.VIRTUAL:
        _check_target(config)


def _set_variable(config: pytest.Config, name: str, value: str) -> None:
    before = os.environ.get(name)

    def restore() -> None:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before

    config.add_cleanup(restore)
    os.environ[name] = value


def _check_target(config: pytest.Config) -> None:
    """Refuse an unknown target at once, not in the first test.

    Raises:
        pytest.UsageError: The target or boards.toml is wrong.
    """
    from harness.errors import InputError  # noqa: PLC0415
    from harness.pytest_plugin.words import for_pytest  # noqa: PLC0415

    try:
        boards_of(config).kind()
    except InputError as error:
        raise pytest.UsageError(str(for_pytest(error))) from None


def boards_of(config: pytest.Config) -> Boards:
    """Return this process's boards, none of them opened yet."""
    from harness.pytest_plugin.boards import Boards  # noqa: PLC0415

    if _BOARDS not in config.stash:
        # What the fixture tmp_path_factory gives; benchmark files have no fixtures to ask.
        config.stash[_BOARDS] = Boards(
            settings.read(config),
            lambda: config._tmp_path_factory,  # type: ignore[attr-defined]  # noqa: SLF001
            is_worker=hasattr(config, "workerinput"),
        )
    return config.stash[_BOARDS]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say where tests will run, unless that is nowhere in particular."""
    if settings.target(config) == settings.VIRTUAL:
        return None
    return f"harness: {boards_of(config)}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect benchmark files, where asked."""
    if file_path.suffix != ".toml":
        return None
    from harness.pytest_plugin import files  # noqa: PLC0415

    return files.collect(file_path, parent)


def _uses_board(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return "harness_board" in names or item.get_closest_marker("harness_benchmark") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let other workers have the board when a test is over."""
    try:
        return (yield)
    finally:
        if _uses_board(item):
            boards_of(item.config).end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here, and what would only tell once more that the board is broken."""
    __tracebackhide__ = True
    if any(item.iter_markers("requires_board")) or any(item.iter_markers("requires_capability")):
        from harness.pytest_plugin import needs  # noqa: PLC0415

        needs.check(item, boards_of(item.config))
    if _uses_board(item):
        boards = boards_of(item.config)
        if boards.broken:
            pytest.skip(boards.broken)
        boards.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failure that may be the board's, find out whether the board is still there."""
    report = yield
    if call.excinfo is not None and _uses_board(item):
        boards_of(item.config).suspect(call.excinfo.value, item.nodeid)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was measured, a line each."""
    reports = [
        report
        for name in ("passed", "failed")
        for report in terminalreporter.stats.get(name, ())
        if any(key == "harness.verdict" for key, _ in report.user_properties)
    ]
    if not reports:
        return
    from harness.pytest_plugin import words  # noqa: PLC0415

    terminalreporter.section("measurements")
    for report in reports:
        for line in words.measurements(report.nodeid, report.user_properties):
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give boards back."""
    if boards := session.config.stash.get(_BOARDS, None):
        boards.close()


@pytest.fixture(scope="session")
def harness_board(pytestconfig: pytest.Config) -> OpenBoard:
    """The board of `--harness-target`, open and found healthy; see `board`."""
    __tracebackhide__ = True
    return boards_of(pytestconfig).open()


@pytest.fixture
def harness_overlay(request: pytest.FixtureRequest, harness_board: OpenBoard) -> Session:
    """A session with the overlay that the test's marker or parameter names; see `overlay`."""
    __tracebackhide__ = True
    return harness_board.load_for(request)


@pytest.fixture
def harness_benchmark(request: pytest.FixtureRequest, harness_board: OpenBoard) -> Runner:
    """Runs a benchmark, by name or file, on the board; see `benchmark`."""
    from harness.pytest_plugin.runs import Runner  # noqa: PLC0415

    boards = boards_of(request.config)
    folders = (request.path.parent, request.config.rootpath)
    return Runner(boards, request.node.user_properties, folders)


__all__ = [
    "boards_of", "harness_benchmark", "harness_board", "harness_overlay", "pytest_addoption",
    "pytest_collect_file", "pytest_configure", "pytest_report_header", "pytest_runtest_makereport",
    "pytest_runtest_protocol", "pytest_runtest_setup", "pytest_sessionfinish",
    "pytest_terminal_summary",
]  # fmt: skip
