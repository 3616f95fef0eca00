"""Every module elaborates without a warning, at the edges of its parameters too."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.overlay import BenchSizes, find_overlay
from tests.gateware.designs import FULL_WINDOW, SMALLEST, bench
from tests.gateware.rtl import TOPS, Design, library, verilate

LINT = ("--lint-only", "-Wall", "--assert")
LARGEST = BenchSizes(
    event_rows=1 << 14, golden_rows=1 << 12, queue_depth=1 << 15, histogram_bins=1 << 14,
    trace_depth=1 << 15, spy_depth=1 << 11, gap_entries=1 << 14, in_flight=1 << 15,
)  # fmt: skip
BENCH_BLOCKS = (
    "bench_pkg", "axis_check", "bench_axil", "bench_regs", "block_mover", "event_player",
    "event_schedule", "latency_histogram", "latency_monitor", "output_checker", "path_select",
    "ram_1r1w", "trace_memory", "stream_bench",
)  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """A block with the parameters to try."""

    module: str
    needs: tuple[str, ...] = ()
    parameters: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the test is called."""
        settings = [f"{name}={value}" for name, value in self.parameters.items()]
        return "-".join([self.module, *settings])


BLOCKS = [
    Edge("ram_1r1w", (), {"Words": 1, "Depth": 2}),
    Edge("ram_1r1w", (), {"Words": 32, "Depth": 4096}),
    Edge("axis_check", (), {"Width": 1}),
    Edge("axis_check", (), {"Width": 1024}),
    Edge("bench_axil", (), {"AddrWidth": 3, "TimeoutCycles": 1}),
    Edge("block_mover", (), {"InWidth": 32, "OutWidth": 1024}),
    Edge("block_mover", (), {"InWidth": 1024, "OutWidth": 32}),
    Edge("event_player", (), {"InWidth": 32, "EventRows": 2, "GoldenRows": 2, "QueueDepth": 2}),
    Edge("event_player", (), {"InWidth": 1024, "QueueDepth": 1 << 15}),
    Edge("event_schedule", (), {"GapEntries": 2}),
    Edge("latency_histogram", ("ram_1r1w",), {"Bins": 2}),
    Edge("latency_histogram", ("ram_1r1w",), {"Bins": 1 << 14}),
    Edge("latency_monitor", (), {"InFlight": 2, "GoldenRows": 2, "DepthWidth": 2}),
    Edge("output_checker", ("ram_1r1w",), {"OutWidth": 32, "GoldenRows": 2, "SpyRows": 2}),
    Edge("output_checker", ("ram_1r1w",), {"OutWidth": 1024}),
    Edge("path_select", (), {"InWidth": 1024, "OutWidth": 32}),
    Edge("trace_memory", ("ram_1r1w",), {"Entries": 2}),
]
STREAM_BENCH = [
    {"InWidth": 32, "OutWidth": 1024},
    {"InWidth": 1024, "OutWidth": 32},
    {"InWidth": 96, "OutWidth": 32},
    {"EventRows": 2, "GoldenRows": 4096, "QueueDepth": 2, "InFlight": 32768},
]


def lint(design: Design, folder: Path) -> str:
    """Return what Verilator has to say, empty if it has nothing to complain of."""
    done = verilate(design, LINT, folder)
    return "" if done.returncode == 0 and "%Warning" not in done.stdout else done.stdout


@pytest.mark.parametrize("edge", BLOCKS, ids=lambda edge: edge.name)
def test_block_at_the_edges(edge: Edge, tmp_path: Path) -> None:
    sources = library("bench_pkg", *edge.needs, edge.module)
    assert lint(Design(edge.module, sources, {}, edge.parameters), tmp_path) == ""


@pytest.mark.parametrize("parameters", STREAM_BENCH, ids=str)
def test_stream_bench_at_the_edges(parameters: dict[str, int], tmp_path: Path) -> None:
    package = {"overlay_pkg.sv": bench(32, SMALLEST).design.texts["overlay_pkg.sv"]}
    design = Design("stream_bench", library(*BENCH_BLOCKS), package, parameters)
    assert lint(design, tmp_path) == ""


@pytest.mark.parametrize("accelerator", ["dial", "loopback"])
@pytest.mark.parametrize(
    ("width", "sizes"),
    [
        (32, SMALLEST), (1024, SMALLEST), (1024, LARGEST), (64, FULL_WINDOW),
        *((width, BenchSizes()) for width in (32, 64, 128, 256, 512)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else f"{value.event_rows}-rows",
)  # fmt: skip
def test_generated_top(accelerator: str, width: int, sizes: BenchSizes, tmp_path: Path) -> None:
    assert lint(bench(width, sizes, accelerator).design, tmp_path) == ""


def test_faulty_dial(tmp_path: Path) -> None:
    assert lint(bench(64, SMALLEST, faulty=True).design, tmp_path) == ""


REFUSED = [
    ("stream_bench", {"InWidth": 48}, "widths must be multiples of 32"),
    ("stream_bench", {"OutWidth": 16}, "widths must be multiples of 32"),
    ("stream_bench", {"QueueDepth": 3}, "must be powers of two"),
    ("stream_bench", {"InFlight": 100}, "must be powers of two"),
    ("dial", {"InWidth": 64, "OutWidth": 32}, "InWidth and OutWidth must be equal"),
    ("loopback", {"InWidth": 64, "OutWidth": 32}, "InWidth and OutWidth must be equal"),
]


@pytest.mark.parametrize(("module", "parameters", "message"), REFUSED)
def test_impossible_parameters_are_refused(
    module: str, parameters: dict[str, int], message: str, tmp_path: Path
) -> None:
    package = {"overlay_pkg.sv": bench(32, SMALLEST).design.texts["overlay_pkg.sv"]}
    sources = library(*BENCH_BLOCKS)
    if module != "stream_bench":
        overlay = find_overlay(module)
        sources = tuple(overlay.folder / path for path in overlay.accelerator.sources)
        package = {}
    assert message in lint(Design(module, sources, package, parameters), tmp_path)


def test_a_warning_is_not_overlooked(tmp_path: Path) -> None:
    text = "module odd (input logic [7:0] a_i, output logic [3:0] b_o); assign b_o = a_i; endmodule"
    assert "WIDTHTRUNC" in lint(Design("odd", library(), {"odd.sv": text}), tmp_path)


def test_every_block_is_listed() -> None:
    folder = TOPS.parents[2] / "overlays" / "lib" / "rtl" / "bench"
    assert sorted(path.stem for path in folder.glob("*.sv")) == sorted(BENCH_BLOCKS)
    assert {path.stem for path in folder.glob("*.sv")} == (
        {edge.module for edge in BLOCKS} | {"bench_pkg", "bench_regs", "stream_bench"}
    )
