"""Handwritten digits, real ones: as black and white pixels, and as trains of spikes.

The 1797 images of 8 x 8 pixels, 0 to 16 dark, are the test set of *Optical Recognition of
Handwritten Digits* by E. Alpaydin and C. Kaynak (UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49), licensed under CC BY 4.0 and unchanged, as scikit-learn bundles
it. `digits.npz` beside this module was made by

    python -c "import numpy as np, sklearn.datasets as s; d = s.load_digits(); np.savez_compressed(
    'digits.npz', images=d.data.astype('u1'), labels=d.target.astype('i1'))"

Image i is for testing if the CRC-32 of i is divisible by 3 (600 of them, which `digit_bits` and
`digit_spikes` play) and for training otherwise (1197, in the sources named `..._train`): what a
benchmark plays, no network has seen. The images of a split come in random order, all of them before
any comes again.

* `digit_bits`: 64 pixels, row by row, 1 where at least 6 of 16 are dark.
* `digit_spikes`: 16 time steps of 64 pixels; in each a pixel of darkness d spikes with probability
  15 d / 256, at most 0.94, independently. The same image spikes differently each time it comes.

The truth is the digit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.traffic.events import Block, Events, in_blocks, random_words

DIGIT_FORMAT: Final = NumberFormat(width=1, integer=1, signed=False)
DIGIT_LABELS: Final = tuple("0123456789")
DIGIT_SIDE: Final = 8
SPIKE_STEPS: Final = 16
THRESHOLD: Final = 6

Split = Literal["test", "train"]

_PIXELS: Final = DIGIT_SIDE * DIGIT_SIDE
_SPIKES_PER_DARKNESS: Final = 15  # of 256


@dataclass(frozen=True, slots=True)
class DigitBits:
    """The sources `digit_bits` and `digit_bits_train`.

    Args:
        name: Of the source.
        split: Which images.
    """

    name: str = "digit_bits"
    split: Split = "test"
    version: int = 1
    values: int = _PIXELS
    number_format: NumberFormat = DIGIT_FORMAT
    labels: tuple[str, ...] = DIGIT_LABELS
    truth_names: tuple[str, ...] = ()

    def generate(self, events: int, seed: int) -> Events:
        """Make images; see `Source.generate`."""
        return in_blocks(self, self._block, events, seed, len(_images(self.split)[0]))

    def _block(self, seed: int, block: int) -> Block:
        images, labels = _images(self.split)
        order = _order(random_words(seed, block, len(images)))
        return (images[order] >= THRESHOLD).astype(np.uint8), labels[order]


@dataclass(frozen=True, slots=True)
class DigitSpikes:
    """The sources `digit_spikes` and `digit_spikes_train`.

    Args:
        name: Of the source.
        split: Which images.
    """

    name: str = "digit_spikes"
    split: Split = "test"
    version: int = 1
    values: int = SPIKE_STEPS * _PIXELS
    number_format: NumberFormat = DIGIT_FORMAT
    labels: tuple[str, ...] = DIGIT_LABELS
    truth_names: tuple[str, ...] = ()

    def generate(self, events: int, seed: int) -> Events:
        """Make spike trains, values in the order [16 steps][64 pixels]; see `Source.generate`."""
        return in_blocks(self, self._block, events, seed, len(_images(self.split)[0]))

    def _block(self, seed: int, block: int) -> Block:
        images, labels = _images(self.split)
        count = len(images)
        words = random_words(seed, block, count * (1 + self.values // 8))
        order = _order(words[:count])
        chances = words[count:].view(np.uint8).reshape(count, SPIKE_STEPS, _PIXELS)
        spikes = chances < (images[order] * np.uint8(_SPIKES_PER_DARKNESS))[:, None]
        return spikes.reshape(count, -1).view(np.uint8), labels[order]


def _order(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return a random permutation; a stable sort makes even equal words no matter."""
    return np.argsort(words, kind="stable")


@lru_cache(maxsize=2)
def _images(split: Split) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Return darknesses, uint8 [images, 64], and digits, int8 [images], of a split."""
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    held_out = [zlib.crc32(place.to_bytes(4, "little")) % 3 == 0 for place in range(len(labels))]
    chosen = np.array(held_out) == (split == "test")
    return images[chosen], labels[chosen]
