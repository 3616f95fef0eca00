"""What the steps of a validation share: what is expected, and the board once it is open."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import BoardError
from harness.measure.prediction import timing_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from random import Random

    from harness.architecture.residency import Residency
    from harness.bitfile import BitFile
    from harness.fabric.plan import Identity
    from harness.fabric.stream_bench import StreamBench
    from harness.fabric.weights import Weights
    from harness.inventory import Board
    from harness.measure.prediction import Timing
    from harness.overlay import Image, Overlay
    from harness.quantity import Span
    from harness.run import Progress
    from harness.session import Clock
    from harness.targets import AddressRange, Target, TimeBase
    from harness.targets.design import Hwh

__all__ = ["SOAK_NS", "Context", "Level"]

Level = Literal["quick", "full"]
SOAK_NS: Final[Mapping[tuple[TimeBase, Level], int]] = {
    ("fabric", "quick"): 2_000_000_000,
    ("fabric", "full"): 60_000_000_000,
    ("simulated fabric", "quick"): 1_000_000,
    ("simulated fabric", "full"): 50_000_000,
}
"""Board time for which the rate must be held; simulated time passes a thousand times slower."""


@dataclass
class Context:
    """One validation.

    Args:
        overlay: What should be on the board.
        board: Which board it should be.
        where: The target, as the user wrote it.
        level: How thorough to be.
        load: Whether the image is loaded; if not, nothing is written at all.
        random: Source of inputs that nobody can know beforehand.
        progress: Told how far it is.
        held: Closes what was opened.
        wait_s: How long to wait for somebody else who has the board.
        rate_hz: Rate to hold; None for the most that the contract promises.
        deadline: Largest total in time; None for the latency of the contract.
        soak_ns: Board time for which the rate must be held; None for the level's.
    """

    overlay: Overlay
    board: Board
    where: str
    level: Level
    load: bool
    random: Random
    progress: Progress
    held: ExitStack
    wait_s: float = 0.0
    rate_hz: Fraction | None = None
    deadline: Span | None = None
    soak_ns: int | None = None
    # What earlier steps found.
    bit: bytes = b""
    content: BitFile | None = None
    hwh_text: str | None = None
    design: Hwh | None = None
    image: Image | None = None
    target: Target | None = None
    ranges: Mapping[str, AddressRange] = field(default_factory=dict)
    bench: StreamBench | None = None
    identity: Identity | None = None
    clock: Clock | None = None
    weights: Weights | None = None
    """Those in external memory, once they were loaded."""
    residency: Residency | None = None
    silent: bool = False
    """Whether nothing at all has come out of the accelerator: then no more is waited for it."""

    @property
    def full(self) -> bool:
        """Whether it is to be thorough."""
        return self.level == "full"

    @property
    def timing(self) -> Timing | None:
        """What the contract promises, with all registers as after a reset; None if nothing."""
        return timing_of(self.overlay, {})[0]

    @property
    def opened(self) -> Target:
        """The board.

        Raises:
            BoardError: It was not opened.
        """
        if self.target is None:
            raise BoardError("is not open", where=f"target {self.where}")
        return self.target

    @property
    def measuring(self) -> StreamBench:
        """The measuring IP.

        Raises:
            BoardError: It was not found.
        """
        if self.bench is None:
            raise BoardError("has no stream_bench", where=f"target {self.where}")
        return self.bench
