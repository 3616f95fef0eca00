"""One overlay on a board, an inference at a time: through the driver of its AXI DMA, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness import session as sessions
from harness.errors import BoardError, ImageError
from harness.fabric.dma import Dma
from harness.registers import Config
from harness.targets.dma import dma_build

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from harness.inventory import Board
    from harness.overlay import Overlay
    from harness.targets import Target


class BoardModel:
    """The model of an overlay, run by the fabric. Use as a context manager.

    Its time is board time. What an inference takes there is the register accesses of the driver,
    the transfer, and the accelerator.

    Args:
        target: An open target.
        board: Which board it is.
        overlay: What to load.

    Raises:
        HarnessError: The overlay cannot be loaded or has no DMA.
    """

    def __init__(self, target: Target, board: Board, overlay: Overlay) -> None:
        self._target = target
        self._overlay = overlay
        self.in_bytes = overlay.input.event_bytes
        self._out_bytes = overlay.output.event_bytes
        image = overlay.image(board.name)
        build = dma_build(image)
        session = sessions.start(target, overlay, image, float(overlay.clock_hz))
        if build.instance not in session.ranges:
            raise ImageError(f"the design maps no {build.instance}", where=str(image.hwh))
        sessions.reset(session, overlay, {})
        self._dma = Dma(
            target,
            session.ranges[build.instance],
            build,
            send_bytes=self.in_bytes,
            receive_bytes=self._out_bytes,
        )
        try:
            session.bench.configure(Config.PATH_DMA)
            self._dma.reset()
        except BaseException:
            self.close()
            raise

    def now_us(self) -> int:
        """Return board time."""
        return self._target.now_ns() // 1000

    def load(self, data: bytes) -> None:
        """Put an input into the DMA's send buffer."""
        self._dma.source[: self.in_bytes] = np.frombuffer(data, np.uint8)
        self._dma.flush()

    def infer(self) -> None:
        """Send the input and wait until the answer is in memory."""
        self._dma.arm(self._out_bytes)
        self._dma.send(0, self.in_bytes)
        self._dma.wait()

    def results(self) -> Sequence[str]:
        """Return the values of the last answer, every binary digit of them."""
        data = self._dma.received()
        if data.size != self._out_bytes:
            raise BoardError(
                f"the answer has {data.size} bytes", where="DMA", why=f"expected {self._out_bytes}"
            )
        stream = self._overlay.output
        raw = stream.format.unpack(data[np.newaxis], stream.values)
        digits = max(1, stream.format.fraction)
        return [f"{value:.{digits}f}" for value in stream.format.to_float(raw)[0].tolist()]

    def close(self) -> None:
        """Give the buffers back."""
        self._dma.close()

    def __enter__(self) -> BoardModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
