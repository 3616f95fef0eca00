"""Gateware against reference, on as many different events as it takes: the record in `[rtl]`.

    python benchmarks/perf/agreement.py detectors/qubit_readout --seeds 157

Runs a benchmark on the virtual board with one seed of traffic after the other, every event once,
each output beat compared with the bit-exact model's, and writes what came of it to the overlay's
`training.toml`. Events are told apart by a hash of their input beats: those that occur twice, as
empty ones may, count once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import benchmark as benchmarks
from harness.inventory import find_board
from harness.overlay import find_overlay
from harness.run import Request, make_payload, run
from harness.targets import open_target


class Silent:
    """Progress that nobody watches."""

    def stage(self, text: str) -> None:
        """Ignore it."""

    def events(self, done: int, of: int) -> None:
        """Ignore it."""


def compare(name: str, seeds: range) -> dict[str, Any]:
    """Return the record of one benchmark's runs, a run a seed."""
    path = benchmarks.find(name)
    asked = benchmarks.load(path)
    overlay, board = find_overlay(asked.overlay), find_board(asked.board)
    different: set[bytes] = set()
    found: dict[str, Any] = {"compared": 0, "mismatches": 0, "bit_exact": True}
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_target("virtual", board, Silent().stage) as target,
    ):
        for seed in seeds:
            overrides = (
                f"traffic.seed={seed}",
                f"run.events={asked.traffic.distinct}",
                "run.trace=0",
            )
            request = Request(name, "virtual", None, Path(scratch), overrides)
            folder = run(request, Silent(), opened=target).folder
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            found["compared"] += result["events"]["completed"]
            found["mismatches"] += result["output"]["mismatches"]
            found["bit_exact"] &= result["output"]["bit_exact"]
            inputs = make_payload(benchmarks.load(path, overrides), overlay).inputs
            different |= {hashlib.blake2b(row.tobytes(), digest_size=12).digest() for row in inputs}
            print(f"seed {seed}: {len(different)} different, {found}", file=sys.stderr)
    return {"events": len(different), **found, "digest": overlay.digest}


def record(found: dict[str, Any], command: str, seeds: range) -> str:
    """Return the table `[rtl]`."""
    return f"""
# Written by `{command}`.
[rtl]
overlay_digest = "{found["digest"]}"
seeds = [{seeds[0]}, {seeds[-1]}]  # first and last
compared = {found["compared"]}
events = {found["events"]}  # different ones
mismatches = {found["mismatches"]}
bit_exact = {str(found["bit_exact"]).lower()}
"""


def main() -> int:
    """Compare, and write the record; 1 if anything differed."""
    parser = argparse.ArgumentParser(description="Compare gateware and reference.")
    parser.add_argument("benchmark")
    parser.add_argument("--seeds", type=int, required=True, help="how many, from 1")
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    found = compare(options.benchmark, seeds)
    command = f"python benchmarks/perf/agreement.py {options.benchmark} --seeds {options.seeds}"
    overlay = find_overlay(benchmarks.load(benchmarks.find(options.benchmark)).overlay)
    path = overlay.folder / "training.toml"
    text = re.sub(r"\n# Written by `.*\n\[rtl\]\n(.*\n)*", "", path.read_text(encoding="utf-8"))
    path.write_text(text + record(found, command, seeds), encoding="utf-8")
    return 0 if found["bit_exact"] else 1


if __name__ == "__main__":
    sys.exit(main())
