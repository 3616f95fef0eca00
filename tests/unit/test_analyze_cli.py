"""`harness analyze` as a user meets it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.architecture import analysis
from harness.cli import main
from harness.overlay import project_root

if TYPE_CHECKING:
    from collections.abc import Callable

Output = pytest.CaptureFixture[str]


@pytest.fixture
def asked(capsys: Output) -> Callable[..., Any]:
    def ask(*words: str) -> Any:
        assert main(["analyze", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def test_an_overlay_is_judged_at_its_own_benchmark(asked: Callable[..., Any]) -> None:
    found = asked("jet_tagger", "--board", "zcu104", "pynq-z2")
    assert found["workload"]["name"] == "jet_tagger_lhc"
    assert found["network"]["parameters"] == 4389
    assert found["weight_bandwidth_gbps"] == pytest.approx(
        found["network"]["bytes"] * 40.079e6 / 1e9
    )
    assert [item["device"] for item in found["devices"]] == ["zcu104", "pynq-z2"]
    assert [item["outcome"] for item in found["devices"]] == [
        "must be on chip",
        "needs custom logic on this device",
    ]


def test_an_overload_is_no_workload_unless_it_is_asked_for(asked: Callable[..., Any]) -> None:
    found = asked("weight_streaming", "--board", "pynq-z2")
    assert found["workload"]["name"] == "memory_slow_instrument"
    assert found["devices"][0]["outcome"] == "off-chip possible"
    found = asked("weight_streaming", "--board", "pynq-z2", "--benchmark", "memory/saturated")
    assert found["devices"][0]["outcome"] == "must be on chip"


def test_an_overlay_that_is_asked_different_things_has_a_name_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (project_root() / "benchmarks" / "latency" / "jet_tagger_lhc.toml").read_text()
    paths = {name: tmp_path / f"{name}.toml" for name in ("near", "far")}
    for name, path in paths.items():
        changed = re.sub(r"(?m)^name = .*$", f'name = "{name}"', text)
        deadline = "1 us" if name == "near" else "2 us"
        path.write_text(re.sub(r"(?m)^deadline = .*$", f'deadline = "{deadline}"', changed))
    monkeypatch.setattr(analysis, "list_benchmarks", lambda: paths)
    found = [item for item in analysis.shipped(["zcu104"]) if item.ours]
    assert [item.network.name for item in found] == ["jet_tagger, near", "jet_tagger, far"]


def test_interval_budget_and_clock_may_be_given(asked: Callable[..., Any]) -> None:
    words = ("--interval", "1 ms", "--budget", "1 ms", "--clock", "100 MHz", "--board", "pynq-z2")
    found = asked("jet_tagger", *words)
    assert found["devices"][0]["outcome"] == "off-chip possible"
    assert found["devices"][0]["on_chip"]["cycles_per_event"] == 100_000
    # Cycles are of the clock given, or of the overlay's own.
    assert asked("jet_tagger", "--budget", "200 cycles")["workload"]["budget_s"] == 1e-6


def test_all_of_it_is_json_without_numbers_that_json_lacks(asked: Callable[..., Any]) -> None:
    found = asked("--all")
    names = [item["network"]["name"] for item in found["analyses"]]
    assert names.index("jet_tagger") < names.index("jet tagger, hls4ml")
    assert len(set(names)) == len(names)  # benchmarks that ask the same are one
    streamed = [item for item in found["analyses"] if item["network"]["name"] == "weight_streaming"]
    assert [item["workload"]["name"] for item in streamed] == ["memory_slow_instrument"]
    assert "Infinity" not in json.dumps(found)
    assert "NaN" not in json.dumps(found)
    edge = next(item for item in found["systems"] if item["name"] == "EdgeDRNN")
    assert (edge["interval_s"], edge["weights"], edge["latency_s"]) == (0.0005, "DRAM", 0.0005)
    ddr3 = found["figures"]["pynq-z2"]["memory"][0]
    assert ddr3["usable_share"] == {"value": 0.75, "source": "ug585", "note": ""}
    assert ddr3["access_ns"] is None
    assert found["sources"]["ug585"]["checked"] == "read"


def test_a_file_is_judged_and_what_is_missing_is_said(
    asked: Callable[..., Any], capsys: Output, tmp_path: Path
) -> None:
    path = tmp_path / "net.json"
    layers = [
        {
            "class_name": "Dense",
            "config": {"name": "a", "units": 8, "batch_input_shape": [None, 4]},
        },
        {"class_name": "Lambda", "config": {"name": "magic"}},
    ]
    path.write_text(json.dumps({"config": {"layers": layers}}))
    words = ("--model", str(path), "--interval", "25 ns", "--board", "zcu104")
    found = asked(*words)
    assert found["devices"][0]["outcome"] == "must be on chip" or found["devices"][0]["missing"]
    assert "width of the weights" in found["devices"][0]["missing"]
    assert main(["analyze", *words, "--weight-bits", "6", "--input-bits", "6"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "not counted: magic (Lambda)" in printed
    assert "no latency budget is known" in printed


def test_tables_name_what_decided_and_what_is_missing(capsys: Output) -> None:
    assert main(["analyze", "jet_tagger", "--board", "zcu104", "rfsoc4x2"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "must be on chip" in printed
    assert "GB/s needed, 14.4 usable" in printed
    assert "missing: peak bandwidth of DDR4 (rfsoc4x2)" in printed
    assert "not zero" in printed


def test_the_table_of_all_has_every_device_and_published_systems(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["analyze", "--all"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"AXOL1TL v4 +2,187 +1,641 +25 ns +50 ns +65\.6", printed)
    assert re.search(r"EdgeDRNN .* 5,000,000 +DRAM +10", printed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name one thing to analyse"),
        (["jet_tagger", "--all"], "name one thing to analyse"),
        (["--all", "--interval", "25 ns"], "--all brings its own"),
        (["dial"], "has no model"),
        (["jet_taggr"], "did you mean 'jet_tagger'"),
        (["jet_tagger", "--board", "zcu14"], "did you mean 'zcu104'"),
        (["jet_tagger", "--interval", "25"], "not a positive number with a unit"),
        (["jet_tagger", "--weight-bits", "6"], "--weight-bits is for --model"),
        (["--model", "net.json"], "net.json"),
        (["--model", "net.txt"], "is no model file"),
    ],
)
def test_bad_words_are_refused_by_name(capsys: Output, words: list[str], message: str) -> None:
    assert main(["analyze", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_model_needs_an_interval(capsys: Output, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    layer = {"class_name": "Dense", "config": {"units": 8, "batch_input_shape": [None, 4]}}
    path.write_text(json.dumps({"config": {"layers": [layer]}}))
    assert main(["analyze", "--model", str(path)]) == 2
    assert "give --interval" in capsys.readouterr().err


def test_figures_and_a_page_that_loads_nothing(capsys: Output, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.html"
    assert main(["analyze", "--all", "--plot", str(tmp_path / "p"), "--html", str(page)]) == 0
    files = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert files == ["bandwidth.png", "bandwidth.svg", "roofline.png", "roofline.svg"]
    drawing = (tmp_path / "p" / "bandwidth.svg").read_text()
    assert drawing.startswith("<?xml")
    text = page.read_text()
    assert "default-src &#x27;none&#x27;" in text
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    assert "AMD DS190" in text
    assert "not reread" in text
    assert str(page) in capsys.readouterr().out


def test_names_from_a_file_are_text_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    name = "<script>alert(1)</script>"
    layers = [{"class_name": name, "config": {"name": name}}]
    path.write_text(json.dumps({"config": {"layers": layers}}))
    page = tmp_path / "page.html"
    words = ["--model", str(path), "--interval", "25 ns", "--html", str(page)]
    assert main(["analyze", *words]) == 0
    assert "<script>alert" not in page.read_text()
    assert "&lt;script&gt;alert" in page.read_text()
