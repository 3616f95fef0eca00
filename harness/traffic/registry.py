"""Sources by the name that benchmark files give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.accelerators import NumberFormat
from harness.errors import BenchmarkError
from harness.traffic.events import Source
from harness.traffic.jets import JET_FORMAT, Jets
from harness.traffic.noise import Noise


def _jets(number_format: NumberFormat, values: int) -> Source:
    """Return jets, for accelerators that take what a jet is described by."""
    source = Jets()
    if (number_format, values) != (JET_FORMAT, source.values):
        raise BenchmarkError(
            f"jets are {source.values} values of {JET_FORMAT}",
            why=f"the accelerator takes {values} of {number_format}",
        )
    return source


_SOURCES: Mapping[str, Callable[[NumberFormat, int], Source]] = MappingProxyType(
    {"jets": _jets, "noise": Noise}
)
SOURCE_NAMES = tuple(_SOURCES)


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
    if name not in _SOURCES:
        raise BenchmarkError(
            f"unknown event source {name!r}", hint=f"known: {', '.join(SOURCE_NAMES)}"
        )
    return _SOURCES[name](number_format, values)
