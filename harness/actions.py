"""What the commands do: from parsed options to an exit status, importing only what is used."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InputError

if TYPE_CHECKING:
    from harness.fabric.watch import Watcher, Watchers
    from harness.report.tiny_result import Mode
    from harness.run import Progress as RunProgress

EXIT_INVALID = 3


def run_benchmark(options: argparse.Namespace) -> int:
    """Run a benchmark, store its result and print it."""
    from harness import run  # noqa: PLC0415
    from harness.report import store, terminal  # noqa: PLC0415

    if options.plot:
        from harness.report import plots  # noqa: PLC0415

        plots.check_available()
    with ExitStack() as held:
        progress, watcher = _observers(options, held)
        outcome = run.run(
            run.Request(
                benchmark=options.benchmark,
                target=options.target,
                board=options.board,
                out=options.out,
                overrides=tuple(options.overrides),
                wait_s=options.wait,
            ),
            progress,
            watcher,
        )
    stored = store.load(outcome.folder)
    if options.plot:
        plots.latency_plot(stored.result, stored.histograms, outcome.folder.with_suffix(".png"))
    if options.json:
        print(json.dumps(stored.result, indent=2))
    else:
        terminal.show(stored.result, stored.histograms, outcome.folder)
    return outcome.exit_status


def _observers(options: argparse.Namespace, held: ExitStack) -> tuple[RunProgress, Watchers | None]:
    """Return who is told of a run's progress, and who sees it; `held` ends them."""
    from harness.fabric.watch import Watchers  # noqa: PLC0415
    from harness.report.live import LiveView  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    watchers: list[Watcher] = []
    if options.metrics is not None:
        from harness.report.metrics import MetricsServer  # noqa: PLC0415

        watchers.append(held.enter_context(MetricsServer(options.metrics)))
    if options.live:
        view = held.enter_context(LiveView())
        return view, Watchers((*watchers, view))
    progress = held.enter_context(Progress(quiet=options.json))
    return progress, Watchers(tuple(watchers)) if watchers else None


def run_host(options: argparse.Namespace) -> int:
    """Run a host-paced benchmark, store its result and print it."""
    link = options.link or ("mlperf" if options.target.startswith("mlperf:") else "null")
    if link == "mlperf" and options.rate is None:
        return _run_tiny(options)
    if options.quick or options.mode:
        raise InputError(
            "is of an MLPerf Tiny device that is measured as its rules say",
            where="--quick" if options.quick else "--mode",
            hint="add --target mlperf:///dev/ttyACM0, and leave --rate out",
        )
    from harness import hostrun  # noqa: PLC0415
    from harness.quantity import parse_frequency  # noqa: PLC0415
    from harness.report import host_store, host_terminal  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    with Progress(quiet=options.json) as progress:
        outcome = hostrun.run(
            hostrun.HostRequest(
                link=link,
                out=options.out,
                benchmark=options.benchmark,
                rate_hz=None if options.rate is None else parse_frequency(options.rate),
                events=options.events,
                process=options.process,
                seed=options.seed,
                target=options.target,
                board=options.board,
                overrides=tuple(options.overrides),
                realtime=options.realtime,
                cpu=options.cpu,
            ),
            progress,
        )
    stored = host_store.load(outcome.folder)
    if options.json:
        print(json.dumps(stored.result, indent=2))
    else:
        host_terminal.show(stored.result, outcome.folder)
    return outcome.exit_status


def _run_tiny(options: argparse.Namespace) -> int:
    """Measure an MLPerf Tiny device as its rules say, store the result and print it."""
    from harness import tinyrun  # noqa: PLC0415
    from harness.hostpaced import tiny  # noqa: PLC0415
    from harness.report import tiny_result, tiny_terminal  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415

    if options.benchmark is None:
        raise InputError(
            "an MLPerf Tiny device needs inputs",
            where="--target",
            hint="name a benchmark, such as smoke/jet_tagger",
        )
    mode: Mode = options.mode or "performance"
    paced = {
        "--board": options.board is not None,
        "--process": options.process != "periodic",
        "--cpu": options.cpu is not None,
        "--events": options.events is not None and mode == "performance",
        "--quick": options.quick and mode == "accuracy",
    }
    for option in (name for name, given in paced.items() if given):
        raise InputError(
            f"has no meaning in {mode} mode of MLPerf Tiny, which is a closed loop",
            where=option,
            hint="leave it out, or add --rate to pace events from this host",
        )
    with Progress(quiet=options.json) as progress:
        outcome = tinyrun.run(
            tinyrun.TinyRequest(
                benchmark=options.benchmark,
                target=options.target,
                out=options.out,
                mode=mode,
                plan=tiny.QUICK if options.quick else tiny.RULES,
                events=options.events,
                overrides=tuple(options.overrides),
            ),
            progress,
        )
    result = tiny_result.load(outcome.folder)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        tiny_terminal.show(result, outcome.folder)
    return outcome.exit_status


def run_sweep(options: argparse.Namespace) -> int:
    """Run a sweep or a search, and print its points."""
    from harness.report import sweep as view  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.sweep import ask, engine  # noqa: PLC0415

    plan = ask.plan_of(options)
    folder = options.resume or options.out or ask.new_folder()
    try:
        with Progress(quiet=options.json) as progress:
            if plan is None:
                outcome = engine.resume(folder, options.jobs, progress)
            else:
                outcome = engine.begin(folder, plan, options.jobs, progress)
    except KeyboardInterrupt:
        print(f"harness: interrupted; go on with: harness sweep --resume {folder}", file=sys.stderr)
        return EXIT_INVALID
    if options.json:
        found = {"points": outcome.rows, "findings": outcome.findings, "folder": str(folder)}
        print(json.dumps(found, indent=2))
    else:
        view.show(outcome.rows, outcome.findings, folder)
    return outcome.exit_status


def list_all(options: argparse.Namespace) -> int:
    """Print what there is to run."""
    from harness import catalogue  # noqa: PLC0415
    from harness.report import terminal  # noqa: PLC0415

    found = catalogue.everything()
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        terminal.show_catalogue(found)
    return 0


def show_history(options: argparse.Namespace) -> int:
    """Print the runs in a folder."""
    from dataclasses import asdict  # noqa: PLC0415

    from harness.report import history, listing, selection  # noqa: PLC0415

    entries = history.refresh(options.out, rebuild=options.rebuild)
    entries = selection.of_benchmark(entries, options.benchmark)[-(options.last or 0) :]
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        listing.show_history(entries)
    return 0


def show_run(options: argparse.Namespace) -> int:
    """Print one stored run."""
    from harness.report import reader, selection, terminal  # noqa: PLC0415

    folder = reader.open_folder(selection.find_run(options.run, options.out))
    folder.verify()
    if options.json:
        print(json.dumps(folder.result(), indent=2))
    else:
        terminal.show(folder.result(), folder.histograms(), folder.path)
    return 0


def compare_runs(options: argparse.Namespace) -> int:
    """Compare runs with each other or with a baseline, and print the findings."""
    from harness.measure.compare import Rules  # noqa: PLC0415
    from harness.report import comparison, junit, listing  # noqa: PLC0415

    found = comparison.compare_stored(
        options.run,
        options.out,
        Rules(frozenset(options.allow), options.alpha, options.threshold / 100),
        options.file if options.baseline else None,
    )
    if options.junit:
        junit.write(found, options.junit)
    if options.json:
        print(json.dumps(comparison.document(found), indent=2))
    else:
        for each in found:
            listing.show_comparison(each)
    return comparison.exit_status(found)


def accept_baseline(options: argparse.Namespace) -> int:
    """Accept a run as what others must equal."""
    from harness.report import baseline, listing  # noqa: PLC0415
    from harness.report.comparison import load_runs  # noqa: PLC0415

    runs = [run for name in options.run for run in load_runs(name, options.out)]
    listing.show_accepted(baseline.accept(runs, options.file), options.file)
    return 0


def list_baselines(options: argparse.Namespace) -> int:
    """Print the accepted runs."""
    from harness.report import baseline, listing  # noqa: PLC0415

    found = baseline.read(options.file)
    if options.json:
        print(json.dumps(baseline.document(found), indent=2))
    else:
        listing.show_accepted(found.entries, options.file)
    return 0


def write_report(options: argparse.Namespace) -> int:
    """Write reports of stored runs."""
    from harness.report import html, markdown  # noqa: PLC0415
    from harness.report.html import gather  # noqa: PLC0415

    runs, unreadable = gather.gather(options.result)
    if options.output or not (options.markdown or options.plots):
        page = options.output or Path("report.html")
        gather.write(page, html.render(runs, unreadable))
        print(page)
    if options.markdown:
        gather.write(options.markdown, markdown.summary(runs, unreadable))
        print(options.markdown)
    if options.plots:
        for path in gather.plot(runs, options.plots):
            print(path)
    for folder, why in unreadable.items():
        print(f"harness: not shown: {folder}: {why}", file=sys.stderr)
    return 0


def build_overlays(options: argparse.Namespace) -> int:
    """Compile overlays for the virtual board."""
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets.virtual import build_fabric  # noqa: PLC0415

    for name in options.overlay:
        with Progress(quiet=False) as progress:
            library = build_fabric(find_overlay(name), progress.stage)
        print(f"{name}: {library}")
    return 0


def generate_files(options: argparse.Namespace) -> int:
    """Write or check the files that follow from manifests."""
    from harness.generate.write import generate  # noqa: PLC0415
    from harness.overlay import find_overlay, list_overlays  # noqa: PLC0415

    names = options.overlay or list_overlays()
    if not names:
        raise InputError("there is no overlay", where="overlays/")
    for name in names:
        for path in generate(find_overlay(name), check=options.check):
            print(path)
    return 0
