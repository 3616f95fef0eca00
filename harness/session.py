"""From a board and an overlay to a measuring IP that has proved who it is and how fast it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import BoardError, ImageError
from harness.fabric.block_mover import RECEIVE_BYTES, SEND_BYTES, BlockMover
from harness.fabric.dma import Dma
from harness.fabric.loading import load_registers
from harness.fabric.plan import Identity
from harness.fabric.stream_bench import StreamBench
from harness.targets.dma import dma_build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.accelerators import Model
    from harness.overlay import Image, Overlay
    from harness.targets import AddressRange, Target

BENCH = "stream_bench_0"
CLOCK_WINDOW_NS = {"fabric": 1_000_000_000, "simulated fabric": 1_000_000}
CLOCK_PRECISION = 2.5e-4
"""Relative uncertainty that ends the measurement: a quarter of what a clock may be off."""
MOST_WINDOWS = 3
"""Each is four times as long as the one before."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The fabric clock, in Hz.

    Args:
        nominal_hz: What the image was built for.
        asked_hz: What the benchmark asks for.
        set_hz: What the board's dividers give, by its own account.
        measured_hz: Cycles counted in the fabric over board time.
        uncertainty_hz: The true clock lies within this of the measured one.
    """

    nominal_hz: float
    asked_hz: float
    set_hz: float
    measured_hz: float
    uncertainty_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """A loaded and identified fabric, and where each IP of the design lies, by instance name."""

    target: Target
    bench: StreamBench
    identity: Identity
    clock: Clock
    ranges: Mapping[str, AddressRange]


def start(
    target: Target, overlay: Overlay, image: Image, clock_hz: float, *, blocks: bool = True
) -> Session:
    """Load `image`, check that the fabric is `overlay`, set its clock and measure it.

    Args:
        target: An open target.
        overlay: What is expected to answer.
        image: What to load.
        clock_hz: Fabric clock to set.
        blocks: Whether the DMA may be used to fill and empty the memories; not while it is to feed
            the accelerator.

    Raises:
        ImageError: The design has no stream_bench, or the fabric is another overlay.
        BoardError: The board failed, or its clock stands still.
    """
    ranges = target.load(image)
    if BENCH not in ranges:
        raise ImageError(
            f"the design has no {BENCH}",
            where=str(image.hwh or image.bit),
            why=f"it has {', '.join(sorted(ranges)) or 'no addressable IP'}",
            hint="use an overlay of this harness",
        )
    # The clock comes first: at another rate than it was built for, even the identity is hearsay.
    set_hz = target.set_clock(clock_hz)
    mover = block_mover(target, image, ranges) if blocks and target.prefers_dma else None
    bench = StreamBench(target, ranges[BENCH], mover)
    identity = bench.identify()
    if identity.digest != overlay.digest:
        raise ImageError(
            f"the fabric is not overlay {overlay.name}",
            where=f"target {target.name}",
            why=f"its digest is {identity.digest}, the overlay's {overlay.digest}",
            hint="load the image built from this overlay",
        )
    measured_hz, uncertainty_hz = measure_clock(target, bench)
    clock = Clock(image.clock_hz, clock_hz, set_hz, measured_hz, uncertainty_hz)
    return Session(target, bench, identity, clock, ranges)


def reset(
    session: Session,
    overlay: Overlay,
    registers: Mapping[str, int],
    weights: Model | None = None,
) -> None:
    """Stop what runs, zero what was counted, reset the accelerator and set its registers.

    Args:
        session: Of the loaded fabric.
        overlay: What is loaded.
        registers: Values by name; the others get what the manifest gives.
        weights: The network whose loadable weights are written; None for those of the image.

    Raises:
        InfrastructureError: The board failed.
    """
    session.bench.reset()
    for register in overlay.accelerator.registers:
        if register.access == "rw":
            value = registers.get(register.name, register.reset)
            session.bench.set_accelerator(register.offset, value)
    if weights is not None:
        load_registers(session.bench, weights)


def block_mover(
    target: Target, image: Image, ranges: Mapping[str, AddressRange]
) -> BlockMover | None:
    """Return what moves blocks through the design's DMA; its memory is the target's to free."""
    build = dma_build(image)
    most = build.most_bytes + 1 >> 1  # a power of two that LENGTH can hold
    dma = Dma(
        target,
        ranges[build.instance],
        build,
        send_bytes=min(SEND_BYTES, most),
        receive_bytes=min(RECEIVE_BYTES, most),
    )
    return BlockMover(target, ranges[BENCH], dma)


def measure_clock(target: Target, bench: StreamBench) -> tuple[float, float]:
    """Count fabric cycles over board time; return the clock and its uncertainty, in Hz.

    The count is copied at some moment within one access, whose beginning and end are known: half of
    that is how uncertain each stamp is.
    """
    window_ns = CLOCK_WINDOW_NS[target.time_base]
    before = _stamp(target, bench)
    for step in range(MOST_WINDOWS):
        target.elapse(window_ns << 2 * step)
        after = _stamp(target, bench)
        cycles, time_ns = after.cycle - before.cycle, after.middle_ns - before.middle_ns
        if cycles <= 0 or time_ns <= 0:
            raise BoardError(
                "the fabric clock stands still",
                where=f"target {target.name}",
                why=f"{cycles} cycles in {time_ns:.0f} ns",
                hint="check the clock configuration of the board",
            )
        hz = cycles * 1e9 / time_ns
        relative = (before.half_ns + after.half_ns) / time_ns
        if relative <= CLOCK_PRECISION:
            break
    return hz, hz * relative


@dataclass(frozen=True, slots=True)
class _Stamp:
    cycle: int
    middle_ns: float
    half_ns: float


def _stamp(target: Target, bench: StreamBench) -> _Stamp:
    earliest_ns = target.now_ns()
    bench.snapshot()
    latest_ns = target.now_ns()
    middle_ns, half_ns = (earliest_ns + latest_ns) / 2, (latest_ns - earliest_ns) / 2
    return _Stamp(bench.snapshot_cycle(), middle_ns, half_ns)
