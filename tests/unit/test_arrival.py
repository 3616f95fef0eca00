"""Arrival processes: what the fabric is told, against what was asked for."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.errors import BenchmarkError
from harness.tomlfile import parse, structure
from harness.traffic import FILLING_NAMES, Schedule, filling
from harness.traffic.arrival import Arrival, make
from harness.traffic.groups import Groups
from harness.traffic.schedule import MAX_GAP_TICKS

CLOCK = Fraction(100_000_000)


def schedule(text: str, events: int, clock: Fraction = CLOCK, entries: int = 4096) -> Schedule:
    """Return the schedule that the table `arrival` of a benchmark file comes to."""
    arrival = structure(parse(text, "x", BenchmarkError), Arrival, "x", BenchmarkError)
    return make(arrival, events, clock, entries)


def cycles(found: Schedule) -> NDArray[np.int64]:
    return found.cycles(0, found.events)


def kolmogorov(sample: NDArray[np.float64], cdf: NDArray[np.float64]) -> float:
    """Return the largest distance of an empirical distribution from the true one.

    Args:
        sample: Sorted values.
        cdf: True distribution function at these.
    """
    ranks = np.arange(1, len(sample) + 1) / len(sample)
    return float(max(np.abs(ranks - cdf).max(), np.abs(ranks - 1 / len(sample) - cdf).max()))


def band(count: int, alpha: float = 1e-4) -> float:
    """Return the distance that Dvoretzky, Kiefer and Wolfowitz allow with this risk."""
    return math.sqrt(math.log(2 / alpha) / (2 * count))


# What the fabric can hold, whatever the process


@settings(deadline=None, max_examples=60)
@given(
    rate=st.integers(1, 10**7),
    count=st.integers(1, 500),
    idle=st.integers(1, 10**9),
    clock=st.integers(10**6, 4 * 10**8),
)
def test_shots_are_equidistant_and_idle_between(
    rate: int, count: int, idle: int, clock: int
) -> None:
    text = f'process = "shots"\nrate = "{rate} Hz"\nshots = {count}\nidle = "{idle} ns"'
    period, idle_cycles = Fraction(clock, rate), Fraction(idle * clock, 10**9)
    try:
        found = schedule(text, 3 * count + 1, Fraction(clock))
    except BenchmarkError as error:
        assert period < 1 or 1 + idle_cycles / period > MAX_GAP_TICKS * 0.99, error
        return
    assert found.gaps is not None
    assert found.groups == Groups("sequence", "shot", (count,))
    due = cycles(found)
    gaps = np.diff(due)
    starts = (np.arange(1, 3 * count + 1) % count) == 0
    within, between = gaps[~starts], gaps[starts]
    # A cycle is where the fabric rounds down; a tick is what the idle time is rounded to.
    tick = Fraction(found.interval_q32, 1 << 32)
    assert (np.abs(within - float(period)) <= 1).all()
    assert (np.abs(between - float(period + idle_cycles)) <= 1.01 + float(tick) / 2).all()


@settings(deadline=None, max_examples=25)
@given(
    rate=st.integers(5, 10**6),
    mean=st.integers(1, 400),
    share=st.integers(1, 99),
    seed=st.integers(1, 10**6),
)
def test_frames_hold_their_events_whatever_their_rate(
    rate: int, mean: int, share: int, seed: int
) -> None:
    period = CLOCK / rate
    window = period * share / 100
    text = (
        f'process = "frames"\nrate = "{rate} Hz"\nmean = {mean}\nseed = {seed}\n'
        f'window = "{float(window / CLOCK * 10**9):.3f} ns"'
    )
    try:
        found = schedule(text, 9000)
    except BenchmarkError as error:
        assert "too coarse" in str(error)
        tick = max(1.0, 0.99 * float(period * (1 - share / 100)) / MAX_GAP_TICKS)
        assert float(window) / mean < 2 * tick * 12
        return
    assert found.gaps is not None
    assert found.groups is not None
    assert sum(found.groups.sizes) == len(found.gaps) <= 4096
    assert max(found.gaps) <= MAX_GAP_TICKS
    due = cycles(found)
    assert (np.diff(due) >= 1).all()
    # A turn of the table is a whole number of frames.
    turn = sum(found.gaps) * Fraction(found.interval_q32, 1 << 32)
    count = turn / period
    assert abs(count - round(count)) < Fraction(1, 10**6)
    # Events of a frame lie in one window, but for the rare one that had to move on.
    tick = float(Fraction(found.interval_q32, 1 << 32))
    first = found.groups.places(np.arange(9000)) == 0
    begin = due[np.maximum.accumulate(np.where(first, np.arange(9000), 0))]
    late = due - begin - float(window)
    assert late.max() <= 2 + 40 * tick
    assert (late > 2 + 2 * tick).mean() < 0.05


def test_slow_instruments_fit() -> None:
    """320 Hz and 15 Hz from 100 MHz: gaps of 312 500 and 6 666 667 cycles."""
    for rate in (320, 15):
        found = schedule(f'process = "periodic"\nrate = "{rate} Hz"', 2000)
        assert found.gaps is None
        assert cycles(found)[-1] == 1999 * 10**8 // rate
        jitter = schedule(
            f'process = "periodic"\nrate = "{rate} Hz"\njitter = "1 ms"\nseed = 3', 5000
        )
        due = cycles(jitter)
        assert due[-1] / 5000 == pytest.approx(1e8 / rate, rel=1e-3)
        assert np.abs(np.diff(due) - 1e8 / rate).max() < 2.2e5
    frames = schedule('process = "frames"\nrate = "15 Hz"\nmean = 30\nseed = 1', 4000)
    assert cycles(frames)[-1] / 1e8 == pytest.approx(4000 / 30 / 15, rel=0.1)


# Statistics


def test_bursts_inside_frames_are_poisson() -> None:
    """Counts by their index of dispersion, places by Kolmogorov's distance from uniform."""
    text = 'process = "frames"\nrate = "10 kHz"\nmean = 8\nwindow = "50 us"\nseed = 7'
    found = schedule(text, 4000)
    assert found.gaps is not None
    period, window = 10_000, 5_000
    due = cycles(found)[: len(found.gaps)]
    # The window begins after the longest stretch of a period in which no event ever is.
    phases = np.sort(due % period)
    origin = phases[(np.argmax(np.diff(phases, append=phases[0] + period)) + 1) % len(phases)]
    frame, place = np.divmod(due - origin, period)
    frame -= frame[0]
    counts = np.bincount(frame)
    assert place.max() <= window + 5
    frames = len(counts)
    dispersion = counts.var(ddof=1) / counts.mean()
    # (n - 1) times it is chi-squared with n - 1 degrees of freedom, by Wilson and Hilferty.
    spread = ((dispersion) ** (1 / 3) - (1 - 2 / (9 * frames))) / math.sqrt(2 / (9 * frames))
    assert abs(spread) < 3.9
    assert counts.mean() == pytest.approx(8, abs=3.9 * math.sqrt(8 / frames))
    inside = np.sort(place / window).astype(np.float64)
    assert kolmogorov(inside, inside.clip(0, 1).astype(np.float64)) < band(len(inside))


def test_spills_with_a_seed_are_random_within() -> None:
    text = 'process = "spills"\nrate = "1 MHz"\non = "100 us"\noff = "400 us"\nseed = 5'
    found = schedule(text, 4000)
    assert found.groups is not None
    assert found.groups.name == "spill"
    sizes = np.array(found.groups.sizes)
    assert sizes.mean() == pytest.approx(100, abs=3.9 * 10 / math.sqrt(len(sizes)))
    due = cycles(found)
    places = found.groups.places(np.arange(4000))
    gaps = np.diff(due)[places[1:] > 0] / 100
    # Of 100 points in a spill, gaps are all but exponential: (1 - x/100)^100.
    gaps = np.sort(gaps)
    exact = np.asarray(1 - (1 - np.minimum(gaps / 100, 1)) ** 100, dtype=np.float64)
    assert kolmogorov(gaps, exact) < band(len(gaps)) + 0.01
    assert np.diff(due)[places[1:] == 0].min() > 40_000


def test_spills_without_a_seed_are_equidistant() -> None:
    found = schedule('process = "spills"\nrate = "1 MHz"\non = "100.5 us"\noff = "400 us"', 1000)
    assert found.groups == Groups("spill", "event", (100,))
    gaps = np.diff(cycles(found))
    assert set(gaps[np.arange(1, 1000) % 100 != 0].tolist()) == {100}
    assert set(gaps[np.arange(1, 1000) % 100 == 0].tolist()) == {100 * 100 + 50 + 40_000 - 9_900}


def test_jitter_is_uniform_and_leaves_no_memory() -> None:
    text = 'process = "periodic"\nrate = "120 kHz"\njitter = "2 us"\nseed = 9'
    found = schedule(text, 4096)
    due = cycles(found).astype(np.float64)
    period = 1e8 / 120e3
    off = due - np.arange(4096) * period
    off = (off - off.min()) / 400
    assert off.max() == pytest.approx(1, abs=0.02)
    assert kolmogorov(np.sort(off), np.sort(off)) < band(4096) + 0.01
    lagged = np.corrcoef(off[1:], off[:-1])[0, 1]
    assert abs(lagged) < 3.9 / math.sqrt(4096)
    assert due[-1] - due[0] == pytest.approx(4095 * period, abs=401)


def test_poisson_is_what_the_fabric_can_do_of_it() -> None:
    """Gaps are geometric, independent, and as dispersed as they should be."""
    found = schedule('process = "poisson"\nrate = "2 MHz"\nseed = 11', 60_000)
    assert found == schedule('process = "bernoulli"\nrate = "2 MHz"\nseed = 11', 60_000)
    gaps = np.diff(cycles(found))
    # Kolmogorov's distance for a distribution with steps, at the steps.
    values = np.arange(1, gaps.max() + 1)
    seen = np.searchsorted(np.sort(gaps), values, side="right") / len(gaps)
    assert np.abs(seen - (1 - (1 - 0.02) ** values)).max() < band(len(gaps))
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 3.9 / math.sqrt(len(gaps))
    counts = np.bincount(cycles(found) // 5000)[:-1]
    dispersion = counts.var(ddof=1) / counts.mean()
    assert dispersion == pytest.approx(1 - 0.02, abs=3.9 * math.sqrt(2 / len(counts)))


def test_every_seed_is_another_layout() -> None:
    for rest in ('"frames"\nmean = 5', '"spills"\non = "50 us"\noff = "50 us"',
                 '"periodic"\njitter = "100 ns"'):  # fmt: skip
        text = f'process = {rest}\nrate = "500 kHz"\nseed = '
        first, again, other = (schedule(f"{text}{seed}", 100) for seed in (1, 1, 2))
        assert first == again
        assert first.gaps != other.gaps


def test_a_continuous_machine_fills_every_slot() -> None:
    found = schedule('process = "continuous"\nrate = "40.079 MHz"', 3564)
    assert found.gaps is None
    assert found == Schedule.periodic(Fraction(40_079_000), CLOCK, 3564)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('process = "shots"\nrate = "1 MHz"\nshots = 5000\nidle = "1 us"', "has 5,000 events"),
        ('process = "shots"\nrate = "1 MHz"\nshots = 5\nidle = "1 s"', "too long for the fabric"),
        ('process = "shots"\nrate = "200 MHz"\nshots = 5\nidle = "1 s"', "more than one event a"),
        ('process = "spills"\nrate = "1 MHz"\non = "1 s"\noff = "1 s"', "has 1,000,000 events"),
        ('process = "spills"\nrate = "1 MHz"\non = "900 ns"\noff = "1 s"', "too short for one"),
        ('process = "frames"\nrate = "1 Hz"\nmean = 9000\nseed = 1', "has 9,000 events"),
        ('process = "frames"\nrate = "15 Hz"\nmean = 5\nseed = 1\nwindow = "2 us"', "too coarse"),
        ('process = "frames"\nrate = "15 Hz"\nmean = 5\nseed = 1\nwindow = "1 s"', "longer than"),
        ('process = "frames"\nrate = "15 Hz"\nmean = 0\nseed = 1', "mean: must be above 0"),
        ('process = "frames"\nrate = "15 Hz"\nmean = nan\nseed = 1', "mean: must be above 0"),
        ('process = "frames"\nrate = "15 Hz"\nmean = 3', "seed: is needed by process 'frames'"),
        ('process = "periodic"\nrate = "1 MHz"\njitter = "600 ns"\nseed = 1', "half a period"),
        ('process = "periodic"\nrate = "1 MHz"\njitter = "6 ns"', "seed: is needed"),
        ('process = "periodic"\nrate = "1 MHz"\nseed = 1', "no meaning without jitter"),
        ('process = "lhc"\nrate = "1 MHz"\nfilling = "x"\nmean = 3', "mean: has no meaning"),
        ('process = "trace"', "file: is needed"),
        ('process = "trace"\nfile = "x.npy"\nunit = "h"', "not one of the known words"),
        ('process = "poisson"\nrate = "100 MHz"\nseed = 1', "no probability per cycle"),
    ],
)
def test_what_cannot_be_played_is_refused(text: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        schedule(text, 100)


# Groups


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(0, 10**12))
def test_places_count_up_within_their_group(sizes: list[int], first: int) -> None:
    expected = [place for size in sizes for place in range(size)]
    events = np.arange(first, first + 50)
    wanted = [expected[int(event) % len(expected)] for event in events]
    assert Groups("train", "bunch", tuple(sizes)).places(events).tolist() == wanted


@pytest.mark.parametrize("name", FILLING_NAMES)
def test_the_places_of_lhc_events_are_those_of_their_bunches(name: str) -> None:
    text = f'process = "lhc"\nrate = "40.079 MHz"\nfilling = "{name}"'
    groups = schedule(text, 9000).groups
    assert groups is not None
    assert (groups.name, groups.item) == ("train", "bunch")
    orbit = filling(name)
    bunch = orbit.bunch[orbit.slots]
    assert groups.places(np.arange(9000)).tolist() == np.resize(bunch, 9000).tolist()


@pytest.mark.parametrize("sizes", [(), (3, 0)])
def test_a_group_without_events_is_none(sizes: tuple[int, ...]) -> None:
    with pytest.raises(BenchmarkError, match="a frame has no event"):
        Groups("frame", "event", sizes)


# Recorded times


def write(folder: Path, name: str, times: Any) -> Path:
    """Write a file of times in the format that its suffix names."""
    import pandas as pd

    path = folder / name
    if path.suffix == ".npy":
        np.save(path, times, allow_pickle=True)
    elif path.suffix == ".npz":
        np.savez(path, time_ns=times, energy=np.zeros(3))
    elif path.suffix == ".parquet":
        pd.DataFrame({"time_ns": times, "energy": 0.0}).to_parquet(path)
    else:
        pd.DataFrame({"time_ns": times, "energy": 0.0}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".csv"])
@settings(deadline=None, max_examples=15)
@given(steps=st.lists(st.integers(10, 400_000), min_size=2, max_size=40),
       origin=st.integers(0, 2**60))  # fmt: skip
def test_recorded_times_are_replayed_to_the_cycle(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, steps: list[int], origin: int
) -> None:
    times = origin + np.cumsum(steps)
    path = write(tmp_path_factory.mktemp("t"), f"times{suffix}", times)
    unit = 'unit = "ns"' if suffix == ".npy" else ""
    found = schedule(f'process = "trace"\nfile = "{path}"\n{unit}', 3 * len(times))
    due = cycles(found)
    wanted = (times - times[0]) // 10  # 100 MHz
    wanted[1:] = np.maximum(wanted[1:], wanted[:-1] + 1)
    assert (due[: len(times)] - due[0]).tolist() == wanted.tolist()
    # The loop closes with a mean gap, and then repeats.
    turn = due[len(times)] - due[0]
    assert (np.diff(due[:: len(times)]) == turn).all()
    mean = Fraction(int(times[-1] - times[0]), 10 * (len(times) - 1))
    assert turn == math.ceil(Fraction(int(times[-1] - times[0]), 10) + mean)


def test_a_trace_longer_than_the_table_is_replayed_as_far_as_the_run_goes(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", np.arange(10_000) * 1000)
    text = f'process = "trace"\nfile = "{path}"'
    assert len(schedule(text, 4096).gaps or ()) == 4096
    with pytest.raises(BenchmarkError, match=r"replays 4,097 events, .* has 4,096 entries"):
        schedule(text, 9000)


def test_slow_traces_are_coarser_and_right_on_average(tmp_path: Path) -> None:
    times = np.cumsum([2_000_000_000, 10_000_000, 700_000_000, 10_000_000])
    found = schedule(f'process = "trace"\nfile = "{write(tmp_path, "t.parquet", times)}"', 400)
    due = cycles(found)
    assert np.abs(np.diff(due[:4]) - np.diff(times) / 10).max() < 2 * 7e7 / 65533 + 2


@pytest.mark.parametrize(
    ("name", "times", "message"),
    [
        ("a.csv", [3, 2, 5], "time 1 is before the one ahead of it; 2 after 3; sort it"),
        ("a.npy", np.array([1.0, np.nan]), "time 1 is nan"),
        ("a.npy", np.array([1.0, np.inf]), "time 1 is inf"),
        ("a.parquet", [-4, 2], "time 0 is negative: -4"),
        ("a.npy", np.array([], dtype=np.int64), "holds no times"),
        ("a.npy", np.zeros((3, 2)), r"holds float64 of shape \(3, 2\)"),
        ("a.npy", np.array(["1", "2"]), "not a row of numbers"),
        ("a.npy", np.array([1j, 2j]), "not a row of numbers"),
        ("a.npy", np.array([{}, 3], dtype=object), "pickled objects, which are not opened"),
        ("a.npz", np.array([{}, 3, 4], dtype=object), "pickled objects, which are not opened"),
        ("a.csv", ["x", "y"], "not a row of numbers"),
        ("a.csv", [5, 5, 6, 6, 6, 6], "more than one event a clock cycle"),
    ],
)
def test_bad_times_are_named(tmp_path: Path, name: str, times: Any, message: str) -> None:
    path = write(tmp_path, name, times)
    with pytest.raises(BenchmarkError, match=message):
        schedule(f'process = "trace"\nfile = "{path}"\nunit = "ns"', 100)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"nonsense", "cannot be read"),
        ("a.npz", b"PK\x03\x04nonsense", "cannot be read"),
        ("a.parquet", b"PAR1nonsensePAR1", "cannot be read"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read"),
        ("a.csv", b"", "cannot be read"),
        ("a.csv", b"energy\n3\n", "not clear which column; column = .*, one of energy"),
        ("a.csv", b"time\n3\n", "unit of its times is not known"),
        ("a.csv", b"time_s,time_ns\n3,3\n", "not clear which column"),
        ("a.txt", b"3\n", r"no trace that can be read; .*\.parquet"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=message):
        schedule(f'process = "trace"\nfile = "{path}"', 100)
