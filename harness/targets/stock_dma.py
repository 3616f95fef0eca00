"""pynq's own DMA driver on the same board, to see what ours saves.

The driver waits for ever; here its register reads have a deadline, and nothing else is changed.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.errors import BoardError, DeadlineError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.overlay import Image

__all__ = ["StockDma"]

_ROUND_TRIP_S: Final = 5.0


class StockDma:
    """Buffers and driver as a user of pynq writes them. Use as a context manager.

    Args:
        device: pynq's device, with the design loaded.
        image: The design.
        instance: The DMA's name in it.
        in_bytes: Bytes of a packet towards the fabric.
        out_bytes: Bytes of its answer.

    Raises:
        BoardError: pynq cannot drive the DMA.
    """

    def __init__(
        self, device: Any, image: Image, instance: str, in_bytes: int, out_bytes: int
    ) -> None:
        self._until = time.monotonic() + _ROUND_TRIP_S
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pynq  # noqa: PLC0415
                from pynq.lib.dma import DMA  # noqa: PLC0415

                from harness.emulation.pynq_device import (  # noqa: PLC0415
                    Metadata,
                    RuntimeMetadataParser,
                )

                ips = RuntimeMetadataParser(Metadata(input=str(image.hwh))).ip_dict
                self._driver = DMA(dict(ips[instance], device=device))
                mmio = self._driver.mmio
                mmio.read = self._limited(mmio.read)
                self._send = pynq.allocate(in_bytes, "u1", target=device)
                self._receive = pynq.allocate(out_bytes, "u1", target=device)
        except HarnessError:
            raise
        except Exception as error:  # pynq raises bare exceptions of any kind
            raise BoardError(
                "pynq's own driver cannot be made",
                where=instance,
                why=f"{type(error).__name__}: {error}",
            ) from error

    def _limited(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def within_time(*arguments: Any, **options: Any) -> Any:
            if time.monotonic() > self._until:
                raise DeadlineError(
                    "pynq's driver would wait for ever",
                    where="axi_dma",
                    why=f"nothing within {_ROUND_TRIP_S:g} s",
                    hint="reset the DMA before going on",
                )
            return read(*arguments, **options)

        return within_time

    def round_trip(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Send one packet and return its answer, the way pynq's documentation does it.

        Raises:
            DeadlineError: There is no answer.
            HarnessError: The board failed.
        """
        self._until = time.monotonic() + _ROUND_TRIP_S
        try:
            self._send[:] = data
            self._driver.recvchannel.transfer(self._receive)
            self._driver.sendchannel.transfer(self._send)
            self._driver.sendchannel.wait()
            self._driver.recvchannel.wait()
        except HarnessError:
            raise
        except Exception as error:  # pynq raises bare exceptions of any kind
            raise BoardError(
                "pynq's own driver failed", where="axi_dma", why=f"{type(error).__name__}: {error}"
            ) from error
        return np.array(self._receive)

    def __enter__(self) -> StockDma:
        return self

    def __exit__(self, *_: object) -> None:
        for buffer in (self._send, self._receive):
            buffer.freebuffer()
