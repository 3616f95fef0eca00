"""A few events of a source, each kind as its instrument's people look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from harness.traffic import Events, Source
    from harness.traffic.instruments import Instrument

# Okabe and Ito's palette: told apart by colour-blind readers and in grey.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
STREAM: Final = 400
"""Crossings of a stream that are drawn."""
_SHOWN: Final = 6


def _truth_of(events: Events, source: Source, event: int) -> str:
    if source.labels:
        return source.labels[int(events.truth[event])]
    if not source.truth_names:
        return ""
    names = (name.partition(" ")[0] for name in source.truth_names)
    values = events.truth[event].tolist()
    return ", ".join(f"{name} {value:.3g}" for name, value in zip(names, values, strict=True))


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
    x, y = module().T
    # Mostly empty modules would say little: those that saw the most of the first hundred.
    charge = events.truth[:100, 0]
    chosen = np.sort(np.argsort(-charge, kind="stable")[:_SHOWN])
    for event, panel in zip(chosen, part.subplots(1, len(chosen), squeeze=False)[0], strict=True):
        colours = events.raw[event] / 256
        panel.scatter(x, y, c=colours, marker="h", s=78, cmap="cividis", vmin=0, vmax=0.3)
        panel.set(aspect="equal", xlim=(-4.6, 4.6), ylim=(-4.6, 4.6))
        panel.set_title(f"event {event}: {charge[event]:.0f} counts")
        panel.set_axis_off()


def module() -> NDArray[np.float64]:
    """Return where the 48 cells lie, [cells, (x, y)]: rhombi turned by 120 degrees."""
    u, v, rhombus = np.indices((4, 4, 3)) + 0.0
    first, second = rhombus * 2 * np.pi / 3, (rhombus + 1) * 2 * np.pi / 3
    x = (u + 0.5) * np.cos(first) + (v + 0.5) * np.cos(second)
    y = (u + 0.5) * np.sin(first) + (v + 0.5) * np.sin(second)
    return np.stack((x.ravel(), y.ravel()), axis=1)


def _stream(part: Any, events: Events, source: Source, about: Instrument) -> None:
    shown = min(STREAM, len(events.raw))
    panel = part.subplots()
    samples = source.number_format.to_float(events.raw[:shown])
    for channel in range(4):
        colour, up = COLOURS[channel], 150 * (3 - channel)
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
            colour = COLOURS[state]
            left.plot(shots[mine[0], :, part_], color=colour, linewidth=0.35, alpha=0.45)
            mean = shots[mine[:500], :, part_].mean(axis=0)
            label = f"state {source.labels[state]}, {name}"
            left.plot(mean, line, color=colour, linewidth=1.6, label=label)
        means = shots[mine[:1000]].mean(axis=1)
        right.plot(*means.T, ".", color=COLOURS[state], markersize=2, alpha=0.6)
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
        colour = COLOURS[kind % len(COLOURS)]
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


VIEWS: Final[Mapping[str, Callable[[Any, Events, Source, Instrument], None]]] = {
    "images": _images,
    "raster": _raster,
    "cells": _cells,
    "stream": _stream,
    "windows": _windows,
    "values": _values,
}
