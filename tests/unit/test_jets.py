from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.errors import BenchmarkError
from harness.traffic import (
    JET_FORMAT,
    JET_LABELS,
    SOURCE_NAMES,
    Events,
    Jets,
    Noise,
    Source,
    jets,
    open_source,
)
from harness.traffic.events import BLOCK_EVENTS

NARROW = NumberFormat(5, 2, signed=True)
SOURCES: list[Source] = [Jets(), Noise(NARROW, 3), Noise(NumberFormat(33, 0, signed=False), 2)]


@pytest.fixture(scope="module")
def batch() -> Events:
    return Jets().generate(200_000, 42)


@pytest.fixture(scope="module")
def names() -> dict[str, int]:
    return {observable.name: place for place, observable in enumerate(jets.OBSERVABLES)}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@settings(max_examples=10, deadline=None)
@given(
    count=st.integers(1, 2 * BLOCK_EVENTS + 5),
    more=st.sampled_from([0, 1, BLOCK_EVENTS]),
    seed=st.integers(0, 2**70),
)
def test_a_shorter_batch_is_the_beginning_of_a_longer_one(
    source: Source, count: int, more: int, seed: int
) -> None:
    short, long = source.generate(count, seed), source.generate(count + more, seed)
    assert short.raw.shape == (count, source.values)
    assert np.array_equal(short.raw, long.raw[:count])
    assert np.array_equal(short.truth, long.truth[:count])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_blocks_and_seeds_differ(source: Source) -> None:
    raw = source.generate(2 * BLOCK_EVENTS, 7).raw
    assert not np.array_equal(raw[:BLOCK_EVENTS], raw[BLOCK_EVENTS:])
    assert not np.array_equal(raw[:BLOCK_EVENTS], source.generate(BLOCK_EVENTS, 8).raw)


def test_the_events_of_a_seed_never_change() -> None:
    """A change here is a change of the source: raise its version and train the tagger anew."""
    events = Jets().generate(100_000, 1)
    assert (events.name, events.version, events.seed) == ("jets", 1, 1)
    assert events.sha256 == PINNED
    assert events.raw.dtype == np.int16
    assert hashlib.sha256(events.raw.astype("<i2").tobytes()).hexdigest() == events.sha256


PINNED = "9b274ee603fc9464d381414a3339859227a5affdba4911e6ff433446390ccd2f"


def test_classes_are_equally_likely(batch: Events) -> None:
    counts = np.bincount(batch.truth, minlength=len(JET_LABELS))
    expected = len(batch.truth) / 5
    assert float(((counts - expected) ** 2 / expected).sum()) < 18.5  # chi2, 4 dof, p = 0.001
    assert batch.truth.dtype == np.int8


def latent_values(batch: Events) -> NDArray[np.float64]:
    """Standardised values without the jets that wrapped."""
    values = JET_FORMAT.to_float(batch.raw)
    inside: NDArray[np.float64] = values[(np.abs(values) < 8).all(axis=1)]
    return inside


def test_values_are_standardised(batch: Events) -> None:
    values = latent_values(batch)
    assert np.abs(np.median(values, axis=0)).max() < 0.4
    assert np.abs(values.mean(axis=0)).max() < 0.15
    assert np.all((values.std(axis=0) > 0.75) & (values.std(axis=0) < 1.15))


def test_families_hang_together_and_mass_is_skewed(batch: Events, names: dict[str, int]) -> None:
    values = latent_values(batch)
    ranks = np.argsort(np.argsort(values, axis=0), axis=0)
    spearman = np.corrcoef(ranks.T)
    families = np.array([observable.family for observable in jets.OBSERVABLES])
    same = (families[:, None] == families[None, :]) & ~np.eye(16, dtype=bool)
    assert spearman[same].min() > 0.8
    different = families[:, None] != families[None, :]
    assert np.abs(spearman[different]).max() < 0.7
    cube = ((values - values.mean(axis=0)) ** 3).mean(axis=0) / values.std(axis=0) ** 3
    assert cube[names["mass_mmdt"]] > 0.2
    assert cube[names["multiplicity"]] > 0.5
    assert cube[names["zlogz"]] < -0.5


def test_multiplicity_counts_whole_particles(batch: Events, names: dict[str, int]) -> None:
    distinct = [len(np.unique(column)) for column in batch.raw.T]
    assert distinct[names["multiplicity"]] < 400
    assert distinct[names["mass_mmdt"]] > 3000


def test_some_jets_leave_the_range_and_wrap(monkeypatch: pytest.MonkeyPatch, batch: Events) -> None:
    """The same jets with saturation: where the bytes differ, a value was out of range."""
    saturating = jets._tables()
    curves = np.concatenate([jets._curve(observable) for observable in jets.OBSERVABLES])
    clipped = JET_FORMAT.quantise(curves, "floor", "saturate").astype(np.int16)
    tables = jets._Tables(saturating.deviates, saturating.mixing, saturating.means, clipped)
    monkeypatch.setattr(jets, "_tables", lambda: tables)
    outside = (Jets().generate(len(batch.raw), 42).raw != batch.raw).any(axis=1)
    assert 0.001 < outside.mean() < 0.01


def test_mixing_in_float32_is_exact() -> None:
    tables = jets._tables()
    largest = np.abs(tables.deviates).max() * np.abs(tables.mixing).sum(axis=1).max()
    assert largest + np.abs(tables.means).max() < 1 << 24
    for table in (tables.deviates, tables.mixing, tables.means):
        assert np.array_equal(table, np.rint(table))


def test_deviates_are_normal() -> None:
    deviates = np.sort(jets._tables().deviates.astype(np.float64)) / 1024
    assert abs(deviates.mean()) < 1e-12
    assert deviates.std() == pytest.approx(1, abs=1e-3)
    assert (np.abs(deviates) < 1.959964).mean() == pytest.approx(0.95, abs=1e-3)
    assert (deviates**4).mean() == pytest.approx(3, abs=0.02)


@pytest.mark.parametrize(
    ("number_format", "dtype"),
    [
        (NARROW, np.int8),
        (NumberFormat(16, 6, signed=True), np.int16),
        (NumberFormat(16, 6, signed=False), np.uint16),
        (NumberFormat(20, 6, signed=False), np.uint32),
        (NumberFormat(63, 0, signed=True), np.int64),
    ],
)
def test_noise_fills_its_format_evenly(number_format: NumberFormat, dtype: type) -> None:
    raw = Noise(number_format, 7).generate(20_000, 3).raw
    assert raw.dtype == dtype
    number_format.check(raw, "noise")
    bits = number_format.width
    ones = [((raw >> dtype(bit)) & dtype(1)).mean() for bit in range(bits)]
    assert np.abs(np.array(ones) - 0.5).max() < 0.007  # five standard deviations
    if bits == 5:
        counts = np.bincount(raw.ravel().astype(int) - number_format.minimum, minlength=32)
        assert counts.min() > 0.9 * counts.max()


def test_noise_has_no_truth() -> None:
    events = Noise(NARROW, 2).generate(10, 0)
    assert events.truth.tolist() == [-1] * 10
    assert Noise(NARROW, 2).labels == ()


def test_sources_by_name() -> None:
    assert {"jets", "noise"} < set(SOURCE_NAMES)
    assert open_source("jets", JET_FORMAT, 16) == Jets()
    assert open_source("noise", NARROW, 4) == Noise(NARROW, 4)
    with pytest.raises(BenchmarkError, match=r"unknown event source 'jet'; known: jets, .*noise"):
        open_source("jet", JET_FORMAT, 16)
    with pytest.raises(BenchmarkError, match=r"jets are 16 values of ap_fixed<16,6>; .* takes 8"):
        open_source("jets", JET_FORMAT, 8)
    with pytest.raises(BenchmarkError, match="0 values"):
        open_source("noise", NARROW, 0)


@pytest.mark.parametrize(("events", "seed"), [(0, 1), (-1, 1), (1, -1)])
def test_impossible_requests_are_refused(events: int, seed: int) -> None:
    for source in SOURCES:
        with pytest.raises(BenchmarkError):
            source.generate(events, seed)
