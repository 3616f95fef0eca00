"""What each source stands for: the instrument, how fast it sends, and how one looks at an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from harness.errors import BenchmarkError
from harness.traffic.jets import OBSERVABLES
from harness.traffic.lar_samples import LAR_CHANNELS

View = Literal["values", "images", "cells", "stream", "windows", "raster"]

_L1_OBJECTS: Final = (
    "MET",
    *(f"e/g {rank}" for rank in range(1, 5)),
    *(f"muon {rank}" for rank in range(1, 5)),
    *(f"jet {rank}" for rank in range(1, 11)),
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """Where events like those of a source come from.

    Args:
        summary: What an event is, one line.
        rate_hz: Events per second of the instrument; None where there is no one rate.
        rate: What that rate is.
        view: How events are drawn.
        shape: Of an event's values, in their order.
        names: Of the values, empty where their place says it.
        shown: Values whose distribution is drawn, empty for all of them together.
    """

    summary: str
    rate_hz: float | None
    rate: str
    view: View = "values"
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    shown: tuple[int, ...] = ()


_CROSSINGS: Final = "LHC, filled slots of 25ns_2744b_bcms: 2744/3564 of 40.079 MHz"
_FILLED_HZ: Final = 40.079e6 * 2744 / 3564
_EVERY: Final = "LHC, every slot"
_L1: Final = Instrument(
    "trigger objects: MET, 4 e/g, 4 muons, 10 jets x pT, eta, phi; anomalies are rare",
    _FILLED_HZ,
    _CROSSINGS,
    shape=(19, 3),
    names=tuple(f"{name} {what}" for name in _L1_OBJECTS for what in ("pT", "eta", "phi")),
    shown=(0, 3, 15, 27, 28, 29),
)
_BITS: Final = Instrument(
    "handwritten digits (UCI), 8 x 8 pixels of one bit",
    None,
    "no instrument: images of a data set",
    "images",
    (8, 8),
)
_SPIKES: Final = Instrument(
    "handwritten digits (UCI) as spikes: 16 time steps x 64 pixels",
    None,
    "no instrument: images of a data set",
    "raster",
    (16, 64),
)
INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType(
    {
        "jets": Instrument(
            "jets at a hadron collider: 16 substructure observables, five classes",
            _FILLED_HZ,
            _CROSSINGS,
            shape=(16,),
            names=tuple(observable.name for observable in OBSERVABLES),
            shown=(0, 1, 6, 10, 14, 15),
        ),
        "l1_objects": _L1,
        "l1_objects_mixed": replace(_L1, summary="the same, all kinds equally likely"),
        "l1_objects_background": replace(_L1, summary="the same, no anomalies: to train on"),
        "trigger_cells": Instrument(
            "trigger cells of a calorimeter module: 48 shares of its charge",
            40.079e6,
            _EVERY,
            "cells",
            (4, 4, 3),
        ),
        "lar_samples": Instrument(
            "samples of 8 calorimeter channels a crossing, and a flag at the orbit's first",
            40.079e6,
            _EVERY,
            "stream",
            (LAR_CHANNELS + 1,),
            names=(*(f"channel {place}" for place in range(LAR_CHANNELS)), "first of orbit"),
        ),
        "plasma_frames": Instrument(
            "camera frames of a tokamak, 32 x 32 pixels: a mode that turns",
            120e3,
            "HBT-EP camera: up to 120 000 frames a second",
            "images",
            (32, 32),
        ),
        "iq_windows": Instrument(
            "readout of a qubit: 400 samples of I and Q a shot",
            1e6,
            "a shot every microsecond or so while a sequence lasts; not from a source",
            "windows",
            (400, 2),
        ),
        "bragg_patches": Instrument(
            "diffraction peaks, 11 x 11 pixels: where is the centre?",
            None,
            "peaks come in bursts, many in a frame; no one rate",
            "images",
            (11, 11),
        ),
        "digit_bits": _BITS,
        "digit_bits_train": replace(
            _BITS, summary="the images to train on, which digit_bits never plays"
        ),
        "digit_spikes": _SPIKES,
        "digit_spikes_train": replace(
            _SPIKES, summary="the images to train on, which digit_spikes never plays"
        ),
        "noise": Instrument(
            "every bit random, in the shape that an accelerator takes",
            None,
            "no instrument",
        ),
    }
)


def instrument(name: str) -> Instrument:
    """Return what a source stands for.

    Raises:
        BenchmarkError: The source is unknown.
    """
    if name not in INSTRUMENTS:
        raise BenchmarkError(
            f"unknown event source {name!r}", hint=f"known: {', '.join(INSTRUMENTS)}"
        )
    return INSTRUMENTS[name]
