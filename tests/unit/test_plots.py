from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from harness.errors import InfrastructureError, StorageError
from harness.measure.verdict import interrupted
from harness.report import plots
from harness.report import result as results

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import Synthetic


@pytest.fixture(autouse=True)
def _matplotlib() -> None:
    pytest.importorskip("matplotlib")


def words(path: Path) -> str:
    # Matplotlib keeps each text beside its outlines, as a comment.
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))  # noqa: S314
    root = ET.parse(path, parser).getroot()  # noqa: S314
    return " | ".join(str(node.text).strip() for node in root.iter(ET.Comment))  # type: ignore[arg-type]


def test_the_figure_tells_what_was_measured(synthetic: Synthetic, tmp_path: Path) -> None:
    due = np.cumsum(np.random.default_rng(4).geometric(0.1, 4000)).astype(np.int64)
    samples = synthetic.samples(due, 9, 26, 400, bins=512)
    evidence = synthetic.evidence("run.events=4000", samples=samples)
    result = results.build(synthetic.record(evidence))
    path = tmp_path / "latency.svg"
    plots.latency_plot(result, samples.histograms(), path)
    told = words(path)
    for expected in (
        "dial on virtual (zcu104): made_up",
        "4,000 events",
        "clock 200 MHz",
        "simulated fabric: ",
        "wait: due until accepted",
        "service: accepted until done",
        "total: due until done",
        f"deadline 200 ns: {samples.counters.deadline_misses:,} misses",
        "latency in cycles",
        "p99 130 ns",
        "p99.9",
    ):
        assert expected in told


def test_pictures_are_pictures(synthetic: Synthetic, tmp_path: Path) -> None:
    result, samples = synthetic.result()
    path = tmp_path / "latency.png"
    plots.latency_plot(result, samples.histograms(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_a_run_that_was_not_read_can_be_drawn(synthetic: Synthetic, tmp_path: Path) -> None:
    evidence = synthetic.evidence(samples=None, deadline_cycles=None)
    result = results.build(synthetic.record(evidence, verdict=interrupted("SIGINT")))
    plots.latency_plot(result, {}, tmp_path / "x.svg")
    assert words(tmp_path / "x.svg").count("no events") == 3


def test_overflow_is_not_hidden(synthetic: Synthetic, tmp_path: Path) -> None:
    samples = synthetic.samples(np.zeros(400, dtype=np.int64), 3, 400, 400, bins=512)
    evidence = synthetic.evidence("run.events=400", samples=samples)
    result = results.build(synthetic.record(evidence))
    plots.latency_plot(result, samples.histograms(), tmp_path / "x.svg")
    assert f"{samples.total.overflow:,} beyond the last bin" in words(tmp_path / "x.svg")


def test_foreign_strings_are_not_formulae(synthetic: Synthetic, tmp_path: Path) -> None:
    result: Any
    result, samples = synthetic.result()
    result["target"] = r"$\frac{$ <script> \x1b[2J"
    plots.latency_plot(result, samples.histograms(), tmp_path / "x.svg")
    assert "<script>" not in (tmp_path / "x.svg").read_text()


def test_what_cannot_be_written_is_an_error(synthetic: Synthetic, tmp_path: Path) -> None:
    result, samples = synthetic.result()
    for path in (tmp_path / "none" / "x.png", tmp_path / "x.unknown"):
        with pytest.raises(StorageError, match="figure cannot be written"):
            plots.latency_plot(result, samples.histograms(), path)


def test_matplotlib_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    plots.check_available()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InfrastructureError, match="pip install 'fpga-harness"):
        plots.check_available()
