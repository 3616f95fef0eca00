"""The latency histograms of a run as a figure. Needs matplotlib, which is an optional extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InfrastructureError, StorageError
from harness.fabric.samples import KINDS
from harness.report import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Latency, Result

# Okabe and Ito's palette: told apart by colour-blind readers and in grey.
_COLOURS: Final[Mapping[Kind, str]] = {"wait": "#E69F00", "service": "#56B4E9", "total": "#0072B2"}
_DEADLINE_COLOUR: Final = "#D55E00"
_LINES: Final[Mapping[str, Any]] = {"p50": "-", "p99": "--", "p999": ":"}
_MEANINGS: Final[Mapping[Kind, str]] = {
    "wait": "wait: due until accepted",
    "service": "service: accepted until done",
    "total": "total: due until done",
}
_FLOOR: Final = 0.7
STYLE: Final[Mapping[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 8.5,
    "svg.hashsalt": "harness",
}


def check_available() -> None:
    """Make sure, before a run, that figures can be drawn.

    Raises:
        InfrastructureError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415
    except ImportError as cause:
        raise InfrastructureError(
            "matplotlib is not installed",
            why="figures need it",
            hint="pip install 'fpga-harness[host]'",
        ) from cause


def latency_plot(result: Result, histograms: Mapping[Kind, LatencyHistogram], path: Path) -> None:
    """Draw wait, service and total, one below the other on one scale, and write the figure.

    Args:
        result: Content of `result.json`.
        histograms: By kind; one that is missing leaves its panel empty.
        path: File to write; its suffix, such as `.png` or `.svg`, chooses the format.

    Raises:
        InfrastructureError: matplotlib is not installed.
        StorageError: The file cannot be written, or the format is not known.
    """
    check_available()
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    style: Any = dict(STYLE)
    with mpl.rc_context(style):
        figure = Figure(figsize=(6.6, 5.8), layout="constrained")
        panels = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 1.5))
        low_ns, high_ns = _limits(result, histograms)
        for panel, kind in zip(panels, KINDS, strict=True):
            _panel(panel, kind, histograms.get(kind), result)
        panels[0].set_xlim(low_ns, high_ns)
        _deadline(panels[-1], result)
        _scales(panels, result)
        _titles(figure, result)
        _legend(figure)
        try:
            figure.savefig(path, dpi=200)
        except (OSError, ValueError) as cause:
            raise StorageError(
                "the figure cannot be written", where=str(path), why=str(cause)
            ) from cause


def _panel(panel: Any, kind: Kind, histogram: LatencyHistogram | None, result: Result) -> None:
    latency = result["latency"][kind]
    panel.set_title(_MEANINGS[kind], loc="left", fontweight="bold", color="0.1")
    panel.set_title(_numbers(latency), loc="right", color="0.1", fontsize=7.5)
    panel.set_yscale("log")
    panel.grid(axis="y", which="major", color="0.9", linewidth=0.6)
    panel.set_axisbelow(True)
    most = 1
    if histogram is not None and histogram.counts.any():
        filled = np.flatnonzero(histogram.counts)
        first, last = int(filled[0]), int(filled[-1])
        counts = histogram.counts[first : last + 1]
        most = int(counts.max())
        # A bin is centred on its cycle count, so that a line at a percentile meets its bar.
        edges = (np.arange(first, last + 2) - 0.5) * _ns_per_cycle(result)
        panel.stairs(
            np.maximum(counts, _FLOOR),
            edges,
            baseline=_FLOOR,
            fill=True,
            color=_COLOURS[kind],
            linewidth=0.7,  # a single bin stays visible on a wide scale
            zorder=2,
        )
    else:
        panel.text(0.5, 0.4, "no events", transform=panel.transAxes, ha="center", color="0.5")
    panel.set_ylim(_FLOOR, most * 3)
    for name, style in _LINES.items():
        value = latency[name]  # type: ignore[literal-required]
        if value is not None:
            panel.axvline(value["ns"], color="0.15", linestyle=style, linewidth=0.9, zorder=1.5)
    if latency["overflow"]:
        note = f"{latency['overflow']:,} beyond the last bin \u2192"
        panel.text(0.995, 0.85, note, transform=panel.transAxes, ha="right", color=_DEADLINE_COLOUR)


def _numbers(latency: Latency) -> str:
    shown = (("mean", "mean"), ("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("max", "max"))
    parts = [
        f"{title} {text.ns_of(latency[name])}"  # type: ignore[literal-required]
        for title, name in shown
        if latency[name] is not None  # type: ignore[literal-required]
    ]
    return "   ".join(parts)


def _deadline(panel: Any, result: Result) -> None:
    cycles = result["deadline"]["cycles"]
    if cycles is None:
        return
    at_ns = cycles * _ns_per_cycle(result)
    if at_ns > panel.get_xlim()[1]:
        return
    panel.axvline(at_ns, color=_DEADLINE_COLOUR, linewidth=1.4)
    misses = result["deadline"]["misses"]
    panel.annotate(
        f"deadline {text.nanoseconds(at_ns)}: {text.count(misses)} misses",
        xy=(at_ns, 0.9),
        xycoords=("data", "axes fraction"),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=_DEADLINE_COLOUR,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5},
    )


def _scales(panels: Any, result: Result) -> None:
    per_cycle = _ns_per_cycle(result)
    for panel in panels:
        panel.set_ylabel("events")
    panels[-1].set_xlabel(f"latency in ns; one bin is one cycle, {text.nanoseconds(per_cycle)}")
    cycles = panels[-1].secondary_xaxis(
        -0.33, functions=(lambda ns: ns / per_cycle, lambda count: count * per_cycle)
    )
    cycles.set_xlabel("latency in cycles")


def _titles(figure: Any, result: Result) -> None:
    clock = text.hertz(result["clock"]["measured_hz"])
    rate = text.hertz(result["rate"]["target_hz"])
    lines = (
        f"{result['overlay']['name']} on {result['target']}: {result['benchmark']['name']}",
        f"{text.count(result['events']['completed'])} events at {rate}, clock {clock}; "
        f"verdict: {result['verdict']}",
        text.time_base(result),
    )
    # A dollar sign would begin a formula.
    figure.suptitle(
        "\n".join(text.clean(line).replace("$", r"\$") for line in lines),
        x=0.01,
        ha="left",
        fontsize=9,
        linespacing=1.4,
    )


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    handles = [
        Line2D([], [], color="0.15", linestyle=style, linewidth=0.9, label=text.STATISTICS[name])
        for name, style in _LINES.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def _limits(result: Result, histograms: Mapping[Kind, LatencyHistogram]) -> tuple[float, float]:
    """Return the range of the shared axis in ns: all bars, and the deadline unless far off."""
    filled = [np.flatnonzero(histogram.counts) for histogram in histograms.values()]
    last = max((int(bins[-1]) for bins in filled if bins.size), default=1)
    deadline = result["deadline"]["cycles"]
    if deadline is not None and deadline < 3 * last:
        last = max(last, deadline)
    per_cycle = _ns_per_cycle(result)
    return -0.02 * (last + 1) * per_cycle, 1.04 * (last + 1) * per_cycle


def _ns_per_cycle(result: Result) -> float:
    return 1e9 / result["clock"]["measured_hz"]
