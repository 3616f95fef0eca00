"""Filling schemes of the LHC: which of the 3564 slots of an orbit carry bunches that collide.

A scheme is built as the machine builds it. The PS makes trains of 48 or 72 bunches; the SPS
collects several, 7 empty slots (about 200 ns) apart, into a batch; batches enter the LHC 31 empty
slots (about 800 ns) apart; the end of the orbit stays empty, at least 121 slots (about 3 us), for
the kicker of the beam dump. Gaps: G. Iadarola, "HL-LHC filling schemes"; names of the schemes:
LHC Programme Coordination. The names fix how many bunches there are and how large the trains are.
How the trains are divided among batches and in which order these come is our reconstruction; for
`25ns_2744b_bcms` and `25ns_2556b` (that of 2018, 144 bunches an injection, 20 injections) the
division is the only one that agrees with the name. In `8b4e_1972b`, made against electron clouds, 4
empty slots follow each 8 filled ones inside of the PS's trains: as far as a derandomiser is
concerned, these 8 are the train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from harness.errors import BenchmarkError
from harness.traffic.groups import Groups

SLOTS = 3564
ABORT_GAP_SLOTS = 121
_RUN_GAP_SLOTS = 4
_TRAIN_GAP_SLOTS = 7
_BATCH_GAP_SLOTS = 31

# The trains of each batch, in the order of injection.
_SCHEMES: Mapping[str, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        "25ns_2744b_bcms": ((8,), *((48,) * 5, (48,) * 5, (48,) * 5, (48,) * 4) * 3),
        "25ns_2760b": (
            *((12,),) * 2,
            *((72,) * 4,) * 6,
            *((72,) * 3,) * 4,
            (72,) * 2,
        ),
        "25ns_2556b": ((12,), *((48,),) * 2, *((48,) * 3,) * 17),
        "8b4e_1972b": ((12,), *((56,) * 4,) * 2, *((56,) * 3,) * 9),
    }
)
FILLING_NAMES = tuple(_SCHEMES)


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """One orbit.

    Args:
        name: Of the scheme.
        filled: Which slots collide, bool [3564].
        bunch: Place of a filled slot's bunch in its train, counted from 0; -1 in an empty slot;
            int16 [3564].
    """

    name: str
    filled: NDArray[np.bool_]
    bunch: NDArray[np.int16]

    @property
    def slots(self) -> NDArray[np.int64]:
        """Numbers of the filled slots, rising; int64 [bunches]."""
        return np.flatnonzero(self.filled).astype(np.int64)

    @property
    def trains(self) -> Groups:
        """The bunches of an orbit by train."""
        places = self.bunch[self.filled]
        firsts = np.flatnonzero(places == 0)
        sizes = np.diff(firsts, append=len(places)).tolist()
        return Groups("train", "bunch", tuple(sizes))


def filling(name: str) -> Filling:
    """Build a named scheme.

    Args:
        name: One of `FILLING_NAMES`.

    Returns:
        The orbit, beginning with the first bunch and ending with the abort gap.

    Raises:
        BenchmarkError: The name is unknown.
    """
    if name not in _SCHEMES:
        raise BenchmarkError(
            f"unknown filling scheme {name!r}", hint=f"known: {', '.join(FILLING_NAMES)}"
        )
    bunch = np.full(SLOTS, -1, dtype=np.int16)
    # Trains without holes are one run each; the odd first one of 12 has none in any scheme.
    spaced = name.startswith("8b4e")
    slot = 0
    for batch in _SCHEMES[name]:
        for train in batch:
            run = 8 if spaced and train % 8 == 0 else train
            for first in range(0, train, run):
                count = min(run, train - first)
                bunch[slot : slot + count] = np.arange(count)
                slot += count + (_RUN_GAP_SLOTS if first + run < train else _TRAIN_GAP_SLOTS)
        slot += _BATCH_GAP_SLOTS - _TRAIN_GAP_SLOTS
    return Filling(name=name, filled=bunch >= 0, bunch=bunch)


def gaps(orbit: Filling) -> NDArray[np.uint16]:
    """Return the ticks from each filled slot's predecessor to it, one tick being one slot.

    The first entry leads from the last bunch of the orbit before, across the abort gap, to the
    first bunch. So a schedule that loops over the table begins with the abort gap, event j is
    bunch `orbit.slots[j % len(gaps)]`, and the sum is the length of the orbit.

    Args:
        orbit: A filling with at least one bunch.

    Returns:
        Gaps, uint16 [bunches].
    """
    slots = orbit.slots
    return np.diff(slots, prepend=slots[-1] - SLOTS).astype(np.uint16)
