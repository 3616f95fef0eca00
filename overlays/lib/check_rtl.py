"""Play a benchmark with many seeds, each a batch of other events, and note that all agreed.

Run `python overlays/lib/check_rtl.py detectors/tokamak_camera --seeds 49`: it writes the section
`[rtl]` of the overlay's `training.toml`: how many different events the fabric answered, and how
many of its answers were not the reference's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import benchmark as benchmarks
from harness.overlay import find_overlay
from harness.report.progress import Progress
from harness.run import Request, run
from harness.traffic import open_source

LOG = logging.getLogger("check_rtl")
_SECTION = "\n# Written by overlays/lib/check_rtl.py.\n[rtl]\n"


def play(name: str, overrides: Sequence[str], folder: Path) -> dict[str, int]:
    """Run once; return completed events, their answers that differ, and the verdict as a number."""
    with Progress(quiet=True) as progress:
        outcome = run(Request(name, "virtual", None, folder, tuple(overrides)), progress)
    found = json.loads((outcome.folder / "result.json").read_text(encoding="utf-8"))
    mismatches = found["output"]["mismatches"]
    completed = found["events"]["completed"]
    LOG.info("%s: %s, %d events, %d differ", overrides, found["verdict"], completed, mismatches)
    return {"completed": completed, "mismatches": mismatches, "status": outcome.exit_status}


def check(name: str, seeds: int, more: Sequence[str]) -> int:
    """Play seeds 1 to `seeds` and write the section; return how many runs did not pass."""
    benchmark = benchmarks.load(benchmarks.find(name))
    overlay, count = find_overlay(benchmark.overlay), benchmark.traffic.distinct
    stream = overlay.input
    source = open_source(benchmark.traffic.source, stream.format, stream.values)
    different: set[bytes] = set()
    mismatches = failed = 0
    with TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            set_ = [f"traffic.seed={seed}", f"run.events={count}", f"run.trace={count}", *more]
            found = play(name, set_, Path(folder))
            failed += found["status"] != 0 or found["completed"] != count
            mismatches += found["mismatches"]
            rows = source.generate(count, seed).raw
            different |= {hashlib.blake2b(row, digest_size=12).digest() for row in rows}
    path = overlay.folder / "training.toml"
    text = path.read_text(encoding="utf-8").partition(_SECTION)[0]
    lines = {
        "benchmark": json.dumps(name),
        "overlay_digest": json.dumps(overlay.digest),
        "target": '"virtual"',
        "seeds": list(range(1, seeds + 1)),
        "events": seeds * count,
        "different_events": len(different),
        "mismatches": mismatches,
        "runs_not_passed": failed,
    }
    section = "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.write_text(text + _SECTION + section, encoding="utf-8")
    return failed


def main() -> int:
    """Check from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmark")
    parser.add_argument("--seeds", type=int, default=49)
    parser.add_argument("--set", action="append", default=[], help="as for `harness run`")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return min(check(options.benchmark, options.seeds, options.set), 1)


if __name__ == "__main__":
    sys.exit(main())
