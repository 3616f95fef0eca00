"""The memory model against its own figures: latency, bandwidth, rows, refresh, limits, data."""

from __future__ import annotations

import ctypes
import math
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.architecture.devices import find_device
from harness.emulation.build import HEADERS
from harness.emulation.fabric import parameters_of
from harness.memories import MEMORIES, Memory

BASE = 0x6000_0000
SIZE = 1 << 20
CLOCK_HZ = 200e6
CYCLE_NS = 1e9 / CLOCK_HZ
BEAT = 64
ALL = pytest.mark.parametrize("memory", MEMORIES.values(), ids=lambda memory: memory.name)


@dataclass(frozen=True)
class Played:
    """Cycles in which bursts were accepted, and gave their first and last beats."""

    accepted: list[int]
    first: list[int]
    last: list[int]
    sum: int
    errors: int


class Probe:
    """A compiled model."""

    def __init__(self, folder: Path) -> None:
        source, library = Path(__file__).with_name("memory_probe.cpp"), folder / "probe.so"
        include = f"-I{HEADERS[0].parent}"
        command = ["g++", "-O1", "-std=gnu++17", "-shared", "-fPIC", "-Wall", "-Werror", include]
        subprocess.run([*command, str(source), "-o", str(library)], check=True)
        self._play = ctypes.CDLL(str(library)).probe
        self.arena = np.random.default_rng(1).integers(0, 256, SIZE, np.uint8)

    def play(
        self,
        memory: Memory,
        addresses: list[int],
        beats: int = 1,
        *,
        beat_bytes: int = BEAT,
        gap: int = 0,
        one_by_one: bool = False,
    ) -> Played:
        """Play bursts of as many beats at offsets into the arena."""
        count = len(addresses)
        times: list[NDArray[np.uint64]] = [np.zeros(count, np.uint64) for _ in range(3)]
        asked = np.array(addresses, np.uint64) + np.uint64(BASE)
        lengths = np.full(count, beats, np.uint32)
        total, errors = ctypes.c_uint64(0), ctypes.c_int(0)
        parameters = parameters_of(memory)
        u64, pointer = ctypes.c_uint64, ctypes.c_void_p
        status = self._play(
            ctypes.byref(parameters), u64(round(CYCLE_NS * 1e6)), pointer(self.arena.ctypes.data),
            u64(BASE), u64(SIZE), pointer(asked.ctypes.data), pointer(lengths.ctypes.data),
            ctypes.c_size_t(count), ctypes.c_uint32(beat_bytes), u64(gap), int(one_by_one),
            u64(10_000_000), *(pointer(item.ctypes.data) for item in times), ctypes.byref(total),
            ctypes.byref(errors),
        )  # fmt: skip
        assert status == 0
        accepted, first, last = ([int(value) for value in item] for item in times)
        return Played(accepted, first, last, total.value, errors.value)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    return Probe(tmp_path_factory.mktemp("probe"))


def steady(memory: Memory) -> Memory:
    """Return a memory that needs no refresh."""
    return replace(memory, refresh_every_ns=1e9, refresh_ns=0.0)


def cycles(ns: float) -> int:
    """Return the cycle in which something offered after a time is seen, to the femtosecond."""
    return math.ceil(round(ns * 1e6) / round(CYCLE_NS * 1e6))


def beat_ns(memory: Memory, beat_bytes: int) -> float:
    """Return what a beat needs behind its first granule, on the bus or through the port."""
    granules = -(-beat_bytes // memory.granule_bytes)
    bus = (granules - 1) * memory.granule_bytes * 1e9 / memory.bytes_per_s
    port = (-(-beat_bytes // memory.port_bytes) - 1) * CYCLE_NS
    return max(bus, port)


@ALL
@pytest.mark.parametrize("beat_bytes", [16, 32, 64])
def test_an_access_takes_the_stated_latency(probe: Probe, memory: Memory, beat_bytes: int) -> None:
    """First a closed row, then the same row again: the difference is what a miss costs."""
    quiet = steady(memory)
    found = probe.play(quiet, [0, beat_bytes], 1, beat_bytes=beat_bytes, one_by_one=True)
    later = beat_ns(memory, beat_bytes)
    closed, open_ = (last - start for start, last in zip(found.accepted, found.last, strict=True))
    assert closed == pytest.approx(cycles(memory.latency_ns + memory.row_miss_ns + later), abs=0)
    assert open_ == cycles(memory.latency_ns + later)


@ALL
def test_random_rows_of_one_bank_all_miss(probe: Probe, memory: Memory) -> None:
    """Rows of the same bank, each other than the one before: every access costs a miss."""
    stride = memory.row_bytes * memory.banks
    places = [stride * index for index in range(8)]
    found = probe.play(steady(memory), places, 1, one_by_one=True)
    cost = cycles(memory.latency_ns + memory.row_miss_ns + beat_ns(memory, BEAT))
    took = [last - start for start, last in zip(found.accepted, found.last, strict=True)]
    assert took == [cost] * len(places)


@ALL
def test_other_banks_are_opened_meanwhile(probe: Probe, memory: Memory) -> None:
    """Rows one after the other lie in other banks, so that a stream does not feel their misses."""
    quiet = steady(memory)
    burst = 8 * BEAT
    places = [burst * index for index in range(SIZE // burst)]
    found = probe.play(quiet, places, 8)
    cheap = replace(quiet, row_miss_ns=0.0)
    free = probe.play(cheap, places, 8)
    # Where a row is opened anew in a bank that was used long ago, the queue in front hides it.
    assert found.last[-1] - free.last[-1] < 0.05 * free.last[-1]


@ALL
def test_a_sequential_stream_reaches_the_stated_bandwidth(probe: Probe, memory: Memory) -> None:
    burst = 8 * BEAT
    places = [burst * (index % (SIZE // burst)) for index in range(4000)]
    free = replace(memory, bursts=64)
    found = probe.play(free, places, 8)
    rate = (len(places) - 1) * burst / (found.last[-1] - found.last[0])
    # A beat of the master crosses in a cycle at best, however wide the port.
    assert rate == pytest.approx(min(free.bytes_per_cycle(CLOCK_HZ), BEAT), rel=0.01)


@ALL
def test_refresh_costs_its_share_of_the_bus(probe: Probe, memory: Memory) -> None:
    """Behind a port that is no limit, the bus gives its peak less the refresh."""
    wide = replace(memory, port_bytes=4096, bursts=64, bytes_per_s=2_000_000_000)
    burst = 8 * BEAT
    places = [burst * (index % (SIZE // burst)) for index in range(4000)]
    found = probe.play(wide, places, 8)
    rate = (len(places) - 1) * burst / (found.last[-1] - found.last[0]) * CLOCK_HZ
    assert rate == pytest.approx(wide.sustained_bytes_per_s, rel=0.01)
    assert rate < 0.985 * wide.bytes_per_s


def test_one_burst_at_a_time_waits_for_the_one_before(probe: Probe) -> None:
    alone = replace(steady(MEMORIES["ddr4-zcu104"]), bursts=1)
    found = probe.play(alone, [512 * index for index in range(6)], 8)
    assert all(
        later > last for later, last in zip(found.accepted[1:], found.last[:-1], strict=True)
    )
    two = probe.play(replace(alone, bursts=2), [512 * index for index in range(6)], 8)
    assert two.accepted[1] == two.accepted[0] + 1
    assert two.accepted[2] > two.last[0]


def test_a_beat_smaller_than_a_granule_shares_it(probe: Probe) -> None:
    """Eight beats of 8 bytes are one granule of 64, not eight."""
    memory = replace(steady(MEMORIES["ddr4-zcu104"]), bytes_per_s=64_000_000)  # a microsecond each
    found = probe.play(memory, [0], 8, beat_bytes=8)
    assert found.last[0] - found.first[0] == 7
    found = probe.play(memory, [0], 16, beat_bytes=8)
    assert found.last[0] - found.accepted[0] > 200


@given(
    memory=st.sampled_from(list(MEMORIES.values())),
    places=st.lists(st.integers(0, SIZE // 512 - 1), min_size=1, max_size=40),
    beats=st.integers(1, 8),
    gap=st.integers(0, 60),
)
def test_data_are_those_of_memory_in_order_and_never_early(
    probe: Probe, memory: Memory, places: list[int], beats: int, gap: int
) -> None:
    found = probe.play(memory, [512 * place for place in places], beats, gap=gap)
    meant = sum(int(probe.arena[512 * p : 512 * p + beats * BEAT].sum()) for p in places)
    assert found.sum == meant
    assert found.errors == 0
    assert found.last == sorted(found.last)
    least = cycles(memory.latency_ns)
    for start, first, last in zip(found.accepted, found.first, found.last, strict=True):
        assert first - start >= least
        assert last - first >= beats - 1


def test_outside_the_arena_is_an_error(probe: Probe) -> None:
    found = probe.play(MEMORIES["ddr4-zcu104"], [SIZE - BEAT, SIZE], 1)
    assert found.errors == 1


def test_the_same_bursts_take_the_same_time(probe: Probe) -> None:
    places = [int(p) * BEAT for p in np.random.default_rng(5).integers(0, SIZE // BEAT - 8, 500)]
    first, second = (probe.play(MEMORIES["ddr3-pynq-z2"], places, 2, gap=3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("name", "device", "share"),
    [
        ("ddr3-pynq-z2", "pynq-z2", 1), ("ddr4-zcu104", "zcu104", 1), ("hbm2-u55c-1pc", "u55c", 32),
    ],
)  # fmt: skip
def test_figures_are_those_of_the_table_of_devices(name: str, device: str, share: int) -> None:
    """Two tables that disagree would make a bound and its measurement two different things."""
    memory, (known,) = MEMORIES[name], find_device(device).memory or ()
    assert known.peak_gbps is not None
    assert memory.bytes_per_s == pytest.approx(float(known.peak_gbps.value) * 1e9 / share, rel=1e-6)
    for mine, theirs in (
        (memory.banks, known.banks),
        (memory.row_bytes, known.row_bytes),
        (memory.granule_bytes, known.burst_bytes),
        (memory.refresh_ns, known.refresh_ns),
        (memory.refresh_every_ns, known.refresh_interval_ns),
        (memory.latency_ns, known.access_hit_ns),
    ):
        if theirs is not None:
            assert mine == float(theirs)
    assert memory.row_miss_ns == pytest.approx(known.row_miss_ns)


def test_every_memory_has_sources_and_says_what_it_assumes() -> None:
    for memory in MEMORIES.values():
        assert memory.sources
        assert all(hasattr(memory, name) for name in memory.assumed)
