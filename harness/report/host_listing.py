"""Runs whose times are the host's, listed apart from those of fabrics.

There are few of them, and `host.json` and `tiny.json` are small: they are read anew every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import StorageError
from harness.report import (
    host_store,
    host_terminal,
    sealed,
    store,
    text,
    tiny_result,
    tiny_terminal,
)
from harness.report.host_schema import KIND as HOST
from harness.report.host_schema import check as check_host
from harness.report.text import clean
from harness.report.tiny_schema import check as check_tiny
from harness.report.values import plain

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.host_schema import HostResult
    from harness.report.tiny_schema import TinyResult

INSIDE: Final = "host"
"""Where `harness host` puts its runs within a folder of results."""
DAMAGED: Final = "damaged"


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One run; of a damaged one only `run`, `verdict` and `damage` are known.

    Args:
        folder: Where it lies.
        run: Its id, which is the name of its folder.
        verdict: The run's verdict, or `damaged`.
        started_utc: When it began, ISO 8601.
        name: Of its benchmark, or of its link.
        what: The link, or the mode of MLPerf Tiny.
        target: How the board was reached.
        rate_hz: Achieved rate of a paced run.
        response_p50_ns: Of a paced run, from the scheduled instant; likewise the others.
        lag_p99_ns: Issue lag of a paced run.
        damage: Why it cannot be believed to be what was written; None for a sound one.
    """

    folder: Path
    run: str
    verdict: str = DAMAGED
    started_utc: str | None = None
    name: str | None = None
    what: str | None = None
    target: str | None = None
    rate_hz: float | None = None
    response_p50_ns: int | None = None
    response_p99_ns: int | None = None
    response_p999_ns: int | None = None
    lag_p99_ns: int | None = None
    damage: str | None = None


def entries(out_dir: Path) -> list[HostEntry]:
    """Return the host's runs in a folder of results, and in its own folder `host`; oldest first."""
    found = []
    for place in (out_dir, out_dir / INSIDE):
        found += [each for each in map(_entry, store.list_runs(place)) if each is not None]
    return sorted(found, key=lambda each: (each.started_utc or "", each.run))


def read(folder: sealed.Sealed) -> HostResult | TinyResult | None:
    """Return the content of `host.json` or `tiny.json`; None for a folder that has neither.

    Raises:
        StorageError: It is damaged, or of a newer schema.
    """
    checks: tuple[tuple[str, Any], ...] = (
        (host_store.RESULT, check_host),
        (tiny_result.RESULT, check_tiny),
    )
    for name, check in checks:
        if name in folder.digests:
            where = folder.path / name
            result: HostResult | TinyResult = check(
                sealed.parse_json(folder.read(name), where), str(where)
            )
            return result
    return None


def show(found: list[HostEntry], console: Console | None = None) -> None:
    """Print the host's runs, in the order given, and below why some cannot be read."""
    out = console or Console(highlight=False)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("from the host", overflow="fold")
    table.add_column("verdict")
    for title in ("p50 us", "p99 us", "p99.9 us", "lag p99", "rate"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in found:
        what = Text(clean(each.run))
        if each.damage is None:
            target = f", {clean(each.target)}" if each.target else ""
            what.append(f"\n{clean(each.name)} over {clean(each.what)}{target}", "dim")
        table.add_row(
            what,
            clean(each.verdict),
            *(
                text.NOTHING if value is None else text.decimal(value / 1000, 1)
                for value in (
                    each.response_p50_ns,
                    each.response_p99_ns,
                    each.response_p999_ns,
                    each.lag_p99_ns,
                )
            ),
            text.hertz(each.rate_hz),
        )
    out.print(table)
    for each in found:
        if each.damage is not None:
            out.print(Text(f"{clean(each.run)}: {clean(each.damage)}", "dim"), soft_wrap=True)


def show_one(result: HostResult | TinyResult, folder: Path) -> None:
    """Print one of the host's runs, of either kind."""
    if result["kind"] == HOST:
        host_terminal.show(cast("HostResult", result), folder)
    else:
        tiny_terminal.show(cast("TinyResult", result), folder)


def _entry(path: Path) -> HostEntry | None:
    name = plain(path.name)
    try:
        result = read(sealed.unseal(path))
    except StorageError as error:
        # What is damaged and says that it is a fabric's is the other list's to show.
        ours = any((path / each).exists() for each in (host_store.RESULT, tiny_result.RESULT))
        return HostEntry(path, name, damage=plain(str(error))) if ours else None
    if result is None:
        return None
    started = result["facts"].get("started_utc")
    shared: dict[str, Any] = {
        "verdict": plain(result["verdict"]),
        "started_utc": started if isinstance(started, str) else None,
        "name": plain(result["name"]),
        "target": None if result["target"] is None else plain(result["target"]),
    }
    paced: Any = result
    if "measured" not in result:
        return HostEntry(path, name, **shared, what=f"MLPerf Tiny, {plain(paced['mode'])}")
    measured = paced["measured"]
    response, lag = measured["response_ns"], measured["issue_lag_ns"]
    return HostEntry(
        path,
        name,
        **shared,
        what=plain(paced["link"]),
        rate_hz=measured["achieved_hz"],
        response_p50_ns=response["p50"],
        response_p99_ns=response["p99"],
        response_p999_ns=response["p999"],
        lag_p99_ns=lag["p99"],
    )
