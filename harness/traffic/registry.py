"""Sources by the name that benchmark files give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from harness.accelerators import NumberFormat
from harness.errors import BenchmarkError
from harness.traffic.bragg_patches import BraggPatches
from harness.traffic.digits import DigitBits, DigitSpikes
from harness.traffic.events import Source
from harness.traffic.iq_windows import IqWindows
from harness.traffic.jets import Jets
from harness.traffic.l1_objects import BACKGROUND, MIXED, L1Objects
from harness.traffic.lar_samples import LarSamples
from harness.traffic.noise import Noise
from harness.traffic.plasma_frames import PlasmaFrames
from harness.traffic.trigger_cells import TriggerCells

_NOISE: Final = "noise"  # the one source that takes the shape of any accelerator
_DETECTORS: Final[Mapping[str, Source]] = MappingProxyType(
    {
        source.name: source
        for source in (
            Jets(),
            L1Objects(),
            L1Objects("l1_objects_mixed", MIXED),
            L1Objects("l1_objects_background", BACKGROUND),
            TriggerCells(),
            LarSamples(),
            PlasmaFrames(),
            IqWindows(),
            BraggPatches(),
            DigitBits(),
            DigitBits("digit_bits_train", "train"),
            DigitSpikes(),
            DigitSpikes("digit_spikes_train", "train"),
        )
    }
)
SOURCE_NAMES: Final = (*_DETECTORS, _NOISE)


def open_source(name: str, number_format: NumberFormat, values: int) -> Source:
    """Return the source that makes events for an accelerator.

    Args:
        name: One of `SOURCE_NAMES`.
        number_format: Format of the accelerator's input values.
        values: Input values of an event.

    Returns:
        The source.

    Raises:
        BenchmarkError: The name is unknown, or the source's events are not what the accelerator
            takes.
    """
    if name == _NOISE:
        return Noise(number_format, values)
    source = detector(name)
    if (number_format, values) != (source.number_format, source.values):
        raise BenchmarkError(
            f"{name} are {source.values} values of {source.number_format}",
            why=f"the accelerator takes {values} of {number_format}",
        )
    return source


def detector(name: str) -> Source:
    """Return a source whose events have a shape of their own: any but noise.

    Raises:
        BenchmarkError: The name is unknown.
    """
    if name not in _DETECTORS:
        raise BenchmarkError(
            f"unknown event source {name!r}", hint=f"known: {', '.join(SOURCE_NAMES)}"
        )
    return _DETECTORS[name]
