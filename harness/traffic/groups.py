"""Trains of events, and an event's place in its train, whatever the instrument calls them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Groups:
    """How the events of a schedule belong together, in a loop.

    Args:
        name: What a group is: `train`, `frame`, `spill`, `sequence`.
        item: What an event is to its group: `bunch`, `event`, `shot`.
        sizes: Events of each group, each at least 1; event 0 is the first of the first group.

    Raises:
        BenchmarkError: There is no group, or an empty one.
    """

    name: str
    item: str
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 1:
            raise BenchmarkError(f"a {self.name} has no {self.item}")

    def places(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of events in their group, counted from 0.

        Args:
            events: Numbers of events, int64.

        Returns:
            Places, int64, the same shape.
        """
        sizes = np.array(self.sizes, dtype=np.int64)
        ends = np.cumsum(sizes)
        within = events % ends[-1]
        group = np.searchsorted(ends, within, side="right")
        places: NDArray[np.int64] = within - (ends - sizes)[group]
        return places
