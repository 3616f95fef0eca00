"""The formulas: what a network demands, and what a device can give at most.

Every function is one formula. Demands and capacities are bounds for a design that does not waste:
what fails here fails on the board; what passes here may still fail in place and route. Estimates
say that they are.

Usable shares of a device (look-up tables 70 %, RAM and DSP 80 %) are the limits for timing closure
that FINN takes over from AMD (FINN, src/finn/util/platforms.py, DEFAULT_RES_LIMITS).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from harness.architecture.devices import BRAM_BITS, URAM_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.architecture.devices import Device, Memory
    from harness.architecture.network import Layer, Network, Workload

LUT_SHARE: Final = Fraction(7, 10)
RAM_SHARE: Final = Fraction(8, 10)
DSP_SHARE: Final = Fraction(8, 10)
_BRAM_PORT_BITS: Final = 72
_URAM_PORT_BITS: Final = 144
_LUT_BITS: Final = 64
_NARROW: Final = 8


def fetch_bytes(network: Network) -> Fraction | None:
    """Bytes of weights an event needs: bits of all parameters / 8, packed without a gap."""
    return None if network.bits is None else Fraction(network.bits, 8)


def fetch_rate(network: Network, workload: Workload) -> Fraction | None:
    """Bytes a second if all weights are fetched for every event: bytes / event interval.

    Without batching: the interval is the instrument's, and an event is done before the next fetch.
    """
    size = fetch_bytes(network)
    return None if size is None else size / workload.interval_s


def fetch_latency_s(network: Network, memory: Memory) -> float | None:
    """The least time from an event's arrival to its last weight: access + bytes / usable rate.

    The fetch begins with the event. Access is the shortest that is known (`least_access_ns`).
    """
    size, rate, access = fetch_bytes(network), memory.usable_gbps, memory.least_access_ns
    if size is None or not rate or access is None:
        return None
    return access * 1e-9 + float(size) / (rate * 1e9)


def shared_fetch(network: Network, workload: Workload, memory: Memory) -> int | None:
    """Most events that could share one fetch within the budget: 1 + (budget - fetch) / interval.

    The first of them waits for the last to arrive. None without a budget, 0 if one fetch is too
    long. The rate of fetching falls by this number, if the design computes so many at once.
    """
    latency = fetch_latency_s(network, memory)
    if latency is None or workload.budget_s is None:
        return None
    left = float(workload.budget_s) - latency
    return 0 if left < 0 else 1 + int(left / float(workload.interval_s))


def highest_clock_hz(device: Device, clock_hz: Fraction) -> Fraction:
    """The clock asked for, or the highest that block RAM and DSP slices of the device take."""
    known = [figure for figure in (device.ram_mhz, device.dsp_mhz) if figure is not None]
    return min([clock_hz, *(Fraction(figure.value) * 10**6 for figure in known)])


def cycles_per_event(workload: Workload, clock_hz: Fraction) -> int:
    """Whole clock cycles between two events: floor(clock * interval), the largest reuse factor."""
    return int(clock_hz * workload.interval_s)


def constant_lut(layer: Layer) -> Fraction | None:
    """Estimate: look-up tables of a multiplication by a constant, its addition included.

    A constant of w bits has w/3 non-zero digits on average in canonical signed digits (Reitwiesner
    1960), at least one; each is an addend of a bits, and an addition takes a table a bit. The jet
    tagger, all weights constants, comes to 71,552; published are 63,251 and 38 DSP slices for a
    version with other widths between its layers (arXiv:2103.05579).
    """
    if layer.weight_bits is None or layer.input_bits is None:
        return None
    return max(Fraction(1), Fraction(layer.weight_bits, 3)) * layer.input_bits


def variable_lut(layer: Layer) -> Fraction | None:
    """Estimate: look-up tables of a multiplication by a weight that changes, and its addition.

    An array multiplier in six-input tables takes w * a / 2 (Walters, 2016), the adder w + a.
    """
    if layer.weight_bits is None or layer.input_bits is None:
        return None
    return Fraction(layer.weight_bits * layer.input_bits, 2) + layer.weight_bits + layer.input_bits


def dsp_multiplications(layer: Layer) -> int:
    """Multiplications a cycle of a DSP slice: two if weight and value have at most 8 bits (WP486).

    One where a width is not known, or wider.
    """
    if layer.weight_bits is None or layer.input_bits is None:
        return 1
    return 2 if max(layer.weight_bits, layer.input_bits) <= _NARROW else 1


def usable_dsp(device: Device) -> int | None:
    """DSP slices that a design can use: 80 % of them."""
    return None if device.dsp is None else int(int(device.dsp) * DSP_SHARE)


def usable_lut(device: Device) -> int | None:
    """Look-up tables that a design can use: 70 % of them."""
    return None if device.lut is None else int(int(device.lut) * LUT_SHARE)


def usable_ram_bits(device: Device) -> int | None:
    """Bits of block RAM and UltraRAM that a design can use: 80 % of them."""
    return None if device.ram_bits is None else int(device.ram_bits * RAM_SHARE)


def ram_bits_per_cycle(device: Device) -> int | None:
    """Bits that all usable RAM together can read a cycle: 72 a block RAM, 144 an UltraRAM."""
    if device.bram is None or device.uram is None:
        return None
    ports = int(device.bram) * _BRAM_PORT_BITS + int(device.uram) * _URAM_PORT_BITS
    return int(ports * RAM_SHARE)


def ram_blocks(bits: int) -> tuple[int, int]:
    """Block RAMs, or UltraRAMs, that so many bits fill, without regard to widths."""
    return _ceil(bits, BRAM_BITS), _ceil(bits, URAM_BITS)


def rom_lut(bits: int) -> int:
    """The fewest look-up tables that hold so many bits as constants: 64 a table."""
    return _ceil(bits, _LUT_BITS)


def multipliers(layers: Sequence[Layer], reuse: int) -> int:
    """Multipliers at a reuse factor: of each layer ceil(multiplications / reuse)."""
    return sum(_ceil(layer.multiplications, reuse) for layer in layers)


def fits(layers: Sequence[Layer], reuse: int, dsp: int, lut: int) -> bool | None:
    """Whether multipliers at a reuse factor fit into so many DSP slices and look-up tables.

    With reuse 1 every weight is a constant (`constant_lut`); otherwise it changes from cycle to
    cycle (`variable_lut`). DSP slices take the multiplications that cost most tables, so that the
    rest needs the fewest.

    Returns:
        None if a width is not known and the DSP slices alone do not suffice.
    """
    cost = constant_lut if reuse == 1 else variable_lut
    if dsp_needed(layers, reuse) <= dsp:
        return True
    prices = [cost(layer) for layer in layers]
    if None in prices:
        return None
    total = Fraction(0)
    order = sorted(
        zip(layers, prices, strict=True),
        key=lambda item: (item[1] or 0) * dsp_multiplications(item[0]),
        reverse=True,
    )
    for layer, price in order:
        count = _ceil(layer.multiplications, reuse)
        taken = min(dsp, _ceil(count, dsp_multiplications(layer)))
        dsp -= taken
        total += max(0, count - taken * dsp_multiplications(layer)) * (price or 0)
    return total <= lut


def dsp_needed(layers: Sequence[Layer], reuse: int) -> int:
    """DSP slices if they do all multiplications at a reuse factor."""
    return sum(
        _ceil(_ceil(layer.multiplications, reuse), dsp_multiplications(layer)) for layer in layers
    )


def least_reuse(layers: Sequence[Layer], dsp: int, lut: int, first: int = 1) -> int | None:
    """The least reuse factor, from `first` on, whose multipliers fit; None if none does.

    From 2 on a larger factor never needs more, so a bisection finds it.
    """
    if not layers:
        return None
    if first == 1 and fits(layers, 1, dsp, lut):
        return 1
    low, high = max(2, first), max(2, first, *(layer.multiplications for layer in layers))
    if not fits(layers, high, dsp, lut):
        return None
    while low < high:
        middle = (low + high) // 2
        if fits(layers, middle, dsp, lut):
            high = middle
        else:
            low = middle + 1
    return low


def least_clock_hz(reuse: int, workload: Workload) -> Fraction:
    """The slowest clock that keeps the rate at a reuse factor: reuse / event interval."""
    return reuse / workload.interval_s


def latency_cycles(layers: Sequence[Layer], reuse: int) -> tuple[int, int]:
    """Bounds of the latency, in cycles, at a reuse factor: no design is below, few are above.

    Lower: the last multiplication starts in cycle `reuse`. Upper: layers one after the other, each
    `reuse` cycles, a register for every level of its adder tree, one for the product and one for
    the activation: the sum of reuse + ceil(log2(fan-in)) + 2.
    """
    upper = sum(reuse + (layer.fan_in - 1).bit_length() + 2 for layer in layers)
    return reuse, upper


def _ceil(part: int, whole: int) -> int:
    return -(-part // whole)
