"""How late a host-paced sender is against MLPerf LoadGen's: null links, in turn, on one machine.

Both send at Poisson instants of the same rate, drawn beforehand, and both are answered at once. The
issue lag is sent - scheduled; the response is answered - scheduled. LoadGen writes issue lags only
into its trace, which costs it time, so its responses are taken from runs without.

    python benchmarks/perf/pacing.py --loadgen-python /path/to/python [--repeat N] [--json]

where that Python has `mlcommons-loadgen`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from harness.hostpaced.links import NullLink  # noqa: E402
from harness.hostpaced.pacing import play  # noqa: E402
from harness.hostpaced.schedule import draw  # noqa: E402
from harness.hostpaced.stillness import stillness  # noqa: E402
from harness.report.host_result import times  # noqa: E402

RATES_HZ = (1_000, 10_000, 50_000)
SECONDS = 4
REFERENCE = "LoadGen, as it comes"
NAMES = ("p50", "p99", "p999")
Found = dict[str, float]


def ours(rate_hz: int, events: int, seed: int, *, realtime: bool) -> tuple[Found, Found, str]:
    """Return issue lag, response and the scheduling that was got."""
    schedule = draw(Fraction(rate_hz), events, "poisson", seed)
    with stillness(int(schedule.interval_ns), realtime=realtime) as still:
        play(NullLink(), draw(Fraction(rate_hz), 200, "poisson", seed), still.spin_ns)
        stamps, failure = play(NullLink(), schedule, still.spin_ns)
    if failure is not None:
        raise failure
    lag, response = times(stamps.lag_ns), times(stamps.response_ns)
    return (
        {name: float(lag[name] or 0) for name in NAMES},  # type: ignore[literal-required]
        {name: float(response[name] or 0) for name in NAMES},  # type: ignore[literal-required]
        still.scheduling,
    )


def loadgen(python: str, rate_hz: int, events: int, *, trace: bool, realtime: bool) -> Found:
    """Return LoadGen's issue lag (from its trace) or response."""
    command = [python, str(Path(__file__).with_name("loadgen_null.py")), str(rate_hz), str(events)]
    options = ["--trace"] * trace + ["--realtime"] * realtime
    done = subprocess.run(
        command + options, capture_output=True, text=True, check=True, timeout=300
    )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(python: str | None, rate_hz: int, repeat: int) -> dict[str, list[Found]]:
    """Return lags and responses of every repetition, by whose they are."""
    found: dict[str, list[Found]] = {}
    events = max(5_000, rate_hz * SECONDS)
    for turn in range(repeat):
        for realtime in (False, True):
            lag, response, got = ours(rate_hz, events, turn + 1, realtime=realtime)
            if realtime and got != "realtime":
                continue
            found.setdefault(f"lag, harness, {got}", []).append(lag)
            found.setdefault(f"response, harness, {got}", []).append(response)
            if python is None:
                continue
            # LoadGen as it comes is what is compared with; in real time it is for fairness.
            name = "LoadGen, realtime" if realtime else REFERENCE
            for kind, trace in (("lag", True), ("response", False)):
                one = loadgen(python, rate_hz, events, trace=trace, realtime=realtime)
                found.setdefault(f"{kind}, {name}", []).append(one)
    return found


def main() -> None:
    """Measure all in turn, several times, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loadgen-python", help="a Python that has mlcommons-loadgen")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {rate: measure(options.loadgen_python, rate, options.repeat) for rate in RATES_HZ}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"us of the host's clock, medians of {options.repeat}; in brackets: over {REFERENCE}")
    for rate_hz, rows in found.items():
        print(f"{rate_hz / 1000:g} kHz, Poisson")
        for row, runs in sorted(rows.items()):
            reference = rows.get(f"{row.split(',')[0]}, {REFERENCE}")
            cells = []
            for name in NAMES:
                value = statistics.median(run[name] for run in runs)
                ratio = (
                    f" ({value / statistics.median(run[name] for run in reference):.3f})"
                    if reference is not None
                    else ""
                )
                cells.append(f"{name} {value / 1000:10,.1f}{ratio:9}")
            print(f"  {row:30s} {'  '.join(cells)}")


if __name__ == "__main__":
    main()
