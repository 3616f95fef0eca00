from __future__ import annotations

import numpy as np
import pytest

from harness.traffic import SLOTS, Events, filling, lar_samples
from harness.traffic.lar_samples import (
    COUNTS_PER_GEV,
    LAR_FILLING,
    LAR_FORMAT,
    PEAK_SAMPLE,
    PULSE_SAMPLES,
    LarSamples,
)

ORBITS = 12


@pytest.fixture(scope="module")
def batch() -> Events:
    return LarSamples().generate(ORBITS * SLOTS, 42)


def test_energy_comes_in_filled_slots_only(batch: Events) -> None:
    energy = batch.truth.reshape(ORBITS, SLOTS, 8)
    filled = filling(LAR_FILLING).filled
    assert not energy[:, ~filled].any()
    share = (energy[:, filled] > 0).mean()
    assert 0.11 < share < 0.14  # one in eight, but for deposits below half a count
    assert energy.min() >= 0
    assert energy.max() > 20


def test_the_flag_marks_the_first_crossing_of_an_orbit(batch: Events) -> None:
    assert np.flatnonzero(batch.raw[:, -1]).tolist() == [orbit * SLOTS for orbit in range(ORBITS)]
    assert set(batch.raw[:, -1].tolist()) == {0, 1}


def test_samples_are_the_pulses_of_the_energies_and_noise(batch: Events) -> None:
    """The circular convolution, done another way, leaves white noise of the stated size."""
    counts = (batch.truth * COUNTS_PER_GEV).astype(np.float64).reshape(ORBITS, SLOTS, 8)
    pulse = np.zeros(SLOTS)
    pulse[:PULSE_SAMPLES] = lar_samples._pulse() / 1024
    spectrum = np.fft.rfft(counts, axis=1) * np.fft.rfft(pulse)[None, :, None]
    expected = np.fft.irfft(spectrum, n=SLOTS, axis=1)
    samples = batch.raw[:, :-1].reshape(ORBITS, SLOTS, 8)
    inside = expected < LAR_FORMAT.maximum - 20
    noise = np.where(inside, samples - expected, 0)
    assert np.abs(noise).max() < 25
    assert noise.std() == pytest.approx(np.sqrt(3**2 + 1**2 + 1 / 12), rel=0.02)
    flat = noise.reshape(-1, 8)
    common = np.corrcoef(flat.T)[~np.eye(8, dtype=bool)]
    assert common.mean() == pytest.approx(1 / (3**2 + 1 + 1 / 12), abs=0.02)
    lagged = float((flat[1:] * flat[:-1]).mean() / flat.var())
    assert abs(lagged) < 5 / np.sqrt(flat.size)


def test_the_stream_that_loops_has_no_seam() -> None:
    """Energy at the end of an orbit shows at its beginning; the filling's gap is longer anyway."""
    filled = filling(LAR_FILLING).filled
    assert not filled[-PULSE_SAMPLES:].any()


def test_the_pulse_is_bipolar_and_has_no_area() -> None:
    pulse = lar_samples._pulse()
    assert int(pulse.sum()) == 0
    assert int(pulse.argmax()) == PEAK_SAMPLE
    assert int(pulse.max()) == 1024
    assert pulse[0] == 0
    assert (pulse[6:-1] < 0).all()


def test_content_depends_on_the_bunch_structure(batch: Events) -> None:
    """Early in a train the lobes of no earlier pulses pull the baseline down."""
    scheme = filling(LAR_FILLING)
    samples = batch.raw[:, :-1].reshape(ORBITS, SLOTS, 8)
    start = samples[:, (scheme.bunch >= 2) & (scheme.bunch <= 5)].mean()
    late = samples[:, scheme.bunch >= 30].mean()
    assert start > late + 3
