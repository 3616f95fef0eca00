"""Where throughput collapses when weights come from memory: measured, and against the bound.

    python benchmarks/memory/knee.py throughput [--memory NAME ...]
    python benchmarks/memory/knee.py knees [--memory NAME ...] [--rows N ...]
    python benchmarks/memory/knee.py plot

`throughput` offers more events than can be computed, at every resident share, and notes how many
were: throughput.csv. `knees` bisects for the highest rate without a loss, between 0.9 and 1.1 times
the bound of `harness.memories`: a knee that is found is within 10 % of it, and one that is not has
none: knees.csv. Both files keep the rows of memories that were not asked for. `plot` draws them on
the bound: throughput.png. All runs are open loop, in simulated cycles of the virtual board.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from harness.memories import MEMORIES, Bound, bound  # noqa: E402
from harness.overlay import find_overlay  # noqa: E402
from harness.report.progress import Progress  # noqa: E402
from harness.sweep import engine  # noqa: E402
from harness.sweep.matrix import Axis, Plan, Search  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BENCHMARK = "memory/saturated"
CLOCK_HZ = 200e6
OUTSTANDING = 4
WITHIN = Fraction(1, 10)
RESOLUTION = Fraction(1, 200)
KNEE_ROWS = (0, 16, 32, 48, 60, 68)
THROUGHPUT, KNEES = HERE / "throughput.csv", HERE / "knees.csv"
HEAD = ("memory", "resident_rows", "resident_share", "bytes_per_inference", "binding", "bound_khz")

_overlay = find_overlay("weight_streaming")
assert _overlay.memory is not None  # noqa: S101 (a script that is run by hand, and for mypy)
assert _overlay.streamed is not None  # noqa: S101
PORT, LAID = _overlay.memory, _overlay.streamed


def bound_of(memory: str, rows: int) -> Bound:
    """Return the bound at the settings of the measurement."""
    return bound(LAID, PORT, MEMORIES[memory], CLOCK_HZ, rows, OUTSTANDING)


def head(memory: str, rows: int) -> dict[str, Any]:
    """Return what is known of a point before it is measured."""
    limit = bound_of(memory, rows)
    return {
        "memory": memory,
        "resident_rows": rows,
        "resident_share": round(rows / LAID.rows, 4),
        "bytes_per_inference": LAID.streamed_beats(rows) * LAID.beat_bytes,
        "binding": limit.binding,
        "bound_khz": round(CLOCK_HZ / limit.interval / 1e3, 2),
    }


def measure_throughput(memories: Sequence[str], jobs: int) -> list[dict[str, Any]]:
    """Return completed events a second under overload, at every resident share."""
    rows = [str(count) for count in range(0, LAID.rows + 1, LAID.group_rows)]
    axes = (Axis("memory.model", tuple(memories)), Axis("accelerator.RESIDENT_ROWS", tuple(rows)))
    found = []
    for point in sweep(Plan((BENCHMARK,), "virtual", ("run.events=12000",), axes), jobs).rows:
        values = point["values"]
        told = head(values["memory.model"], int(values["accelerator.RESIDENT_ROWS"]))
        khz = point["achieved_hz"] / 1e3
        ratio = round(khz / told["bound_khz"], 4)
        found.append({**told, "measured_khz": round(khz, 2), "measured_to_bound": ratio})
    return found


def measure_knees(
    memories: Iterable[str], rows: Sequence[int], jobs: int
) -> Iterable[dict[str, Any]]:
    """Yield the highest rates without a loss, one search after the other."""
    for memory in memories:
        for count in rows:
            rate = Fraction(CLOCK_HZ) / Fraction(bound_of(memory, count).interval)
            low, high = (Fraction(round(rate * (1 + sign * WITHIN))) for sign in (-1, 1))
            step = Fraction(round(rate * RESOLUTION))
            plan = Plan(
                (BENCHMARK,),
                "virtual",
                (f"memory.model={memory}", f"accelerator.RESIDENT_ROWS={count}", "run.events=2000"),
                search=Search("zero-loss", low, high, 3, step),
            )
            (finding,) = sweep(plan, jobs).findings
            told, knee = head(memory, count), finding["value"]
            khz = None if knee is None else round(float(knee) / 1e3, 2)
            ratio = None if khz is None else round(khz / told["bound_khz"], 4)
            yield {**told, "knee_khz": khz, "knee_to_bound": ratio}


def sweep(plan: Plan, jobs: int) -> engine.Outcome:
    """Run a plan in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, Progress(quiet=False) as progress:
        return engine.begin(Path(folder) / "sweep", plan, jobs, progress)


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file, none if there is none."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(path: Path, fresh: Sequence[Mapping[str, Any]]) -> None:
    """Replace the rows of the points that were measured, and sort."""
    rows = {(row["memory"], int(row["resident_rows"])): row for row in [*read(path), *fresh]}
    order = list(MEMORIES)
    keys = sorted(rows, key=lambda key: (order.index(key[0]), key[1]))
    beside = path.with_suffix(".new")
    with beside.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(fresh[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in keys)
    beside.replace(path)


def plot() -> None:
    """Draw measured points on the bound, one colour a memory."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(9, 6))
    measured, knees = read(THROUGHPUT), read(KNEES)
    counts = range(0, LAID.rows + 1, LAID.group_rows)
    for number, memory in enumerate(MEMORIES):
        colour = f"C{number}"
        curve = [CLOCK_HZ / bound_of(memory, count).interval / 1e3 for count in counts]
        axes.plot([100 * count / LAID.rows for count in counts], curve, colour, label=memory)
        for rows, key, mark in ((measured, "measured_khz", "o"), (knees, "knee_khz", "x")):
            own = [row for row in rows if row["memory"] == memory and row[key]]
            shares = [100 * float(row["resident_share"]) for row in own]
            axes.plot(
                shares, [float(row[key]) for row in own], mark, color=colour, fillstyle="none"
            )
    axes.plot([], [], "ok", fillstyle="none", label="measured: throughput under overload")
    axes.plot([], [], "xk", label="measured: highest rate without a loss")
    for rate, text in (
        (40_079, "LHC crossings"),
        (50_000, "jet_tagger: all on chip, custom logic"),
    ):
        axes.axhline(rate, color="grey", linestyle="--", linewidth=1)
        axes.text(1, rate * 1.04, text, fontsize=8)
    axes.set(
        xlabel="weights resident on chip, %",
        ylabel="rate, kHz",
        yscale="log",
        title="weight_streaming at 200 MHz: bound (lines) and simulated fabric (marks)",
    )
    axes.set_ylim(300, 90_000)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize=8, loc=(0.6, 0.52))
    figure.tight_layout()
    figure.savefig(HERE / "throughput.png", dpi=120)


def main() -> int:
    """Measure or draw; exit status 1 if a knee is further than 10 % from its bound."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("throughput", "knees", "plot"))
    parser.add_argument("--memory", action="append", choices=list(MEMORIES))
    parser.add_argument("--rows", action="append", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    memories = options.memory or list(MEMORIES)
    if options.what == "plot":
        plot()
        return 0
    if options.what == "throughput":
        keep(THROUGHPUT, measure_throughput(memories, options.jobs))
        return 0
    status = 0
    for row in measure_knees(memories, options.rows or KNEE_ROWS, options.jobs):
        keep(KNEES, [row])
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        status |= row["knee_khz"] is None
    return status


if __name__ == "__main__":
    sys.exit(main())
