"""`harness analyze`: must a network's weights live on chip, and can they?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands.options import Commands, positive
from harness.errors import InputError

if TYPE_CHECKING:
    from fractions import Fraction

    from harness.architecture.analysis import Analysis
    from harness.architecture.network import Workload
    from harness.overlay import Overlay


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    analyze = commands.add_parser(
        "analyze",
        help="say what must live on chip, by arithmetic on real devices",
        description="For a network and the rate of its events: what fetching its weights off chip "
        "would take of each device's memory, whether they fit on chip, and which of the two it has "
        "to be. Figures of devices come with their sources; what was not found is missing.",
    )
    analyze.set_defaults(command=main)
    analyze.add_argument("overlay", nargs="?", help="an overlay with a model")
    analyze.add_argument(
        "--model", type=Path, metavar="FILE",
        help="a network instead: .onnx (QONNX too), .keras, .h5, or .json of Keras",
    )  # fmt: skip
    analyze.add_argument(
        "--all", action="store_true", help="every benchmark with a model, and published workloads"
    )
    analyze.add_argument(
        "--benchmark", metavar="NAME", help="take interval and budget from a benchmark"
    )
    analyze.add_argument("--interval", metavar="TIME", help='between events, such as "25 ns"')
    analyze.add_argument("--budget", metavar="TIME", help='allowed latency, such as "1 us"')
    analyze.add_argument("--clock", metavar="FREQUENCY", help='fabric clock, such as "200 MHz"')
    analyze.add_argument(
        "--weight-bits", type=positive, metavar="N", help="where the file says nothing of widths"
    )
    analyze.add_argument(
        "--input-bits", type=positive, metavar="N", help="likewise of the values in between"
    )
    analyze.add_argument(
        "--hls4ml", type=Path, metavar="FILE", help="hls4ml's configuration, for its precisions"
    )
    analyze.add_argument(
        "--board", nargs="+", default=[], metavar="NAME", help="devices (default: all known)"
    )
    analyze.add_argument("--json", action="store_true", help="print JSON instead of tables")
    analyze.add_argument("--plot", type=Path, metavar="DIR", help="also draw the figures there")
    analyze.add_argument("--html", type=Path, metavar="FILE", help="also write a page")


def main(options: argparse.Namespace) -> int:
    """Analyse, print, and write what was asked for."""
    from harness.architecture import published  # noqa: PLC0415
    from harness.report import architecture  # noqa: PLC0415

    _check(options)
    analyses = _analyses(options)
    systems = published.systems() if options.all else ()
    if options.json:
        print(json.dumps(_json(analyses, everything=options.all), indent=2))
    elif options.all:
        architecture.show_all(analyses, systems)
    else:
        architecture.show(analyses[0])
    if options.plot:
        from harness.report import architecture_plots  # noqa: PLC0415

        for path in architecture_plots.draw(analyses, published.systems(), options.plot):
            _told(path, options)
    if options.html:
        from harness.report.html import architecture as page  # noqa: PLC0415
        from harness.report.html import gather  # noqa: PLC0415

        gather.write(options.html, page.render(analyses, systems))
        _told(options.html, options)
    return 0


def _json(analyses: list[Analysis], *, everything: bool) -> dict[str, Any]:
    from harness.architecture import analysis  # noqa: PLC0415

    figures = analysis.figures_json([item.device for item in analyses[0].judgements])
    found = [analysis.as_json(item) for item in analyses]
    if everything:
        return {"analyses": found, "systems": analysis.systems_json(), **figures}
    return {**found[0], **figures}


def _told(path: Path, options: argparse.Namespace) -> None:
    if not options.json:
        print(path)


def _check(options: argparse.Namespace) -> None:
    """Refuse words that contradict each other."""
    asked = [bool(options.overlay), bool(options.model), options.all]
    if sum(asked) != 1:
        raise InputError(
            "name one thing to analyse",
            where="analyze",
            hint="an overlay, --model FILE, or --all; harness list shows overlays",
        )
    if options.all and (options.interval or options.budget or options.benchmark):
        raise InputError("--all brings its own intervals and budgets", where="analyze")
    if not options.model:
        given = [name for name in ("weight_bits", "input_bits", "hls4ml") if getattr(options, name)]
        if given:
            flag = f"--{given[0].replace('_', '-')}"
            raise InputError(f"{flag} is for --model", where="analyze")


def _analyses(options: argparse.Namespace) -> list[Analysis]:
    from harness.architecture import analysis  # noqa: PLC0415
    from harness.architecture.model_file import read_network  # noqa: PLC0415
    from harness.architecture.verdict import DEFAULT_CLOCK_HZ  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.quantity import parse_frequency  # noqa: PLC0415

    asked = parse_frequency(options.clock) if options.clock else None
    if options.all:
        return list(analysis.shipped(options.board, asked))
    if options.overlay:
        from fractions import Fraction  # noqa: PLC0415

        overlay = find_overlay(options.overlay)
        clock = asked or Fraction(overlay.clock_hz)
        workload = _workload(options, clock, overlay)
        return [analysis.of_overlay(overlay, workload, options.board, clock)]
    clock = asked or DEFAULT_CLOCK_HZ
    found = read_network(
        options.model,
        hls4ml=options.hls4ml,
        weight_bits=options.weight_bits,
        input_bits=options.input_bits,
    )
    workload = _workload(options, clock, None)
    return [analysis.analyse(found, workload, options.board, clock)]


def _workload(options: argparse.Namespace, clock: Fraction, overlay: Overlay | None) -> Workload:
    """Return what drives the network: a benchmark, changed by what the command line says."""
    from dataclasses import replace  # noqa: PLC0415

    from harness.architecture import analysis  # noqa: PLC0415
    from harness.architecture.network import Workload  # noqa: PLC0415
    from harness.benchmark import find, load  # noqa: PLC0415
    from harness.quantity import parse_span  # noqa: PLC0415

    name = options.benchmark or (overlay and not options.interval and _benchmark_of(overlay.name))
    if name:
        found = analysis.of_benchmark(load(find(name)), clock)
    elif options.interval:
        found = Workload(
            "as given", parse_span(options.interval).in_cycles(clock) / clock, None, ""
        )
    else:
        raise InputError(
            "the interval between events is not known",
            where="analyze",
            hint='give --interval "25 ns", or --benchmark NAME',
        )
    if options.interval:
        span = parse_span(options.interval)
        found = replace(found, interval_s=span.in_cycles(clock) / clock, process="", note="")
    if options.budget:
        found = replace(found, budget_s=parse_span(options.budget).in_cycles(clock) / clock)
    return found


def _benchmark_of(overlay: str) -> str | None:
    """Return the first shipped benchmark of an overlay, of those that are workloads if any is."""
    from harness.architecture.analysis import is_workload  # noqa: PLC0415
    from harness.benchmark import list_benchmarks, load  # noqa: PLC0415

    known = {name: load(path) for name, path in list_benchmarks().items()}
    own = [name for name, benchmark in known.items() if benchmark.overlay == overlay]
    return next((name for name in own if is_workload(known[name])), own[0] if own else None)
