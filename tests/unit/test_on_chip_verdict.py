"""What must live on chip: formulas against numbers by hand, verdicts against their order."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.accelerators.model_file import load_model
from harness.architecture import bounds, published
from harness.architecture.analysis import of_benchmark
from harness.architecture.devices import Device, Figure, Memory, device_table, find_device
from harness.architecture.network import Layer, Network, Workload, of_model
from harness.architecture.verdict import Outcome, judge, over_all
from harness.benchmark import build
from harness.overlay import find_overlay

ORDER = [Outcome.OFF_CHIP, Outcome.ON_CHIP, Outcome.CUSTOM, Outcome.NONE]
CLOCK = Fraction(200_000_000)
FIELD = {item.name: item for item in published.workloads()}


def fig(value: float) -> Figure:
    return Figure(Decimal(str(value)), "test")


def dense(
    inputs: int, outputs: int, weight_bits: int | None = 6, input_bits: int | None = 6
) -> Layer:
    return Layer(
        name="layer",
        kind="dense",
        fan_in=inputs,
        weights=inputs * outputs,
        biases=outputs,
        multiplications=inputs * outputs,
        weight_bits=weight_bits,
        bias_bits=weight_bits,
        input_bits=input_bits,
    )


def net(*layers: Layer) -> Network:
    return Network("test", "test", layers)


def work(interval_ns: float = 25, budget_ns: float | None = 1000) -> Workload:
    budget = None if budget_ns is None else Fraction(str(budget_ns)) / 10**9
    return Workload("test", Fraction(str(interval_ns)) / 10**9, budget, "periodic")


# The argument in numbers: parameters, bytes and GB/s as published shapes give them.
@pytest.mark.parametrize(
    ("name", "parameters", "kilobytes", "gbps"),
    [
        ("jet tagger, hls4ml", 4389, 3.3, 132),
        ("ECON-T encoder", 2288, 1.7, 69),
        ("AXOL1TL v4", 2187, 1.6, 66),
        ("CICADA", 3795, 0.95, 38),
        ("SC4 jet tagger", 1370, 1.5, 62),
        ("qubit readout", 3209, 0.8, 0.8),
    ],
)
def test_fetching_the_weights_of_published_networks(
    name: str, parameters: int, kilobytes: float, gbps: float
) -> None:
    found, workload = FIELD[name].network, FIELD[name].workload
    size, rate = bounds.fetch_bytes(found), bounds.fetch_rate(found, workload)
    assert found.parameters == parameters
    assert size is not None
    assert rate is not None
    digits = 2 if kilobytes < 1 and kilobytes != 0.8 else 1
    assert round(float(size) / 1000, digits) == kilobytes
    assert round(float(rate) / 1e9, 0 if gbps > 1 else 1) == gbps


def test_the_exact_rate_of_the_jet_tagger() -> None:
    item = FIELD["jet tagger, hls4ml"]
    # 4,389 parameters of 6 bits in 25 ns.
    assert bounds.fetch_rate(item.network, item.workload) == Fraction(4389 * 6, 8) * 40_000_000


def test_fetching_non_zero_weights_alone() -> None:
    bits = FIELD["AXOL1TL v4"].network.nonzero_bits
    assert bits == 1241 * 6
    assert round(bits / 8 / 25, 1) == 37.2  # GB/s


def test_products_of_a_kernel_that_slides_are_counted_for_every_place() -> None:
    encoder = FIELD["ECON-T encoder"].network
    assert encoder.multiplications == 4 * 4 * 8 * 27 + 128 * 16
    assert encoder.parameters == 27 * 8 + 8 + 128 * 16 + 16


def test_an_overlays_model_counts_its_own_widths() -> None:
    path = find_overlay("jet_tagger").model_path
    assert path is not None
    found = of_model(load_model(path))
    assert (found.parameters, found.multiplications) == (4389, 4256)
    # Its weights have 6 bits, its biases more; so it needs more than six bits each, but not twice.
    assert 4389 * 6 < (found.bits or 0) < 2 * 4389 * 6
    assert (found.nonzero_bits or 0) < (found.bits or 0)


def test_the_overlays_own_interval_and_latency_lie_within_the_bounds() -> None:
    overlay = find_overlay("jet_tagger")
    assert overlay.model_path is not None
    layers = of_model(load_model(overlay.model_path)).layers
    interval = overlay.accelerator.initiation_interval_cycles
    latency = overlay.accelerator.latency_cycles
    assert interval is not None
    assert latency is not None
    low, high = bounds.latency_cycles(layers, interval)
    assert low <= latency <= high


def test_latency_by_hand() -> None:
    # 16 inputs: 4 levels of adders, 5 inputs: 3 levels; two registers each beside the reuse.
    assert bounds.latency_cycles([dense(16, 5), dense(5, 2)], 3) == (3, (3 + 4 + 2) + (3 + 3 + 2))


def test_multipliers_by_hand() -> None:
    layers = [dense(10, 10), dense(10, 3)]
    assert [bounds.multipliers(layers, reuse) for reuse in (1, 7, 1000)] == [130, 15 + 5, 2]
    assert bounds.dsp_needed(layers, 1) == 50 + 15  # two products of at most 8 bits a slice
    wide = [dense(10, 10, 16, 16)]
    assert bounds.dsp_needed(wide, 1) == 100


def test_least_reuse_by_hand() -> None:
    layers = [dense(10, 10, 16, 16)]
    assert bounds.least_reuse(layers, dsp=100, lut=0) == 1
    assert bounds.least_reuse(layers, dsp=99, lut=0) == 2
    assert bounds.least_reuse(layers, dsp=1, lut=0) == 100
    assert bounds.least_reuse(layers, dsp=0, lut=0) is None
    # Constants of 6 bits: 2 addends of 6 bits each, 12 tables a product.
    assert bounds.least_reuse([dense(10, 10)], dsp=0, lut=1200) == 1
    assert bounds.least_reuse([dense(10, 10)], dsp=0, lut=1199) != 1
    # Changing weights: 6 * 6 / 2 + 6 + 6 = 30 tables a product.
    assert bounds.least_reuse([dense(10, 10)], dsp=0, lut=300, first=2) == 10


def test_the_estimate_of_tables_is_near_what_was_published() -> None:
    layers = FIELD["jet tagger, hls4ml"].network.layers
    tables = sum(layer.multiplications * (bounds.constant_lut(layer) or 0) for layer in layers)
    assert tables == 1024 * 32 + 3232 * 12
    assert 0.5 < tables / 63_251 < 2  # arXiv:2103.05579


def test_tables_cannot_be_estimated_without_widths() -> None:
    layers = [dense(10, 10, 6, None)]
    assert bounds.fits(layers, 1, 100, 0) is True
    assert bounds.fits(layers, 1, 99, 10**9) is None


def test_a_fetch_takes_the_access_and_the_transfer() -> None:
    memory = Memory("m", "DDR4", peak_gbps=fig(10), usable_share=fig(0.5), access_ns=fig(100))
    # 110 parameters of 6 bits at 5 GB/s.
    taken = bounds.fetch_latency_s(net(dense(10, 10)), memory)
    assert taken == pytest.approx(100e-9 + 82.5 / 5e9)
    # Within 1 us the first event may wait for (1000 - 116.5) / 25 others.
    assert bounds.shared_fetch(net(dense(10, 10)), work(), memory) == 1 + 35
    assert bounds.shared_fetch(net(dense(10, 10)), work(25, 50), memory) == 0


def verdict(name: str, board: str, **changes: Any) -> tuple[Outcome, str]:
    item = FIELD[name]
    workload = dataclasses.replace(item.workload, **changes)
    found = judge(item.network, workload, board, find_device(board), CLOCK)
    return found.outcome, found.binding


def test_verdicts_on_what_is_known() -> None:
    assert verdict("jet tagger, hls4ml", "zcu104") == (
        Outcome.ON_CHIP,
        "bandwidth: 132 GB/s needed, 14.4 usable",
    )
    # 4,256 products in 5 cycles of 200 MHz; 176 usable slices, most of them do two.
    assert verdict("jet tagger, hls4ml", "pynq-z2") == (
        Outcome.CUSTOM,
        "multiplications: 852 a cycle, the DSP slices do 283",
    )
    outcome, why = verdict("AXOL1TL v4", "u55c")
    assert outcome is Outcome.ON_CHIP
    assert why == "access latency: 122 ns alone exceed the budget"
    outcome, why = verdict("jet tagger, hls4ml", "basys3")
    assert outcome is Outcome.NONE
    assert why == "logic: the least reuse factor is 9, the rate allows 5"
    outcome, why = verdict("qubit readout", "zcu104")
    assert (outcome, why.split(":")[0]) == (Outcome.ON_CHIP, "latency")


def test_slow_instruments_and_recurrent_networks_may_stay_off_chip() -> None:
    assert verdict("recurrent network, 5 M parameters", "zcu104")[0] is Outcome.OFF_CHIP
    slow = {"interval_s": Fraction(1, 1000), "budget_s": Fraction(1, 1000)}
    for board in ("pynq-z2", "zcu104", "u55c", "u250"):
        assert verdict("jet tagger, hls4ml", board, **slow)[0] is Outcome.OFF_CHIP


def test_missing_figures_are_said_and_not_replaced() -> None:
    assert verdict("READS beam loss", "zcu104")[0] is Outcome.UNKNOWN
    assert verdict("jet tagger, hls4ml", "vu9p")[0] is Outcome.FITS
    found = judge(
        FIELD["jet tagger, hls4ml"].network, work(), "rfsoc4x2", find_device("rfsoc4x2"), CLOCK
    )
    assert found.outcome is Outcome.FITS
    assert "peak bandwidth of DDR4" in found.missing
    assert found.off_chip[0].share is None
    # Where the width of the values is missing, slices may suffice; where not, nothing is claimed.
    assert verdict("ECON-T encoder", "zcu104")[0] is Outcome.ON_CHIP
    assert verdict("ECON-T encoder", "pynq-z2")[0] is Outcome.UNKNOWN


def test_a_budget_that_is_not_known_is_said() -> None:
    found = judge(net(dense(16, 64)), work(25, None), "u55c", find_device("u55c"), CLOCK)
    assert found.outcome is Outcome.OFF_CHIP
    assert found.binding.endswith("latency not judged")
    assert any("latency is not judged" in note for note in found.notes)


def test_a_clock_above_what_the_device_takes_is_cut() -> None:
    found = judge(net(dense(16, 64)), work(), "pynq-z2", find_device("pynq-z2"), 3 * CLOCK)
    assert found.on_chip.cycles_per_event == 9  # floor(388.2 MHz * 25 ns)
    assert any("388.2 MHz" in note for note in found.notes)


def test_an_asic_only_if_no_device_suffices() -> None:
    huge = net(dense(2000, 2000))
    all_of_them = [
        judge(huge, work(5, 100), name, device, CLOCK)
        for name, device in device_table().devices.items()
    ]
    assert over_all(all_of_them).startswith("needs an ASIC")
    some = [judge(net(dense(16, 64)), work(), n, find_device(n), CLOCK) for n in ("u55c", "zcu104")]
    assert over_all(some).startswith("weights may stay off chip on u55c")


WIDTHS = st.integers(1, 16)
LAYERS = st.lists(
    st.builds(dense, st.integers(1, 300), st.integers(1, 300), WIDTHS, WIDTHS),
    min_size=1,
    max_size=4,
)
WORKLOADS = st.builds(
    work, st.sampled_from([1, 5, 25, 100, 1000, 10**5]), st.sampled_from([20, 200, 10**4, 10**6])
)
MEMORIES = st.builds(
    lambda peak, access: Memory("m", "DDR4", peak_gbps=fig(peak), access_ns=fig(access)),
    st.floats(0.1, 1000),
    st.floats(10, 500),
)
COUNTS = st.integers(0, 20_000)
DEVICES = st.builds(
    lambda lut, dsp, bram, uram, memory: Device(
        "d", "d", fig(lut * 50), fig(lut * 100), fig(dsp), fig(bram), fig(uram), memory=(memory,)
    ),
    COUNTS,
    COUNTS,
    st.integers(0, 3000),
    st.integers(0, 1000),
    MEMORIES,
)


def rank(layers: list[Layer], workload: Workload, device: Device, clock: Fraction = CLOCK) -> int:
    return ORDER.index(judge(net(*layers), workload, "d", device, clock).outcome)


def scaled(figure: Figure | None, factor: float) -> Figure:
    assert figure is not None
    return fig(float(figure) * factor)


@settings(deadline=None, max_examples=60)
@given(LAYERS, WORKLOADS, DEVICES, st.sampled_from(["lut", "dsp", "bram", "uram"]), COUNTS)
def test_more_of_a_resource_never_worsens_the_verdict(
    layers: list[Layer], workload: Workload, device: Device, key: str, more: int
) -> None:
    changes: dict[str, Any] = {key: fig(int(getattr(device, key)) + more)}
    better = dataclasses.replace(device, **changes)
    assert rank(layers, workload, better) <= rank(layers, workload, device)


@settings(deadline=None, max_examples=60)
@given(LAYERS, WORKLOADS, DEVICES, st.floats(1, 100))
def test_a_better_memory_never_worsens_the_verdict(
    layers: list[Layer], workload: Workload, device: Device, factor: float
) -> None:
    assert device.memory
    (memory,) = device.memory
    faster = dataclasses.replace(memory, peak_gbps=scaled(memory.peak_gbps, factor))
    sooner = dataclasses.replace(memory, access_ns=scaled(memory.access_ns, 1 / factor))
    before = rank(layers, workload, device)
    for better in (faster, sooner):
        assert rank(layers, workload, dataclasses.replace(device, memory=(better,))) <= before


@settings(deadline=None, max_examples=60)
@given(LAYERS, WORKLOADS, DEVICES, st.integers(2, 50))
def test_more_time_never_worsens_the_verdict(
    layers: list[Layer], workload: Workload, device: Device, factor: int
) -> None:
    before = rank(layers, workload, device)
    assert workload.budget_s is not None
    longer = dataclasses.replace(workload, interval_s=workload.interval_s * factor)
    later = dataclasses.replace(workload, budget_s=workload.budget_s * factor)
    assert rank(layers, longer, device) <= before
    assert rank(layers, later, device) <= before
    assert rank(layers, workload, device, CLOCK * factor) <= before


@settings(deadline=None, max_examples=60)
@given(LAYERS, WORKLOADS, DEVICES, WIDTHS)
def test_narrower_weights_never_worsen_the_verdict(
    layers: list[Layer], workload: Workload, device: Device, bits: int
) -> None:
    narrow = [
        dataclasses.replace(
            layer,
            weight_bits=min(bits, layer.weight_bits or 99),
            bias_bits=min(bits, layer.bias_bits or 99),
        )
        for layer in layers
    ]
    assert rank(narrow, workload, device) <= rank(layers, workload, device)


@settings(deadline=None, max_examples=60)
@given(LAYERS, COUNTS, st.integers(0, 10**6), st.integers(1, 400))
def test_least_reuse_is_the_least(layers: list[Layer], dsp: int, lut: int, reuse: int) -> None:
    found = bounds.least_reuse(layers, dsp, lut)
    if found is None:
        assert not bounds.fits(layers, reuse, dsp, lut)
        return
    assert bounds.fits(layers, found, dsp, lut)
    assume(reuse < found)
    assert not bounds.fits(layers, reuse, dsp, lut)


def test_published_systems_stand_where_their_sources_put_them() -> None:
    found = {item.name: item for item in published.systems()}
    edge = found["EdgeDRNN"]
    assert (edge.weights, edge.bandwidth) == ("DRAM", 5_000_000 / Fraction(1, 2000))
    assert all(item.source for item in found.values())
    # Layers of FINN's keyword spotter, 490-256-256-256-12, and of its CNV.
    assert found["FINN KWS-W3A3"].parameters == 490 * 256 + 2 * 256 * 256 + 256 * 12
    assert found["SpeckleNN"].bandwidth is None


@pytest.mark.parametrize(
    ("arrival", "interval_ns"),
    [
        ({"process": "periodic", "rate": "10 MHz"}, 100),
        ({"process": "poisson", "rate": "10 MHz", "seed": 1}, 100),
        ({"process": "lhc", "rate": "40 MHz", "filling": "25ns_2744b_bcms"}, 25),
        ({"process": "spills", "rate": "10 MHz", "on": "10 us", "off": "1 ms"}, 100),
        ({"process": "shots", "rate": "1 MHz", "shots": 10, "idle": "1 ms"}, 1000),
        ({"process": "frames", "rate": "1 kHz", "mean": 10, "seed": 1}, 100_000),
        (
            {"process": "frames", "rate": "1 kHz", "mean": 10, "window": "10 us", "seed": 1},
            1000,
        ),
        ({"process": "gaps", "gaps_cycles": [2, 4, 6]}, 20),  # cycles of 200 MHz
    ],
)
def test_the_interval_is_the_one_that_must_be_kept_up(
    arrival: dict[str, Any], interval_ns: float
) -> None:
    content = {
        "schema": 1,
        "name": "made_up",
        "summary": "A made-up run",
        "overlay": "jet_tagger",
        "traffic": {"source": "jets"},
        "arrival": {key: Decimal(v) if key == "mean" else v for key, v in arrival.items()},
        "run": {"events": 3000, "deadline": "40 cycles"},
    }
    workload = of_benchmark(build(content, "made_up.toml"), CLOCK)
    assert float(workload.interval_s) * 1e9 == pytest.approx(interval_ns, rel=1e-3)
    assert workload.budget_s == Fraction(40, 200_000_000)
