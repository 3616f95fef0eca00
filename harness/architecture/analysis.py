"""One network under one workload on many devices: what `harness analyze` computes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from harness.accelerators.model_file import load_model
from harness.architecture import bounds, network, published
from harness.architecture.devices import device_table, find_device
from harness.architecture.verdict import Judgement, judge, over_all
from harness.benchmark import list_benchmarks, load
from harness.errors import InputError
from harness.overlay import find_overlay
from harness.traffic import arrival as arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.architecture.network import Network, Workload
    from harness.benchmark import Benchmark
    from harness.overlay import Overlay


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a network demands, and what every device says to it.

    Args:
        network: What is asked about.
        workload: What drives it.
        clock_hz: Fabric clock that was asked for.
        judgements: One a device.
        contract: What the overlay's manifest promises; empty for other networks.
        ours: Whether it is an overlay of this project.
    """

    network: Network
    workload: Workload
    clock_hz: Fraction
    judgements: tuple[Judgement, ...]
    contract: str = ""
    ours: bool = False

    @property
    def bytes_per_event(self) -> float | None:
        """Bytes of weights."""
        size = bounds.fetch_bytes(self.network)
        return None if size is None else float(size)

    @property
    def bandwidth_gbps(self) -> float | None:
        """10^9 bytes a second if all weights are fetched for every event."""
        rate = bounds.fetch_rate(self.network, self.workload)
        return None if rate is None else float(rate / 10**9)

    @property
    def nonzero_gbps(self) -> float | None:
        """The same for weights that are not zero, without what says where they are."""
        bits = self.network.nonzero_bits
        return None if bits is None else float(Fraction(bits, 8) / self.workload.interval_s / 10**9)

    @property
    def intensity(self) -> float | None:
        """Operations (a multiplication and an addition) for every byte of weights."""
        size, count = self.bytes_per_event, self.network.multiplications
        return None if not size or count is None else 2 * count / size

    @property
    def operations_per_s(self) -> float | None:
        """Operations a second that the workload asks for."""
        count = self.network.multiplications
        return None if count is None else float(2 * count / self.workload.interval_s)

    @property
    def summary(self) -> str:
        """What holds on all devices together."""
        return over_all(self.judgements)


def analyse(
    found: Network,
    workload: Workload,
    devices: Sequence[str],
    clock_hz: Fraction,
    contract: str = "",
) -> Analysis:
    """Return the analysis of a network.

    Args:
        found: The network.
        workload: What drives it.
        devices: Names in the table of devices; all of them if empty.
        clock_hz: Fabric clock to judge at.
        contract: What an overlay promises.

    Raises:
        InputError: A device is not in the table.
    """
    names = list(dict.fromkeys(devices)) or list(device_table().devices)
    judged = tuple(judge(found, workload, name, find_device(name), clock_hz) for name in names)
    return Analysis(found, workload, clock_hz, judged, contract)


def of_overlay(
    overlay: Overlay, workload: Workload, devices: Sequence[str], clock_hz: Fraction
) -> Analysis:
    """Return the analysis of an overlay's model.

    Raises:
        InputError: It has no model, or a device is not in the table.
    """
    if overlay.model_path is None:
        raise InputError(
            f"overlay {overlay.name} has no model, so it has no weights",
            hint="name an overlay with one, or give --model FILE",
        )
    found = network.of_model(load_model(overlay.model_path))
    analysed = analyse(found, workload, devices, clock_hz, contract(overlay))
    return dataclasses.replace(analysed, ours=True)


def contract(overlay: Overlay) -> str:
    """Return, in words, what an overlay promises of itself; empty if it leaves that open."""
    interval = overlay.accelerator.initiation_interval_cycles
    latency = overlay.accelerator.latency_cycles
    if interval is None or latency is None:
        return ""
    return (
        f"the overlay itself: an event every {interval} cycles, latency {latency} cycles, "
        f"built for {overlay.clock_hz / 1e6:g} MHz"
    )


def of_benchmark(benchmark: Benchmark, clock_hz: Fraction) -> Workload:
    """Return what drives the accelerator in a benchmark.

    The interval is the one that has to be kept up: within a train, spill, sequence or window where
    events come in such, the mean otherwise.

    Raises:
        BenchmarkError: A file of recorded times is wrong.
    """
    clock = benchmark.run.clock_hz or clock_hz
    deadline = benchmark.run.deadline
    interval, note = _interval(benchmark, clock)
    return network.Workload(
        name=benchmark.name,
        interval_s=interval,
        budget_s=None if deadline is None else deadline.in_cycles(clock) / clock,
        process=benchmark.arrival.process,
        note=note,
    )


def _interval(benchmark: Benchmark, clock: Fraction) -> tuple[Fraction, str]:
    """Return the time between events in s, and of which events."""
    arrival = benchmark.arrival
    if arrival.rate_hz is None:
        schedule = arrivals.make(arrival, benchmark.run.events, clock)
        mean = Fraction(schedule.expected_cycles()) / benchmark.run.events / clock
        return mean, "the interval is the mean of the schedule"
    if arrival.mean is not None:
        window = 1 / arrival.rate_hz
        if arrival.window is not None:
            window = arrival.window.in_cycles(clock) / clock
        return window / Fraction(arrival.mean), "the interval is the mean within the window"
    within = {"lhc": "crossings inside a train", "spills": "a spill", "shots": "a sequence"}
    if arrival.process in within:
        return 1 / arrival.rate_hz, f"the interval is that of {within[arrival.process]}"
    random = arrival.random or arrival.jitter is not None
    return 1 / arrival.rate_hz, "the interval is a mean" * random


def is_workload(benchmark: Benchmark) -> bool:
    """Return whether a benchmark's rate has to be kept up.

    One that says nothing of drops looks for them: it asks for more than anything has to do.
    """
    return benchmark.require.drops is not None


def shipped(devices: Sequence[str], clock_hz: Fraction | None = None) -> Iterator[Analysis]:
    """Yield the analyses of all benchmarks whose overlay has a model, then of published workloads.

    Benchmarks that ask the same of the same overlay are one; where they ask for different things
    their names are in those of the networks.

    Raises:
        InputError: A benchmark, an overlay or a table is wrong, or a device is not in the table.
    """
    found = list(_benchmarks(devices, clock_hz))
    names = [item.network.name for item in found]
    for item in found:
        name = item.network.name
        if names.count(name) > 1:
            name = f"{name}, {item.workload.name}"
        yield dataclasses.replace(item, network=dataclasses.replace(item.network, name=name))
    for workload in published.workloads():
        clock = clock_hz or Fraction(200_000_000)
        yield analyse(workload.network, workload.workload, devices, clock)


def _benchmarks(devices: Sequence[str], clock_hz: Fraction | None) -> Iterator[Analysis]:
    seen = set()
    for path in list_benchmarks().values():
        benchmark = load(path)
        overlay = find_overlay(benchmark.overlay)
        if overlay.model_path is None or not is_workload(benchmark):
            continue
        clock = clock_hz or Fraction(overlay.clock_hz)
        workload = of_benchmark(benchmark, clock)
        key = (overlay.name, workload.interval_s, workload.budget_s)
        if key not in seen:
            seen.add(key)
            yield of_overlay(overlay, workload, devices, clock)


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as plain JSON; what is not known is null."""
    return {
        "network": {
            **_plain(analysis.network),
            "parameters": analysis.network.parameters,
            "multiplications": analysis.network.multiplications,
            "bytes": analysis.bytes_per_event,
            "nonzero": analysis.network.nonzero,
            "bits_per_weight": analysis.network.bits_per_weight,
        },
        "workload": _plain(analysis.workload),
        "clock_hz": float(analysis.clock_hz),
        "weight_bandwidth_gbps": analysis.bandwidth_gbps,
        "nonzero_weight_bandwidth_gbps": analysis.nonzero_gbps,
        "operations_per_byte": analysis.intensity,
        "operations_per_s": analysis.operations_per_s,
        "contract": analysis.contract or None,
        "summary": analysis.summary,
        "devices": [_plain(item) for item in analysis.judgements],
    }


def figures_json(names: Sequence[str]) -> dict[str, Any]:
    """Return every figure of some devices with its source, and the sources, as plain JSON."""
    table = device_table()
    return {
        "figures": {name: _plain(table.devices[name]) for name in names},
        "sources": {key: _plain(source) for key, source in table.sources.items()},
    }


def systems_json() -> list[dict[str, Any]]:
    """Return the published systems as plain JSON; what a source leaves out is null."""
    found = []
    for item in published.systems():
        plain = _plain(item)
        for key in ("interval", "latency"):
            span = getattr(item, key)
            plain[f"{key}_s"] = None if span is None else float(span.amount)
            del plain[key]
        rate = item.bandwidth
        plain["weight_bandwidth_gbps"] = None if rate is None else float(rate) / 1e9
        found.append(plain)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Fraction | Decimal):
        return float(value)
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    # JSON has no infinity; a share of nothing is no number.
    return None if isinstance(value, float) and value == float("inf") else value
