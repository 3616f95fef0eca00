"""The page on runs with weights in memory: measured beside what the memory allows."""

from __future__ import annotations

import copy
import csv
import re
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark import ExternalMemory
from harness.fabric.weights import OffChip
from harness.overlay import find_overlay, project_root
from harness.report import html
from harness.report import result as results
from harness.report.html import deduced, resident, series, throughput
from harness.report.html.series import Run
from harness.report.schema import check
from harness.report.store import Stored
from tests.unit.conftest import Synthetic
from tests.unit.test_html import HOSTILE, well_formed

OVERLAY = find_overlay("weight_streaming")
ROWS = 68
MEMORIES = ("ddr3-pynq-z2", "ddr4-zcu104")
BOUND_HZ = {  # as benchmarks/memory/knee.py wrote them
    (row["memory"], int(row["resident_rows"])): float(row["bound_khz"]) * 1e3
    for row in csv.DictReader(
        (project_root() / "benchmarks" / "memory" / "knees.csv").read_text().splitlines()
    )
}


def stored(model: str | None, rows: float, completed_hz: float | None, **changes: Any) -> Stored:
    synthetic = Synthetic()
    result: Any = synthetic.result()[0]
    result["overlay"] = {"name": OVERLAY.name, "digest": OVERLAY.digest}
    result["rate"] = {"target_hz": 5e6, "achieved_hz": completed_hz}
    result["memory"] = {
        "model": model,
        "outstanding": 4,
        "bytes_fetched": 0,
        "bytes_used": 0,
        "bytes_per_inference": 48.0 * (ROWS - rows),
        "bytes_per_inference_expected": 0,
        "resident_share": rows / ROWS,
        "stalled_cycles": 0,
    }
    for key, value in changes.items():
        result[key] = {**result[key], **value} if isinstance(value, dict) else value
    return Stored(Path(f"{model}-{rows}"), check(result, "here"), {}, None)


def collected(*runs: Stored) -> list[throughput.Throughput]:
    return throughput.collect(
        [Run(item, deduced.deduce(item.result, None), f"r{k}") for k, item in enumerate(runs)]
    )


def ladder(*rates_hz: float, lossy_from: float) -> list[Stored]:
    return [
        stored(
            "ddr3-pynq-z2",
            0,
            min(rate, lossy_from),
            rate={"target_hz": rate},
            events={"dropped": 7 if rate >= lossy_from else 0},
        )
        for rate in rates_hz
    ]


def test_what_is_measured_lies_on_the_curve_of_its_memory() -> None:
    runs = [stored(name, rows, BOUND_HZ[name, rows]) for name in MEMORIES for rows in (0, 32, 68)]
    (found,) = collected(*runs)
    assert [curve.memory for curve in found.curves] == list(MEMORIES)
    for curve in found.curves:
        assert len(curve.bound) == 18  # rows are kept in groups of four
        known = {round(share * ROWS): rate for share, rate in curve.bound}
        for rows in (0, 16, 32, 48, 60, 68):
            assert known[rows] == pytest.approx(BOUND_HZ[curve.memory, rows], rel=1e-5)
    assert "agree within 0" in resident.agreement(found)
    page = resident.section(found, "m")
    well_formed(html.render(runs))
    for number in range(2):
        (line,) = re.findall(rf'd="M([^"]*)" class="curve memory{number}"', page)
        corners = {tuple(round(float(x)) for x in at.split()) for at in line.split("L")}
        dots = re.findall(rf'cx="([^"]*)" cy="([^"]*)" r="4" class="dot memory{number}"', page)
        assert len(dots) == 3
        assert {(round(float(x)), round(float(y))) for x, y in dots} <= corners
    assert "asked for: 5 MHz" in page
    assert page.count("<tr>") == 1 + len(runs)


def test_many_rates_are_marks_at_the_edge() -> None:
    rates = [BOUND_HZ["ddr3-pynq-z2", 0] * factor for factor in (0.5, 0.7, 0.9, 0.95, 1.2)]
    (found,) = collected(*ladder(*rates, lossy_from=BOUND_HZ["ddr3-pynq-z2", 0]))
    page = resident.section(found, "m")
    assert page.count('class="mark full"') == 5
    assert "Marks on the right: what was asked for" in page
    assert "asked for: " not in page.replace(": what was asked for", "")


@pytest.mark.parametrize(
    ("factor", "told"), [(0.89, True), (0.91, False), (1.09, False), (1.11, True)]
)
def test_more_than_ten_percent_off_is_said(factor: float, told: bool) -> None:
    bound = BOUND_HZ["ddr4-zcu104", 0]
    (found,) = collected(
        stored("ddr4-zcu104", 0, factor * bound),
        stored("ddr4-zcu104", 68, BOUND_HZ["ddr4-zcu104", 68]),
    )
    words = resident.agreement(found)
    assert ("differ by more than 10 % in 1: ddr4-zcu104, 0 % resident" in words) == told
    assert ('r="6"' in resident.section(found, "m")) == told


def test_a_run_that_keeps_up_is_held_to_what_was_asked_for() -> None:
    (found,) = collected(
        stored("ddr3-pynq-z2", 0, 10e3, rate={"target_hz": 10e3}),
        stored("ddr3-pynq-z2", 16, 5e3, rate={"target_hz": 10e3}),
    )
    assert [point.ratio for point in found.points] == [1.0, 0.5]
    assert "more than 10 % in 1:" in resident.agreement(found)
    assert "5 kHz completed of 10 kHz expected" in resident.agreement(found)


def test_a_knee_is_enclosed_by_rates_and_compared_with_the_bound() -> None:
    def knee(*rates_hz: float, lossy_from: float) -> tuple[float, float, bool | None] | None:
        (found,) = collected(*ladder(*rates_hz, lossy_from=lossy_from))
        (curve,) = found.curves
        told = [(k.below.offered_hz, k.above.offered_hz, k.agrees) for k in curve.knees]
        assert len(told) < 2
        words = resident.agreement(found)
        assert ("The knee lies" in words) == bool(told and told[0][2])
        assert ("events are lost somewhere" in words) == bool(told and told[0][2] is False)
        return told[0] if told else None

    # The bound is 466 kHz.
    assert knee(400e3, 460e3, 470e3, 600e3, lossy_from=465e3) == (460e3, 470e3, True)
    assert knee(300e3, 350e3, 400e3, lossy_from=390e3) == (350e3, 400e3, False)
    assert knee(600e3, 530e3, lossy_from=590e3) == (530e3, 600e3, False)
    assert knee(300e3, 400e3, lossy_from=465e3) is None  # nothing was lost
    assert knee(500e3, 600e3, lossy_from=465e3) is None  # from the first on


def test_another_design_or_memory_has_points_and_no_bound() -> None:
    for changes in ({"overlay": {"digest": "0" * 32}}, {"overlay": {"name": "<gone>"}}):
        (found,) = collected(*(stored("ddr4-zcu104", rows, 1e6, **changes) for rows in (0, 68)))
        assert found.curves[0].bound == []
        assert resident.agreement(found).startswith("No bound")
        page = resident.section(found, "m")
        assert page.count("<circle") == 2
        assert "<path" not in page
    (found,) = collected(stored(None, 0, 1e6), stored("ddr9", 0, 1e6))
    assert [curve.memory for curve in found.curves] == ["ddr9", throughput.OWN]
    assert resident.agreement(found).startswith("No bound")


def test_one_case_is_no_figure_and_what_is_not_believed_is_left_out() -> None:
    one = stored("ddr4-zcu104", 0, 1e6)
    assert collected(one, copy.deepcopy(one)) == []
    bad = stored("ddr4-zcu104", 68, 1e6, verdict="invalid")
    assert collected(one, bad) == []
    (found,) = collected(one, bad, stored("ddr4-zcu104", 16, 1e6))
    assert (len(found.points), found.left_out) == (2, 1)
    assert collected(one, stored("ddr4-zcu104", 16, 1e6, memory={"outstanding": 1})) == []


def test_runs_that_differ_in_what_is_resident_are_no_series_of_rates() -> None:
    def runs(*rows: int) -> list[Run]:
        made = [
            stored("ddr4-zcu104", count, 1e6, rate={"target_hz": (k + 1) * 1e6})
            for k, count in enumerate(rows)
        ]
        return [Run(item, deduced.deduce(item.result, None), "r") for item in made]

    assert series.collect(runs(0, 16)) == []
    assert len(series.collect(runs(16, 16))) == 1


@pytest.mark.parametrize(
    "memory",
    [
        {"resident_share": -1.0}, {"resident_share": 1e19}, {"outstanding": 0},
        {"outstanding": 1 << 63}, {"model": HOSTILE}, {"bytes_per_inference": None},
    ],
)  # fmt: skip
def test_nothing_in_a_result_breaks_the_page(memory: dict[str, Any]) -> None:
    runs = [stored("ddr4-zcu104", rows, None) for rows in (0, 16)]
    runs += [stored("ddr4-zcu104", rows, 1e6, memory=memory) for rows in (0, 68)]
    for clock_hz in (1e-9, 200e6, 1e19):
        changed = [copy.deepcopy(run) for run in runs]
        for run in changed:
            run.result["clock"]["measured_hz"] = clock_hz
        page = well_formed(html.render(changed))
        assert "Weights from memory" in page.text()


def test_a_result_names_its_memory(synthetic: Synthetic) -> None:
    off_chip = OffChip(6600, 6528, 12, 16, 68, 2, 3264)

    def model(chosen: str | None, board: str) -> str | None:
        evidence = synthetic.evidence()
        if chosen is not None:
            object.__setattr__(evidence.benchmark, "memory", ExternalMemory(chosen))
        record = synthetic.record(
            evidence, off_chip=off_chip, facts={"target": {"board": board}, "versions": {}}
        )
        found = check(results.build(record), "here")
        assert found["memory"]["outstanding"] == 2
        return found["memory"]["model"]

    assert model(None, "pynq-z2") == "ddr3-pynq-z2"
    assert model("hbm2-u55c", "pynq-z2") == "hbm2-u55c"
    assert model(None, "breadboard") is None
