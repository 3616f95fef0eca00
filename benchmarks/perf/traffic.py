"""How fast events are made, and the golden model computes, beside the instruments.

    python benchmarks/perf/traffic.py [--json]

One process on one core, best of three after one that fills tables and caches, in seconds of CPU
time: what the machine can do, not what its neighbours let it. The ratio is that speed over the
instrument's rate, of filled slots where there is an orbit: 1 would be making events as fast as the
detector does. The golden model's rows are of overlays whose source is known by their benchmarks.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One core is what the table says; the libraries below read these when they are imported.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

from harness import benchmark as benchmarks  # noqa: E402
from harness.accelerators import load_model  # noqa: E402
from harness.overlay import find_overlay  # noqa: E402
from harness.traffic import SOURCE_NAMES, detector  # noqa: E402
from harness.traffic.instruments import instrument  # noqa: E402

VALUES = 1 << 23
"""Values made in a round, of whatever source: some tenths of a second."""
ROUNDS = 3


def speed(work: Callable[[], object], events: int) -> float:
    """Return events per second of CPU time, best of some rounds."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return events / best


def generation(name: str) -> dict[str, Any]:
    """Return the row of a source."""
    source, about = detector(name), instrument(name)
    events = max(4096, VALUES // source.values)
    rate = speed(lambda: source.generate(events, 1), events)
    return {
        "what": f"generate {name}",
        "values": source.values,
        "events_per_s": rate,
        "ratio": None if about.rate_hz is None else rate / about.rate_hz,
        "instrument": about.rate,
    }


def inference(folder: Path) -> dict[str, Any] | None:
    """Return the row of an overlay's golden model, None if it has none or no source is known."""
    overlay = find_overlay(folder.name)
    sources = {found.traffic.source for found in all_benchmarks() if found.overlay == overlay.name}
    sources &= set(SOURCE_NAMES) - {"noise"}
    if overlay.model_path is None or not sources:
        return None
    name = min(sources)
    model, about = load_model(overlay.model_path), instrument(name)
    count = max(4096, VALUES // 8 // detector(name).values)
    raw = detector(name).generate(count, 1).raw
    rate = speed(lambda: model.forward(raw), count)
    return {
        "what": f"infer {overlay.name}, bit-exact",
        "values": overlay.input.values,
        "events_per_s": rate,
        "ratio": None if about.rate_hz is None else rate / about.rate_hz,
        "instrument": about.rate,
    }


def all_benchmarks() -> list[benchmarks.Benchmark]:
    """Return the project's benchmarks."""
    return [benchmarks.load(path) for path in benchmarks.list_benchmarks().values()]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folders = sorted(Path(__file__).parents[2].glob("overlays/*/overlay.toml"))
    rows = [generation(name) for name in SOURCE_NAMES if name != "noise"]
    rows += [row for path in folders if (row := inference(path.parent)) is not None]
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'':<34}{'values':>7}{'events/s':>13}{'of instrument':>15}  its rate")
    for row in rows:
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}"
        print(
            f"{row['what']:<34}{row['values']:>7}{row['events_per_s']:>13,.0f}{ratio:>15}"
            f"  {row['instrument']}"
        )


if __name__ == "__main__":
    main()
