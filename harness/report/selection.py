"""Runs as people name them on the command line."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import benchmark as benchmarks
from harness.errors import InputError
from harness.quantity import shorten
from harness.report import history, host_listing, sealed
from harness.tomlfile import near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.history import Entry

LAST: Final = "last"
BENCHMARK: Final = "benchmark:"
_WILDCARDS: Final = frozenset("*?[")
_MOST_NAMED: Final = 5


def benchmark_name(text: str) -> str:
    """Return the name that runs of a benchmark carry.

    Args:
        text: That name, or `suite/name` or the path of a benchmark file.

    Raises:
        BenchmarkError: There is no such file.
    """
    if "/" not in text and not text.endswith(".toml"):
        return text
    return benchmarks.load(benchmarks.find(text)).name


def of_benchmark(entries: Sequence[Entry], benchmark: str | None) -> list[Entry]:
    """Return the runs of a benchmark, named as in `benchmark_name`; all of them for None."""
    if benchmark is None:
        return list(entries)
    name = benchmark_name(benchmark)
    return [entry for entry in entries if entry.benchmark == name]


def find_run(text: str, out_dir: Path) -> Path:
    """Return the folder of one run.

    Args:
        text: The folder; or the id of a run in `out_dir` or its folder `host`, or how only one
            begins, or `last`.
        out_dir: Folder of results.

    Raises:
        InputError: No run is called that, or several are.
    """
    path = Path(text)
    if (path / sealed.MANIFEST).is_file():
        # Resolved: "." is a folder too, but no name.
        return path.resolve()
    places = {entry.run: out_dir / entry.run for entry in history.refresh(out_dir)}
    # `last` is the last of a fabric, unless there are none but the host's.
    last = next(reversed(places), None)
    paced = {entry.run: entry.folder for entry in host_listing.entries(out_dir)}
    names = [*places, *paced]
    if not names:
        raise InputError("there is no run", where=str(out_dir), hint="run a benchmark first")
    places.update(paced)
    if text == LAST:
        return places[last or names[-1]]
    found = [name for name in names if name == text] or [n for n in names if n.startswith(text)]
    if len(found) == 1:
        return places[found[0]]
    if not found:
        raise InputError(
            "no such run", where=shorten(text), why=f"looked in {out_dir}", hint=_known(text, names)
        )
    raise InputError(
        f"{len(found)} runs begin so",
        where=shorten(text),
        why=_some(found),
        hint="give more of the name",
    )


def find_runs(text: str, out_dir: Path) -> list[Path]:
    """Return the folders of one or more runs, oldest first.

    Args:
        text: As in `find_run`; or a pattern such as `before/*` of folders or of ids in `out_dir`;
            or `benchmark:NAME`; or a folder that holds runs, for all of them.
        out_dir: Folder of results.

    Raises:
        InputError: No run is called that.
    """
    if text.startswith(BENCHMARK):
        entries = history.refresh(out_dir)
        found = of_benchmark(entries, text.removeprefix(BENCHMARK))
        if not found:
            names = sorted({entry.benchmark for entry in entries if entry.benchmark})
            hint = near(text.removeprefix(BENCHMARK), names) if names else "run a benchmark first"
            raise InputError("there is no run of that benchmark", where=shorten(text), hint=hint)
        return [out_dir / entry.run for entry in found]
    if _WILDCARDS & set(text):
        return _matching(text, out_dir)
    path = Path(text)
    if path.is_dir() and not (path / sealed.MANIFEST).is_file():
        inside = [path / entry.run for entry in history.refresh(path)]
        inside = inside or [entry.folder for entry in host_listing.entries(path)]
        if inside:
            return inside
    return [find_run(text, out_dir)]


def _matching(pattern: str, out_dir: Path) -> list[Path]:
    path = Path(pattern)
    root = Path(path.anchor)
    found = sorted(
        folder
        for folder in root.glob(str(path.relative_to(root)))
        if (folder / sealed.MANIFEST).is_file()
    )
    if not found:
        entries = history.refresh(out_dir)
        found = [out_dir / entry.run for entry in entries if fnmatchcase(entry.run, pattern)]
    if not found:
        raise InputError(
            "no run matches",
            where=shorten(pattern),
            why=f"looked at paths, and at the runs in {out_dir}",
            hint="harness history lists them",
        )
    return found


def _known(text: str, names: Sequence[str]) -> str:
    # A run is easier to recognise by its middle, the benchmark, than by its date.
    like = [name for name in names if text in name]
    return f"did you mean {_some(like)}?" if like else f"the newest is {names[-1]}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[-_MOST_NAMED:]) + (f" and {more} older ones" if more > 0 else "")
