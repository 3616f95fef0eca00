"""The time to decision is counted from the last sample, or not stated."""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, cast

import numpy as np
from rich.console import Console

from harness.measure.decision import decision
from harness.report import result as results
from harness.report import schema, terminal

if TYPE_CHECKING:
    from harness.fabric.samples import Samples
    from harness.report.schema import Result
    from tests.unit.conftest import Synthetic


def played(synthetic: Synthetic, *services: int, refused: int = 0, bins: int = 512) -> Samples:
    samples = synthetic.evidence().samples
    assert samples is not None
    service = synthetic.histogram(np.array(services, dtype=np.int64), bins)
    counters = dataclasses.replace(samples.counters, stall_cycles=refused)
    return dataclasses.replace(samples, service=service, counters=counters)


def result_of(synthetic: Synthetic, samples: Samples, beats: int) -> Result:
    evidence = dataclasses.replace(synthetic.evidence(), samples=samples)
    return results.build(synthetic.record(evidence, input_beats=beats))


def shown(result: Result) -> str:
    buffer = io.StringIO()
    terminal.show(result, {}, None, Console(file=buffer, width=120, highlight=False))
    return buffer.getvalue()


def test_service_less_the_window(synthetic: Synthetic) -> None:
    found = decision(played(synthetic, *[406] * 400, *[411] * 3), 400)
    assert [item.cycles for item in (found.minimum, found.p99, found.maximum)] == [7, 7, 12]


def test_refused_beats_make_it_unknown(synthetic: Synthetic) -> None:
    found = decision(played(synthetic, 406, refused=3), 400)
    assert {item.cycles for item in (found.minimum, found.p99, found.maximum)} == {None}
    assert "refused in 3 cycles" in found.maximum.reason


def test_a_result_before_its_last_sample_is_no_decision(synthetic: Synthetic) -> None:
    found = decision(played(synthetic, 300, 406), 400)
    assert found.minimum.cycles is None
    assert "300 cycles after the first of 400" in found.minimum.reason


def test_a_fabric_that_was_not_read_decided_nothing() -> None:
    assert decision(None, 400).minimum.reason == "the fabric was not read"


def test_few_events_have_extremes_but_no_tail(synthetic: Synthetic) -> None:
    item = result_of(synthetic, played(synthetic, 406, 406), 400)["decision"]
    assert (item["min"], item["max"], item["p99"]) == (
        {"cycles": 7, "ns": 35},
        {"cycles": 7, "ns": 35},
        None,
    )
    assert "needs 299" in item["reason"]


def test_it_is_in_the_result_and_in_the_terminal(synthetic: Synthetic) -> None:
    result = result_of(synthetic, played(synthetic, *[406] * 400), 400)
    assert schema.check(cast("object", result), "result.json") == result
    assert "7 cycles, 35 ns after the last of 400 input beats" in shown(result)
    spread = result_of(synthetic, played(synthetic, *[406] * 400, *[411] * 40), 400)
    assert "7 to 12 cycles, 60 ns; p99 12, 60 ns; after the last of 400" in shown(spread)
    unknown = result_of(synthetic, played(synthetic, 406, refused=1), 400)
    assert "decision" in shown(unknown)
    assert "not known: input beats were refused in 1 cycles" in shown(unknown)


def test_events_of_one_beat_have_none(synthetic: Synthetic) -> None:
    result = result_of(synthetic, played(synthetic, 26), 1)
    assert "decision" not in result
    assert "decision" not in shown(result)
