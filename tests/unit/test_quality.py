"""What a network decided: by hand, by definition, and against what training found."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accelerators.golden import decode_rows, output_rows
from harness.errors import BenchmarkError, InputError, OverlayError, StorageError
from harness.measure.quality import decoder, spec
from harness.measure.quality.assess import Quality, assess, check_required, held_to
from harness.measure.quality.classification import classified, triggered
from harness.measure.quality.intervals import (
    LEAST_FOR_AREA,
    NO_ENDS,
    area,
    mean_of_shares,
    sectioned,
    student,
    wilson,
)
from harness.measure.quality.metric import CannotTellError, Decided, Metric
from harness.measure.quality.regression import estimated, remade
from harness.measure.quality.spec import Classification, Regression
from harness.measure.verdict import judge
from harness.overlay import find_overlay, list_overlays
from harness.report import html, markdown, schema
from harness.report import quality as shown
from harness.report import result as results
from harness.report.store import Stored
from harness.tomlfile import parse, structure
from harness.traffic import Events, Schedule, open_source
from harness.traffic.filling import filling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.overlay import Overlay
    from harness.report.schema import Result
    from tests.unit.conftest import Synthetic

PIXELS = ("row [pixels]", "column [pixels]")
LHC_HZ = 40.079e6 * 2744 / 3564


def decided(
    truth: object, values: object, derived: object = None, labels: str = "", names: Any = ()
) -> Decided:
    return Decided(
        truth=np.asarray(truth),
        values=np.asarray(values, dtype=np.float64),
        derived=None if derived is None else np.asarray(derived),
        labels=tuple(labels),
        truth_names=names,
    )


def by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def values(metrics: Iterable[Metric]) -> dict[str, float | None]:
    return {metric.name: metric.value for metric in metrics}


# Intervals


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_proportion_is_wilsons(case: tuple[int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    hits, events = case
    wanted = stats.binomtest(hits, events).proportion_ci(0.95, method="wilson")
    assert wilson(hits / events, events) == pytest.approx(tuple(wanted), abs=1e-12)


def test_nothing_found_still_has_an_upper_limit() -> None:
    low, high = wilson(0.0, 4025)
    assert low == 0
    assert high == pytest.approx(1.959964**2 / (4025 + 1.959964**2), rel=1e-6)
    assert wilson(1.0, 4025)[0] == pytest.approx(1 - high)
    assert wilson(1.0, 4025)[1] == 1


@pytest.mark.parametrize(("events", "least"), [((85, 75), 0.92), ((1500, 1300), 0.94)])
def test_the_mean_of_two_proportions_is_covered(events: tuple[int, int], least: float) -> None:
    """95 % of experiments of a qubit's readout have the true fidelity in their interval."""
    rng = np.random.default_rng(1)
    true = (0.985, 0.95)
    drawn = [rng.binomial(n, p, 4000) / n for n, p in zip(events, true, strict=True)]
    ends = np.array([mean_of_shares(shares, events) for shares in zip(*drawn, strict=True)])
    inside = (ends[:, 0] <= np.mean(true)) & (np.mean(true) <= ends[:, 1])
    assert least < inside.mean() < 0.97


def test_one_proportion_is_its_own_mean() -> None:
    assert mean_of_shares([0.3], [50]) == pytest.approx(wilson(0.3, 50))


@pytest.mark.parametrize("freedom", [19, 100])
def test_students_quantile(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-5)


SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_the_area_is_the_chance_to_rank_right(background: list[int], signal: list[int]) -> None:
    wins = [1.0 if s > b else 0.5 if s == b else 0.0 for s, b in product(signal, background)]
    found, ends = area(np.array(background), np.array(signal))
    assert found == pytest.approx(sum(wins) / len(wins), abs=1e-12)
    if min(len(background), len(signal)) < LEAST_FOR_AREA or found in {0.0, 1.0}:
        assert ends == NO_ENDS
        return
    assert ends.low is not None
    assert ends.high is not None
    # DeLong's variance by its definition, on the scale of the logit.
    rank = np.array(wins).reshape(len(signal), len(background))
    variance = rank.mean(1).var(ddof=1) / len(signal)
    variance += rank.mean(0).var(ddof=1) / len(background)
    half = 1.959964 * math.sqrt(variance) / (found * (1 - found))
    logits = [math.log(end / (1 - end)) for end in (ends.low, ends.high)]
    middle = math.log(found / (1 - found))
    assert logits == pytest.approx([middle - half, middle + half], abs=1e-4)


def test_sections_cover_the_mean_of_a_series_with_a_memory() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        noise = rng.normal(size=4000)
        series = np.convolve(noise, np.full(10, 0.1), "same")  # each event remembers ten
        _, ends = sectioned(lambda part: float(part.mean()), series)
        assert ends.low is not None
        assert ends.high is not None
        covered += ends.low <= 0 <= ends.high
    assert 0.92 < covered / 400 < 0.98


def test_sections_by_hand() -> None:
    series = np.repeat(np.arange(20.0), 2)  # the means of the sections are 0 to 19
    value, ends = sectioned(lambda part: float(part.mean()), series)
    half = student(19) * math.sqrt(sum((k - 9.5) ** 2 for k in range(20)) / 380)
    assert value == 9.5
    assert ends == pytest.approx((9.5 - half, 9.5 + half))
    assert sectioned(lambda part: float(part.mean()), series[:39]) == (series[:39].mean(), NO_ENDS)
    assert sectioned(lambda part: float(part.mean()), series[:0]) == (None, NO_ENDS)


# Decisions


def test_classes_by_hand() -> None:
    logits = [[3, 1, 0], [0, 5, 1], [9, 1, 1], [0, 0, 1], [2, 2, 0], [1, 3, 0]]
    found = by_name(classified(Classification(), decided([0, 1, 1, 2, 0, 0], logits, labels="aBc")))
    assert values(found.values()) == {
        "accuracy": pytest.approx(4 / 6),
        "efficiency_a": pytest.approx(2 / 3),  # a tie is the first one's
        "efficiency_b": 0.5,
        "efficiency_c": 1.0,
    }
    assert (found["accuracy"].low, found["accuracy"].high) == wilson(4 / 6, 6)
    assert found["efficiency_b"].count == 2


def test_the_fabrics_own_class_counts_and_not_a_second_opinion() -> None:
    task = Classification()
    one = decided([0, 1], [[9, 0], [9, 0]], derived=[1, 1], labels="ab")
    assert values(classified(task, one))["efficiency_a"] == 0.0


def test_a_threshold_is_not_yet_above_it() -> None:
    task = Classification(threshold=Decimal(0), mean="fidelity")
    one = decided([0, 0, 1, 1], [[0], [-1], [1], [0]], labels="01")
    found = values(classified(task, one))
    assert (found["efficiency_0"], found["efficiency_1"]) == (1.0, 0.5)
    assert found["fidelity"] == 0.75


def test_a_class_that_is_not_there_is_not_one_that_fails() -> None:
    task = Classification(mean="fidelity")
    found = by_name(classified(task, decided([0, 0], [[1, 0], [0, 1]], labels="ab")))
    assert found["efficiency_b"].value is None
    assert found["efficiency_b"].reason == "no such events"
    assert found["fidelity"].reason == "not all classes are there"


def test_images_that_come_again_do_not_narrow_the_interval() -> None:
    one = decided(np.zeros(600), np.tile([[1, 0], [0, 1]], (300, 1)), labels="ab")
    again = decided(np.zeros(2400), np.tile([[1, 0], [0, 1]], (1200, 1)), labels="ab")
    first = by_name(classified(Classification(), one))["accuracy"]
    second = by_name(classified(Classification(), replace(again, share=0.25)))["accuracy"]
    assert (first.value, first.low, first.high) == (second.value, second.low, second.high)


def test_the_trigger_rate_is_that_of_the_filled_crossings() -> None:
    """2 of 8 background events are kept; the orbit is counted slot by slot."""
    slots = filling("25ns_2744b_bcms").filled
    filled = sum(1 for slot in slots.tolist() if slot)
    orbit_s = 3564 / 40.079e6
    clock_hz = Fraction(250_000_000)
    schedule = Schedule.lhc(40_079_000, clock_hz, "25ns_2744b_bcms", 1000)
    rate_hz = schedule.mean_rate_per_cycle * float(clock_hz)
    scores = [1, 2, 3, 4, 5, 5, 6, 9, 7, 5]
    one = decided([0] * 8 + [1] * 2, np.zeros((10, 1)), derived=scores, labels="bs")
    found = by_name(triggered("b", 5, rate_hz, one))
    assert found["background_accept"].value == 0.25
    assert found["trigger_rate_hz"].value == pytest.approx(filled / orbit_s / 4, rel=1e-9)
    low, high = wilson(0.25, 8)
    assert found["trigger_rate_hz"].low == pytest.approx(low * filled / orbit_s, rel=1e-9)
    assert found["trigger_rate_hz"].high == pytest.approx(high * filled / orbit_s, rel=1e-9)
    assert found["efficiency_s"].value == 0.5
    assert found["auc_s"].value == pytest.approx((7 + 4 + 0.5 * 2) / 16)
    assert found["auc_s"].reason == "too few events for an interval"


def test_errors_of_a_point_by_hand() -> None:
    one = decided([[1, 1], [2, 2]], [[4, 5], [2, 2]], names=PIXELS)
    found = by_name(estimated(Regression(distance=True), one))
    assert found["rms_error_pixels"].value == pytest.approx(math.sqrt((9 + 16) / 4))
    assert found["bias_row_pixels"].value == 1.5
    assert found["bias_column_pixels"].value == 2.0
    assert found["mean_distance_pixels"].value == 2.5
    assert found["median_distance_pixels"].unit == "pixels"
    assert found["rms_error_pixels"].reason == "too few events for an interval"


def test_a_late_output_is_held_against_the_event_that_it_is_about() -> None:
    """Turns of 4 events, 1 event late: the first output of a turn is about nothing."""
    energies = np.array([[1.0], [2.0], [4.0], [8.0]] * 2)
    outputs = np.array([[99.0], [64.0], [128.0], [256.0]] * 2)
    outputs[-1] += 64  # one error of 1 GeV in 6 events
    task = Regression(scale=Decimal(64), delay=1, turn=4, pooled=True, large=Decimal(3))
    found = by_name(estimated(task, decided(energies, outputs, names=("energy_0 [GeV]",))))
    assert found["rms_error_gev"].count == 6
    assert found["rms_error_gev"].value == pytest.approx(math.sqrt(1 / 6))
    assert found["bias_gev"].value == pytest.approx(1 / 6)
    assert found["large_bias_gev"].value == 0.5  # of the two deposits of 4 GeV
    assert found["large_bias_gev"].count == 2
    with pytest.raises(CannotTellError, match="1 events before"):
        list(estimated(task, decided(energies[:1], outputs[:1], names=("energy_0 [GeV]",))))


def test_a_phase_knows_that_180_degrees_are_minus_180() -> None:
    angles = np.radians([[179.0, -179.0], [0.0, 3.0], [20.0, 90.0]])
    size = np.array([[1.0], [0.5], [0.1]])  # the last one has no phase to speak of
    found, truth = (
        np.stack([np.sin(column), np.cos(column)], axis=1) * size for column in angles.T
    )
    task = Regression(phase_above=Decimal("0.25"))
    metric = by_name(estimated(task, decided(truth, found, names=("sin", "cos"))))[
        "phase_error_deg"
    ]
    assert metric.value == pytest.approx(math.sqrt((4 + 9) / 2))
    assert metric.count == 2


def test_what_a_code_is_worth_by_hand() -> None:
    true = np.array([[0.5, 0.5], [0.0, 0.0]])
    decoded = np.array([[0.4, 0.3], [0.2, 0.0]])
    found = values(remade(decoded, true, 4, 16))
    assert found["rms_error"] == pytest.approx(math.sqrt((0.01 + 0.04 + 0.04) / 4))
    assert found["missed_share_of_squares"] == pytest.approx(0.05 / 0.5)
    assert found["misplaced_share_of_charge"] == pytest.approx(0.3)
    assert found["compression"] == 4


@pytest.mark.parametrize(
    ("task", "one", "says"),
    [
        (Classification(), decided([0], [[1, 2]], labels="abc"), "3 classes, the network tells 2"),
        (Classification(), decided([[0]], [[1]], names=("x",)), "no classes"),
        (Regression(), decided([[0]], [[1, 2]], names=("x",)), "1 true quantities"),
        (
            Regression(),
            decided([[0, 1]], [[1, 2]], names=("x [m]", "y [s]")),
            "several units: m, s",
        ),
        (Regression(phase_above=Decimal(0)), decided([[0]], [[1]], names=("x",)), "a cosine"),
    ],
)
def test_what_the_truth_does_not_answer_is_not_guessed(task: Any, one: Decided, says: str) -> None:
    judged = classified if isinstance(task, Classification) else estimated
    with pytest.raises(CannotTellError, match=says):
        list(judged(task, one))


# From the overlays' folders


def held_out(overlay: Overlay) -> tuple[Events, dict[str, Any]]:
    """Return the very events on which training found its figures."""
    training = spec.training_of(overlay)
    told = training["held_out"]
    source = told.get("source", training["training"]["source"])
    found = open_source(source, overlay.input.format, overlay.input.values)
    events = found.generate(told["events"], told["events_seed"])
    assert events.sha256 == told["events_sha256"]
    return events, told


def worth(overlay: Overlay, events: Events, rate_hz: float = LHC_HZ) -> dict[str, Metric]:
    assert overlay.model is not None
    source = open_source(events.name, overlay.input.format, overlay.input.values)
    rows = output_rows(overlay.model, events.raw, overlay.output.width_bits)
    quality = assess(overlay, overlay.model, source, events, rows, rate_hz)
    assert quality.reason == ""
    return by_name(quality.metrics)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("jet_tagger", 1),
        ("qubit_readout", 1),
        ("binary_digits", 1),
        ("spiking_digits", 1),
        ("lar_energy", 4),
        ("tokamak_camera", 2),
        ("bragg_peaks", 3),
        ("ecal_compressor", 3),
    ],
)
def test_on_the_events_of_training_its_figures_come_out(name: str, figures: int) -> None:
    """Two ways to the same number: training's own arithmetic, and that of a run's report."""
    overlay = find_overlay(name)
    found = worth(overlay, held_out(overlay)[0])
    beside = {key: metric for key, metric in found.items() if metric.quantised is not None}
    assert len(beside) == figures
    for metric in beside.values():
        places = 4 if metric.unit == "deg" else 5  # that training.toml has at least
        assert metric.value == pytest.approx(metric.quantised, abs=10**-places * 0.6)
        assert metric.floating is not None


def test_the_anomaly_trigger_on_the_events_of_training() -> None:
    """Two million background events leave 64, 987.4 Hz of 30.9 MHz."""
    overlay = find_overlay("anomaly_trigger")
    told = spec.training_of(overlay)["held_out"]
    stream = overlay.input

    def made(source: str, kind: str) -> Events:
        generator = open_source(source, stream.format, stream.values)
        return generator.generate(told[f"{kind}_events"], told[f"{kind}_seed"])

    usual, rare = made("l1_objects_background", "background"), made("l1_objects_mixed", "rare")
    signal = rare.truth > 0
    both = replace(
        usual,
        raw=np.concatenate([usual.raw, rare.raw[signal]]),
        truth=np.concatenate([usual.truth, rare.truth[signal]]),
    )
    found = worth(overlay, both)
    assert found["background_accept"].value == 64 / 2_000_000
    assert found["trigger_rate_hz"].value == pytest.approx(987.4, abs=0.05)
    for metric in found.values():
        if metric.quantised is not None and metric.unit == "":
            assert metric.value == pytest.approx(metric.quantised, abs=6e-7)
    assert len([metric for metric in found.values() if metric.quantised is not None]) == 7


def test_a_trigger_rate_of_other_beams_has_no_figure_beside_it() -> None:
    overlay = find_overlay("anomaly_trigger")
    events = open_source("l1_objects", overlay.input.format, 57).generate(64, 1)
    found = worth(overlay, events, rate_hz=1e6)
    assert found["trigger_rate_hz"].quantised is None
    assert found["auc_dijet"].quantised is not None


def test_every_network_says_what_is_asked_of_it() -> None:
    """A new network without the file would have runs that say nothing of its decisions."""
    for name in list_overlays():
        overlay = find_overlay(name)
        assert (spec.find(overlay) is not None) == (overlay.model is not None), name


@pytest.mark.parametrize("name", ["jet_tagger", "anomaly_trigger", "lar_energy", "qubit_readout"])
def test_outputs_are_read_as_they_were_packed(name: str) -> None:
    overlay = find_overlay(name)
    assert overlay.model is not None
    raw = open_source("noise", overlay.input.format, overlay.input.values).generate(50, 3).raw
    rows = output_rows(overlay.model, raw, overlay.output.width_bits)
    found, derived = decode_rows(overlay.model, rows)
    forward = overlay.model.forward(raw)
    assert (found == forward).all()
    derive = overlay.model.stage.derive
    if derive is None:
        assert derived is None
    else:
        assert derived is not None
        assert (derived == derive(forward)).all()


# When nothing may be said


def assessed(name: str, source: str, model: Any = None) -> Quality:
    overlay = find_overlay(name)
    made = open_source(source, overlay.input.format, overlay.input.values)
    events = made.generate(64, 1)
    used = model or overlay.model
    golden = (
        np.zeros((64, overlay.output.event_bytes), np.uint8)
        if used is None
        else output_rows(used, events.raw, overlay.output.width_bits)
    )
    return assess(overlay, used, made, events, golden, 1e6)


def test_without_truth_there_is_a_reason_and_no_number() -> None:
    for name, source, says in (
        ("jet_tagger", "noise", "source noise have no truth"),
        ("dial", "noise", "no network"),
    ):
        quality = assessed(name, source)
        assert quality.metrics == ()
        assert says in quality.reason


def test_other_weights_have_neither_this_decoder_nor_these_figures() -> None:
    overlay = find_overlay("ecal_compressor")
    assert overlay.model is not None
    quality = assessed("ecal_compressor", "trigger_cells", replace(overlay.model))
    assert quality.metrics == ()
    assert "other weights" in quality.reason
    jets = find_overlay("jet_tagger")
    assert jets.model is not None
    found = by_name(assessed("jet_tagger", "jets", replace(jets.model)).metrics)
    assert found["accuracy"].value is not None
    assert found["accuracy"].quantised is None


def test_only_outputs_that_were_verified_count(synthetic: Synthetic) -> None:
    quality = assessed("jet_tagger", "jets")
    evidence = synthetic.evidence()
    assert held_to(quality, evidence) == quality
    wrong = synthetic.count(evidence, mismatches=1)
    for found, says in (
        (held_to(quality, wrong), "not those of the reference"),
        (held_to(quality, replace(evidence, compared=False, crc_expected=None)), "not compared"),
        (held_to(quality, evidence, "interrupted"), "did not finish: interrupted"),
        (held_to(quality, synthetic.count(evidence, completed=63)), "63 events came out, fewer"),
    ):
        assert found.metrics == ()
        assert says in found.reason


# What is required


def limit(synthetic: Synthetic, *limits: str) -> Any:
    return synthetic.evidence(*(f"require.quality.{item}" for item in limits))


ACCURACY = Quality("classification", 100, 100, (Metric("accuracy", 0.8, 0.7, 0.87, count=100),))


@pytest.mark.parametrize(
    ("item", "outcome", "effects"),
    [
        ("accuracy_min=0.69", "pass", []),
        ("accuracy_min=0.8", "pass", ["note"]),
        ("accuracy_min=0.81", "fail", ["fail"]),
        ("accuracy_max=0.9", "pass", []),
        ("accuracy_max=0.85", "pass", ["note"]),
        ("accuracy_max=0.79", "fail", ["fail"]),
    ],
)
def test_a_limit_is_held_against_value_and_interval(
    synthetic: Synthetic, item: str, outcome: str, effects: list[str]
) -> None:
    verdict = judge(limit(synthetic, item), None, ACCURACY)
    assert verdict.outcome == outcome
    assert [reason.effect for reason in verdict.reasons] == effects


def test_what_cannot_be_said_does_not_pass(synthetic: Synthetic) -> None:
    evidence = synthetic.count(limit(synthetic, "accuracy_min=0.1"), mismatches=1)
    verdict = judge(evidence, None, held_to(ACCURACY, evidence))
    assert verdict.outcome == "fail"
    assert "accuracy cannot be stated, but is required" in {r.what for r in verdict.reasons}


def test_a_limit_on_nothing_is_refused_before_the_run(synthetic: Synthetic) -> None:
    required = synthetic.benchmark("require.quality.acuracy_min=0.5").require.quality
    with pytest.raises(
        BenchmarkError, match=r"require.quality.acuracy_min.*did you mean 'accuracy'"
    ):
        check_required(required, ACCURACY)
    with pytest.raises(BenchmarkError, match=r"no metric.*no truth"):
        check_required(required, ACCURACY.withheld("no truth"))
    missing = replace(ACCURACY, metrics=(Metric("acuracy", None, reason="no such events"),))
    with pytest.raises(BenchmarkError, match=r"cannot be stated.*no such events"):
        check_required(required, missing)


@pytest.mark.parametrize("item", ["accuracy=0.5", "accuracy_min=true", 'accuracy_min="x"'])
def test_what_is_no_limit_is_refused(synthetic: Synthetic, item: str) -> None:
    with pytest.raises(BenchmarkError, match="quality"):
        synthetic.benchmark(f"require.quality.{item}")


def test_benchmarks_without_such_limits_keep_their_digests(synthetic: Synthetic) -> None:
    before = "619f8489c02cfdebf64eb1e45d146145ece0af3726507bf6c41593424edf0d4b"
    assert synthetic.benchmark().digest == before
    assert synthetic.benchmark("require.quality.accuracy_min=0.5").digest != before


# In results and reports

NAMED = Metric("auc_<b>x</b>", 0.5, 0.25, 0.75, count=9, method="DeLong", quantised=0.4)
LOST = Metric("rms_error_gev", None, unit="GeV", reason="no such events")


def with_quality(synthetic: Synthetic, quality: Quality | None) -> Result:
    return results.build(replace(synthetic.record(synthetic.evidence()), quality=quality))


def test_a_result_is_read_back_and_older_ones_are_too(synthetic: Synthetic) -> None:
    new = with_quality(synthetic, Quality("trigger", 9, 9, (NAMED, LOST)))
    assert schema.check(json.loads(json.dumps(new)), "x") == new
    old = with_quality(synthetic, None)
    assert "quality" not in old
    assert schema.check(json.loads(json.dumps(old)), "x") == old
    assert (shown.line(old), list(shown.rows(old)), shown.columns(old)) == ("", [], {})


def test_a_broken_metric_is_no_result(synthetic: Synthetic) -> None:
    new: Any = with_quality(synthetic, Quality("trigger", 9, 9, (NAMED,)))
    new["quality"]["metrics"][0]["value"] = "0.5"
    with pytest.raises(StorageError, match=r"quality\.metrics\.value is of the wrong type"):
        schema.check(new, "x")


def test_metrics_become_rows(synthetic: Synthetic) -> None:
    result = with_quality(synthetic, Quality("trigger", 9, 7, (NAMED, LOST)))
    assert [tuple(row) for row in shown.rows(result)] == [
        ("auc <b>x</b>", "0.5000", "0.25 to 0.75", "9", "-", "0.4000"),
        ("rms error, GeV", "no such events", "-", "0", "-", "-"),
    ]
    assert shown.line(result) == (
        "trigger of 9 different events, 7 independent; the outputs of all 5,000 played are "
        "bit-exact"
    )
    withheld = with_quality(synthetic, Quality("trigger", 9, 9, reason="no truth"))
    assert shown.line(withheld) == "not stated: no truth"
    assert withheld["quality"]["metrics"] is None


def test_a_name_from_outside_stays_text(synthetic: Synthetic) -> None:
    result = with_quality(synthetic, Quality("trigger", 9, 9, (NAMED,)))
    stored = Stored(Path("x"), result, {}, None)
    for page in (html.render([stored]), markdown.summary([stored])):
        assert "<b>x" not in page
        assert "auc" in page


def test_what_was_dropped_is_said(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(depth=1, ii=12)
    quality = Quality("trigger", 9, 9, (NAMED,))
    result = results.build(replace(synthetic.record(evidence), quality=quality))
    dropped = result["events"]["dropped"]
    assert dropped
    assert shown.line(result).endswith(f"bit-exact; {dropped:,} were dropped and decide nothing")


# Files that people write


def parsed(text: str) -> spec.Spec:
    return structure(parse(text, "q", OverlayError), spec.Spec, "q", OverlayError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema = 1", "needs one task; it has none"),
        ("schema = 1\n[classification]\n[regression]", "classification, regression"),
        ("schema = 2\n[classification]", "reads schema 1"),
        ("schema = 1\n[classification]\ntreshold = 1", "did you mean 'threshold'"),
        ("schema = 1\n[regression]\nscale = 0", "regression.scale.*above 0"),
        ("schema = 1\n[regression]\ndelay = -1", "must not be negative"),
        ('schema = 1\n[classification]\nmean = "<b>"', "classification.mean.*not the name"),
        ("schema = 1\n[classification]\n[independent]\njets = 0", "independent.jets"),
        ('schema = 1\n[reconstruction]\ndecoder = "x"\nend = "y"', "known words"),
    ],
)
def test_a_wrong_file_is_refused_by_key(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parsed(text)


def test_a_figure_must_be_there() -> None:
    found = parsed('schema = 1\n[classification]\n[figures]\naccuracy = "a.{}_b"')
    training: dict[str, Any] = {"a": {"float_b": 1, "quantised_b": "no number"}}
    with pytest.raises(OverlayError, match=r"no number 'a.quantised_b'"):
        spec.figures(found, training, Path("q"))
    training["a"]["quantised_b"] = Decimal("0.5")
    assert spec.figures(found, training, Path("q")) == {"accuracy": (1.0, 0.5)}


def test_a_decoder_computes_its_layers(tmp_path: Path) -> None:
    arrays = {
        "weights_0": np.array([[1.0, -1.0]], np.float32),
        "bias_0": np.array([0.0, 0.5], np.float32),
        "weights_1": np.array([[2.0, 0.0], [1.0, 0.0]], np.float32),
        "bias_1": np.array([0.0, 0.0], np.float32),
    }
    np.savez(tmp_path / "d.npz", **arrays)
    plain = decoder.load(tmp_path / "d.npz", shares=False)
    assert (plain.inputs, plain.outputs) == (1, 2)
    assert plain(np.array([[3.0], [0.25]])).tolist() == [[6.0, 0.0], [0.75, 0.0]]
    shares = decoder.load(tmp_path / "d.npz", shares=True)
    assert shares.outputs == 1
    assert shares(np.array([[3.0]]))[0, 0] == pytest.approx(math.exp(6) / (1 + math.exp(6)))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_damaged_decoder_is_an_error_and_no_surprise(data: st.DataObject) -> None:
    content = bytearray((find_overlay("ecal_compressor").folder / "decoder.npz").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content[:cut])
        file.flush()
        # A flipped bit that the archive does not notice is no error; nothing else may come.
        with contextlib.suppress(OverlayError):
            decoder.load(Path(file.name), shares=True)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "holds nothing"),
        ({"weights_0": np.ones((2, 2)), "bias_1": np.ones(2)}, "is no decoder"),
        ({"weights_0": np.ones((2, 3)), "bias_0": np.ones(2)}, "layer 0 does not fit"),
        ({"weights_0": np.full((2, 2), np.nan), "bias_0": np.ones(2)}, "finite"),
        ({"weights_0": np.ones(4), "bias_0": np.ones(2)}, "right shape"),
        ({"weights_0": np.array([[None]]), "bias_0": np.ones(1)}, "cannot be read"),
    ],
)
def test_what_is_no_decoder_is_refused(tmp_path: Path, arrays: Any, says: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(OverlayError, match=says):
        decoder.load(tmp_path / "d.npz", shares=False)
