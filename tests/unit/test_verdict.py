from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.measure.verdict import Verdict, interrupted, judge
from harness.session import Clock

if TYPE_CHECKING:
    from harness.measure.evidence import Evidence
    from tests.unit.conftest import Synthetic


def found(verdict: Verdict) -> list[tuple[str, str]]:
    for reason in verdict.reasons:
        assert reason.what
        assert reason.evidence
        assert reason.recommendation
    return [(reason.effect, reason.what) for reason in verdict.reasons]


def changed(evidence: Evidence, kind: str, **changes: Any) -> Evidence:
    assert evidence.samples is not None
    part = dataclasses.replace(getattr(evidence.samples, kind), **changes)
    samples: Any = dataclasses.replace(evidence.samples, **{kind: part})
    return dataclasses.replace(evidence, samples=samples)


EVERYTHING = (
    "require.drops=0",
    "require.deadline_misses=0",
    "require.bit_exact=true",
    "require.max_depth=0",
    "require.min_rate_ratio=1",
    "require.wait_max=1 cycles",
    "require.service_p50=26 cycles",
    "require.total_p99=130 ns",
    "require.total_p999=130 ns",
    "require.total_max=26 cycles",
)


def test_a_sound_run_passes_with_all_that_it_just_meets(synthetic: Synthetic) -> None:
    assert judge(synthetic.evidence(*EVERYTHING)) == Verdict("pass", ())


@pytest.mark.parametrize(
    ("requirement", "what"),
    [
        ("require.service_p50=25 cycles", "service_p50 is above its limit"),
        ("require.total_p99=129.99 ns", "total_p99 is above its limit"),
        ("require.total_max=25 cycles", "total_max is above its limit"),
    ],
)
def test_a_latency_above_its_limit_fails(synthetic: Synthetic, requirement: str, what: str) -> None:
    verdict = judge(synthetic.evidence(*EVERYTHING, requirement))
    assert verdict.outcome == "fail"
    assert found(verdict) == [("fail", what)]


def test_limits_in_ns_follow_the_measured_clock(synthetic: Synthetic) -> None:
    slow = Clock(200e6, 200e6, 200e6, 199.9e6)
    evidence = synthetic.evidence("require.total_max=130 ns", clock=slow)
    assert found(judge(evidence)) == [("fail", "total_max is above its limit")]
    assert judge(synthetic.evidence("require.total_max=26 cycles", clock=slow)).outcome == "pass"


def test_an_overloaded_accelerator_fails_by_name(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(
        "require.drops=0",
        "require.max_depth=5",
        "require.min_rate_ratio=0.99",
        ii=12,
        depth=6,
        crc_expected=None,
    )
    assert evidence.samples is not None
    misses = evidence.samples.counters.deadline_misses
    assert misses > 0
    verdict = judge(evidence)
    assert verdict.outcome == "fail"
    assert found(verdict) == [
        ("fail", "events were dropped"),
        ("fail", "events queued too deep"),
        ("fail", "the accelerator did not keep up"),
    ]
    assert evidence.achieved_hz is not None
    # One event each twelve cycles instead of ten.
    assert float(evidence.achieved_hz / evidence.target_hz) == pytest.approx(10 / 12, abs=2e-3)
    strict = judge(synthetic.evidence("require.deadline_misses=0", ii=12, depth=6))
    assert ("fail", "events missed the deadline") in found(strict)


def test_what_is_not_required_does_not_fail(synthetic: Synthetic) -> None:
    assert judge(synthetic.evidence(ii=12, depth=6)).outcome == "pass"


def test_rates_are_exact(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(schedule_cycles=50_000)
    assert evidence.target_hz == 20_000_000
    assert evidence.achieved_hz == 20_000_000
    slower = dataclasses.replace(evidence, clock=Clock(200e6, 200e6, 200e6, 199.99e6))
    assert slower.achieved_hz == 19_999_000
    cut = synthetic.count(evidence, scheduled=100, completed=90, run_cycles=1000)
    assert cut.achieved_hz == Fraction(90, 1000) * 200_000_000


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"faults": ("age_alarm",)}, "the fabric raised the fault age_alarm"),
        ({"scheduled": 4999}, "not all events came due"),
        ({"accepted": 4999}, "events were lost or multiplied"),
        ({"accepted": 5001}, "events were lost or multiplied"),
        ({"dropped": 1}, "events were lost or multiplied"),
        ({"completed": 4999}, "events are still in flight"),
        ({"completed": 4999}, "the wait histogram does not hold all completed events"),
        ({"completed": 5001}, "events were lost or multiplied"),
        ({"max_depth": 65}, "more events waited than the derandomiser may hold"),
        ({"occupancy_sum": 26 * 5000 + 1}, "latencies contradict the events in the system"),
        ({"deadline_misses": 1}, "deadline misses contradict the histogram"),
        ({"run_cycles": 40_000}, "the schedule did not take the time it should"),
        ({"run_cycles": 52_000}, "the schedule did not take the time it should"),
    ],
)
def test_counters_that_do_not_add_up_make_a_run_invalid(
    synthetic: Synthetic, changes: dict[str, Any], what: str
) -> None:
    verdict = judge(synthetic.count(synthetic.evidence(*EVERYTHING), **changes))
    assert verdict.outcome == "invalid"
    assert ("invalid", what) in found(verdict)


@pytest.mark.parametrize("kind", ["wait", "service", "total"])
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"count": 4999}, "does not hold all completed events"),
        ({"overflow": 1}, "does not hold all completed events"),
        ({"minimum": 300}, "contradicts its extremes"),
        ({"maximum": 300}, "contradicts its extremes"),
        ({"maximum": None}, "contradicts its extremes"),
        ({"total": 1}, "contradicts its sum"),
    ],
)
def test_histograms_that_contradict_themselves_make_a_run_invalid(
    synthetic: Synthetic, kind: str, changes: dict[str, Any], what: str
) -> None:
    verdict = judge(changed(synthetic.evidence(), kind, **changes))
    assert verdict.outcome == "invalid"
    assert ("invalid", f"the {kind} histogram {what}") in found(verdict)


def test_sums_beyond_the_bins_are_checked_against_each_other(synthetic: Synthetic) -> None:
    # Everything waits beyond the last bin; the sums are all there is.
    due = np.zeros(400, dtype=np.int64)
    samples = synthetic.samples(due, 300, 400, 400, bins=256)
    assert samples.total.overflow == 400
    evidence = synthetic.evidence("run.events=400", samples=samples, schedule_cycles=120_000)
    evidence = synthetic.count(evidence, deadline_misses=400, max_depth=64)
    assert judge(evidence) == Verdict("pass", ())
    assert samples.total.total == samples.wait.total + samples.service.total
    broken = changed(evidence, "wait", total=samples.wait.total + 1)
    assert found(judge(broken)) == [("invalid", "wait and service do not add up to total")]


@pytest.mark.parametrize(
    ("clock", "what"),
    [
        (Clock(200e6, 200e6, 187.5e6, 187.5e6), "the board cannot make the clock"),
        (Clock(200e6, 200e6, 200e6, 100e6), "the clock does not run as it was set"),
        (Clock(200e6, 200e6, 200e6, 200.21e6), "the clock does not run as it was set"),
        (Clock(200e6, 200e6, 199.79e6, 199.79e6), "the board cannot make the clock"),
    ],
)
def test_a_wrong_clock_makes_a_run_invalid(synthetic: Synthetic, clock: Clock, what: str) -> None:
    verdict = judge(synthetic.evidence(clock=clock))
    assert verdict.outcome == "invalid"
    assert [text.startswith(what) for _, text in found(verdict)] == [True]


def test_a_clock_within_its_tolerance_is_believed(synthetic: Synthetic) -> None:
    clock = Clock(250e6, 200e6, 199.81e6, 199.99e6)
    assert judge(synthetic.evidence(clock=clock)) == Verdict("pass", ())


def test_a_clock_beyond_the_design_is_noted(synthetic: Synthetic) -> None:
    verdict = judge(synthetic.evidence(clock=Clock(100e6, 200e6, 200e6, 200e6)))
    assert verdict.outcome == "pass"
    assert found(verdict) == [("note", "the clock is faster than the overlay was built for")]


def test_wrong_outputs_fail_where_exactness_is_required(synthetic: Synthetic) -> None:
    for changes in ({"mismatches": 3, "first_mismatch": 17}, {"crc": 5}):
        wrong = synthetic.count(synthetic.evidence("require.bit_exact=true"), **changes)
        assert wrong.bit_exact is False
        assert found(judge(wrong)) == [("fail", "outputs are not those of the golden model")]
        noted = synthetic.count(synthetic.evidence("require.bit_exact=false"), **changes)
        assert judge(noted).outcome == "pass"
        assert found(judge(noted)) == [("note", "outputs are not those of the golden model")]


def test_the_first_wrong_event_is_named(synthetic: Synthetic) -> None:
    wrong = synthetic.count(synthetic.evidence(), mismatches=3, first_mismatch=0)
    assert "3 of 5000 beats differ, first in event 0" in judge(wrong).reasons[0].evidence


def test_exactness_cannot_be_required_without_a_comparison(synthetic: Synthetic) -> None:
    blind: Any = {"compared": False, "crc_expected": None}
    evidence = synthetic.evidence("require.bit_exact=true", **blind)
    assert evidence.bit_exact is None
    assert found(judge(evidence)) == [("invalid", "outputs were not compared")]
    assert judge(synthetic.evidence(**blind)).outcome == "pass"
    # A CRC alone will do, and so will the comparison alone.
    assert synthetic.evidence(compared=False).bit_exact is True
    assert synthetic.evidence(crc_expected=None).bit_exact is True
    # Mismatches mean nothing if nothing was compared.
    assert synthetic.count(synthetic.evidence(compared=False), mismatches=9).bit_exact is True


def test_a_percentile_of_too_few_events_makes_a_run_invalid(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence("run.events=298", "require.total_p99=1 us")
    verdict = judge(evidence)
    assert verdict.outcome == "invalid"
    assert "needs 299" in verdict.reasons[0].evidence
    assert verdict.reasons[0].recommendation == "raise run.events"
    enough = synthetic.evidence("run.events=299", "require.total_p99=1 us")
    assert judge(enough).outcome == "pass"


def test_a_percentile_beyond_the_bins_makes_a_run_invalid(synthetic: Synthetic) -> None:
    due = np.zeros(400, dtype=np.int64)
    samples = synthetic.samples(due, 3, 26, 400, bins=512)
    evidence = synthetic.evidence(
        "run.events=400",
        "require.total_p99=1 us",
        "require.total_max=9 us",
        samples=samples,
        schedule_cycles=1,
        queue_limit=400,
    )
    verdict = judge(evidence)
    assert [reason.what[:9] for reason in verdict.reasons] == ["total_p99"]
    assert "histogram_bins" in verdict.reasons[0].recommendation


def test_invalid_beats_fail_and_comes_first(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence("require.total_max=1 ns")
    verdict = judge(synthetic.count(evidence, faults=("bad_command",)))
    assert verdict.outcome == "invalid"
    assert [effect for effect, _ in found(verdict)] == ["invalid", "fail"]


def test_failures_come_before_notes(synthetic: Synthetic) -> None:
    fast = Clock(100e6, 200e6, 200e6, 200e6)
    verdict = judge(synthetic.evidence("require.total_max=1 ns", clock=fast))
    assert [effect for effect, _ in found(verdict)] == ["fail", "note"]


def test_short_runs_are_not_blamed_for_draining(synthetic: Synthetic) -> None:
    for events in (1, 2, 10):
        evidence = synthetic.evidence(f"run.events={events}", "require.min_rate_ratio=1")
        assert judge(evidence).outcome == "pass", events


def test_random_schedules_may_deviate_by_chance_only(synthetic: Synthetic) -> None:
    bernoulli = ("arrival.process=bernoulli", "arrival.seed=1")
    for share, outcome in ((1.05, "pass"), (1.2, "invalid")):
        evidence = synthetic.evidence(*bernoulli)
        expected = round(evidence.schedule_cycles * share)
        found_by = judge(dataclasses.replace(evidence, schedule_cycles=expected))
        assert found_by.outcome == outcome
    periodic = synthetic.evidence(schedule_cycles=round(1.05 * 50_000))
    assert judge(periodic).outcome == "invalid"


def test_stamps_must_run_forwards(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence()
    assert evidence.samples is not None
    trace = evidence.samples.trace
    for name, values in (
        ("event", trace.event[::-1]),
        ("scheduled", trace.accepted + 1),
        ("accepted", trace.done + 1),
        ("done", trace.done[::-1]),
    ):
        verdict = judge(changed(evidence, "trace", **{name: np.ascontiguousarray(values)}))
        assert [effect for effect, _ in found(verdict)] == ["invalid"]


def test_interrupted_runs_say_so(synthetic: Synthetic) -> None:
    assert judge(synthetic.evidence(samples=None)).outcome == "interrupted"
    verdict = interrupted("Ctrl-C")
    assert verdict.outcome == "interrupted"
    assert found(verdict) == [("interrupted", "the run did not finish")]
    assert synthetic.evidence(samples=None).achieved_hz is None
    assert synthetic.evidence(samples=None).bit_exact is None
