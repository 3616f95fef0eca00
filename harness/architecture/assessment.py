"""A network's demand against one device and the memories beside it, number by number."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from harness.architecture import bounds

if TYPE_CHECKING:
    from harness.architecture.devices import Device, Memory
    from harness.architecture.network import Network, Workload


@dataclass(frozen=True, slots=True)
class OffChip:
    """One memory beside the device against the network's demand; None is not known.

    Args:
        memory: Its name.
        peak_gbps: Of the memory.
        share: Of that peak which fetching all weights for every event takes.
        access_ns: The least time of an access, and whether it was measured from the fabric.
        access_measured: False where only the memory's own timing is known.
        access_breaks_budget: Whether that alone is longer than the budget.
        latency_ns: Access and transfer of all weights, the least.
        events_sharing: Events that could share a fetch within the budget.
        possible: Whether rate and latency both allow it.
        why_not: The constraint that forbids it, or what is missing.
    """

    memory: str
    peak_gbps: float | None
    share: float | None
    access_ns: float | None
    access_measured: bool
    access_breaks_budget: bool | None
    latency_ns: float | None
    events_sharing: int | None
    possible: bool | None
    why_not: str


@dataclass(frozen=True, slots=True)
class OnChip:
    """The device itself against the network's demand; None is not known.

    Args:
        ram_share: Of the usable RAM bits that the weights fill.
        ram_ports_share: Of the bits that usable RAM can read a cycle which the rate takes.
        bram: Block RAMs that the weights fill.
        uram: UltraRAMs that they would fill instead.
        cycles_per_event: Clock cycles between events: the largest reuse factor.
        multiplications_per_cycle: That the rate asks for.
        dsp_per_cycle: Multiplications a cycle of the usable DSP slices, for this network's widths.
        reuse_dsp: Least reuse factor with DSP slices alone.
        reuse: Least reuse factor with DSP slices and look-up tables.
        least_clock_hz: The slowest clock that keeps the rate at `reuse`.
        latency_ns: Bounds at `reuse` and the clock judged at.
        lut_share: Of the usable look-up tables, every weight a constant in logic: an estimate.
    """

    ram_share: float | None
    ram_ports_share: float | None
    bram: int | None
    uram: int | None
    cycles_per_event: int
    multiplications_per_cycle: int | None
    dsp_per_cycle: int | None
    reuse_dsp: int | None
    reuse: int | None
    least_clock_hz: float | None
    latency_ns: tuple[float, float] | None
    lut_share: float | None


def on_chip(network: Network, workload: Workload, device: Device, clock_hz: Fraction) -> OnChip:
    """Return what the device itself has against what the network demands at a fabric clock."""
    layers, bits = network.layers, network.bits
    cycles = bounds.cycles_per_event(workload, clock_hz)
    dsp, lut = bounds.usable_dsp(device), bounds.usable_lut(device)
    ram, ports = bounds.usable_ram_bits(device), bounds.ram_bits_per_cycle(device)
    blocks = (None, None) if bits is None else bounds.ram_blocks(bits)
    reuse_dsp = None if dsp is None else bounds.least_reuse(layers, dsp, 0)
    reuse = None if dsp is None or lut is None else bounds.least_reuse(layers, dsp, lut)
    needed = network.multiplications
    constants = [bounds.constant_lut(layer) for layer in layers]
    logic = None
    if layers and None not in constants:
        logic = sum(
            layer.multiplications * (cost or 0)
            for layer, cost in zip(layers, constants, strict=True)
        )
    latency = None
    if reuse is not None:
        low, high = bounds.latency_cycles(layers, reuse)
        latency = float(low * 10**9 / clock_hz), float(high * 10**9 / clock_hz)
    return OnChip(
        ram_share=_ratio(bits, ram),
        ram_ports_share=_ratio(None if bits is None or not cycles else -(-bits // cycles), ports),
        bram=blocks[0],
        uram=blocks[1],
        cycles_per_event=cycles,
        multiplications_per_cycle=None if needed is None or not cycles else -(-needed // cycles),
        dsp_per_cycle=_dsp_per_cycle(network, dsp),
        reuse_dsp=reuse_dsp,
        reuse=reuse,
        least_clock_hz=None if reuse is None else float(bounds.least_clock_hz(reuse, workload)),
        latency_ns=latency,
        lut_share=_ratio(logic, lut),
    )


def _dsp_per_cycle(network: Network, dsp: int | None) -> int | None:
    if dsp is None or not network.layers:
        return None
    slices = bounds.dsp_needed(network.layers, 1)
    return dsp * (network.multiplications or 0) // slices if slices else None


def _ratio(part: Fraction | int | None, whole: int | None) -> float | None:
    if part is None or whole is None:
        return None
    return float(Fraction(part) / whole) if whole else float("inf")


def off_chip(network: Network, workload: Workload, memory: Memory) -> OffChip:
    """Return what a memory gives against fetching all weights for every event."""
    rate, usable = bounds.fetch_rate(network, workload), memory.usable_gbps
    peak = None if memory.peak_gbps is None else float(memory.peak_gbps)
    budget = None if workload.budget_s is None else float(workload.budget_s)
    access, latency = memory.least_access_ns, bounds.fetch_latency_s(network, memory)
    breaks = None if access is None or budget is None else access * 1e-9 > budget
    possible: bool | None = True
    why = ""
    if rate is None or usable is None:
        possible, why = None, "the size of the weights" if rate is None else "its bandwidth"
    elif float(rate) > usable * 1e9:
        possible = False
        why = f"bandwidth: {float(rate) / 1e9:.3g} GB/s needed, {usable:.3g} usable"
    if breaks:
        possible, why = False, f"access latency: {access:.3g} ns alone exceed the budget"
    elif possible and budget is not None:
        if latency is None:
            possible, why = None, "its access latency"
        elif latency > budget:
            possible = False
            why = f"latency: a fetch takes {latency * 1e9:.3g} ns, the budget is {budget * 1e9:.3g}"
    return OffChip(
        memory=memory.name,
        peak_gbps=peak,
        share=None if rate is None or not peak else float(rate) / (peak * 1e9),
        access_ns=access,
        access_measured=memory.access_ns is not None,
        access_breaks_budget=breaks,
        latency_ns=None if latency is None else latency * 1e9,
        events_sharing=bounds.shared_fetch(network, workload, memory),
        possible=possible,
        why_not=why,
    )
