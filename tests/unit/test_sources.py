"""What every source of events must keep to, whatever its detector."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BenchmarkError
from harness.traffic import SOURCE_NAMES, detector, open_source

NAMES = [name for name in SOURCE_NAMES if name != "noise"]

# A change here is a change of the source: raise its version, and train what was trained on it anew.
PINNED = {
    "digit_spikes": "2aadc7161b8ec76109e5d5dc6064d29ef43c46dfde0e7ee0f61f15369c36f6df",
    "digit_bits": "54f2a066f2597e9ade77a783ab95c7effe649c592f4dd2463a75192913090372",
    "bragg_patches": "60784a0534a7b5393c6a1b0f48d8405702d004ea4df283164bcfc26f312112ec",
    "iq_windows": "7c8526e5548083ff8f3ea44e802ba02753b3a2c4a5c92e3951b1caacb42d6950",
    "plasma_frames": "d2387e36123f2ba18c932de010fc6fc7cf9b5b705707133025e53bac77caf5b7",
    "lar_samples": "08ca8a4f9145570ce8084f131eb308175dda5ce13803af6b9af6dcdd85ef9281",
    "trigger_cells": "4f623631f31d1b1194c1e7f450dc396a28008221abc18d2a19c6605561eee348",
    "l1_objects": "ac6490c3d2199cb665077b46fc32fa69a3322d2643e8a04113d6f8428b7de01e",
}


@pytest.mark.parametrize("name", NAMES)
def test_events_are_what_the_source_says_they_are(name: str) -> None:
    source = detector(name)
    events = source.generate(300, 3)
    assert (events.name, events.version, events.seed) == (name, source.version, 3)
    assert events.raw.shape == (300, source.values)
    source.number_format.check(events.raw, name)
    little = events.raw.astype(events.raw.dtype.newbyteorder("<"))
    assert hashlib.sha256(little.tobytes()).hexdigest() == events.sha256
    if source.labels:
        assert not source.truth_names
        assert events.truth.dtype == np.int8
        assert events.truth.shape == (300,)
        assert events.truth.min() >= 0
        assert events.truth.max() < len(source.labels)
    else:
        assert events.truth.dtype == np.float32
        assert events.truth.shape == (300, len(source.truth_names))
        assert np.isfinite(events.truth).all()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4, deadline=None)
@given(count=st.integers(1, 4000), more=st.sampled_from([0, 1, 3564]), seed=st.integers(0, 2**70))
def test_a_shorter_batch_is_the_beginning_of_a_longer_one(
    name: str, count: int, more: int, seed: int
) -> None:
    source = detector(name)
    short, long = source.generate(count, seed), source.generate(count + more, seed)
    assert np.array_equal(short.raw, long.raw[:count])
    assert np.array_equal(short.truth, long.truth[:count])


@pytest.mark.parametrize("name", NAMES)
def test_events_and_seeds_differ(name: str) -> None:
    first, second = (detector(name).generate(2000, seed).raw for seed in (7, 8))
    assert not np.array_equal(first, second)
    assert len(np.unique(first, axis=0)) > 200


@pytest.mark.parametrize("name", PINNED)
def test_the_events_of_a_seed_never_change(name: str) -> None:
    assert detector(name).generate(5000, 1).sha256 == PINNED[name]


@pytest.mark.parametrize("name", NAMES)
def test_an_accelerator_of_another_shape_is_refused(name: str) -> None:
    source = detector(name)
    assert open_source(name, source.number_format, source.values) is source
    with pytest.raises(BenchmarkError, match=f"{name} are {source.values} values .* takes 3 of"):
        open_source(name, source.number_format, 3)
