"""What the user says on pytest's command line or in its ini file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

VIRTUAL: Final = "virtual"
BENCHMARK_FILES: Final = "*/benchmarks/*.toml"
# Name, metavar, default, help. In the ini file the name has an underscore: harness_target.
_VALUES: Final = (
    ("target", "HOW", VIRTUAL, "how to reach a board, or its name in boards.toml"),
    ("boards", "FILE", "", "the boards.toml (default: as for the command `harness`)"),
    ("board", "KIND", "", "which kind of board (default: as boards.toml says, or zcu104)"),
    ("wait", "SECONDS", "0", "how long to wait for somebody else who has the board"),
    (
        "health", "BENCHMARK", "smoke/loopback",
        "what a board must pass before any test; or none. The virtual board needs it as little "
        "as one over a serial line, which cannot be loaded",
    ),
    ("out", "DIR", "", "folder that keeps results (default: pytest's own for temporary files)"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for.

    Args:
        target: How to reach a board.
        board: Which kind of board; None for that of boards.toml.
        wait_s: How long to wait for somebody else who has it.
        health: Benchmark that it must pass before any test; None for none.
        out: Folder that receives result folders; None for one that pytest deletes some day.
    """

    target: str
    board: str | None
    wait_s: float
    health: str | None
    out: Path | None


def add_options(parser: pytest.Parser) -> None:
    """Add the group to `pytest --help`, and the keys to what an ini file may hold."""
    group = parser.getgroup("harness", "FPGA boards and their benchmarks")
    for name, metavar, default, text in _VALUES:
        told = f" (default: {default})" if default else ""
        group.addoption(f"--harness-{name}", metavar=metavar, help=text + told)
        parser.addini(f"harness_{name}", f"as --harness-{name}", default=default)
    group.addoption(
        "--harness-benchmarks",
        action="store_true",
        help="collect benchmark files as tests: those that harness_benchmark_files matches. One "
        "that is named on the command line is collected anyway",
    )
    parser.addini(
        "harness_benchmark_files",
        f"patterns of benchmark files, below the root folder (default: {BENCHMARK_FILES})",
        type="args",
        default=[BENCHMARK_FILES],
    )


def target(config: pytest.Config) -> str:
    """Return how to reach the board."""
    return _value(config, "target") or VIRTUAL


def boards_file(config: pytest.Config) -> Path | None:
    """Return the boards.toml, where one was named.

    Raises:
        pytest.UsageError: There is no such file.
    """
    path = _path(config, "boards")
    if path is not None and not path.is_file():
        raise pytest.UsageError(f"--harness-boards: there is no file {path}")
    return path


def read(config: pytest.Config) -> Settings:
    """Return everything that was asked for.

    Raises:
        pytest.UsageError: The time to wait is no time.
    """
    wait, health = _value(config, "wait"), _value(config, "health")
    try:
        wait_s = float(wait)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s < float("inf"):
        raise pytest.UsageError(f"--harness-wait: {wait!r} is no number of seconds")
    return Settings(
        target=target(config),
        board=_value(config, "board") or None,
        wait_s=wait_s,
        health=None if health in {"", "none"} else health,
        out=_path(config, "out"),
    )


def _value(config: pytest.Config, name: str) -> str:
    given = config.getoption(f"harness_{name}")
    return str(config.getini(f"harness_{name}") if given is None else given)


def _path(config: pytest.Config, name: str) -> Path | None:
    """Return a path, relative to where pytest was started, or to the ini file that names it."""
    given = config.getoption(f"harness_{name}")
    if given is not None:
        return Path(config.invocation_params.dir, given)
    told = str(config.getini(f"harness_{name}"))
    folder = config.inipath.parent if config.inipath is not None else config.rootpath
    return folder / told if told else None
