"""What a run says of the network's decisions: from the benchmark file to the reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import harness
from harness.cli import main
from harness.measure.quality.intervals import wilson
from harness.pytest_plugin.runs import BenchmarkRun
from harness.report import store

if TYPE_CHECKING:
    from pathlib import Path

CROSSINGS_HZ = 40.079e6 * 2744 / 3564


def run(
    capsys: pytest.CaptureFixture[str], out: Path, benchmark: str, *more: str
) -> tuple[int, dict[str, Any]]:
    status = main(["run", benchmark, "--out", str(out), "--json", *more])
    return status, json.loads(capsys.readouterr().out)


def metrics(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in result["quality"]["metrics"]}


def trained_lies_within(metric: dict[str, Any]) -> bool:
    """Whether what training found on other events is in the interval of this run."""
    return bool(metric["low"] <= metric["trained_quantised"] <= metric["high"])


def test_a_classification(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, result = run(capsys, tmp_path, "smoke/jet_tagger")
    assert status == 0
    found = metrics(result)
    accuracy = found["accuracy"]
    # 20,000 were played, but the interval is that of 1,024.
    assert result["quality"]["events"] == {
        "distinct": 1024,
        "independent": 1024,
        "compared": 20_000,
        "dropped": 0,
    }
    assert (accuracy["low"], accuracy["high"]) == wilson(accuracy["value"], 1024)
    assert trained_lies_within(accuracy)
    each = [found[f"efficiency_{label}"] for label in "gqwzt"]
    right = sum(item["value"] * item["events"] for item in each)
    assert right / 1024 == pytest.approx(accuracy["value"])
    stored = store.load(store.list_runs(tmp_path)[0])
    properties = BenchmarkRun(stored.result, {}, None, tmp_path).properties()
    assert properties["quality_accuracy"] == accuracy["value"]
    row = harness.load_results(tmp_path).iloc[0]
    assert row.quality_accuracy == accuracy["value"]
    assert (row.quality_accuracy_low, row.quality_accuracy_high) == wilson(accuracy["value"], 1024)


def test_a_trigger_states_its_rate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, result = run(
        capsys,
        tmp_path,
        "detectors/anomaly_trigger",
        *("--set", "run.events=8192", "--set", "require.quality.trigger_rate_hz_max=1000"),
    )
    assert status == 0
    found = metrics(result)
    rate, accept = found["trigger_rate_hz"], found["background_accept"]
    assert rate["unit"] == "Hz"
    for end in ("value", "low", "high"):
        assert rate[end] == pytest.approx(accept[end] * CROSSINGS_HZ, rel=1e-9)
    assert rate["events"] == accept["events"] > 3900
    for name in ("trigger_rate_hz", "efficiency_dijet", "efficiency_invisible", "auc_invisible"):
        assert trained_lies_within(found[name]), name
    # None of some 4,000 is kept, which does not prove less than 1 kHz of 31 MHz.
    assert [reason["effect"] for reason in result["reasons"]] == ["note"]
    assert "do not prove it" in result["reasons"][0]["what"]


def test_a_regression_has_units(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, result = run(capsys, tmp_path, "smoke/bragg_peaks")
    assert status == 0
    found = metrics(result)
    assert all(item["unit"] == "pixels" for item in found.values())
    assert trained_lies_within(found["mean_distance_pixels"])
    assert found["rms_error_pixels"]["value"] == pytest.approx(0.0455, abs=5e-5)


def test_a_short_run_does_not_claim_what_it_did_not_play(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, result = run(capsys, tmp_path, "smoke/jet_tagger", "--set", "run.events=100")
    assert metrics(result)["accuracy"]["events"] == 100


def test_a_wish_that_no_number_can_fulfil_costs_no_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for benchmark, key, says in (
        ("smoke/jet_tagger", "acuracy_min", "did you mean 'accuracy'?"),
        ("smoke/dial", "accuracy_min", "the overlay has no network"),
    ):
        wish = f"require.quality.{key}=0.5"
        assert main(["run", benchmark, "--out", str(tmp_path), "--set", wish]) == 2
        assert says in capsys.readouterr().err
    assert not list(tmp_path.glob("*/result.json"))


def test_all_reports_show_the_decisions(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "smoke/jet_tagger", "--out", str(tmp_path / "r")]) == 0
    shown = capsys.readouterr().out
    page, text = tmp_path / "r.html", tmp_path / "r.md"
    assert main(["report", str(tmp_path / "r"), "-o", str(page), "--markdown", str(text)]) == 0
    for report in (shown, page.read_text(), text.read_text()):
        assert "efficiency z" in report
        assert "0.7588" in report  # the accuracy found
        assert "0.7636" in report  # and that of training
    assert "What the network decided" in page.read_text()
