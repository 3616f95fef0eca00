"""How fast the virtual board runs, against its peers, in one run on one machine.

The whole fabric of an overlay (stream_bench, network, all) plays events at the LHC's crossing rate:

* harness: through the command's own path, target and pynq device included;
* bare C++: the least loop that can clock the same verilated model (bare_loop.cpp);
* cocotb + Verilator: the same RTL driven from Python (cocotb_drive.py).

    python benchmarks/perf/emulation.py [OVERLAY] [--repeat N] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from harness import session  # noqa: E402
from harness.emulation.build import COMPILER_FLAGS, Recipe, verilator  # noqa: E402
from harness.fabric.plan import RunPlan  # noqa: E402
from harness.fabric.stream_bench import StreamBench  # noqa: E402
from harness.inventory import BOARDS  # noqa: E402
from harness.overlay import Overlay, find_overlay  # noqa: E402
from harness.registers import REGISTER, Control  # noqa: E402
from harness.targets import Target, open_target  # noqa: E402
from harness.traffic import Schedule, open_source  # noqa: E402
from tests.gateware import rtl  # noqa: E402

CYCLES = 400_000
COCOTB_CYCLES = 40_000
STREAMED = 1_000
DISTINCT = 16


class Recorder:
    """A target that notes what is written to stream_bench, so that the peers play the same run."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.writes: list[tuple[int, int]] = []
        self.base = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Note the words, then write them."""
        self.writes += [(address - self.base + 4 * i, int(w)) for i, w in enumerate(words)]
        self._target.write(address, words)


def harness_speed(overlay: Overlay, writes: Path) -> float:
    """Return cycles per second through the virtual target; save the writes that started the run."""
    stream = overlay.input
    events = open_source("noise", stream.format, stream.values).generate(DISTINCT, 1)
    rows = stream.format.pack(events.raw, stream.width_bits)
    schedule = Schedule.lhc(40_079_000, overlay.clock_hz, "25ns_2744b_bcms", 2**32 - 1)
    with open_target("virtual", BOARDS["zcu104"]) as target:
        opened = session.start(target, overlay, overlay.image("zcu104"), float(overlay.clock_hz))
        recorder = Recorder(target)
        recorder.base = 0xA000_0000
        ranges = target.load(overlay.image("zcu104"))
        recorder.base = ranges[session.BENCH].base
        bench = StreamBench(recorder, ranges[session.BENCH])  # type: ignore[arg-type]
        opened.bench.reset()
        bench.load_events(rows)
        bench.arm(RunPlan(schedule, DISTINCT, 1, 1, 64, 200, check_output=False))
        target.write(
            recorder.base + REGISTER["CONTROL"].offset, np.array([Control.START], np.uint32)
        )
        recorder.writes.append((REGISTER["CONTROL"].offset, int(Control.START)))
        np.array(recorder.writes, "<u4").tofile(writes)
        target.elapse(50_000)
        first, began = bench.cycle(), time.perf_counter()
        target.elapse(round(CYCLES * 1e9 / overlay.clock_hz))
        took = time.perf_counter() - began
        return (bench.cycle() - first) / took


def build_bare(overlay: Overlay, folder: Path) -> Path:
    """Compile the bare loop with the flags of the virtual board, but without its hooks."""
    binary, root, _ = verilator()
    recipe = Recipe(overlay.name, (*overlay.waivers, *overlay.rtl_sources()), 0, 0)
    subprocess.run(
        [str(binary), *recipe.flags, "--Mdir", str(folder / "gen"), *map(str, recipe.sources)],
        env={"VERILATOR_ROOT": str(root), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    flags = [flag for flag in COMPILER_FLAGS if "VL_" not in flag]
    include = root / "include"
    units = [
        *(folder / "gen").glob("*.cpp"),
        include / "verilated.cpp",
        include / "verilated_threads.cpp",
        Path(__file__).with_name("bare_loop.cpp"),
    ]
    loop = folder / "bare_loop"
    subprocess.run(
        [
            "g++",
            *flags,
            f"-I{include}",
            f"-I{include}/vltstd",
            f"-I{folder / 'gen'}",
            *map(str, units),
            "-pthread",
            "-o",
            str(loop),
        ],
        check=True,
    )
    return loop


def bare_speed(loop: Path, writes: Path) -> float:
    """Return cycles per second of the bare loop."""
    done = subprocess.run(
        [str(loop), str(writes), str(CYCLES)], capture_output=True, text=True, check=True
    )
    return CYCLES / float(done.stdout)


def cocotb_speeds(overlay: Overlay, writes: Path, folder: Path) -> dict[str, float]:
    """Return cycles per second under cocotb, by how it drives."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    design = rtl.Design("fabric_top", (*overlay.waivers, *overlay.rtl_sources()))
    result = rtl.simulate(
        design,
        "drive",
        folder,
        env={
            "COCOTB_TEST_MODULES": "benchmarks.perf.cocotb_drive",
            "PERF_REPORT": str(report),
            "PERF_WRITES": str(writes),
            "PERF_CYCLES": str(COCOTB_CYCLES),
            "PERF_STREAMED": str(STREAMED),
        },
    )
    if not report.exists():
        raise SystemExit(result.log)
    found: dict[str, float] = json.loads(report.read_text())
    return found


def main() -> None:
    """Measure all in turn, several times, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("overlay", nargs="?", default="jet_tagger")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    overlay = find_overlay(options.overlay)
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writes = folder / "writes.bin"
        loop = build_bare(overlay, folder)
        for _ in range(options.repeat):
            speeds.setdefault("harness", []).append(harness_speed(overlay, writes))
            speeds.setdefault("bare C++ loop", []).append(bare_speed(loop, writes))
            for how, speed in cocotb_speeds(overlay, writes, folder).items():
                speeds.setdefault(f"cocotb, {how}", []).append(speed)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    if options.json:
        print(json.dumps({"overlay": overlay.name, "cycles_per_s": speeds}, indent=2))
        return
    print(f"{overlay.name}: clock cycles per second, median of {options.repeat}")
    for name, median in medians.items():
        ratio = medians["harness"] / median
        print(f"  {name:20s} {median:12,.0f}   harness is {ratio:8.2f} x")


if __name__ == "__main__":
    main()
