"""The designs under test: each costs one build, whatever is run on it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from harness.accelerators.fixed import NumberFormat
from harness.generate.registers import package
from harness.generate.top import fabric_top
from harness.overlay import BenchSizes, Overlay, Stream, find_overlay
from tests.gateware.rtl import TOPS, Design, library

TRAFFIC = Design(
    "traffic_top",
    (
        *library(
            "ram_1r1w", "event_schedule", "event_player", "path_select", "axis_check", "bench_axil"
        ),
        TOPS / "traffic_top.sv",
    ),
)
MEASURE = Design(
    "measure_top",
    (
        *library(
            "bench_pkg", "ram_1r1w", "latency_histogram", "latency_monitor", "trace_memory",
            "output_checker",
        ),
        TOPS / "measure_top.sv",
    ),
)  # fmt: skip

MOVERS = {
    (taken, given): Design(
        "block_mover",
        library("block_mover"),
        {},
        {"InWidth": taken, "OutWidth": given, "LeastWrite": 0x1_0000},
    )
    for taken, given in ((32, 256), (256, 128), (96, 32))
}


@dataclass(frozen=True)
class Bench:
    """stream_bench around an accelerator, as `harness generate` would make it.

    Args:
        overlay: The manifest it is generated from.
        design: What to build.
    """

    overlay: Overlay
    design: Design

    @property
    def env(self) -> dict[str, str]:
        """What the simulated host must know of it."""
        sizes = json.dumps(dataclasses.asdict(self.overlay.bench))
        return {"BENCH_SIZES": sizes, "BENCH_DIGEST": self.overlay.digest}


def bench(width: int, sizes: BenchSizes, accelerator: str = "dial", faulty: bool = False) -> Bench:
    """Return a bench around `dial` or `loopback` with streams and memories of any size.

    Args:
        width: Bits of a beat, in and out.
        sizes: Of the memories.
        accelerator: Overlay whose accelerator to take.
        faulty: Put the faults of `faulty_dial` around it.
    """
    base = find_overlay(accelerator)
    stream = Stream(width, 1, NumberFormat(32, 32, signed=False))
    module = dataclasses.replace(base.accelerator, module="faulty_dial" if faulty else accelerator)
    overlay = dataclasses.replace(
        base, input=stream, output=stream, bench=sizes, accelerator=module
    )
    object.__setattr__(overlay, "root", base.root)
    sources = (*overlay.waivers, *overlay.written_rtl)
    design = Design(
        "fabric_top",
        (*sources, TOPS / "faulty_dial.sv") if faulty else sources,
        {"overlay_pkg.sv": package(overlay), "fabric_top.v": fabric_top(overlay)},
    )
    return Bench(overlay, design)


SMALL = BenchSizes(
    event_rows=64, golden_rows=64, queue_depth=16, histogram_bins=32, trace_depth=64, spy_depth=8,
    gap_entries=8, in_flight=16,
)  # fmt: skip
# The event memory fills its window to the last word.
FULL_WINDOW = dataclasses.replace(SMALL, event_rows=1 << 18)
SMALLEST = BenchSizes(2, 2, 2, 2, 2, 2, 2, 2)
BENCHES = {
    32: bench(32, SMALL, faulty=True),
    64: bench(64, FULL_WINDOW, faulty=True),
    256: bench(256, SMALL, faulty=True),
    1024: bench(1024, SMALLEST, faulty=True),
}
