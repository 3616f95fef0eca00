"""A board whose accelerator is fed through its DMA: loaded, measured, made well after a fault.

Three times are told apart. The host's: hand-over to answer, as the sender stamps it. The
transfer's: LENGTH of the send channel written, to both channels seen done. The fabric's: first beat
offered, taken, last output beat out, in cycles.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness import session as sessions
from harness.errors import ImageError
from harness.hostpaced.dma_link import DmaLink
from harness.hostpaced.recovery import Rung, recover
from harness.registers import Config
from harness.targets.dma import dma_build
from harness.targets.pynq import PynqTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.accelerators import Model
    from harness.fabric.samples import Samples
    from harness.overlay import Image, Overlay
    from harness.targets import Target

_STOCK_EVENTS: Final = 20


class DmaBoard:
    """The link of a board's DMA, and what is to be known of the board behind it.

    Use as a context manager; it does not close the target.

    Args:
        target: An open target with memory that a DMA reaches.
        overlay: What to load.
        image: Its image for this board.
        clock_hz: Fabric clock to set.
        registers: Values of the accelerator's own registers, by name.
        inputs: Input beats of the events, uint8, shape (distinct, bytes).
        golden: Output beats that they must cause, uint8, shape (distinct, bytes).
        weights: The network whose loadable weights are written; None for those of the image.

    Raises:
        InputError: An event is longer than the DMA can move.
        ImageError: The design has no usable DMA.
        InfrastructureError: The board failed.
    """

    def __init__(
        self,
        target: Target,
        overlay: Overlay,
        image: Image,
        clock_hz: float,
        registers: Mapping[str, int],
        inputs: NDArray[np.uint8],
        golden: NDArray[np.uint8],
        weights: Model | None = None,
    ) -> None:
        self._target, self._overlay, self._image = target, overlay, image
        self._clock_hz, self._registers = clock_hz, registers
        self._inputs, self._golden, self._weights = inputs, golden, weights
        build = dma_build(image)
        self._instance = build.instance
        self.session = self._start()
        if build.instance not in self.session.ranges:
            raise ImageError(f"the design maps no {build.instance}", where=str(image.hwh))
        with ExitStack() as held:
            self.link = held.enter_context(
                DmaLink(
                    target,
                    self.session.ranges[build.instance],
                    build,
                    inputs,
                    golden,
                )
            )
            self._feed()
            self._held = held.pop_all()

    def fabric(self) -> Samples:
        """Return what the fabric has counted and stamped of the packets so far."""
        return self.session.bench.read_out(0)

    def stock_driver(self) -> dict[str, Any]:
        """Send a few events through pynq's own driver; return messages and times of each.

        Raises:
            HarnessError: It fails, or pynq does not reach this board.
        """
        if not isinstance(self._target, PynqTarget):
            return {}
        inputs, golden = self._inputs[:_STOCK_EVENTS], self._golden[:_STOCK_EVENTS]
        times, wrong, messages = [], 0, 0
        with self._target.stock_dma(
            self._image, self._instance, inputs.shape[1], golden.shape[1]
        ) as driver:
            for row, expected in zip(inputs, golden, strict=True):
                before, started_ns = self._target.messages, time.perf_counter_ns()
                answer = driver.round_trip(row)
                times.append(time.perf_counter_ns() - started_ns)
                messages += self._target.messages - before
                wrong += not np.array_equal(answer, expected)
        return {
            "events": len(inputs),
            "mismatches": wrong,
            "messages_per_event": messages / len(inputs),
            "median_ns": int(np.median(times)),
            "max_ns": max(times),
        }

    def recover(self) -> dict[str, Any]:
        """Make the board well again after a fault, or quarantine it; see `recover`."""
        rungs = (
            Rung("channel reset", self.link.reset),
            Rung("accelerator reset", self._feed),
            Rung("reload", self._reload),
        )
        return recover(self._target, rungs, self.link.probe)

    def close(self) -> None:
        """Give the DMA's buffers back."""
        self._held.close()

    def _start(self) -> sessions.Session:
        return sessions.start(
            self._target, self._overlay, self._image, self._clock_hz, blocks=False
        )

    def _feed(self) -> None:
        """Reset what is between the DMA's channels, and both of these."""
        sessions.reset(self.session, self._overlay, self._registers, self._weights)
        self.session.bench.configure(Config.PATH_DMA)
        self.link.reset()

    def _reload(self) -> None:
        self.session = self._start()
        self._feed()

    def __enter__(self) -> DmaBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
