"""Two figures on what must live on chip: bandwidth against interval, and a roofline.

Points carry numbers, explained beside the figure: a dozen names would cover each other.
"""

from __future__ import annotations

from math import atan, degrees
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.architecture import bounds
from harness.architecture.devices import device_table
from harness.errors import StorageError
from harness.report import plots
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.architecture.analysis import Analysis
    from harness.architecture.published import PublishedSystem

_OURS: Final = "#0072B2"
_FIELD: Final = "#009E73"
_BUILT: Final = "#D55E00"
_ROOF: Final = "0.35"
_SHADE: Final = "#E69F00"
_MARK: Final[dict[str, Any]] = {"ha": "center", "va": "center", "fontsize": 6.6, "color": "white",
                                "fontweight": "bold", "zorder": 5}  # fmt: skip
_SIZE: Final = 120
_STEP: Final = 14.0
"""Width of a marker with a gap, in points of 1/72 inch."""
_SQUARE: Final = "s"
_WIDE: Final = (7.4, 4.9)


class _Point(NamedTuple):
    """A point of a figure."""

    x: float
    y: float
    name: str
    colour: str
    marker: str = "o"


def draw(
    analyses: Sequence[Analysis], systems: Sequence[PublishedSystem], folder: Path
) -> list[Path]:
    """Draw both figures, each as `.png` and `.svg`.

    Args:
        analyses: Their workloads become points; what a source leaves out is left out.
        systems: Published systems, for the figure of bandwidths.
        folder: Where to; made if it is not there.

    Returns:
        The files.

    Raises:
        InfrastructureError: matplotlib is not installed.
        StorageError: A file cannot be written.
    """
    plots.check_available()
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    written = []
    devices = list(dict.fromkeys(item.device for one in analyses for item in one.judgements))
    with mpl.rc_context(plots.STYLE):  # type: ignore[arg-type]
        for name, paint in (("bandwidth", _bandwidth), ("roofline", _roofline)):
            figure = Figure(figsize=_WIDE, layout="constrained")
            paint(figure, analyses, systems, devices)
            for suffix in (".png", ".svg"):
                path = folder / f"{name}{suffix}"
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    figure.savefig(path, dpi=200)
                except OSError as cause:
                    raise StorageError(
                        "the figure cannot be written", where=str(path), why=str(cause)
                    ) from cause
                written.append(path)
    return written


def _bandwidth(
    figure: Any,
    analyses: Sequence[Analysis],
    systems: Sequence[PublishedSystem],
    devices: Sequence[str],
) -> None:
    """Event interval against the bandwidth that fetching all weights takes, peaks as lines."""
    axes = _axes(figure)
    points = [
        _Point(
            float(item.workload.interval_s), item.bandwidth_gbps, item.network.name, _colour(item)
        )
        for item in analyses
        if item.bandwidth_gbps
    ]
    points += [
        _Point(
            float(item.interval.amount),
            float(item.bandwidth) / 1e9,
            item.name,
            _BUILT,
            _SQUARE if item.weights == "DRAM" else "o",
        )
        for item in systems
        if item.interval is not None and item.bandwidth is not None
    ]
    intervals = [1e-9, 1e-2, *(point.x for point in points)]
    rates = [0.05, 1000.0, *(point.y for point in points)]
    axes.set_xlim(min(intervals) / 2, max(intervals) * 2)
    axes.set_ylim(min(rates) / 2, max(rates) * 2.2)
    peaks = _grouped(_peaks(devices))
    for names, peak in peaks:
        axes.axhline(peak, color=_ROOF, linewidth=0.9, linestyle="--", zorder=1)
        axes.text(
            axes.get_xlim()[1] / 1.15, peak * 1.04, f"{names}: {peak:,.4g} GB/s",
            ha="right", va="bottom", fontsize=6.8, color="0.2",
        )  # fmt: skip
    measured = [ns for _, ns in _accesses(devices)]
    if measured:
        axes.axvspan(axes.get_xlim()[0], min(measured) * 1e-9, color=_SHADE, alpha=0.13, zorder=0)
        axes.text(
            min(measured) * 0.9e-9, axes.get_ylim()[0] * 1.25,
            f"a new event\nbefore any memory\nhas answered\n({min(measured):.3g} ns)",
            ha="right", va="bottom", fontsize=6.8, color="#8a5a00",
        )  # fmt: skip
    _lines_of_size(axes)
    axes.set_xlabel("time from one event to the next, s")
    axes.set_ylabel("bandwidth if every weight is fetched for every event, GB/s")
    _title(figure, "Weights off chip: what the rate of events asks for, and what memories give")
    _mark(figure, axes, points)


def _roofline(
    figure: Any,
    analyses: Sequence[Analysis],
    _systems: Sequence[PublishedSystem],
    devices: Sequence[str],
) -> None:
    """Operations for each byte of weights against operations a second, memories as roofs."""
    axes = _axes(figure)
    points = [
        _Point(item.intensity, item.operations_per_s / 1e9, item.network.name, _colour(item))
        for item in analyses
        if item.intensity and item.operations_per_s
    ]
    across = [0.5, 64.0, *(point.x / 2 for point in points), *(point.x * 2 for point in points)]
    axes.set_xlim(min(across), max(across))
    clock = max((float(item.clock_hz) for item in analyses), default=2e8)
    left, right = axes.get_xlim()
    tops = []
    for names, peak in _grouped(_peaks(devices)):
        top = max(_compute(name, clock) for name in names.split(", "))
        ridge = top / peak
        xs = [left, min(max(ridge, left), right), right]
        axes.plot(xs, [min(peak * x, top) for x in xs], color=_ROOF, linewidth=0.9, zorder=1)
        tops.append(top)
        axes.text(
            left * 1.05, peak * left * 1.05 * 1.04, names, fontsize=6.8, color="0.2", va="bottom",
            ha="left", rotation=degrees(atan(peak)), rotation_mode="anchor",
            transform_rotates_text=True,
        )  # fmt: skip
    heights = [point.y for point in points]
    axes.set_ylim(min([0.3, *heights]) / 2, max([1.0, *heights, *tops]) * 3)
    axes.set_xlabel("operations for each byte of weights that is fetched")
    axes.set_ylabel("10$^9$ operations a second")
    _title(
        figure,
        "Roofline, weights fetched for every event: what lies above a roof cannot be streamed.\n"
        f"Slope: peak of the memory. Top: usable DSP slices at {clock / 1e6:g} MHz, one product.",
    )
    _mark(figure, axes, points)


def _axes(figure: Any) -> Any:
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(which="major", color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def _colour(analysis: Analysis) -> str:
    return _OURS if analysis.ours else _FIELD


def _mark(figure: Any, axes: Any, points: Sequence[_Point]) -> None:
    """Draw numbered points, apart from each other, and their names beside the figure."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    names = [
        Line2D([], [], linestyle="none", marker=point.marker, markersize=5, color=point.colour,
               label=f"{number}  {clean(point.name).replace('$', chr(92) + '$')}")
        for number, point in enumerate(points, start=1)
    ]  # fmt: skip
    kinds = [Line2D([], [], linestyle="none", label=label) for label in _kinds(points)]
    figure.legend(
        handles=[*names, *kinds], loc="outside right upper", frameon=False, fontsize=7,
        handletextpad=0.2,
    )  # fmt: skip
    figure.draw_without_rendering()  # only now is it known where the axes are
    figure.set_layout_engine("none")
    for number, (point, at) in enumerate(zip(points, _apart(axes, points), strict=True), start=1):
        if at != (point.x, point.y):
            axes.plot(
                [point.x, at[0]], [point.y, at[1]], color=point.colour, linewidth=0.8, zorder=3
            )
            axes.scatter([point.x], [point.y], s=8, color=point.colour, zorder=3)
        axes.scatter(
            [at[0]], [at[1]], s=_SIZE, marker=point.marker, color=point.colour,
            edgecolor="white", zorder=4,
        )  # fmt: skip
        axes.text(*at, str(number), **_MARK)


def _kinds(points: Sequence[_Point]) -> Iterator[str]:
    colours = {point.colour for point in points}
    for colour, words in (
        (_OURS, "blue: overlay of this project"),
        (_FIELD, "green: published workload"),
        (_BUILT, "red: published system"),
    ):
        if colour in colours:
            yield words
    if any(point.marker == _SQUARE for point in points):
        yield "square: built with weights in DRAM"


def _apart(axes: Any, points: Sequence[_Point]) -> list[tuple[float, float]]:
    """Return where to put markers so that none covers another: moved aside, nearest first."""
    scale = 72 / axes.figure.dpi
    placed: list[tuple[float, float]] = []
    result = []
    for point in points:
        x, y = (value * scale for value in axes.transData.transform((point.x, point.y)))
        spots = [(x, y)] + [
            (x + _STEP * ring * dx, y + _STEP * ring * dy)
            for ring in (1, 2, 3)
            for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
        ]
        free = (
            spot
            for spot in spots
            if all(max(abs(spot[0] - a), abs(spot[1] - b)) >= _STEP - 1 for a, b in placed)
        )
        spot = next(free, spots[0])
        placed.append(spot)
        moved = axes.transData.inverted().transform((spot[0] / scale, spot[1] / scale))
        there = float(moved[0]), float(moved[1])
        result.append((point.x, point.y) if spot == spots[0] else there)
    return result


def _lines_of_size(axes: Any) -> None:
    """Draw where weights of one size lie: bandwidth times interval is constant."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    for size, words, rate in ((1e3, "1 kB", low * 1.3), (1e6, "1 MB", high / 2.5)):
        ends = [size / left / 1e9, size / right / 1e9]
        axes.plot([left, right], ends, color="0.8", linewidth=0.8, linestyle=":", zorder=0.5)
        at = size / rate / 1e9
        if left < at < right:
            axes.text(at, rate, f"  {words} of weights", fontsize=6.5, color="0.45", va="center")


def _peaks(devices: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield the peak of the fastest memory of each device, where it is known."""
    for name in devices:
        memories = device_table().devices[name].memory or ()
        known = [float(item.peak_gbps) for item in memories if item.peak_gbps is not None]
        if known:
            yield name, max(known)


def _accesses(devices: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield the access latencies that were measured from the fabric."""
    for name in devices:
        for item in device_table().devices[name].memory or ():
            if item.access_ns is not None:
                yield name, float(item.access_ns)


def _grouped(peaks: Iterator[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return devices of one peak under one name, the slowest first."""
    groups: dict[float, list[str]] = {}
    for name, peak in peaks:
        groups.setdefault(peak, []).append(name)
    return [(", ".join(names), peak) for peak, names in sorted(groups.items())]


def _compute(name: str, clock_hz: float) -> float:
    """Return 10^9 operations a second of a device's usable DSP slices, one product each."""
    return 2 * (bounds.usable_dsp(device_table().devices[name]) or 0) * clock_hz / 1e9


def _title(figure: Any, words: str) -> None:
    figure.suptitle(words, x=0.01, ha="left", fontsize=8.5)
