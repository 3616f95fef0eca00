"""Where weights lived is part of every result, and of a run's page."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from harness.architecture.residency import Residency, residency, trigger_class
from harness.overlay import Overlay, find_overlay
from harness.report import result as results
from harness.report import text
from harness.report.html import architecture
from harness.report.schema import check
from tests.unit.conftest import Synthetic


def off_chip(overlay: Overlay) -> Overlay:
    accelerator = dataclasses.replace(overlay.accelerator, weights="off-chip")
    changed = dataclasses.replace(overlay, accelerator=accelerator)
    object.__setattr__(changed, "root", overlay.root)
    return changed


def test_weights_are_part_of_the_design_unless_the_manifest_says_otherwise() -> None:
    tagger = find_overlay("jet_tagger")
    found = residency(tagger)
    assert (found.weights, found.off_chip_bytes) == ("on-chip", 0)
    assert found.bytes == 3409
    assert trigger_class(found) == (True, "")
    assert residency(find_overlay("dial")).weights == "none"


def test_weights_off_chip_cost_what_was_counted_and_are_no_trigger() -> None:
    tagger = off_chip(find_overlay("jet_tagger"))
    assert residency(tagger).off_chip_bytes is None  # not counted is not zero
    found = residency(tagger, counted_bytes=1704.5)
    assert (found.weights, found.off_chip_bytes) == ("off-chip", 1704.5)
    assert trigger_class(found) == (False, "weights are fetched from external memory")


def test_the_key_leaves_digests_of_old_designs_alone() -> None:
    tagger = find_overlay("jet_tagger")
    image = tagger.image("zcu104")  # refuses an image of another digest
    assert image.digest == tagger.digest
    assert off_chip(tagger).digest != tagger.digest


def test_a_result_says_where_the_weights_lived(synthetic: Synthetic) -> None:
    where = Residency("off-chip", 3409, 1704.5, "counted in the run")
    record = synthetic.record(synthetic.evidence(), residency=where)
    found = check(results.build(record), "here")
    assert found["weights"] == {
        "residency": "off-chip",
        "bytes": 3409,
        "off_chip_bytes_per_inference": 1704.5,
        "basis": "counted in the run",
    }
    assert text.weights(found) == "off-chip, 3,409 bytes; off chip for every event: 1,704.50 bytes"


def test_results_from_before_are_still_read(synthetic: Synthetic) -> None:
    found, _ = synthetic.result()
    assert found["weights"] is None
    assert text.weights(found) == ""
    del found["weights"]
    assert text.weights(check(found, "here")) == ""


def page_of(synthetic: Synthetic, **changes: Any) -> str | None:
    found: Any = synthetic.result()[0]
    found["overlay"] = {"name": "jet_tagger", "digest": find_overlay("jet_tagger").digest}
    found["facts"]["target"] = {"board": "zcu104"}
    found |= changes
    deduced = SimpleNamespace(orbit=None, process="periodic")
    run: Any = SimpleNamespace(result=found, deduced=deduced)
    return architecture.of_run(run)


def test_a_runs_page_says_whether_it_must_be_on_chip(synthetic: Synthetic) -> None:
    section = page_of(synthetic)
    assert section is not None
    assert "zcu104: must be on chip" in section
    assert "an event every 49.99 ns, budget 200 ns" in section  # the rate as scheduled
    assert "Computed, not measured" in section


@pytest.mark.parametrize(
    "changes",
    [
        {"overlay": {"name": "jet_tagger", "digest": "0" * 32}},  # another version of the design
        {"overlay": {"name": "dial", "digest": "0" * 32}},
        {"overlay": {"name": "<gone>", "digest": "0" * 32}},
        {"facts": {}},
        {"facts": {"target": {"board": "breadboard"}}},
        {"rate": {"target_hz": 0, "achieved_hz": None}},
    ],
)
def test_where_that_cannot_be_asked_a_page_says_nothing(
    synthetic: Synthetic, changes: dict[str, Any]
) -> None:
    assert page_of(synthetic, **changes) is None
