"""The host's whole way to an accelerator: registers, AXI DMA, memory, and back.

What is timed is one packet: LENGTH of the send channel written, answer in memory. The receive
channel is armed, and what came last is compared with the golden output, before the next event is
due.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BoardError
from harness.fabric.dma import Dma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.targets import AddressRange, Target
    from harness.targets.dma import DmaBuild


class DmaLink:
    """One event a packet, one packet at a time. Use as a context manager; `reset` it first.

    Args:
        target: An open target with an overlay loaded, whose accelerator is fed by the DMA.
        where: Address range of the DMA.
        build: How the DMA was built.
        inputs: Input beats of the events, uint8, shape (distinct, bytes); played in a loop.
        golden: Output beats that they must cause, uint8, shape (distinct, bytes).

    Raises:
        InputError: An event is longer than the DMA can move.
        BoardError: No memory.
    """

    name = "dma"
    synchronous = True

    def __init__(
        self,
        target: Target,
        where: AddressRange,
        build: DmaBuild,
        inputs: NDArray[np.uint8],
        golden: NDArray[np.uint8],
    ) -> None:
        self._golden = golden
        self._distinct, self._in_bytes = inputs.shape
        self._out_bytes = golden.shape[1]
        self._compared = 0
        self._mismatches = 0
        self._first_mismatch: int | None = None
        self._open: int | None = None
        self._target = target
        self._messages = 0
        self._transfer_ns = array("q")
        self._dma = Dma(target, where, build, send_bytes=inputs.size, receive_bytes=self._out_bytes)
        try:
            self._dma.source[: inputs.size] = inputs.ravel()
            self._dma.flush()
        except BaseException:
            self._dma.close()
            raise

    @property
    def transfer_ns(self) -> NDArray[np.int64]:
        """From LENGTH of the send channel written to both channels seen done, by event."""
        return np.array(self._transfer_ns, np.int64)

    def reset(self) -> None:
        """Reset both channels: whatever was under way is lost.

        Raises:
            DeadlineError: The reset does not end.
        """
        self._open = None
        self._dma.reset()

    def probe(self) -> None:
        """Send the first event and compare its answer.

        Raises:
            BoardError: The answer is not the golden one, or a channel halted.
            DeadlineError: There is none.
        """
        self._dma.arm(self._out_bytes)
        self._dma.send(0, self._in_bytes)
        self._dma.wait()
        if not np.array_equal(self._dma.received(), self._golden[0]):
            raise BoardError("the first event has another answer than the golden one", where="dma")

    def prepare(self, event: int) -> None:
        """Check the last answer, and arm the receive channel for the next."""
        if not self._messages:
            self._messages = self._target.messages
        self._check()
        self._dma.arm(self._out_bytes)
        self._open = event

    def submit(self, event: int) -> None:
        """Send one packet and wait for its answer."""
        self._dma.send(event % self._distinct * self._in_bytes, self._in_bytes)
        started_ns = time.monotonic_ns()
        self._dma.wait()
        self._transfer_ns.append(time.monotonic_ns() - started_ns)

    def collect(self) -> Sequence[int]:
        """Return nothing: the answer is there when `submit` returns."""
        return ()

    def finish(self) -> None:
        """Check the last answer."""
        self._check()

    def facts(self) -> Mapping[str, object]:
        """Return sizes, and how many answers were unlike the golden ones."""
        return {
            "in_bytes": self._in_bytes,
            "out_bytes": self._out_bytes,
            "distinct": self._distinct,
            "compared": self._compared,
            "mismatches": self._mismatches,
            "first_mismatch": self._first_mismatch,
            "messages_per_event": (self._target.messages - self._messages) / max(1, self._compared),
        }

    def close(self) -> None:
        """Give the buffers back."""
        self._dma.close()

    def __enter__(self) -> DmaLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        event, self._open = self._open, None
        if event is None:
            return
        data = self._dma.received()
        if data.size != self._out_bytes:
            raise BoardError(
                f"event {event} was answered by {data.size} bytes",
                where="link dma",
                why=f"the overlay's outputs have {self._out_bytes}",
            )
        self._compared += 1
        if not np.array_equal(data, self._golden[event % self._distinct]):
            self._mismatches += 1
            if self._first_mismatch is None:
                self._first_mismatch = event
