"""An MLPerf Tiny result as a person reads it: the device's clock and the host's in two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import text
from harness.report.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.tiny_schema import Clocked, TinyResult

_STYLES: Final = {
    "pass": "bold black on green",
    "fail": "bold white on red",
    "invalid": "bold black on yellow",
}
_COLUMNS: Final = ("median", "min", "max")


def show(result: TinyResult, folder: Path | None = None, console: Console | None = None) -> None:
    """Print a result.

    Args:
        result: Content of `tiny.json`.
        folder: Where the result is stored, to be named at the end.
        console: Where to print; standard output if None.
    """
    out = console or Console(highlight=False)
    head = Text()
    head.append(f" {clean(result['verdict']).upper()} ", _STYLES.get(result["verdict"], "bold"))
    head.append(f" {clean(result['name'])}", "bold")
    head.append(f", MLPerf Tiny {clean(result['mode'])} mode, on {clean(result['target'])}")
    out.print(head)
    for reason in result["reasons"]:
        line = f"{reason['effect']}  {reason['what']}: {reason['evidence']}; "
        out.print(Text(clean(line)).append(clean(reason["recommendation"]), "dim"))
    for name, value in _facts(result):
        out.print(Text(f"{name:10}", "dim").append(clean(value), "not dim"))
    if result["mode"] == "performance":
        kind = "simulated" if result["device"]["simulated"] else "its own"
        out.print(_table(result["device"], f"by the device's clock, {kind}"))
        out.print(_table(result["host"], "by this host's clock, serial port included"))
    if folder is not None:
        out.print(Text(f"stored in {clean(folder)}", style="dim"), soft_wrap=True)


def _facts(result: TinyResult) -> list[tuple[str, str]]:
    device, outputs, wire = result["device"], result["outputs"], result["wire"]
    facts = [
        ("device", f"{device['name']}; model {device['model']}; {device['profile']}"),
        ("port", f"{wire['port']} at {wire['baud']} baud"),
    ]
    if result["runs"]:
        # All runs have as many inferences as the calibration asked for.
        each = text.count(result["runs"][0]["iterations"])
        facts.append(
            (
                "runs",
                f"{len(result['runs'])} of {each} inferences; the device's clock counts "
                f"in steps of {device['resolution_us']} us",
            )
        )
    right = outputs["mismatches"] == 0
    facts.append(
        (
            "outputs",
            f"{'golden' if right else 'WRONG'}: {text.count(outputs['mismatches'])} of "
            f"{text.count(outputs['compared'])} answers differ",
        )
    )
    accuracy = result["accuracy"]
    if accuracy is not None:
        facts.append(
            (
                "top-1",
                f"{100 * accuracy['top1']:.2f} % ({text.count(accuracy['correct'])} of "
                f"{text.count(accuracy['inputs'])}), the golden model "
                f"{100 * accuracy['golden_top1']:.2f} %",
            )
        )
    return facts


def _table(clocked: Clocked, title: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(title, no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    rate, each = clocked["inferences_per_s"], clocked["inference_us"]
    if rate is None or each is None:
        table.add_row("nothing measured", *[text.NOTHING] * len(_COLUMNS))
        return table
    table.add_row(
        "inferences per second", *(f"{v:,.1f}" for v in (rate["median"], rate["min"], rate["max"]))
    )
    table.add_row(
        "us an inference", *(f"{v:,.3f}" for v in (each["median"], each["min"], each["max"]))
    )
    return table
