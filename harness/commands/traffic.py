"""`harness traffic`: what a source sends, in numbers, in a file or in a picture."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.commands.options import Commands, positive
from harness.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.traffic import Events, Source

_DEFAULT_EVENTS: Final = 2000
_DEFAULT_SMALL: Final = 20 * 3564  # of few values each; whole orbits of those that come in orbits
_FEW_VALUES: Final = 64
_MOST_VALUES: Final = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class _Traffic:
    """Events, what made them, when they are due, and what is known of them."""

    source: Source
    events: Events
    due: dict[str, NDArray[Any]]
    about: dict[str, Any]


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    traffic = commands.add_parser(
        "traffic", help="list event sources; export or draw what one sends"
    )
    traffic.set_defaults(command=main)
    traffic.add_argument(
        "name", nargs="?", help="a source, or a benchmark, whose arrival times come with its events"
    )
    traffic.add_argument(
        "-n", "--events", type=positive, metavar="N",
        help=f"how many events (default: {_DEFAULT_EVENTS}; {_DEFAULT_SMALL} small ones to draw)",
    )  # fmt: skip
    traffic.add_argument("--seed", type=int, help="of their content (default: 1, or the file's)")
    traffic.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write them to a .npz, .parquet or .csv"
    )
    traffic.add_argument(
        "--plot", nargs="?", const="", metavar="FILE",
        help="draw a few events, their distributions and their truth (default: NAME.png)",
    )  # fmt: skip
    traffic.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a key of the benchmark, as in arrival.seed=2; may be repeated",
    )  # fmt: skip
    traffic.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """List sources, or make events and do with them what was asked."""
    if options.name is None:
        _list(as_json=options.json)
        return 0
    made = _make(options)
    written = []
    if options.output is not None:
        from harness.traffic import export  # noqa: PLC0415

        export.write(options.output, made.events, made.source, made.due, made.about)
        written.append(str(options.output))
    if options.plot is not None:
        from harness.report import traffic_plot  # noqa: PLC0415

        figure = Path(options.plot or f"{options.name.replace('/', '_').removesuffix('.toml')}.png")
        traffic_plot.draw(made.events, made.source, made.due, figure)
        written.append(str(figure))
    if options.json:
        print(json.dumps({**made.about, "written": written}, indent=2))
    else:
        for key, value in made.about.items():
            text = ", ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{key:<14} {text}" if text != "" else f"{key:<14} none")
        for path in written:
            print(f"{'written':<14} {path}")
    return 0


def _list(*, as_json: bool) -> None:
    from harness.report import terminal  # noqa: PLC0415
    from harness.traffic import SOURCE_NAMES, detector  # noqa: PLC0415
    from harness.traffic.instruments import instrument  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for name in SOURCE_NAMES:
        about = instrument(name)
        source = None if name == "noise" else detector(name)
        truth = () if source is None else source.labels or source.truth_names
        rows.append(
            {
                "name": name,
                "event": "any" if source is None else f"{source.values} x {source.number_format}",
                "what": about.summary,
                "truth": ", ".join(truth) if as_json or len(truth) <= 5 else f"{len(truth)} values",
            }
        )
        if as_json:
            rows[-1] |= {"rate_hz": about.rate_hz, "rate": about.rate}
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        terminal.show_catalogue({"sources": rows})


def _make(options: argparse.Namespace) -> _Traffic:
    """Return what a source or a benchmark sends.

    Raises:
        InputError: There is neither of that name, or there would be too much.
    """
    from harness.accelerators import NumberFormat  # noqa: PLC0415
    from harness.traffic import SOURCE_NAMES, export, open_source  # noqa: PLC0415
    from harness.traffic.registry import detector  # noqa: PLC0415

    count = options.events or _DEFAULT_EVENTS
    if options.name not in SOURCE_NAMES:
        return _of_benchmark(options, count)
    if options.overrides:
        raise InputError("a source has no keys to set", where="--set", hint="name a benchmark")
    if options.name == "noise":
        source = open_source("noise", NumberFormat(8, 8, signed=False), 16)
    else:
        source = detector(options.name)
    if options.plot is not None and options.events is None and source.values <= _FEW_VALUES:
        count = _DEFAULT_SMALL
    _check_size(source, count)
    events = source.generate(count, 1 if options.seed is None else options.seed)
    return _Traffic(source, events, {}, export.provenance(events, source))


def _of_benchmark(options: argparse.Namespace, count: int) -> _Traffic:
    import numpy as np  # noqa: PLC0415

    from harness import benchmark as benchmarks  # noqa: PLC0415
    from harness.inventory import find_board  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.run import clock_of, make_schedule  # noqa: PLC0415
    from harness.tomlfile import near  # noqa: PLC0415
    from harness.traffic import SOURCE_NAMES, export, open_source  # noqa: PLC0415

    known = benchmarks.list_benchmarks()
    if options.name not in known and not options.name.endswith(".toml"):
        raise InputError(
            "is neither a source nor a benchmark",
            where=options.name,
            hint=near(options.name, [*SOURCE_NAMES, *known]),
        )
    seed = [] if options.seed is None else [f"traffic.seed={options.seed}"]
    found = benchmarks.load(benchmarks.find(options.name), [*options.overrides, *seed])
    overlay = find_overlay(found.overlay)
    clock_hz = clock_of(found, overlay, find_board(found.board))
    count = min(options.events or count, found.run.events)
    source = open_source(found.traffic.source, overlay.input.format, overlay.input.values)
    _check_size(source, count)
    distinct = min(found.traffic.distinct, count)
    events = source.generate(distinct, found.traffic.seed)
    schedule = make_schedule(found, overlay, clock_hz)
    cycles = schedule.cycles(0, count)
    due: dict[str, NDArray[Any]] = {
        "due_cycle": cycles,
        "due_ns": cycles * (1e9 / float(clock_hz)),
    }
    if schedule.groups is not None:
        due[f"place_in_{schedule.groups.name}"] = schedule.groups.places(np.arange(count))
    about = export.provenance(events, source) | {
        "benchmark": found.name,
        "benchmark_digest": found.digest,
        "process": found.arrival.process,
        "clock_hz": float(clock_hz),
        "scheduled": count,
        "distinct": distinct,
    }
    return _Traffic(source, events.looped(count), due, about)


def _check_size(source: Source, count: int) -> None:
    """Refuse what would not fit in memory.

    Raises:
        InputError: More than 2**30 values.
    """
    if count * source.values > _MOST_VALUES:
        raise InputError(
            f"{count:,} events of {source.values} values are too many",
            where="--events",
            hint=f"at most {_MOST_VALUES // source.values:,}",
        )
