"""A few events of a source, the distribution of its values, and its truth, as one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InfrastructureError, StorageError
from harness.report.plots import check_available
from harness.report.traffic_views import COLOURS, STREAM, VIEWS, module
from harness.traffic.filling import SLOTS
from harness.traffic.instruments import Instrument, instrument

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.traffic import Events, Source

_STYLE: Final[Mapping[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlesize": 8,
    "svg.hashsalt": "harness",
}
_MOST_BINS: Final = 48
_DRAWN: Final = 100_000  # events beyond these change no distribution that an eye sees


def draw(events: Events, source: Source, due: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Draw events and write the figure.

    Args:
        events: At least one.
        source: What made them.
        due: Arrival times by name, as exported; none for a bare source.
        path: File to write; its suffix, such as `.png` or `.svg`, chooses the format.

    Raises:
        InfrastructureError: matplotlib is not installed.
        StorageError: The file cannot be written, or the format is not known.
    """
    check_available()
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    about = instrument(source.name)
    style: Any = dict(_STYLE)
    with mpl.rc_context(style):
        rows = 3 if due else 2
        figure = Figure(figsize=(9.2, 2.9 * rows - 0.4), layout="constrained")
        figure.suptitle(f"{source.name}: {about.summary}", fontsize=9.5, x=0.01, ha="left")
        flat = 0.8 if about.view in {"images", "cells"} else 1
        ratios = (flat, *(1,) * (rows - 1))
        parts: Any = figure.subfigures(rows, 1, height_ratios=ratios)
        VIEWS[about.view](parts[0], events, source, about)
        _distributions(parts[1], events, source, about)
        if due:
            _arrivals(parts[2], due)
        partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        try:
            figure.savefig(partial, dpi=150, metadata=_undated(path))
            partial.replace(path)
        except ValueError as cause:
            raise StorageError(
                "not a format of figures", where=str(path), why=str(cause)
            ) from cause
        except OSError as cause:
            why = cause.strerror or str(cause)
            raise StorageError("cannot be written", where=str(path), why=why) from cause
        except ImportError as cause:
            raise InfrastructureError("cannot draw", where=str(path), why=str(cause)) from cause
        finally:
            partial.unlink(missing_ok=True)


def _undated(path: Path) -> dict[str, None]:
    """Return what keeps the date out of a file, so that equal figures are equal files."""
    key = {".svg": "Date", ".pdf": "CreationDate"}.get(path.suffix)
    return {} if key is None else {key: None}


def _distributions(part: Any, events: Events, source: Source, about: Instrument) -> None:
    some = slice(0, _DRAWN)
    values = source.number_format.to_float(events.raw[some])
    truth = events.truth[some]
    panels = part.subplots(1, max(len(about.shown), 2) + 1, squeeze=False)[0]
    if about.shown:
        for place, panel in zip(about.shown, panels, strict=False):
            _by_class(panel, values[:, place], truth, source)
            panel.set_xlabel(about.names[place])
        panels[0].set_ylabel("share of events")
    else:
        _mean_event(panels[0], values, about)
        _by_class(panels[1], values, truth, source)
        flat = source.number_format.width == 1 or about.view == "values"
        panels[1].set(xlabel="value", ylabel="share of values", yscale="linear" if flat else "log")
        if flat:
            panels[1].set_ylim(bottom=0)
    _truth(panels[-1], truth, source)


def _by_class(panel: Any, values: NDArray[np.float64], truth: NDArray[Any], source: Source) -> None:
    few = 1 < len(source.labels) <= len(COLOURS)
    low, high = (
        np.percentile(values, (0.2, 99.8)) if values.ndim == 1 else (values.min(), values.max())
    )
    lsb = 2.0**-source.number_format.fraction
    steps = max(1, int(np.ceil((high - low) / lsb / _MOST_BINS)))
    edges = low - lsb / 2 + lsb * steps * np.arange(int((high - low) / lsb / steps) + 2)
    for label in range(len(source.labels)) if few else (None,):
        here = values if label is None else values[truth == label]
        if here.size:
            colour = COLOURS[0 if label is None else label]
            counts = np.histogram(here, edges)[0] / here.size
            panel.stairs(counts, edges, color=colour, linewidth=1.1)


def _mean_event(panel: Any, values: NDArray[np.float64], about: Instrument) -> None:
    mean = values.mean(axis=0)
    if about.view == "cells":
        x, y = module().T
        drawn = panel.scatter(x, y, c=mean, marker="h", s=95, cmap="cividis")
        panel.set(aspect="equal", xlim=(-4.6, 4.6), ylim=(-4.6, 4.6))
        panel.set_axis_off()
        panel.figure.colorbar(drawn, ax=panel, fraction=0.05)
    elif about.view in {"images", "raster"}:
        image = mean.reshape(about.shape if about.view == "images" else (-1, 8, 8))
        image = image if image.ndim == 2 else image.mean(axis=0)
        drawn = panel.imshow(image, cmap="cividis", aspect="equal", interpolation="nearest")
        panel.figure.colorbar(drawn, ax=panel, fraction=0.05)
        panel.set(xticks=[], yticks=[])
    elif about.view == "stream":
        turns = max(1, len(values) // SLOTS)
        sums = np.resize(values[:, :-1].sum(axis=1), (turns, min(SLOTS, len(values))))
        panel.plot(sums.mean(axis=0)[:STREAM], color=COLOURS[0], linewidth=0.9)
        panel.set(xlabel="slot", ylabel="ADC counts, 8 channels")
    else:
        each = mean.reshape(about.shape) if about.view == "windows" else mean
        lines = panel.plot(each, linewidth=0.9)
        if about.view == "windows":
            panel.legend(lines, ("I", "Q"), frameon=False)
        panel.set(xlabel="sample" if about.view == "windows" else "value", ylabel="mean")
        panel.set_ylim(bottom=min(0.0, float(mean.min())))
    panel.set_title("mean by slot of the orbit" if about.view == "stream" else "mean of all events")


def _truth(panel: Any, truth: NDArray[Any], source: Source) -> None:
    if source.labels:
        counts = np.bincount(truth[truth >= 0], minlength=len(source.labels))
        colours = [COLOURS[place % len(COLOURS)] for place in range(len(counts))]
        few = len(counts) <= len(COLOURS)
        share = counts / max(1, counts.sum())
        bars = panel.barh(np.arange(len(counts)), share, color=colours if few else COLOURS[0])
        if few:
            panel.bar_label(bars, [f"{100 * value:.3g} %" for value in share], padding=2)
            panel.set_xlim(0, 1.35 * share.max())
        panel.set_yticks(np.arange(len(counts)), source.labels)
        panel.invert_yaxis()
        panel.set(title="truth", xlabel="share of events")
    elif len(source.truth_names) == 2:
        panel.plot(truth[:, 1], truth[:, 0], ".", color=COLOURS[0], markersize=1.5, alpha=0.5)
        panel.set(title="truth", xlabel=source.truth_names[1], ylabel=source.truth_names[0])
        panel.set_aspect("equal")
    elif source.truth_names:
        seen = truth[truth > 0]
        panel.hist(seen, bins=_log_bins(seen), color=COLOURS[0])
        name = source.truth_names[0].replace("_0", "")
        panel.set(title="truth, where above 0", xlabel=name, xscale="log", yscale="log")
        panel.set_ylabel("entries")
    else:
        panel.set_axis_off()
        panel.text(0, 0.5, "no truth", transform=panel.transAxes)


def _log_bins(seen: NDArray[Any]) -> NDArray[np.float64]:
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (1.0, 10.0)
    return np.geomspace(low, max(high, 2 * low), 40)


def _arrivals(part: Any, due: Mapping[str, NDArray[Any]]) -> None:
    left, right = part.subplots(1, 2, width_ratios=(2.2, 1))
    times = due["due_ns"] / 1e3
    place = next((name for name in due if name.startswith("place_in_")), None)
    heights = np.arange(len(times)) if place is None else due[place]
    left.plot(times, heights, ".", color=COLOURS[0], markersize=2)
    left.set(xlabel="due, us", ylabel="event" if place is None else place.replace("_", " "))
    left.set_title("when events are due", loc="left")
    gaps = np.diff(due["due_ns"])
    if gaps.size:
        right.hist(gaps, bins=_log_bins(gaps), color=COLOURS[0])
        right.set(xlabel="ns from event to event", xscale="log", yscale="log", ylabel="events")
        right.xaxis.set_minor_formatter("")
