"""A host-paced result as a person reads it: the link, and beside it what the sender alone adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import text
from harness.report.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.host_schema import HostResult, Played, Times
    from harness.report.schema import Value

_STYLES: Final = {
    "pass": "bold black on green",
    "fail": "bold white on red",
    "invalid": "bold black on yellow",
}
_COLUMNS: Final = ("p50", "p99", "p999", "max")
_ROWS: Final = (
    ("issue_lag_ns", "issue lag: sent - scheduled"),
    ("response_ns", "response: answered - scheduled"),
    ("link_ns", "link: answered - sent, raw"),
)


def show(result: HostResult, folder: Path | None = None, console: Console | None = None) -> None:
    """Print a result.

    Args:
        result: Content of `host.json`.
        folder: Where the result is stored, to be named at the end.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    head = Text()
    head.append(f" {clean(result['verdict']).upper()} ", _STYLES.get(result["verdict"], "bold"))
    head.append(f" {clean(result['name'])}", "bold")
    target = "" if result["target"] is None else f" on {clean(result['target'])}"
    head.append(f" over link {clean(result['link'])}{target}")
    out.print(head)
    for reason in result["reasons"]:
        line = f"{reason['effect']}  {reason['what']}: {reason['evidence']}; "
        out.print(Text(clean(line)).append(clean(reason["recommendation"]), "dim"))
    for name, value in _facts(result):
        out.print(Text(f"{name:10}", "dim").append(clean(value), "not dim"))
    out.print(_table(result))
    if folder is not None:
        out.print(Text(f"stored in {clean(folder)}", style="dim"), soft_wrap=True)


def _facts(result: HostResult) -> list[tuple[str, str]]:
    measured, drawn, still = result["measured"], result["schedule"], result["conditions"]
    facts = [
        ("time base", "host: times taken by the host, its own delays included"),
        ("schedule", f"{drawn['process']}, {text.count(drawn['events'])} events"),
        (
            "rate",
            f"{text.hertz(measured['achieved_hz'])} achieved, "
            f"{text.hertz(measured['target_hz'])} asked ({100 * measured['achieved_ratio']:.2f} %)",
        ),
        (
            "sender",
            f"{still['scheduling']} scheduling, spins {_us(still['spin_ns'])} us before each one, "
            f"oversleeps {_us(still['oversleep_p50_ns'])} us (p50), "
            f"{_us(still['oversleep_p99_ns'])} us (p99)",
        ),
    ]
    found = result["link_facts"]
    if "compared" in found:
        right = found["mismatches"] == 0
        facts.append(
            (
                "outputs",
                f"{'golden' if right else 'WRONG'}: {text.count(found['mismatches'])} of "
                f"{text.count(found['compared'])} answers differ",
            )
        )
    if "fabric" in found:
        stamped = found["fabric"]
        facts.append(
            (
                "fabric",
                f"{text.count(stamped['total']['count'])} packets stamped, {stamped['time_base']}: "
                f"service {_cycles(stamped['service']['p50'])} (p50), "
                f"total at most {_cycles(stamped['total']['max'])}",
            )
        )
    if found.get("stock_driver"):
        stock, measured_ns = found["stock_driver"], measured["link_ns"]["p50"]
        facts.append(
            (
                "drivers",
                f"ours {_us(measured_ns)} us (p50), {found['messages_per_event']:.1f} messages an "
                f"event; pynq's own {_us(stock['median_ns'])} us, "
                f"{stock['messages_per_event']:.1f} messages",
            )
        )
    if "recovery" in found:
        facts.append(("board", _recovery(found["recovery"])))
    if "incomplete" in found:
        facts.append(("incomplete", found["incomplete"]))
    if "device" in found:
        took, simulated = found["device"]["inference_us"], found["device"]["simulated"]
        facts.append(
            (
                "device",
                f"an inference took, by its own clock{' (simulated)' if simulated else ''}, "
                f"{text.count(took['p50'])} us (p50), {text.count(took['max'])} us (max)",
            )
        )
    return facts


def _recovery(recovery: dict[str, Any]) -> str:
    if recovery["recovered_by"]:
        return f"well again after {recovery['recovered_by']}"
    last = recovery["tried"][-1]
    state = "QUARANTINED" if recovery["quarantined"] else "not well"
    return f"{state} after {len(recovery['tried'])} resets, the last: {last['failed']}"


def _cycles(value: Value | None) -> str:
    return f"{text.cycles_of(value)} cycles, {text.ns_of(value)}"


def _table(result: HostResult) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("in us of the host's clock", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(text.STATISTICS[name], justify="right", no_wrap=True)
    for kind, title in _ROWS:
        for whose, style in ((result["measured"], ""), (result["null"], "dim")):
            times = cast("Times", whose[kind])  # type: ignore[literal-required]
            values = [_us(times[name]) for name in _COLUMNS]
            label = title if whose is result["measured"] else "  the null link's, in this run"
            table.add_row(label, *values, style=style)
            spread = _spread(times) if whose is result["measured"] else []
            if any(spread):
                table.add_row("  95 % interval", *spread, style="dim")
    transfer = result["link_facts"].get("transfer_ns")
    if transfer is not None:
        table.add_row("  of which transfer: done - started", *(_us(transfer[n]) for n in _COLUMNS))
    table.add_row("link, corrected for omission", *_corrected(result["measured"]))
    table.add_row("  the null link's, in this run", *_corrected(result["null"]), style="dim")
    return table


def _spread(times: Times) -> list[str]:
    """Return the intervals of the percentiles; empty where there is none, or it is one value."""
    found: dict[str, Any] = dict(times.get("confidence", {}))
    cells = []
    for name in ("p50", "p99", "p999"):
        low, high = (found.get(name, {}).get(end) for end in ("low", "high"))
        if name not in found or (low is not None and low == high):
            cells.append("")
        elif low is None or high is None:
            cells.append(text.NOTHING)
        else:
            cells.append("-".join(dict.fromkeys((_us(low), _us(high)))))
    return cells


def _corrected(played: Played) -> list[str]:
    omission = played["omission"]
    return [*(_us(omission[name]) for name in ("p50", "p99", "p999")), text.NOTHING]


def _us(value: float | None) -> str:
    return text.NOTHING if value is None else f"{value / 1000:,.1f}"
