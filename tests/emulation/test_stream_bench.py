"""The instrument against theory: on `dial`, every number the fabric gives is known beforehand."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.fabric.plan import RunPlan
from harness.fabric.samples import Samples
from harness.measure.queueing import Departures, finite_queue
from harness.overlay import find_overlay
from harness.session import Session
from harness.traffic import Schedule
from tests.emulation.conftest import Open

pytestmark = pytest.mark.xdist_group("dial")

EVENTS = 3000
DISTINCT = 64
CLOCK_HZ = 200_000_000
ROWS: NDArray[np.uint8] = np.frombuffer(
    np.random.default_rng(5).bytes(4 * DISTINCT), np.uint8
).reshape(DISTINCT, 4)

ARRIVALS = {
    "periodic": Schedule.periodic(33_300_000, CLOCK_HZ, EVENTS),
    "lhc": Schedule.lhc(40_079_000, CLOCK_HZ, "25ns_2744b_bcms", EVENTS),
    "bernoulli": Schedule.bernoulli(30_000_000, CLOCK_HZ, 12345, EVENTS),
    "gaps": Schedule(EVENTS, gaps=(1, 1, 1, 40, 2, 2, 9, 17)),
}


@dataclass(frozen=True)
class Dial:
    session: Session

    def play(
        self,
        schedule: Schedule,
        interval: int,
        delay: int,
        depth: int,
        *,
        jitter_mask: int = 0,
        cycle_init: int = 0,
        deadline: int = 60,
        rows: NDArray[np.uint8] = ROWS,
        golden: NDArray[np.uint8] = ROWS,
        beats: int = 1,
        trace_start: int = 0,
    ) -> Samples:
        bench = self.session.bench
        bench.reset()
        registers = {r.name: r.offset for r in find_overlay("dial").accelerator.registers}
        for name, value in (
            ("INITIATION_INTERVAL", interval),
            ("DELAY", delay),
            ("JITTER_MASK", jitter_mask),
            ("SEED", 99),
        ):
            bench.set_accelerator(registers[name], value)
        bench.load_events(rows)
        bench.load_golden(golden)
        bench.arm(
            RunPlan(
                schedule=schedule,
                distinct=len(rows),
                in_beats=beats,
                out_beats=beats,
                derandomiser=depth,
                deadline_cycles=deadline,
                trace_start=trace_start,
                cycle_init=cycle_init,
            )
        )
        assert bench.play(expected_ns=int(schedule.expected_cycles() * 1e9 / CLOCK_HZ) + 1)
        return bench.read_out(trace=4096)


@pytest.fixture(scope="module")
def dial(opened: Open) -> Dial:
    return Dial(opened("dial"))


def check_against_theory(
    samples: Samples, schedule: Schedule, theory: Departures, deadline: int = 60
) -> None:
    """Every counter, histogram bin and traced stamp equals what the recursion says."""
    due = schedule.cycles(0, schedule.events)
    kept = np.flatnonzero(~theory.dropped)
    trace, counters = samples.trace, samples.counters
    n = trace.event.size
    assert n == min(4096, kept.size)
    np.testing.assert_array_equal(trace.event, kept[:n])
    np.testing.assert_array_equal(trace.scheduled, due[kept[:n]])
    np.testing.assert_array_equal(trace.accepted, theory.accepted[kept[:n]])
    np.testing.assert_array_equal(trace.done, theory.done[kept[:n]])

    latencies = {
        "wait": theory.accepted[kept] - due[kept],
        "service": theory.done[kept] - theory.accepted[kept],
        "total": theory.done[kept] - due[kept],
    }
    for kind, histogram in samples.histograms().items():
        cycles = latencies[kind]
        bins = np.bincount(cycles, minlength=histogram.counts.size)
        np.testing.assert_array_equal(histogram.counts, bins[: histogram.counts.size])
        assert histogram.overflow == bins[histogram.counts.size :].sum()
        assert (histogram.count, histogram.total) == (cycles.size, cycles.sum())
        assert (histogram.minimum, histogram.maximum) == (cycles.min(), cycles.max())

    assert counters.faults == ()
    assert counters.scheduled == schedule.events
    assert counters.accepted == counters.completed == kept.size
    assert counters.dropped == theory.dropped.sum()
    assert counters.in_flight == 0
    assert counters.deadline_misses == np.count_nonzero(latencies["total"] > deadline)
    assert counters.occupancy_sum == latencies["total"].sum()  # Little's law on this very path
    assert counters.max_depth == most_waiting(due[kept], theory.accepted[kept])
    assert counters.mismatches == 0
    sent = b"".join(ROWS[k % DISTINCT].tobytes() for k in kept)
    assert counters.crc == zlib.crc32(sent)


def most_waiting(due: NDArray[np.int64], accepted: NDArray[np.int64]) -> int:
    """Events due by the end of a cycle and not accepted by then, at the worst cycle."""
    waiting = np.arange(1, due.size + 1) - np.searchsorted(accepted, due, side="right")
    return int(waiting.max(initial=0))


@pytest.mark.parametrize("depth", [1, 7, 500])
@pytest.mark.parametrize("interval", [1, 6, 11])
@pytest.mark.parametrize("arrival", ARRIVALS)
def test_every_stamp_follows_the_lindley_recursion(
    dial: Dial, arrival: str, interval: int, depth: int
) -> None:
    schedule = ARRIVALS[arrival]
    samples = dial.play(schedule, interval, 23, depth)
    theory = finite_queue(schedule.cycles(0, EVENTS), interval, 23, depth)
    check_against_theory(samples, schedule, theory)


@pytest.mark.parametrize("cycle_init", [2**31 - 50, 2**31 - 1, 2**32 - 1, 2**32 - 5000])
def test_results_do_not_depend_on_where_the_counter_starts(dial: Dial, cycle_init: int) -> None:
    schedule = ARRIVALS["lhc"]
    samples = dial.play(schedule, 6, 23, 7, cycle_init=cycle_init)
    theory = finite_queue(schedule.cycles(0, EVENTS), 6, 23, 7)
    check_against_theory(samples, schedule, theory)


@pytest.mark.parametrize(
    ("gap", "interval", "depth"), [(3, 7, 1), (1, 2, 3), (5, 6, 20), (2, 9, 4)]
)
def test_periodic_overload_drops_what_d_d_1_k_says(
    dial: Dial, gap: int, interval: int, depth: int
) -> None:
    schedule = Schedule(EVENTS, gaps=(gap,))
    samples = dial.play(schedule, interval, 20, depth)
    places = depth + 1
    n = np.arange(EVENTS)
    backlog = n - np.minimum(n, n * gap // interval)
    first_drop = int(np.argmax(backlog >= places))
    assert samples.trace.event[:first_drop].tolist() == list(range(first_drop))
    assert first_drop not in samples.trace.event
    # Long-run fraction 1 - T/II for K >= 2: to within the queue's content over the run.
    expected = EVENTS * (1 - gap / interval)
    assert abs(samples.counters.dropped - expected) <= places + 1


def test_jitter_moves_service_but_no_acceptance(dial: Dial) -> None:
    schedule = ARRIVALS["periodic"]
    samples = dial.play(schedule, 6, 23, 16, jitter_mask=15)
    theory = finite_queue(schedule.cycles(0, EVENTS), 6, 23, 16)
    np.testing.assert_array_equal(
        samples.trace.accepted, theory.accepted[: samples.trace.event.size]
    )
    service = samples.trace.done - samples.trace.accepted
    assert samples.service.minimum == service.min() == 23
    assert samples.service.maximum == service.max() > 30
    assert np.all(np.diff(samples.trace.done) > 0)
    np.testing.assert_array_equal(
        np.bincount(service, minlength=samples.service.counts.size), samples.service.counts
    )
    assert samples.counters.occupancy_sum == samples.total.total


def test_events_of_several_beats_keep_order_and_content(dial: Dial) -> None:
    rows = np.frombuffer(np.random.default_rng(1).bytes(12 * 20), np.uint8).reshape(20, 12)
    schedule = Schedule(EVENTS, gaps=(9, 2, 1))
    samples = dial.play(schedule, 4, 10, 500, rows=rows, golden=rows, beats=3)
    accepted, done = samples.trace.accepted, samples.trace.done
    assert samples.counters.mismatches == 0
    assert samples.counters.output_beats == 3 * samples.counters.completed
    theory = finite_queue(schedule.cycles(0, EVENTS), 4, 12, 500)  # latency DELAY + beats - 1
    np.testing.assert_array_equal(accepted, theory.accepted[samples.trace.event])
    np.testing.assert_array_equal(done, theory.done[samples.trace.event])


def test_one_flipped_output_bit_is_found_and_named(dial: Dial) -> None:
    golden = ROWS.copy()
    golden[17, 2] ^= 0x10
    samples = dial.play(ARRIVALS["periodic"], 1, 5, 16, golden=golden)
    assert samples.counters.first_mismatch == 17
    assert samples.counters.mismatches == len(range(17, EVENTS, DISTINCT))


def test_latencies_beyond_the_last_bin_are_counted_not_clipped(dial: Dial) -> None:
    schedule = Schedule(1200, gaps=(1,))
    samples = dial.play(schedule, 13, 20, 500)
    assert samples.wait.maximum is not None
    assert samples.wait.maximum > samples.wait.counts.size
    assert samples.wait.overflow > 0
    assert samples.wait.counts.sum() + samples.wait.overflow == samples.wait.count
    assert samples.total.total == samples.counters.occupancy_sum


def test_the_trace_can_begin_anywhere(dial: Dial) -> None:
    whole = dial.play(ARRIVALS["lhc"], 6, 23, 7).trace
    later = dial.play(ARRIVALS["lhc"], 6, 23, 7, trace_start=2000).trace
    from_there = whole.event >= 2000
    for name in ("event", "scheduled", "accepted", "done"):
        np.testing.assert_array_equal(getattr(later, name), getattr(whole, name)[from_there])


def test_the_same_run_twice_gives_the_same_samples(dial: Dial) -> None:
    first = dial.play(ARRIVALS["bernoulli"], 6, 23, 7)
    second = dial.play(ARRIVALS["bernoulli"], 6, 23, 7)
    assert first.counters == second.counters
    np.testing.assert_array_equal(first.trace.done, second.trace.done)


def test_a_stalled_accelerator_ends_the_run_and_not_the_harness(dial: Dial) -> None:
    """An initiation interval of 2^31 cycles is as good as never."""
    bench = dial.session.bench
    dial.play(ARRIVALS["periodic"], 1, 5, 4)
    bench.reset()
    bench.set_accelerator(0, 2**31)
    schedule = Schedule(100, gaps=(5,))
    bench.arm(RunPlan(schedule, DISTINCT, 1, 1, 200, 60))
    assert not bench.play(expected_ns=2_500)
    samples = bench.read_out(trace=10)
    assert samples.counters.accepted == 1
    assert samples.counters.in_flight == 99
    dial.play(ARRIVALS["periodic"], 1, 5, 4)  # and the next run is well again
