"""Frames of a fast camera that looks at a tokamak: a bright mode that turns around the plasma.

The workload is that of mode tracking at HBT-EP: a camera of 32 x 32 pixels and some 120 000 frames
a second, from which a network tells phase and amplitude of the n = 1 mode, as the cosine and the
sine part, for the control of magnetic coils.

**The images are ours**: light of a hollow profile, on top of it a pattern cos(angle - phase) times
a profile of its own, its amplitude and its turning drifting slowly, shot noise that goes with the
square root of the light, and 8 bits. The mode turns by a thirtieth to a sixth of a turn from frame
to frame, without a break from the first frame of a seed on. The truth is (sin, cos) of the phase,
each times the amplitude, from -1 to 1.
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

FRAME_FORMAT: Final = NumberFormat(width=8, integer=0, signed=False)
FRAME_SIDE: Final = 32

_PIXELS: Final = FRAME_SIDE * FRAME_SIDE
_BLOCK_EVENTS: Final = 64
_SETTINGS_BLOCK: Final = (1 << 32) - 1  # of random words, which no block of events reaches
_TURN_BITS: Final = 16  # a phase is in 2**-16 of a turn
_UNIT_BITS: Final = 12  # sines, amplitudes and patterns are in 2**-12
_ONE: Final = 1 << _UNIT_BITS
_NOISE_BITS: Final = 6  # normal deviates by a byte, in 2**-6


@dataclass(frozen=True, slots=True)
class PlasmaFrames:
    """The source named `plasma_frames`: 32 x 32 pixels, row by row, and (sin, cos) as the truth."""

    name: str = "plasma_frames"
    version: int = 1
    values: int = _PIXELS
    number_format: NumberFormat = FRAME_FORMAT
    labels: tuple[str, ...] = ()
    truth_names: tuple[str, ...] = ("sin", "cos")

    def generate(self, events: int, seed: int) -> Events:
        """Make consecutive frames; see `Source.generate`."""
        return in_blocks(self, _block, events, seed, _BLOCK_EVENTS)


def _block(seed: int, block: int) -> Block:
    frames = np.arange(block * _BLOCK_EVENTS, (block + 1) * _BLOCK_EVENTS, dtype=np.int64)
    sine, cosine = _mode(seed, frames)
    parts = np.stack((sine, cosine, np.full_like(sine, _ONE)), axis=1).astype(np.float32)
    parts *= np.float32(2.0**-_UNIT_BITS)
    # Sums of multiples of 2**-12 below 2**12: exact in float32 whatever the order.
    image = parts @ _patterns()
    pixels = random_words(seed, block, _PIXELS * _BLOCK_EVENTS // 8).view(np.uint8)
    # No byte is out of range; `clip` spares NumPy a slow search for one that is.
    noise = _deviates().take(pixels, mode="clip").reshape(image.shape)
    noise *= np.sqrt(image)
    image += noise
    np.clip(image, 0, FRAME_FORMAT.maximum, out=image)
    return image.astype(np.uint8), parts[:, :2]


def _mode(seed: int, frames: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return sine and cosine part of the mode in 2**-12, each int32 [frames].

    Phase and amplitude are sums of slow oscillations, so that any frame follows from its number.
    """
    words = random_words(seed, _SETTINGS_BLOCK, 8)
    start, turning, *drifts = (int(word) for word in words >> np.uint64(48))
    step = 1 << 12 | turning >> 4  # a sixteenth to an eighth of a turn in a frame
    phase = frames * step + start
    amplitude = np.full(len(frames), 5 * _ONE // 8, dtype=np.int64)
    cosines, sines = deviates.circle(1 << _TURN_BITS, _ONE)
    for place, drift in enumerate(drifts):
        slow = frames * (drift // (64 << place % 3) + 16) + drift
        wave = sines.take(slow & 0xFFFF)
        if place < 3:
            phase += wave.astype(np.int64) * 3
        else:
            amplitude += wave >> 3
    turn = phase & 0xFFFF
    sine = sines.take(turn) * amplitude >> _UNIT_BITS
    cosine = cosines.take(turn) * amplitude >> _UNIT_BITS
    return sine.astype(np.int32), cosine.astype(np.int32)


@lru_cache(maxsize=1)
def _deviates() -> NDArray[np.float32]:
    """Return normal deviates by a byte, times the size of the shot noise, float32 [256]."""
    table = deviates.normal(1 << _NOISE_BITS)[128::256]
    return table.astype(np.float32) * np.float32(0.5 / (1 << _NOISE_BITS))


@lru_cache(maxsize=1)
def _patterns() -> NDArray[np.float32]:
    """Return the mode's sine and cosine part and the mean light in counts, float32 [3, 1024].

    The camera looks at a cross section that is not quite in its middle.
    """
    patterns = []
    for pixel in range(_PIXELS):
        y, x = (pixel // FRAME_SIDE - 16.5) / 14, (pixel % FRAME_SIDE - 14.5) / 14
        radius = math.hypot(x, y)
        light = 110 * math.exp(-((radius - 0.55) ** 2) / 0.18) + 12
        mode = min(0.6 * light, 75 * math.exp(-((radius - 0.65) ** 2) / 0.05))
        patterns.append((mode * y / max(radius, 0.1), mode * x / max(radius, 0.1), light))
    rounded: NDArray[np.float32] = np.rint(np.array(patterns).T).astype(np.float32)
    return rounded
