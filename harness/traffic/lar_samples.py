"""Samples of a liquid-argon calorimeter: a stream, one sample of each channel a crossing.

The workload is that of the energy reconstruction at ATLAS: calorimeter channels are digitised in
every crossing, a pulse lasts for 25 of them, and pulses of neighbouring crossings pile up. An event
is one crossing: the samples of 8 channels, then a flag that is 1 in the first crossing of an orbit
and resets a recurrent network. Event k belongs to slot k modulo 3564, slot 0 being the first bunch
of filling scheme `LAR_FILLING`: only filled slots deposit energy, so what comes depends on the
bunch structure. Orbits are independent, and each wraps around: with a whole number of orbits in an
event memory, the stream that loops has no seam.

Samples are in `LAR_FORMAT`, whole ADC counts above the pedestal. A deposit of 1 GeV peaks at 64
counts, `PEAK_SAMPLE` crossings after its own. The truth is the energy in GeV that each channel got
in that very crossing.

**The numbers are ours**: deposits come in one of eight channels and filled crossing with an
exponential energy (pile-up) and in one of 512 with a power law (what the detector is for); the
pulse is a bipolar CR-RC2 shape of no area; noise is white, 3 counts, and common to all channels, 1.
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
from harness.traffic.filling import SLOTS, filling

LAR_FORMAT: Final = NumberFormat(width=14, integer=14, signed=True)
LAR_FILLING: Final = "25ns_2744b_bcms"
LAR_CHANNELS: Final = 8
COUNTS_PER_GEV: Final = 64
PULSE_SAMPLES: Final = 26
PEAK_SAMPLE: Final = 2

_PULSE_BITS: Final = 10
_HARD: Final = 1 << 7  # of 65536: one in 512
_SOFT: Final = _HARD + (1 << 13)
_FIELDS: Final = 3 * LAR_CHANNELS + 1


@dataclass(frozen=True, slots=True)
class LarSamples:
    """The source named `lar_samples`: 8 samples and a flag, and 8 energies as the truth."""

    name: str = "lar_samples"
    version: int = 1
    values: int = LAR_CHANNELS + 1
    number_format: NumberFormat = LAR_FORMAT
    labels: tuple[str, ...] = ()
    truth_names: tuple[str, ...] = tuple(f"energy_{place} [GeV]" for place in range(LAR_CHANNELS))

    def generate(self, events: int, seed: int) -> Events:
        """Make crossings; see `Source.generate`."""
        return in_blocks(self, _orbit, events, seed, SLOTS)


def _orbit(seed: int, block: int) -> Block:
    """Return one orbit; the pulses of its end reach into its beginning."""
    words = random_words(seed, block, -(-_FIELDS * SLOTS // 4))
    fields = words.view("<u2")[: _FIELDS * SLOTS].reshape(_FIELDS, SLOTS)
    chance, size, white = fields[:-1].reshape(3, LAR_CHANNELS, SLOTS)
    counts = np.where(chance < _HARD, _hard().take(size), 0)
    np.copyto(counts, _soft().take(size), where=(chance >= _HARD) & (chance < _SOFT))
    counts *= _filled()
    total = deviates.normal(3 << _PULSE_BITS).take(white)
    total += deviates.normal(1 << _PULSE_BITS).take(fields[-1])
    history = np.concatenate([counts[:, -PULSE_SAMPLES:], counts], axis=1)
    for age, height in enumerate(_pulse().tolist()):
        first = PULSE_SAMPLES - age
        total += history[:, first : first + SLOTS] * np.int32(height)
    total += 1 << (_PULSE_BITS - 1)
    total >>= _PULSE_BITS
    raw = np.zeros((SLOTS, LAR_CHANNELS + 1), dtype=np.int16)
    raw[:, :-1] = np.clip(total, LAR_FORMAT.minimum, LAR_FORMAT.maximum).T
    raw[0, -1] = 1
    return raw, (counts.T / np.float32(COUNTS_PER_GEV)).astype(np.float32, order="C")


@lru_cache(maxsize=1)
def _filled() -> NDArray[np.int32]:
    """Return 1 for every slot that deposits energy, 0 for the others, int32 [3564]."""
    return filling(LAR_FILLING).filled.astype(np.int32)


@lru_cache(maxsize=1)
def _soft() -> NDArray[np.int32]:
    """Return deposits of pile-up in counts: 0.3 GeV on average."""
    return deviates.exponential(0.3 * COUNTS_PER_GEV)


@lru_cache(maxsize=1)
def _hard() -> NDArray[np.int32]:
    """Return rare deposits in counts: a power law above 2 GeV, cut where a sample saturates."""
    table = deviates.power_law(2 * COUNTS_PER_GEV, 1.8).copy()
    table[table > LAR_FORMAT.maximum] = LAR_FORMAT.maximum
    return table


@lru_cache(maxsize=1)
def _pulse() -> NDArray[np.int32]:
    """Return the pulse in 2**-10 of its peak, int32 [26]: short, then a long negative lobe."""
    samples = range(PULSE_SAMPLES)
    peak = [(t / PEAK_SAMPLE) ** 2 * math.exp(2 - 2 * t / PEAK_SAMPLE) for t in samples]
    # The lobe lasts as long as charges drift, some 450 ns.
    lobe = [(1 - math.exp(-t / 3)) / (1 + math.exp((t - 18) / 1.5)) for t in samples]
    shape = np.array(peak) - np.array(lobe) * (sum(peak) / sum(lobe))
    pulse: NDArray[np.int32] = np.rint(shape / shape.max() * (1 << _PULSE_BITS)).astype(np.int32)
    pulse[-1] -= pulse.sum()  # the rounding's remainder; an area would shift the pedestal
    return pulse
