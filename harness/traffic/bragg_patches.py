"""Patches of an X-ray detector, each with one diffraction peak: where exactly is it?

The workload is that of BraggNN at high-energy diffraction microscopy: peaks are cut out of a frame
as 11 x 11 pixels, scaled from 0 to the brightest pixel, and a network says where the centre is to a
fraction of a pixel. Values are in `PATCH_FORMAT`, row by row; each patch goes from 0 to 255.

**The peaks are ours**: an elliptic pseudo-Voigt (half Gaussian, half Lorentzian by height) of 1.0
to 2.2 pixels half width along each axis, its centre evenly distributed within a pixel of the
patch's middle, 60 to 700 photons high on a background of 12, with Poisson noise by its Gaussian
limit. The truth is the centre's row and column in pixels from the patch's first, whose middle is 0:
(5, 5) is the middle of the patch.
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

PATCH_FORMAT: Final = NumberFormat(width=8, integer=0, signed=False)
PATCH_SIDE: Final = 11

_PIXELS: Final = PATCH_SIDE * PATCH_SIDE
_BLOCK_EVENTS: Final = 512
_FIELDS: Final = 5  # row, column, height of the peak, widths along both
_PLACES: Final = 128  # of a centre within two pixels
_WIDTHS: Final = 16
_NEAR_BITS: Final = 6  # squared distances are in 2**-6 of a squared half width
_FAR: Final = 1 << 12  # squared distance from which a profile is flat
_NOISE_BITS: Final = 6
_BACKGROUND: Final = 12


@dataclass(frozen=True, slots=True)
class BraggPatches:
    """The source named `bragg_patches`: 11 x 11 pixels, and the peak's centre as the truth."""

    name: str = "bragg_patches"
    version: int = 1
    values: int = _PIXELS
    number_format: NumberFormat = PATCH_FORMAT
    labels: tuple[str, ...] = ()
    truth_names: tuple[str, ...] = ("row [pixels]", "column [pixels]")

    def generate(self, events: int, seed: int) -> Events:
        """Make patches; see `Source.generate`."""
        return in_blocks(self, _block, events, seed, _BLOCK_EVENTS)


def _block(seed: int, block: int) -> Block:
    split = _FIELDS * _BLOCK_EVENTS // 4
    words = random_words(seed, block, split + _PIXELS * _BLOCK_EVENTS // 8)
    fields = words[:split].view("<u2").reshape(_FIELDS, _BLOCK_EVENTS).astype(np.int64)
    place = fields[:2] * _PLACES >> 16
    width = fields[3:] * _WIDTHS >> 16
    rows, columns = _distances().take(width * _PLACES + place, axis=0)
    away = rows[:, :, None] + columns[:, None, :]
    # No distance is out of range; `clip` spares NumPy a slow search for one that is.
    light = _profile().take(np.minimum(away, _FAR - 1, out=away), mode="clip")
    light = light.reshape(_BLOCK_EVENTS, _PIXELS)
    light *= (60 + (fields[2] * 640 >> 16)).astype(np.float32)[:, None]
    light += np.float32(_BACKGROUND)
    pixels = words[split:].view(np.uint8).reshape(light.shape)
    noise = _deviates().take(pixels, mode="clip")
    noise *= np.sqrt(light)
    light += noise
    # A detector counts whole photons; the brightest pixel of a peak is above the others.
    np.floor(light, out=light)
    light -= light.min(axis=1, keepdims=True)
    light *= np.float32(PATCH_FORMAT.maximum) / light.max(axis=1, keepdims=True)
    light += np.float32(0.25)  # products of a quotient fall short of 255 by less
    centres = ((place.T + np.float32(0.5)) / np.float32(_PLACES // 2)).astype(np.float32)
    return light.astype(np.uint8), centres + np.float32(PATCH_SIDE // 2 - 1)


@lru_cache(maxsize=1)
def _distances() -> NDArray[np.int16]:
    """Return squared distances along one axis of pixels from a centre, int16 [widths * places, 11].

    In 2**-6 of a squared half width; rows of the table are by width, then by place of the centre.
    """
    pixels, table = np.arange(PATCH_SIDE), []
    for width in range(_WIDTHS):
        half = 1.0 + 1.2 * (width + 0.5) / _WIDTHS
        for place in range(_PLACES):
            centre = PATCH_SIDE // 2 - 1 + (place + 0.5) / (_PLACES // 2)
            table.append(np.rint((pixels - centre) ** 2 / half**2 * (1 << _NEAR_BITS)))
    return np.array(table).astype(np.int16)


@lru_cache(maxsize=1)
def _profile() -> NDArray[np.float32]:
    """Return the height of a peak by squared distance, in whole 2**-12, float32 [4096]."""
    near = [square / (1 << _NEAR_BITS) for square in range(_FAR)]
    height = [0.5 * math.exp(-math.log(2) * d) + 0.5 / (1 + d) for d in near]
    profile: NDArray[np.float32] = np.rint(np.array(height) * 4096).astype(np.float32)
    return profile / np.float32(4096)


@lru_cache(maxsize=1)
def _deviates() -> NDArray[np.float32]:
    """Return normal deviates by a byte, float32 [256]."""
    table: NDArray[np.float32] = deviates.normal(1 << _NOISE_BITS)[128::256].astype(np.float32)
    return table / np.float32(1 << _NOISE_BITS)
