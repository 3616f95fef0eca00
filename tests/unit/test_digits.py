from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from harness.traffic import Events, detector, digits
from harness.traffic.digits import SPIKE_STEPS, THRESHOLD, DigitBits, DigitSpikes

TEST, TRAIN = 600, 1197


@pytest.fixture(scope="module")
def spikes() -> Events:
    return DigitSpikes().generate(20 * TEST, 42)


def test_the_images_are_those_of_uci() -> None:
    images = np.concatenate([digits._images("test")[0], digits._images("train")[0]])
    assert images.shape == (1797, 64)
    assert (images.min(), images.max()) == (0, 16)
    # The sum over all images of scikit-learn's digits.csv.
    assert int(images.sum(dtype=np.int64)) == 561718


def test_no_image_that_is_played_has_been_trained_on() -> None:
    assert len(digits._images("test")[1]) == TEST
    assert len(digits._images("train")[1]) == TRAIN
    played = {row.tobytes() for row in digits._images("test")[0]}
    trained = {row.tobytes() for row in digits._images("train")[0]}
    assert len(played) == TEST
    assert not played & trained


def test_every_digit_is_in_both_splits() -> None:
    for split in ("test", "train"):
        counts = np.bincount(detector(f"digit_bits{'' if split == 'test' else '_train'}")
                             .generate(TEST if split == "test" else TRAIN, 1).truth)  # fmt: skip
        assert len(counts) == 10
        assert counts.min() > 0.07 * counts.sum()


def test_all_images_come_before_any_comes_again() -> None:
    """A seed is a permutation; the second round is another one."""
    events = DigitBits().generate(2 * TEST, 5)
    rounds = events.raw.reshape(2, TEST, 64)
    expected = np.sort(np.packbits(digits._images("test")[0] >= THRESHOLD, axis=1), axis=0)
    for images in rounds:
        assert np.array_equal(np.sort(np.packbits(images, axis=1), axis=0), expected)
    assert not np.array_equal(rounds[0], rounds[1])


def test_bits_and_labels_belong_together() -> None:
    events = DigitBits().generate(TEST, 9)
    images, labels = digits._images("test")
    known = defaultdict(set)
    for row, label in zip((images >= THRESHOLD).astype(np.uint8), labels.tolist(), strict=True):
        known[row.tobytes()].add(label)
    for row, label in zip(events.raw, events.truth.tolist(), strict=True):
        assert label in known[row.tobytes()]


def test_pixels_spike_at_the_rate_of_their_darkness(spikes: Events) -> None:
    """Over twenty rounds each image spikes 320 times a pixel: binomial, within 5.5 sigma."""
    images, _ = digits._images("test")
    trains = spikes.raw.reshape(20 * TEST, SPIKE_STEPS, 64).astype(np.int64)
    total = trains.sum(axis=(0, 1))
    chance = images.astype(np.float64) * 15 / 256
    wanted = 20 * SPIKE_STEPS * chance.sum(axis=0)
    spread = np.sqrt(20 * SPIKE_STEPS * (chance * (1 - chance)).sum(axis=0))
    assert (np.abs(total - wanted) <= 5.5 * spread).all()
    steps = trains.sum(axis=(0, 2))
    assert (steps.max() - steps.min()) / steps.mean() < 0.02


def test_spikes_come_independently_from_step_to_step(spikes: Events) -> None:
    trains = spikes.raw.reshape(-1, SPIKE_STEPS, 64).astype(np.float64)
    # A pixel's darkness is common to all steps; around an image's own mean, steps are independent.
    around = trains - trains.mean(axis=1, keepdims=True)
    lagged = float((around[:, 1:] * around[:, :-1]).mean() / around.var())
    # Taking the mean out of n steps correlates them by -1/n.
    assert lagged == pytest.approx(-1 / SPIKE_STEPS, abs=0.005)
