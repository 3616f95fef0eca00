"""From a board and an overlay to a measuring IP that has proved who it is and how fast it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import BoardError, ImageError
from harness.fabric.block_mover import RECEIVE_BYTES, SEND_BYTES, BlockMover
from harness.fabric.dma import Dma
from harness.fabric.plan import Identity
from harness.fabric.stream_bench import StreamBench
from harness.targets.dma import dma_build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.overlay import Image, Overlay
    from harness.targets import AddressRange, Target

BENCH = "stream_bench_0"
CLOCK_WINDOW_NS = {"fabric": 1_000_000_000, "simulated fabric": 1_000_000}


@dataclass(frozen=True, slots=True)
class Clock:
    """The fabric clock, in Hz.

    Args:
        nominal_hz: What the overlay was built for.
        asked_hz: What the benchmark asks for.
        set_hz: What the board's dividers give, by its own account.
        measured_hz: Cycles counted in the fabric over board time.
    """

    nominal_hz: float
    asked_hz: float
    set_hz: float
    measured_hz: float


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
            where=str(image.hwh),
            why=f"it has {', '.join(sorted(ranges)) or 'no addressable IP'}",
            hint="use an overlay of this harness",
        )
    # The clock comes first: at another rate than it was built for, even the identity is hearsay.
    set_hz = target.set_clock(clock_hz)
    mover = _mover(target, image, ranges) if blocks and target.prefers_dma else None
    bench = StreamBench(target, ranges[BENCH], mover)
    identity = bench.identify()
    if identity.digest != overlay.digest:
        raise ImageError(
            f"the fabric is not overlay {overlay.name}",
            where=f"target {target.name}",
            why=f"its digest is {identity.digest}, the overlay's {overlay.digest}",
            hint="load the image built from this overlay",
        )
    measured_hz = _measure(target, bench)
    clock = Clock(overlay.clock_hz, clock_hz, set_hz, measured_hz)
    return Session(target, bench, identity, clock, ranges)


def _mover(target: Target, image: Image, ranges: Mapping[str, AddressRange]) -> BlockMover | None:
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


def _measure(target: Target, bench: StreamBench) -> float:
    """Count fabric cycles over board time; each stamp is bracketed by two looks at the clock."""
    before_ns, first = _stamp(target, bench)
    target.elapse(CLOCK_WINDOW_NS[target.time_base])
    after_ns, last = _stamp(target, bench)
    if last <= first or after_ns <= before_ns:
        raise BoardError(
            "the fabric clock stands still",
            where=f"target {target.name}",
            why=f"{last - first} cycles in {after_ns - before_ns:.0f} ns",
            hint="check the clock configuration of the board",
        )
    return (last - first) * 1e9 / (after_ns - before_ns)


def _stamp(target: Target, bench: StreamBench) -> tuple[float, int]:
    earliest_ns = target.now_ns()
    cycle = bench.cycle()
    return (earliest_ns + target.now_ns()) / 2, cycle
