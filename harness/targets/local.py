"""The board that this process runs on: pynq's own device, in the board's own Python.

NOT RUN on hardware so far; everything but configuration and time-keeping is what the virtual and
the remote board run, too.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import BoardError, HarnessError
from harness.targets.pynq import PynqTarget

if TYPE_CHECKING:
    from harness.inventory import Board
    from harness.overlay import Image
    from harness.targets.base import TimeBase

STATE = Path("/sys/class/fpga_manager/fpga0/state")
_MOST_TEXT = 1 << 16


def configure_with_pynq(device: Any, image: Image) -> None:
    """Have pynq put an image into a device.

    Raises:
        ImageError: The device refuses the image.
        BoardError: pynq failed.
    """
    import pynq  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pynq's advice about drivers is not for our user
            overlay = pynq.Overlay(str(image.bit), download=False, device=device)
            device.download(overlay, overlay.parser)
    except HarnessError:
        raise
    except Exception as error:  # pynq raises bare exceptions of any kind
        raise BoardError(
            "pynq cannot load the overlay",
            where=str(image.bit),
            why=f"{type(error).__name__}: {error}",
            hint="is the .hwh beside the .bit, and does this user own the board (root)?",
        ) from error


class LocalTarget(PynqTarget):
    """The board this Python runs on.

    Args:
        board: Which kind it is.

    Raises:
        BoardError: pynq finds no board here.
    """

    name = "local"
    time_base: TimeBase = "fabric"
    poll_ns = 10_000

    def __init__(self, board: Board) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from pynq import Device  # noqa: PLC0415

                device = Device.active_device
        except Exception as error:  # pynq raises bare exceptions of any kind
            raise BoardError(
                "pynq finds no board here",
                where="target local",
                why=f"{type(error).__name__}: {error}",
                hint="run this on the board, as root, with XRT's environment; or use pynq://HOST",
            ) from error
        if device.has_capability("REMOTE"):
            raise BoardError(
                "pynq's active device is a remote one",
                where="target local",
                why="PYNQ_REMOTE_DEVICES is set",
                hint="use --target pynq://HOST",
            )
        super().__init__(device, board)

    def now_ns(self) -> int:
        """Return the monotonic clock of the board's processor."""
        return time.monotonic_ns()

    def elapse(self, ns: int) -> None:
        """Sleep."""
        time.sleep(ns / 1e9)

    def read_text(self, path: str) -> str | None:
        """Return a file of this machine."""
        try:
            with Path(path).open("rb") as file:
                return file.read(_MOST_TEXT).decode("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def _configure(self, image: Image) -> None:
        configure_with_pynq(self._device, image)

    def _state(self) -> str:
        try:
            return STATE.read_text().strip()
        except OSError as error:
            raise BoardError(
                "cannot tell whether the fabric is configured",
                where=str(STATE),
                why=error.strerror or str(error),
            ) from error
