"""Trigger cells of a silicon module: 48 shares of its charge, as a front-end compressor sees them.

The workload is that of ECON-T at the high-granularity calorimeter of CMS: a hexagonal module of
three rhombi of 4 x 4 cells, read in every crossing, whose cells an autoencoder compresses. Values
are in the order [4][4][3]: place along either side of a rhombus, rhombus (as in fastml-science
`sensor-data-compression`). Each is its cell's charge over the module's, floored to
`CELL_FORMAT`; an empty module is all zeros.

**The distributions are ours.** Modules differ widely in how much they see, so the mean number of
showers comes from a power law. A shower has a place anywhere on the module, an exponential charge
and an exponential profile of three widths, its tail cut by the charge of one count; besides, one
cell in 64 is noisy by a few counts.

The truth is the module's charge in counts: with it, the values are charges again. How well a
compressor does is measured against the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.traffic import deviates
from harness.traffic.events import Block, Events, in_blocks, random_words

CELL_FORMAT: Final = NumberFormat(width=8, integer=0, signed=False)

_SIDE, _RHOMBI = 4, 3
_CELLS: Final = _SIDE * _SIDE * _RHOMBI
_BLOCK_EVENTS: Final = 4096
_MOST_SHOWERS: Final = 4
_WIDTHS: Final = (0.35, 0.6, 1.0)  # mean distance of charge from the axis, over 2, in cells
_PLACES: Final = 4  # of a shower within the cell it hits, along either side
_PROFILE_BITS: Final = 10
_MEAN_CHARGE: Final = 160  # counts
_FIELDS: Final = 1 + 2 * _MOST_SHOWERS


@dataclass(frozen=True, slots=True)
class TriggerCells:
    """The source named `trigger_cells`: 48 values of a module, and its charge as the truth."""

    name: str = "trigger_cells"
    version: int = 1
    values: int = _CELLS
    number_format: NumberFormat = CELL_FORMAT
    labels: tuple[str, ...] = ()
    truth_names: tuple[str, ...] = ("module_charge [counts]",)

    def generate(self, events: int, seed: int) -> Events:
        """Make events; see `Source.generate`."""
        return in_blocks(self, _block, events, seed, _BLOCK_EVENTS)


def _block(seed: int, block: int) -> Block:
    charges = _charges(random_words(seed, block, (_FIELDS * 2 + _CELLS) * _BLOCK_EVENTS // 8))
    total = charges.sum(axis=1, dtype=np.float32)
    # Division and product round the same way on every machine.
    shares = charges * (np.float32(256) / np.maximum(total, 1))[:, None]
    return np.minimum(shares, CELL_FORMAT.maximum).astype(np.uint8), total[:, None]


def _charges(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the charges of the cells in counts, float32 [events, 48]."""
    split = _FIELDS * _BLOCK_EVENTS // 4
    fields = words[:split].view("<u2").reshape(_FIELDS, _BLOCK_EVENTS)
    noise = words[split:].view(np.uint8).reshape(_BLOCK_EVENTS, _CELLS)
    charges = _noise().take(noise)
    profiles, showers = _profiles(), _multiplicity().take(fields[0] >> np.uint16(4))
    for shower in range(_MOST_SHOWERS):
        hit = np.flatnonzero(showers > shower)
        place, charge = fields[1 + 2 * shower : 3 + 2 * shower, hit]
        shape = (place.astype(np.uint32) * np.uint32(len(profiles))) >> np.uint32(16)
        deposited = profiles.take(shape, axis=0)
        deposited *= deviates.exponential(_MEAN_CHARGE).take(charge).astype(np.float32)[:, None]
        charges[hit] += np.floor(deposited, out=deposited)
    return charges


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """Return the noise by a random byte: 1 to 4 counts in 1 of 64, float32 [256]."""
    table = np.zeros(256, dtype=np.float32)
    table[:4] = (1, 2, 3, 4)
    return table


@lru_cache(maxsize=1)
def _multiplicity() -> NDArray[np.int32]:
    """Return numbers of showers by 12 random bits: 64 means of a power law, 64 steps of each."""
    means = [min(0.25 * ((row + 0.5) / 64) ** (-1 / 1.2), 6.0) for row in range(64)]
    counts = [deviates.poisson(mean)[512::1024] for mean in means]
    showers: NDArray[np.int32] = np.minimum(np.concatenate(counts), _MOST_SHOWERS)
    return showers


@lru_cache(maxsize=1)
def _profiles() -> NDArray[np.float32]:
    """Return the share of every cell in a shower, in whole 2**-10, float32 [showers, 48]."""
    cells = _positions(0.5, 0.5)
    shapes = []
    for width in _WIDTHS:
        for along in range(_PLACES):
            for across in range(_PLACES):
                axes = _positions((along + 0.5) / _PLACES, (across + 0.5) / _PLACES)
                away = np.hypot(*(axes[:, None] - cells).transpose(2, 0, 1))
                inside = np.array([[math.exp(-d / width) for d in row] for row in away.tolist()])
                # What of the shower leaves the module is lost, hence the plane's norm.
                norm = 2 * math.pi * width**2 / (math.sqrt(3) / 2)
                shares = np.minimum(inside / norm, 0.9)
                shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
                shapes.append(np.rint(shares * (1 << _PROFILE_BITS)))
    table: NDArray[np.float32] = np.concatenate(shapes).astype(np.float32)
    return table / np.float32(1 << _PROFILE_BITS)


def _positions(along: float, across: float) -> NDArray[np.float64]:
    """Return where a point of each cell lies on the module, float64 [48, 2]."""
    places = np.empty((_SIDE, _SIDE, _RHOMBI, 2))
    for rhombus in range(_RHOMBI):
        turn = 2 * math.pi / 3
        first, second = turn * rhombus, turn * (rhombus + 1)
        for u in range(_SIDE):
            for v in range(_SIDE):
                x = (u + along) * math.cos(first) + (v + across) * math.cos(second)
                y = (u + along) * math.sin(first) + (v + across) * math.sin(second)
                places[u, v, rhombus] = x, y
    return places.reshape(_CELLS, 2)
