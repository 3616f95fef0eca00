"""Weights that are written before a run: the fabric computes with those and no others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import benchmark as benchmarks
from harness.accelerators import load_model
from harness.accelerators.golden import crc32_of_looped
from harness.cli import main
from harness.errors import BenchmarkError
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.report import host_store, store, text
from harness.report.progress import Progress
from harness.run import Request, make_payload, run
from harness.targets import Target, open_target

pytestmark = pytest.mark.xdist_group("ecal")

NAME = "smoke/ecal_compressor"
SHORT = ("run.events=600", "traffic.distinct=300", "run.trace=0")
BUILT = json.loads((find_overlay("ecal_compressor").folder / "model.json").read_text())


def other(tmp_path: Path, seed: int) -> Path:
    """Write the network with other weights, the extremes often among them."""
    rng, content = np.random.default_rng(seed), json.loads(json.dumps(BUILT))
    for layer in content["layers"]:
        shape, half = np.shape(layer["weights"]), 1 << (layer["weight_format"]["width"] - 1)
        drawn = rng.integers(-half, half, shape)
        extreme = rng.choice([-half, half - 1], shape)
        layer["weights"] = np.where(rng.random(shape) < 0.1, extreme, drawn).tolist()
        layer["bias"] = rng.integers(-900, 900, len(layer["bias"])).tolist()
    path = tmp_path / f"other{seed}.json"
    path.write_text(json.dumps(content))
    return path


def crc_of(target: Target, tmp_path: Path, *more: str) -> int:
    """Run, see that the fabric agrees with the reference of its weights, and return the CRC."""
    request = Request(NAME, "virtual", None, tmp_path, (*SHORT, *more))
    with Progress(quiet=True) as progress:
        outcome = run(request, progress, opened=target)
    found: dict[str, Any] = json.loads((outcome.folder / "result.json").read_text())
    assert found["verdict"] == "pass"
    assert found["output"]["mismatches"] == 0
    crc: int = found["output"]["crc"]
    return crc


def test_other_weights_give_other_outputs_and_back(tmp_path: Path) -> None:
    overlay = find_overlay("ecal_compressor")
    files = [other(tmp_path, seed) for seed in (1, 2)]
    with open_target("virtual", BOARDS["zcu104"]) as target:
        built = crc_of(target, tmp_path)
        others = [crc_of(target, tmp_path, f"weights.file={file}") for file in files]
        assert crc_of(target, tmp_path) == built
    assert len({built, *others}) == 3
    # What the reference says is known without the fabric, and without what loads it.
    benchmark = benchmarks.load(benchmarks.find(NAME), SHORT)
    raw = make_payload(benchmark, overlay).events.raw
    for file, crc in zip(files, others, strict=True):
        codes = load_model(file).forward(raw)
        rows = overlay.output.format.pack(codes, overlay.output.width_bits)
        assert crc32_of_looped(rows, 600) == crc


def test_the_result_names_the_weights_that_were_written(tmp_path: Path) -> None:
    file, out = other(tmp_path, 3), tmp_path / "out"
    settings = [f"--set={item}" for item in (*SHORT, f"weights.file={file}")]
    assert main(["run", NAME, "--out", str(out), *settings]) == 0
    [folder] = store.list_runs(out)
    result = store.load(folder).result
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert result["runtime_weights"] == {"file": file.name, "sha256": sha256}
    assert f"written before the run: {file.name}" in text.weights(result)


def test_weights_are_written_for_the_host_s_way_too(tmp_path: Path) -> None:
    """Through the DMA; outputs are compared with those of the weights that are asked for."""
    arguments = ["host", NAME, "--link", "dma", "--rate", "20 Hz", "--events", "20"]
    arguments += ["--no-realtime", "--set=traffic.distinct=20", "--out", str(tmp_path / "out")]
    main([*arguments, f"--set=weights.file={other(tmp_path, 4)}"])
    [folder] = store.list_runs(tmp_path / "out")
    facts = host_store.load(folder).result["link_facts"]
    assert (facts["compared"], facts["mismatches"]) == (20, 0)


def test_the_weights_are_part_of_the_benchmark(tmp_path: Path) -> None:
    def digest(*more: str) -> str:
        return benchmarks.load(benchmarks.find(NAME), (*SHORT, *more)).digest

    first, second = (other(tmp_path, seed) for seed in (1, 2))
    copy = tmp_path / "copy.json"
    copy.write_bytes(first.read_bytes())
    found = {digest(), digest(f"weights.file={first}"), digest(f"weights.file={second}")}
    assert len(found) == 3
    assert digest(f"weights.file={copy}") in found
    with pytest.raises(BenchmarkError, match="not the one that the benchmark means"):
        digest(f"weights.file={first}", f"weights.sha256={'0' * 64}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["layers"].pop(), "1 layers where the fabric has 2"),
        (lambda c: c["layers"][0].update(activation="none"), "layer 0 is another"),
        (lambda c: c["layers"][1].update(loadable=False), "layer 1 is another"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    content = json.loads(json.dumps(BUILT))
    change(content)
    (tmp_path / "other.json").write_text(json.dumps(content))
    benchmark = benchmarks.load(
        benchmarks.find(NAME), (*SHORT, f"weights.file={tmp_path / 'other.json'}")
    )
    with pytest.raises(BenchmarkError, match=message):
        make_payload(benchmark, find_overlay("ecal_compressor"))


def test_weights_that_are_part_of_the_design_stay(tmp_path: Path) -> None:
    overlay = find_overlay("jet_tagger")
    file = overlay.folder / "model.json"
    benchmark = benchmarks.load(benchmarks.find("smoke/jet_tagger"), (f"weights.file={file}",))
    with pytest.raises(BenchmarkError, match="are part of the design"):
        make_payload(benchmark, overlay)
