"""Readout of a superconducting qubit: one window of I and Q samples a shot.

The workload is that of single-shot readout with QICK: a pulse rings up the readout resonator, whose
response depends on the qubit; 400 pairs of samples of a 14-bit ADC, one after the other as I, Q,
are one shot, and a small network says which state was prepared. Values are in `IQ_FORMAT`, whole
ADC counts.

**The numbers are ours.** Each state drives the resonator towards a point of its own, over 90
samples. A qubit that was prepared in state 1 may relax during the window (one in twelve does, at a
time equally likely anywhere), and the response then returns to that of state 0: no network can tell
the early ones, which limits the fidelity to some 97.5 %. Noise is white, 450 counts in I and in Q.
The truth is the prepared state.
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

IQ_FORMAT: Final = NumberFormat(width=16, integer=16, signed=True)
IQ_SAMPLES: Final = 400
ADC_LIMIT: Final = 1 << 13

_BLOCK_EVENTS: Final = 64
_RING_UP: Final = 90.0  # samples
_NOISE: Final = 450.0  # counts
_POINTS: Final = ((900.0, 500.0), (980.0, 390.0))  # counts in (I, Q) that each state tends to
_RELAXING: Final = 65536 // 12  # of the shots in state 1, of 65536
_TIMES: Final = 100  # at which a qubit may relax, every fourth sample
_FIELDS: Final = 2 * IQ_SAMPLES + 4  # of 16 bits: noise, and state, fate and time of a shot


@dataclass(frozen=True, slots=True)
class IqWindows:
    """The source named `iq_windows`: 400 pairs (I, Q), and the prepared state as the truth."""

    name: str = "iq_windows"
    version: int = 1
    values: int = 2 * IQ_SAMPLES
    number_format: NumberFormat = IQ_FORMAT
    labels: tuple[str, ...] = ("0", "1")
    truth_names: tuple[str, ...] = ()

    def generate(self, events: int, seed: int) -> Events:
        """Make shots, both states equally likely; see `Source.generate`."""
        return in_blocks(self, _block, events, seed, _BLOCK_EVENTS)


def _block(seed: int, block: int) -> Block:
    words = random_words(seed, block, _FIELDS * _BLOCK_EVENTS // 4)
    fields = words.view("<u2").reshape(_FIELDS, _BLOCK_EVENTS)
    state, fate, time = fields[:3].astype(np.int64)
    prepared = state >> 15
    # Row 0 of the table: state 0; then those that relax, by time; last, state 1 for good.
    shape = np.where(fate < _RELAXING, 1 + (time * _TIMES >> 16), 1 + _TIMES) * prepared
    # No field is out of range; `clip` spares NumPy a slow search for one that is.
    raw = _noise().take(fields[4:].reshape(_BLOCK_EVENTS, -1), mode="clip")
    raw += _responses().take(shape, axis=0)
    np.clip(raw, -ADC_LIMIT, ADC_LIMIT - 1, out=raw)
    return raw, prepared.astype(np.int8)


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.int16]:
    """Return noise in counts by 16 random bits, int16 [65536]."""
    return deviates.normal(_NOISE).astype(np.int16)


@lru_cache(maxsize=1)
def _responses() -> NDArray[np.int16]:
    """Return the responses without noise, int16 [2 + times, 800]."""
    rows = [_response(0)]
    rows += [_response(4 * time) for time in range(_TIMES)]
    rows.append(_response(IQ_SAMPLES))
    table: NDArray[np.int16] = np.rint(np.array(rows)).astype(np.int16)
    return table


def _response(relaxes: int) -> list[float]:
    """Return I, Q, I, Q, ... of a qubit in state 1 up to a sample, in state 0 from there on."""
    place = (0.0, 0.0)
    response: list[float] = []
    kept = math.exp(-1 / _RING_UP)
    for sample in range(IQ_SAMPLES):
        drive = _POINTS[sample < relaxes]
        place = (
            drive[0] + (place[0] - drive[0]) * kept,
            drive[1] + (place[1] - drive[1]) * kept,
        )
        response += place
    return response
