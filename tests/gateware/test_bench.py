"""stream_bench with `dial` behind its generated top, at four widths; one build each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateware.designs import BENCHES
from tests.gateware.rtl import check, must_stop, simulate

GROUPS = {width: pytest.mark.xdist_group(f"gateware-bench-{width}") for width in BENCHES}


@pytest.mark.parametrize(
    ("width", "module"),
    [
        pytest.param(width, module, marks=GROUPS[width], id=f"{module}-{width}")
        for width, modules in (
            (32, ("bench_registers", "bench_runs", "bench_commands", "bench_dma", "bench_blocks")),
            (64, ("bench_registers", "bench_dma", "bench_blocks")),
            (256, ("bench_registers", "bench_runs", "bench_dma", "bench_blocks")),
            (1024, ("bench_smallest",)),
        )
        for module in modules
    ],
)
def test_bench(width: int, module: str, tmp_path: Path) -> None:
    bench = BENCHES[width]
    env = {**bench.env, "COMPARISON": str(tmp_path / "unused.json")}
    check(simulate(bench.design, module, tmp_path, env=env))


@GROUPS[32]
def test_flickering_accelerator_stops_the_simulation(tmp_path: Path) -> None:
    bench = BENCHES[32]
    result = simulate(
        bench.design, "bench_faults", tmp_path, test="flickering_offer", env=bench.env
    )
    must_stop(result, "flickering_offer", "u_check_out: AXI4-Stream: TVALID dropped")


@GROUPS[32]
def test_results_do_not_depend_on_the_state_at_power_up(tmp_path: Path) -> None:
    bench = BENCHES[32]
    found: list[Any] = []
    for seed in (1, 2):
        file = tmp_path / f"{seed}.json"
        env = {**bench.env, "COMPARISON": str(file)}
        test = "everything_for_comparison"
        check(simulate(bench.design, "bench_runs", tmp_path, seed=seed, env=env, test=test))
        found.append(json.loads(file.read_text()))
    assert found[0] == found[1]
    assert len(found[0]) == 3
