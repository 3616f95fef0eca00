"""Ways to reach a fabric, opened by what the user writes after --target.

Only this package and `emulation` import pynq, pyserial and ctypes, and only when a target needs
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.targets.base import AddressRange, DeviceMemory, Target, TimeBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inventory import Board

__all__ = ["AddressRange", "DeviceMemory", "Target", "TimeBase", "open_target"]

KNOWN = ("virtual",)


def open_target(
    spec: str, board: Board, progress: Callable[[str], None] = lambda _: None
) -> Target:
    """Open the target that `spec` names.

    Args:
        spec: `virtual`.
        board: Which board to be, or to expect.
        progress: Told what is being done.

    Raises:
        InputError: Unknown target.
        HarnessError: It cannot be opened.
    """
    if spec == "virtual":
        from harness.targets.virtual import VirtualTarget  # noqa: PLC0415

        return VirtualTarget(board, progress)
    if spec.startswith("mlperf:"):
        raise InputError(
            "an MLPerf Tiny device has no fabric that can be read",
            where="--target",
            hint=f"it is timed from this host: harness host BENCHMARK --target {spec}",
        )
    raise InputError(
        f"unknown target {spec!r}", where="--target", hint=f"known targets: {', '.join(KNOWN)}"
    )
