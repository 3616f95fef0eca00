"""Objects of a level-1 trigger: 19 of them, each with pT, eta and phi, and rarely a new particle.

The workload is that of anomaly triggers like AXOL1TL at CMS: missing energy, 4 electrons or photons
(e/g), 4 muons and 10 jets, in units of the trigger's hardware (pT 0.5 GeV; phi in 144 bins, 576 for
muons; eta in 0.0435, for muons 0.010875). Offsets and shifts that bring them to 8 bits are those of
the production firmware (cms-hls4ml/AXOL1TL, `AXOL1TL_v4/scales.h`): (x - offset) / 2**shift in
`L1_FORMAT`, floored and saturated. Objects that are absent are 0 before that.

**The distributions are ours**, none fitted to data. Counts are Poisson. The pT of objects in order
are sums of exponential gaps (Renyi), all scaled by one heavy-tailed hardness of the event, so that
their medians follow the firmware's offsets. Missing energy is noise against a quarter of the vector
sum. Rare classes, never part of a trigger's training:

* `leptons`: two e/g and two muons of some 10 GeV more each, as of a light particle's decays;
* `dijet`: two jets back to back with some 80 GeV more each, as of a heavy resonance;
* `invisible`: a jet of some 50 GeV more, and nothing seen opposite to it.

Everything is integer from the random words on, but for a square root, which is exact as well.
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
from harness.traffic.events import BLOCK_EVENTS, Block, Events, in_blocks, random_words

L1_FORMAT: Final = NumberFormat(width=8, integer=4, signed=True)
L1_LABELS: Final = ("background", "leptons", "dijet", "invisible")
RARE: Final = (64225, 437, 437, 437)
"""Shares of the classes in `l1_objects`, of 65536: one rare event in fifty."""
MIXED: Final = (16384, 16384, 16384, 16384)
BACKGROUND: Final = (65536, 0, 0, 0)

_EG, _MUON, _JET = 4, 4, 10
_OBJECTS: Final = 1 + _EG + _MUON + _JET
_SHIFTS: Final = (
    *(3, 0, 6, 2, 5, 6, 0, 5, 6, 0, 5, 6, -1, 5, 6, 1, 7, 8, 0, 7, 8, 0, 7, 8, 0, 7, 8),
    *(4, 6, 6, *(3, 6, 6) * 8, 2, 6, 6),
)
# Twice the offset of pT; offsets of eta and phi.
_TWICE_PT: Final = (36, 14, 9, 8, 6, 10, 6, 6, 6, 58, 44, 35, 27, 22, 21, 20, 18, 18, 16)
_ETA: Final = (0, 0, 2, 0, 0, 0, 0, -2, -3, *(0,) * 8, -2, 0)
_PHI: Final = (*(72,) * 5, 287, 286, 283, 285, *(72,) * 9, 73)

_HARDNESS_BITS: Final = 6
_PHI_BINS: Final = 144
_RADIUS: Final = 1 << 10
_SLOPES: Final = 1 << 10  # of the arc tangent's table
_FIELDS: Final = 3 * (_OBJECTS - 1) + 8


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of object.

    Args:
        most: How many the trigger sends.
        mean: How many there are, before those beyond `most` are lost.
        least: Smallest pT.
        gap: Mean of pT above the next softer object, times the object's rank.
        highest: Largest pT that the hardware can say.
        eta: Edge of the acceptance.
        phi_bins: Of the circle.
    """

    most: int
    mean: float
    least: int
    gap: float
    highest: int
    eta: int
    phi_bins: int


_KINDS: Final = (
    _Kind(_EG, 4.0, 3, 3.2, 511, 57, 144),
    _Kind(_MUON, 1.0, 3, 3.0, 511, 225, 576),
    _Kind(_JET, 9.0, 8, 8.0, 2047, 115, 144),
)


@dataclass(frozen=True, slots=True)
class L1Objects:
    """The sources `l1_objects`, `l1_objects_mixed` and `l1_objects_background`.

    Args:
        name: Of the source.
        shares: Share of each class of `L1_LABELS`, summing to 65536.
    """

    name: str = "l1_objects"
    shares: tuple[int, ...] = RARE
    version: int = 1
    values: int = 3 * _OBJECTS
    number_format: NumberFormat = L1_FORMAT
    labels: tuple[str, ...] = L1_LABELS
    truth_names: tuple[str, ...] = ()

    def generate(self, events: int, seed: int) -> Events:
        """Make events; see `Source.generate`."""
        return in_blocks(self, self._block, events, seed)

    def _block(self, seed: int, block: int) -> Block:
        words = random_words(seed, block, _FIELDS * BLOCK_EVENTS // 4)
        fields = words.view("<u2").reshape(_FIELDS, BLOCK_EVENTS)
        edges = np.cumsum(self.shares)[:-1]
        classes = np.searchsorted(edges, fields[-1], side="right").astype(np.int8)
        objects = _objects(fields, classes)
        raw = np.empty((3 * _OBJECTS, BLOCK_EVENTS), dtype=np.int8)
        for place, shift in enumerate(_SHIFTS):
            # One to the right more than `shift`, since offsets are doubled: some are halves.
            doubled = objects[place] * 2 - _doubled_offset(place)
            scaled = doubled << L1_FORMAT.fraction >> (shift + 1)
            np.clip(scaled, L1_FORMAT.minimum, L1_FORMAT.maximum, out=scaled)
            raw[place] = scaled
        return np.ascontiguousarray(raw.T), classes


def _doubled_offset(place: int) -> int:
    thing, which = divmod(place, 3)
    return _TWICE_PT[thing] if which == 0 else 2 * (_ETA, _PHI)[which - 1][thing]


def _objects(fields: NDArray[np.uint16], classes: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return pT, eta and phi of all objects in the hardware's units, int32 [57, events]."""
    out = np.zeros((_OBJECTS, 3, fields.shape[1]), dtype=np.int32)
    hardness = _hardness().take(fields[-2])
    added = deviates.exponential(1 << 8).take(fields[-3])
    rare = [np.flatnonzero(classes == label) for label in range(1, len(L1_LABELS))]
    first, spent = 1, 0
    for number, kind in enumerate(_KINDS):
        there = deviates.poisson(kind.mean).take(fields[-4 - number])
        there[rare[0]] = np.maximum(there[rare[0]], (2, 2, 0)[number])
        there[rare[1]] = np.maximum(there[rare[1]], (0, 0, 2)[number])
        there[rare[2]] = np.maximum(there[rare[2]], (0, 0, 1)[number])
        mine = out[first : first + kind.most]
        part = fields[spent : spent + 3 * kind.most].reshape(3, kind.most, -1)
        _momenta(mine[:, 0], kind, part[0], there, hardness)
        present = np.arange(kind.most)[:, None] < there
        mine[:, 1] = _scaled(part[1], 2 * kind.eta + 1) - kind.eta
        mine[:, 2] = _scaled(part[2], kind.phi_bins)
        mine *= present[:, None]
        first, spent = first + kind.most, spent + 3 * kind.most
    _rare(out, rare, added)
    missing = _missing(out, fields[-8:-6], rare[2])
    highest = np.repeat([kind.highest for kind in _KINDS], [kind.most for kind in _KINDS])
    np.minimum(out[1:, 0], highest[:, None], out=out[1:, 0])
    out[0, 0], out[0, 2] = missing
    return out.reshape(3 * _OBJECTS, -1)


def _momenta(
    out: NDArray[np.int32],
    kind: _Kind,
    fields: NDArray[np.uint16],
    there: NDArray[np.int32],
    hardness: NDArray[np.int32],
) -> None:
    """Fill in pT, the hardest object first, int32 [objects, events]."""
    above = np.zeros(fields.shape[1], dtype=np.int32)
    for rank in range(kind.most, 0, -1):
        gap = deviates.exponential(16 * kind.gap / rank).take(fields[rank - 1])
        gap *= hardness
        above += gap * (there >= rank)
        out[rank - 1] = kind.least + (above >> (_HARDNESS_BITS + 4))


def _rare(out: NDArray[np.int32], rare: list[NDArray[np.intp]], added: NDArray[np.int32]) -> None:
    """Add what makes rare events rare; objects stay in order of pT."""
    leptons, dijet, invisible = rare
    electron, muon, jet = 1, 1 + _EG, 1 + _EG + _MUON
    for first in (electron, muon):
        out[first : first + 2, 0, leptons] += 4 + (added[leptons] >> 4)
    out[jet : jet + 2, 0, dijet] += 40 + (added[dijet] >> 1)
    out[jet + 1, 2, dijet] = (out[jet, 2, dijet] + _PHI_BINS // 2) % _PHI_BINS
    out[jet, 0, invisible] += 30 + (added[invisible] >> 2)


def _missing(
    out: NDArray[np.int32], fields: NDArray[np.uint16], invisible: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return size and direction of the missing energy, each int32 [events]."""
    cosines, sines = deviates.circle(_PHI_BINS, _RADIUS)
    seen = slice(1 + _EG + _MUON, _OBJECTS)
    size, phi = out[seen, 0], out[seen, 2]
    noise = deviates.normal(11 * _RADIUS).take(fields)
    x = noise[0] - (cosines.take(phi) * size).sum(axis=0, dtype=np.int32) // 4
    y = noise[1] - (sines.take(phi) * size).sum(axis=0, dtype=np.int32) // 4
    # The leading jet's partner is not seen at all.
    x[invisible] -= cosines.take(phi[0, invisible]) * size[0, invisible]
    y[invisible] -= sines.take(phi[0, invisible]) * size[0, invisible]
    squares = x.astype(np.float64) ** 2 + y.astype(np.float64) ** 2
    length = np.minimum(np.sqrt(squares).astype(np.int32) >> 10, 4095)
    return length, _direction(x, y)


def _direction(x: NDArray[np.int32], y: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the bin of the angle of a vector, int32 [events]: arc tangent by octants."""
    wide, high = np.abs(x), np.abs(y)
    steep = high > wide
    least = np.where(steep, wide, high).astype(np.int64)
    most = np.maximum(np.where(steep, high, wide), 1)
    bins = _arc().take(least * _SLOPES // most)
    bins = np.where(steep, _PHI_BINS // 4 - 1 - bins, bins)
    bins = np.where(x < 0, _PHI_BINS // 2 - 1 - bins, bins)
    turned: NDArray[np.int32] = np.where(y < 0, _PHI_BINS - 1 - bins, bins)
    return turned


@lru_cache(maxsize=1)
def _arc() -> NDArray[np.int32]:
    """Return the bin in the first octant by slope in 2**-10, int32 [1025]."""
    turn = [math.atan((slope + 0.5) / _SLOPES) / (2 * math.pi) for slope in range(_SLOPES + 1)]
    return np.minimum(np.array(turn) * _PHI_BINS, _PHI_BINS // 8 - 1).astype(np.int32)


@lru_cache(maxsize=1)
def _hardness() -> NDArray[np.int32]:
    """Return the scale of an event's momenta in 2**-6: a power law above 0.8, cut at 16."""
    table = deviates.power_law(0.8 * (1 << _HARDNESS_BITS), 3.5)
    return np.minimum(table, 16 << _HARDNESS_BITS)


def _scaled(fields: NDArray[np.uint16], steps: int) -> NDArray[np.int32]:
    """Return whole numbers from 0 to below `steps`, equally likely to within 2**-16."""
    return (fields.astype(np.uint32) * np.uint32(steps) >> np.uint32(16)).astype(np.int32)
