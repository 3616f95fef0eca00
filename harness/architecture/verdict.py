"""Whether weights may stay off chip on a device, and what forbids it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from harness.architecture import bounds
from harness.architecture.assessment import OffChip, OnChip, off_chip, on_chip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.architecture.devices import Device
    from harness.architecture.network import Network, Workload

DEFAULT_CLOCK_HZ: Final = Fraction(200_000_000)


class Outcome(Enum):
    """What a device can do with a network, the easiest first."""

    OFF_CHIP = "off-chip possible"
    ON_CHIP = "must be on chip"
    CUSTOM = "needs custom logic on this device"
    NONE = "needs an ASIC, or a larger device"
    FITS = "fits on chip; off-chip not judged"
    UNKNOWN = "cannot be said"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one network, workload and device.

    Args:
        device: Its name in the table.
        outcome: The verdict.
        binding: The constraint that decided it.
        off_chip: Every memory beside the device.
        on_chip: The device itself.
        missing: Figures that would have been needed.
        notes: What else the figures say.
    """

    device: str
    outcome: Outcome
    binding: str
    off_chip: tuple[OffChip, ...]
    on_chip: OnChip
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def judge(
    network: Network,
    workload: Workload,
    name: str,
    device: Device,
    clock_hz: Fraction = DEFAULT_CLOCK_HZ,
) -> Judgement:
    """Return the verdict on a network that a workload drives, on a device at a fabric clock.

    Off chip is possible if one memory gives the bytes of all weights in every event interval, an
    event's fetch ends within the budget, and multipliers whose weights change fit. Otherwise
    weights must be on chip: in RAM, if its bits, its ports and the DSP slices keep the rate; else
    as custom logic, weights wired into look-up tables, if those suffice; else not on this device.
    """
    asked_hz, clock_hz = clock_hz, bounds.highest_clock_hz(device, clock_hz)
    here = on_chip(network, workload, device, clock_hz)
    memories = tuple(off_chip(network, workload, item) for item in device.memory or ())
    missing = list(_missing(network, device, memories))
    outcome, binding = _decide(network, workload, device, here, memories)
    return Judgement(
        device=name,
        outcome=outcome,
        binding=binding,
        off_chip=memories,
        on_chip=here,
        missing=tuple(missing),
        notes=tuple(_notes(network, workload, memories, clock_hz, asked_hz)),
    )


def over_all(judgements: Iterable[Judgement]) -> str:
    """Return what holds on all devices together: an ASIC only if none of them suffices."""
    by_outcome: dict[Outcome, list[str]] = {}
    for item in judgements:
        by_outcome.setdefault(item.outcome, []).append(item.device)
    for outcome, words in (
        (Outcome.OFF_CHIP, "weights may stay off chip on {}; on no other that was judged"),
        (Outcome.ON_CHIP, "weights must be on chip; there they do on {}"),
        (Outcome.FITS, "weights fit on chip of {}; off chip could not be judged"),
        (Outcome.CUSTOM, "needs custom logic, weights wired into the fabric: {}"),
        (Outcome.UNKNOWN, "cannot be said for {}: figures are missing"),
    ):
        if outcome in by_outcome:
            return words.format(", ".join(by_outcome[outcome]))
    return "needs an ASIC: none of these devices keeps the rate"


def _decide(
    network: Network,
    workload: Workload,
    device: Device,
    here: OnChip,
    memories: tuple[OffChip, ...],
) -> tuple[Outcome, str]:
    """Return the verdict and the constraint that decided it."""
    cycles = here.cycles_per_event
    if not network.layers:
        return _by_size_alone(workload, device, here, memories)
    unknown = any(bounds.variable_lut(layer) is None for layer in network.layers)
    if here.reuse is None and here.reuse_dsp is None:
        if device.dsp is None or device.lut is None or unknown:
            return Outcome.UNKNOWN, "widths of the network or the device's logic are not known"
        return Outcome.NONE, "logic: not one multiplier fits"
    budget = None if workload.budget_s is None else float(workload.budget_s) * 1e9
    reuse = here.reuse or here.reuse_dsp or 0
    if reuse > cycles and unknown:
        return Outcome.UNKNOWN, "DSP slices do not suffice, and without widths tables are not known"
    if reuse > cycles:
        return Outcome.NONE, f"logic: the least reuse factor is {reuse}, the rate allows {cycles}"
    if here.latency_ns is not None and budget is not None and here.latency_ns[0] > budget:
        return Outcome.NONE, f"latency: at least {here.latency_ns[0]:.3g} ns at this clock"
    changing = bounds.least_reuse(
        network.layers, bounds.usable_dsp(device) or 0, bounds.usable_lut(device) or 0, first=2
    )
    streams = changing is not None and changing <= cycles
    if streams and any(item.possible for item in memories):
        return Outcome.OFF_CHIP, _nothing(memories, workload)
    off = _why_not_off(device, memories, streams=streams)
    shared = _shared(here)
    if (
        shared
        and reuse > 1
        and bounds.rom_lut(network.bits or 0) > (bounds.usable_lut(device) or 0)
    ):
        return (
            Outcome.NONE,
            "on-chip memory: RAM does not do, and the weights fill more than all logic",
        )
    if shared:
        return Outcome.CUSTOM, shared
    if off is None:
        return Outcome.FITS, "no figures of a memory beside this device"
    return Outcome.ON_CHIP, off


def _nothing(memories: tuple[OffChip, ...], workload: Workload) -> str:
    chosen = next(item for item in memories if item.possible)
    judged = "; latency not judged" if workload.budget_s is None else ""
    return f"none: {_percent(chosen.share)} of {chosen.memory}'s peak{judged}"


def _by_size_alone(
    workload: Workload, device: Device, here: OnChip, memories: tuple[OffChip, ...]
) -> tuple[Outcome, str]:
    """Judge a network of which only the number of parameters is known: no word on its logic."""
    if here.ram_share is None:
        return Outcome.UNKNOWN, "the number or the width of the weights is not known"
    if any(item.possible for item in memories):
        return Outcome.OFF_CHIP, _nothing(memories, workload)
    off = _why_not_off(device, memories, streams=True)
    if here.ram_share > 1:
        return Outcome.NONE, f"on-chip RAM: the weights are {_percent(here.ram_share)} of it"
    if off is None:
        return Outcome.FITS, "no figures of a memory beside this device"
    return Outcome.ON_CHIP, off


def _shared(here: OnChip) -> str:
    """Return why weights in RAM and multipliers in DSP slices do not do; empty if they do."""
    if here.ram_share is None or here.ram_share > 1:
        return "on-chip RAM: the weights do not fit, or their size is not known"
    if here.ram_ports_share is not None and here.ram_ports_share > 1:
        return f"RAM ports: {_percent(here.ram_ports_share)} of what they read a cycle"
    if here.reuse_dsp is None or here.reuse_dsp > here.cycles_per_event:
        return (
            f"multiplications: {here.multiplications_per_cycle:,} a cycle, "
            f"the DSP slices do {here.dsp_per_cycle:,}"
        )
    return ""


def _why_not_off(device: Device, memories: tuple[OffChip, ...], *, streams: bool) -> str | None:
    """Return what forbids weights off chip; None if that cannot be judged."""
    if device.memory is None:
        return None
    if not memories:
        return "no memory: there is none beside this device"
    if not streams:
        return "multipliers with changing weights do not fit"
    known = [item.why_not for item in memories if item.possible is False]
    return known[0] if len(known) == len(memories) else None


def _missing(network: Network, device: Device, memories: tuple[OffChip, ...]) -> Iterable[str]:
    if network.parameters is None:
        yield "parameters of the network"
    elif network.bits is None:
        yield "width of the weights"
    if network.layers and any(layer.input_bits is None for layer in network.layers):
        yield "width of the values that weights multiply"
    if not network.layers and network.parameters is not None:
        yield "shape of the network: multiplications, reuse and latency are not judged"
    for title, figure in (
        ("look-up tables", device.lut),
        ("DSP slices", device.dsp),
        ("block RAM", device.bram),
    ):
        if figure is None:
            yield f"{title} of the device"
    for item in memories:
        if item.peak_gbps is None:
            yield f"peak bandwidth of {item.memory}"
        if item.access_ns is None:
            yield f"access latency of {item.memory}"
        elif not item.access_measured:
            yield f"access latency of {item.memory} from the fabric (the memory's own timing used)"


def _notes(
    network: Network,
    workload: Workload,
    memories: tuple[OffChip, ...],
    clock_hz: Fraction,
    asked_hz: Fraction,
) -> Iterable[str]:
    if workload.note:
        yield workload.note
    if workload.budget_s is None:
        yield "no latency budget is known: latency is not judged"
    rate = bounds.fetch_rate(network, workload)
    for item in memories:
        if not item.possible and rate is not None and (item.events_sharing or 0) > 1:
            shared = float(rate) / (item.events_sharing or 1) / 1e9
            yield (
                f"{item.memory}: the budget would let {item.events_sharing} events share a fetch, "
                f"{shared:.3g} GB/s; that takes as many copies of every multiplier's input"
            )
    if clock_hz < asked_hz:
        yield f"judged at {float(clock_hz) / 1e6:g} MHz, the highest clock of its RAM and DSP"
    if any(item.possible for item in memories):
        yield (
            "off chip supposes long bursts over all channels, several events' fetches in flight, "
            "and nobody else at the memory"
        )


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.3g} %"
