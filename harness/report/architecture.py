"""What must live on chip, as a person reads it in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.architecture import bounds
from harness.architecture.devices import device_table
from harness.architecture.verdict import Outcome
from harness.report import text
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.architecture.analysis import Analysis
    from harness.architecture.assessment import OffChip
    from harness.architecture.published import PublishedSystem
    from harness.architecture.verdict import Judgement

NOTHING: Final = text.NOTHING
SHORT: Final[Mapping[Outcome, str]] = {
    Outcome.OFF_CHIP: "off",
    Outcome.ON_CHIP: "ON",
    Outcome.CUSTOM: "custom",
    Outcome.NONE: "no",
    Outcome.FITS: "fits",
    Outcome.UNKNOWN: "?",
}
_STYLES: Final[Mapping[Outcome, str]] = {
    Outcome.OFF_CHIP: "green",
    Outcome.ON_CHIP: "bold",
    Outcome.CUSTOM: "bold yellow",
    Outcome.NONE: "bold red",
    Outcome.FITS: "dim",
    Outcome.UNKNOWN: "dim",
}
DEVICE_COLUMNS: Final = (
    "device", "of peak", "a fetch", "RAM", "DSP do", "reuse", "clock", "latency, ns",
)  # fmt: skip
LEGEND: Final = (
    "of peak: share of the memory's bandwidth if all weights are fetched for every event; a fetch: "
    "at least, > where only the memory's own timing is known; RAM: share that the weights fill; "
    "DSP do: products a cycle; reuse: the least that fits, of the most that the rate allows; "
    "clock: the slowest at that reuse; latency: bounds at that reuse, on chip"
)
_NAME: Final = 28
_CELL: Final = 10
_SECONDS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def show(analysis: Analysis, console: Console | None = None) -> None:
    """Print one analysis: demand, verdicts with what decided them, and the numbers."""
    out = console or Console(highlight=False)
    out.print(Text(clean(analysis.network.name), style="bold"))
    out.print(_plain(demand(analysis)))
    verdicts = Table(box=SIMPLE)
    for title in ("device", "verdict", "because of"):
        verdicts.add_column(title, overflow="fold")
    for item in analysis.judgements:
        verdict = Text(item.outcome.value, _STYLES[item.outcome])
        verdicts.add_row(Text(item.device), verdict, Text(clean(item.binding)))
    out.print(verdicts)
    out.print(_grid(DEVICE_COLUMNS, (device_row(item) for item in analysis.judgements)))
    out.print(Text(LEGEND, style="dim"))
    for words in remarks(analysis):
        out.print(Text(f"- {clean(words)}", style="dim"))
    out.print(Text(f"In all: {clean(analysis.summary)}.", style="bold"))


def show_all(
    analyses: Sequence[Analysis],
    systems: Sequence[PublishedSystem],
    console: Console | None = None,
) -> None:
    """Print many analyses in one table, their verdicts in a second, published systems below."""
    out = console or Console(highlight=False)
    out.print(_grid(WORKLOAD_COLUMNS, (workload_row(item) for item in analyses)))
    names = [item.device for item in analyses[0].judgements] if analyses else []
    fit = max(3, (out.width - _NAME) // _CELL)
    for first in range(0, len(names), fit):
        out.print(_matrix(analyses, names[first : first + fit], first))
    for outcome, word in SHORT.items():
        out.print(Text(f"{word}: {outcome.value}", style="dim"))
    out.print(_grid(SYSTEM_COLUMNS, (system_row(item) for item in systems)))


def _matrix(analyses: Sequence[Analysis], names: Sequence[str], first: int) -> Table:
    """Return the verdicts on as many devices as are named, from one on."""
    matrix = Table(box=SIMPLE)
    matrix.add_column("must it be on chip?", max_width=_NAME - 4, overflow="fold")
    for name in names:
        matrix.add_column(name, justify="center", no_wrap=True)
    for analysis in analyses:
        judged = analysis.judgements[first : first + len(names)]
        cells = [Text(SHORT[item.outcome], _STYLES[item.outcome]) for item in judged]
        matrix.add_row(Text(clean(analysis.network.name)), *cells)
    return matrix


WORKLOAD_COLUMNS: Final = (
    "network", "parameters", "bytes an event", "interval", "budget", "weights, GB/s",
)  # fmt: skip
SYSTEM_COLUMNS: Final = (
    "published system", "platform", "interval", "parameters", "weights", "if fetched, GB/s",
)  # fmt: skip


def workload_row(analysis: Analysis) -> tuple[str, ...]:
    """Return what a network demands, as cells of `WORKLOAD_COLUMNS`."""
    work = analysis.workload
    return (
        analysis.network.name,
        text.count(analysis.network.parameters),
        _bytes(analysis.bytes_per_event),
        seconds(float(work.interval_s)),
        NOTHING if work.budget_s is None else seconds(float(work.budget_s)),
        _number(analysis.bandwidth_gbps),
    )


def system_row(item: PublishedSystem) -> tuple[str, ...]:
    """Return a published system, as cells of `SYSTEM_COLUMNS`."""
    rate = item.bandwidth
    basis = "" if item.basis == "board" else ", not timed on a board"
    return (
        item.name,
        f"{item.platform}{basis}",
        NOTHING if item.interval is None else seconds(float(item.interval.amount)),
        text.count(item.parameters),
        item.weights or NOTHING,
        _number(None if rate is None else float(rate) / 1e9),
    )


def demand(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield what is asked for, name and value."""
    found, work = analysis.network, analysis.workload
    budget = "none known" if work.budget_s is None else seconds(float(work.budget_s))
    name = ", ".join(filter(None, (work.name, work.process)))
    interval = seconds(float(work.interval_s))
    yield "workload", f"{name}: an event every {interval}, budget {budget}"
    counted = f"{text.count(found.parameters)} parameters"
    if found.layers:
        counted += f" in {len(found.layers)} layers, {text.count(found.multiplications)} products"
    yield "network", f"{counted}; from {found.source}"
    if found.multiplications is not None:
        cycles = bounds.cycles_per_event(work, analysis.clock_hz)
        yield (
            "products",
            f"{-(-found.multiplications // max(1, cycles)):,} a cycle at "
            f"{float(analysis.clock_hz) / 1e6:g} MHz, {cycles:,} whole cycles an event",
        )
    if analysis.contract:
        yield "contract", analysis.contract
    if analysis.bytes_per_event is not None:
        yield "weights", f"{_bytes(analysis.bytes_per_event)} bytes"
        if found.nonzero is not None and found.bits_per_weight is not None:
            share = found.nonzero / sum(layer.weights for layer in found.layers)
            yield (
                "connections",
                f"{found.nonzero:,} ({percent(share)}) whose weight is not zero, "
                f"{found.bits_per_weight:.3g} bits stored for each",
            )
        sparse = analysis.nonzero_gbps
        fewer = "" if sparse is None else f"; only those that are not zero: {sparse:.3g} GB/s"
        yield (
            "fetched each event",
            f"{_number(analysis.bandwidth_gbps)} GB/s off chip{fewer}",
        )


def device_row(item: Judgement) -> tuple[str, ...]:
    """Return the numbers of a device, as cells of `DEVICE_COLUMNS`."""
    here, best = item.on_chip, _best(item)
    low_high = here.latency_ns
    known = best is not None and best.latency_ns is not None
    fetch = seconds((best.latency_ns or 0) * 1e-9) if known and best is not None else NOTHING
    exact = "" if best is None or best.access_measured else "> "
    return (
        item.device,
        percent(None if best is None else best.share),
        f"{exact}{fetch}" if fetch != NOTHING else NOTHING,
        percent(here.ram_share),
        text.count(here.dsp_per_cycle),
        NOTHING if here.reuse is None else f"{here.reuse} of {here.cycles_per_event}",
        NOTHING if here.least_clock_hz is None else f"{here.least_clock_hz / 1e6:.4g} MHz",
        NOTHING if low_high is None else f"{low_high[0]:,.0f} to {low_high[1]:,.0f}",
    )


def remarks(analysis: Analysis) -> list[str]:
    """Return what else is to be said, each thing once: layers left out, notes, missing figures."""
    found = [f"not counted: {words}" for words in analysis.network.unsupported]
    if found:
        found.append("verdicts are on the layers that were counted; the whole needs more")
    for item in analysis.judgements:
        found += item.notes
    gaps: dict[str, list[str]] = {}
    for item in analysis.judgements:
        for words in item.missing:
            gaps.setdefault(words, []).append(item.device)
    for words, devices in gaps.items():
        everywhere = len(devices) == len(analysis.judgements)
        where = "" if everywhere else f" ({', '.join(devices)})"
        found.append(f"missing: {words}{where}")
    return list(dict.fromkeys(found))


def _best(item: Judgement) -> OffChip | None:
    """Return the memory to be shown: one that does, else the one with the smallest share."""
    ranked = sorted(
        item.off_chip,
        key=lambda memory: (not memory.possible, memory.share is None, memory.share or 0),
    )
    return ranked[0] if ranked else None


def sources(names: Sequence[str]) -> list[str]:
    """Return the sources of the figures of some devices, each once, as `title (how checked)`."""
    table = device_table()
    keys: dict[str, None] = {}
    for name in names:
        device = table.devices[name]
        figures = [getattr(device, key) for key in ("lut", "ff", "dsp", "bram", "uram", "ram_mhz")]
        for memory in device.memory or ():
            figures += [getattr(memory, key) for key in memory.__slots__]
        keys |= {item.source: None for item in figures if hasattr(item, "source")}
    return [f"{table.sources[key].title} ({table.sources[key].checked})" for key in keys]


def seconds(value: float) -> str:
    """Return a time with the unit that suits it."""
    for size, unit in _SECONDS:
        if value >= size * 0.9999:
            return f"{value / size:.4g} {unit}"
    return f"{value * 1e9:.4g} ns"


def percent(share: float | None) -> str:
    """Return a share in percent."""
    if share is None:
        return NOTHING
    return f"{100 * share:,.2g} %" if share < 1 else f"{100 * share:,.0f} %"


def _bytes(value: float | None) -> str:
    return text.count(None if value is None else math.ceil(value))


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plain(rows: Iterator[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(clean(value)))
    return table


def _grid(columns: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(box=SIMPLE)
    for index, title in enumerate(columns):
        table.add_column(title, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    return table
