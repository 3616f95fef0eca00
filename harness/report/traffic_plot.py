"""A few events of a source, the distribution of its values, and its truth, as one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import InfrastructureError, StorageError
from harness.report.plots import check_available
from harness.traffic.filling import SLOTS
from harness.traffic.instruments import Instrument, instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.traffic import Events, Source

# Okabe and Ito's palette: told apart by colour-blind readers and in grey.
_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
_STYLE: Final[Mapping[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlesize": 8,
    "svg.hashsalt": "harness",
}
_SHOWN: Final = 6
_STREAM: Final = 400
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
        _VIEWS[about.view](parts[0], events, source, about)
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


def _truth_of(events: Events, source: Source, event: int) -> str:
    if source.labels:
        return source.labels[int(events.truth[event])]
    if not source.truth_names:
        return ""
    names = (name.partition(" ")[0] for name in source.truth_names)
    values = events.truth[event].tolist()
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))


# A few events


def _images(part: Any, events: Events, source: Source, about: Instrument) -> None:
    height, width = about.shape
    top = source.number_format.maximum
    shown = min(_SHOWN, len(events.raw))
    for event, panel in enumerate(part.subplots(1, _SHOWN, squeeze=False)[0]):
        panel.set_axis_off()
        if event >= shown:
            continue
        image = events.raw[event].reshape(height, width)
        panel.imshow(image, vmin=0, vmax=top, cmap="binary" if top == 1 else "cividis")
        panel.set_title(_truth_of(events, source, event))
        if "row [pixels]" in source.truth_names:
            row, column = events.truth[event]
            panel.plot(column, row, "+", color="#D55E00", markersize=11, markeredgewidth=1.2)
        if source.truth_names == ("sin", "cos"):
            _hand(panel, height, *events.truth[event])


def _hand(panel: Any, side: int, sine: float, cosine: float) -> None:
    middle, length = side / 2 - 0.5, 0.45 * side
    panel.annotate(
        "",
        (middle + length * cosine, middle + length * sine),
        (middle, middle),
        arrowprops={"arrowstyle": "-|>", "color": "#D55E00", "linewidth": 1.2},
    )


def _raster(part: Any, events: Events, source: Source, about: Instrument) -> None:
    steps, pixels = about.shape
    shown = min(_SHOWN, len(events.raw))
    for event, panel in enumerate(part.subplots(1, _SHOWN, sharey=True, squeeze=False)[0]):
        if event >= shown:
            panel.set_axis_off()
            continue
        step, pixel = np.nonzero(events.raw[event].reshape(steps, pixels))
        panel.plot(step, pixel, "|", color="black", markersize=2.6, markeredgewidth=0.9)
        panel.set(title=_truth_of(events, source, event), xlabel="time step", ylim=(pixels, -1))
        panel.set_xlim(-1, steps)
        inset = panel.inset_axes((0.66, 0.7, 0.33, 0.29))
        inset.imshow(events.raw[event].reshape(steps, 8, 8).sum(axis=0), cmap="binary")
        inset.set(xticks=[], yticks=[])
    part.axes[0].set_ylabel("pixel")


def _cells(part: Any, events: Events, source: Source, _: Instrument) -> None:
    x, y = _module().T
    # Mostly empty modules would say little: those that saw the most of the first hundred.
    charge = events.truth[:100, 0]
    chosen = np.sort(np.argsort(-charge, kind="stable")[:_SHOWN])
    for event, panel in zip(chosen, part.subplots(1, len(chosen), squeeze=False)[0], strict=True):
        colours = events.raw[event] / 256
        panel.scatter(x, y, c=colours, marker="h", s=78, cmap="cividis", vmin=0, vmax=0.3)
        panel.set(aspect="equal", xlim=(-4.6, 4.6), ylim=(-4.6, 4.6))
        panel.set_title(f"event {event}: {charge[event]:.0f} counts")
        panel.set_axis_off()


def _module() -> NDArray[np.float64]:
    """Return where the 48 cells lie, [cells, (x, y)]: rhombi turned by 120 degrees."""
    u, v, rhombus = np.indices((4, 4, 3)) + 0.0
    first, second = rhombus * 2 * np.pi / 3, (rhombus + 1) * 2 * np.pi / 3
    x = (u + 0.5) * np.cos(first) + (v + 0.5) * np.cos(second)
    y = (u + 0.5) * np.sin(first) + (v + 0.5) * np.sin(second)
    return np.stack((x.ravel(), y.ravel()), axis=1)


def _stream(part: Any, events: Events, source: Source, about: Instrument) -> None:
    shown = min(_STREAM, len(events.raw))
    panel = part.subplots()
    samples = source.number_format.to_float(events.raw[:shown])
    for channel in range(4):
        colour, up = _COLOURS[channel], 150 * (3 - channel)
        panel.plot(samples[:, channel] + up, color=colour, linewidth=0.8)
        hit = np.flatnonzero(events.truth[:shown, channel] > 0.5)
        panel.vlines(hit, up, up + 64 * events.truth[hit, channel], color=colour, linewidth=2.2,
                     alpha=0.35)  # fmt: skip
        panel.text(shown * 1.005, up, about.names[channel], color=colour, va="center")
    panel.set(xlim=(0, shown), ylim=(-120, 800), xlabel="crossing", ylabel="ADC counts, shifted")
    panel.set_title(
        "samples (lines) and the energies deposited (bars, 64 counts a GeV, above 0.5 GeV), "
        "4 of 8 channels",
        loc="left",
    )


def _windows(part: Any, events: Events, source: Source, about: Instrument) -> None:
    left, right = part.subplots(1, 2, width_ratios=(2.2, 1))
    shots = events.raw.reshape(-1, *about.shape).astype(np.float64)
    for state in range(len(source.labels)):
        mine = np.flatnonzero(events.truth == state)
        if not mine.size:
            continue
        for part_, (name, line) in enumerate((("I", "-"), ("Q", ":"))):
            colour = _COLOURS[state]
            left.plot(shots[mine[0], :, part_], color=colour, linewidth=0.35, alpha=0.45)
            mean = shots[mine[:500], :, part_].mean(axis=0)
            label = f"state {source.labels[state]}, {name}"
            left.plot(mean, line, color=colour, linewidth=1.6, label=label)
        means = shots[mine[:1000]].mean(axis=1)
        right.plot(*means.T, ".", color=_COLOURS[state], markersize=2, alpha=0.6)
    left.set(xlabel="sample", ylabel="ADC counts")
    left.set_title("one shot of each state (thin) and the mean of many", loc="left")
    left.legend(frameon=False, ncols=4, loc="lower right")
    right.set(xlabel="mean of I", ylabel="mean of Q", title="every dot is a shot")


def _values(part: Any, events: Events, source: Source, about: Instrument) -> None:
    values = source.number_format.to_float(events.raw)
    panel = part.subplots()
    chosen = _one_of_each(events, source)
    group = about.shape[-1] if len(about.shape) > 1 else 1
    for place, event in enumerate(chosen.tolist()):
        kind = int(events.truth[event]) if source.labels else place
        colour = _COLOURS[kind % len(_COLOURS)]
        shift = (place - (len(chosen) - 1) / 2) * 0.8 / len(chosen)
        where = np.arange(source.values) + shift
        panel.vlines(where, 0, values[event], color=colour, linewidth=110 / source.values)
        panel.plot([], [], color=colour, linewidth=3, label=_truth_of(events, source, event))
    panel.axhline(0, color="black", linewidth=0.6)
    ticks = np.arange(0, source.values, group)
    names = [about.names[tick] if about.names else str(tick) for tick in ticks]
    if group > 1:
        names = [name.rpartition(" ")[0] for name in names]
        for edge in ticks[1:] - 0.5:
            panel.axvline(edge, color="#cccccc", linewidth=0.5, zorder=0)
    panel.set_xticks(ticks + (group - 1) / 2, names, rotation=40, ha="right")
    panel.tick_params(axis="x", length=0)
    panel.set(xlim=(-0.6, source.values - 0.4), ylabel="value")
    what = ", pT, eta and phi of each object" if group == 3 else ""
    panel.set_title(f"one event of each kind{what}" if source.labels else "events", loc="left")
    if source.labels:
        panel.legend(frameon=False, ncols=len(chosen), loc="lower right", bbox_to_anchor=(1, 1))


def _one_of_each(events: Events, source: Source) -> NDArray[np.intp]:
    if not source.labels:
        return np.arange(min(3, len(events.raw)))
    firsts: NDArray[np.intp] = np.unique(events.truth, return_index=True)[1]
    return firsts


_VIEWS: Final[Mapping[str, Callable[[Any, Events, Source, Instrument], None]]] = {
    "images": _images,
    "raster": _raster,
    "cells": _cells,
    "stream": _stream,
    "windows": _windows,
    "values": _values,
}


# Distributions


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
    few = 1 < len(source.labels) <= len(_COLOURS)
    low, high = (
        np.percentile(values, (0.2, 99.8)) if values.ndim == 1 else (values.min(), values.max())
    )
    lsb = 2.0**-source.number_format.fraction
    steps = max(1, int(np.ceil((high - low) / lsb / _MOST_BINS)))
    edges = low - lsb / 2 + lsb * steps * np.arange(int((high - low) / lsb / steps) + 2)
    for label in range(len(source.labels)) if few else (None,):
        here = values if label is None else values[truth == label]
        if here.size:
            colour = _COLOURS[0 if label is None else label]
            counts = np.histogram(here, edges)[0] / here.size
            panel.stairs(counts, edges, color=colour, linewidth=1.1)


def _mean_event(panel: Any, values: NDArray[np.float64], about: Instrument) -> None:
    mean = values.mean(axis=0)
    if about.view == "cells":
        x, y = _module().T
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
        panel.plot(sums.mean(axis=0)[:_STREAM], color=_COLOURS[0], linewidth=0.9)
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
        colours = [_COLOURS[place % len(_COLOURS)] for place in range(len(counts))]
        few = len(counts) <= len(_COLOURS)
        share = counts / max(1, counts.sum())
        bars = panel.barh(np.arange(len(counts)), share, color=colours if few else _COLOURS[0])
        if few:
            panel.bar_label(bars, [f"{100 * value:.3g} %" for value in share], padding=2)
            panel.set_xlim(0, 1.35 * share.max())
        panel.set_yticks(np.arange(len(counts)), source.labels)
        panel.invert_yaxis()
        panel.set(title="truth", xlabel="share of events")
    elif len(source.truth_names) == 2:
        panel.plot(truth[:, 1], truth[:, 0], ".", color=_COLOURS[0], markersize=1.5, alpha=0.5)
        panel.set(title="truth", xlabel=source.truth_names[1], ylabel=source.truth_names[0])
        panel.set_aspect("equal")
    elif source.truth_names:
        seen = truth[truth > 0]
        panel.hist(seen, bins=_log_bins(seen), color=_COLOURS[0])
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
    left.plot(times, heights, ".", color=_COLOURS[0], markersize=2)
    left.set(xlabel="due, us", ylabel="event" if place is None else place.replace("_", " "))
    left.set_title("when events are due", loc="left")
    gaps = np.diff(due["due_ns"])
    if gaps.size:
        right.hist(gaps, bins=_log_bins(gaps), color=_COLOURS[0])
        right.set(xlabel="ns from event to event", xscale="log", yscale="log", ylabel="events")
        right.xaxis.set_minor_formatter("")
