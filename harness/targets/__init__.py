"""Ways to reach a fabric, opened by what the user writes after --target.

Only this package and `emulation` import pynq, pyserial and ctypes, and only when a target needs
them.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.targets.base import AddressRange, DeviceMemory, Target, TimeBase
from harness.targets.boards_file import resolve
from harness.targets.spec import TargetSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inventory import Board

__all__ = [
    "AddressRange",
    "DeviceMemory",
    "Target",
    "TargetSpec",
    "TimeBase",
    "open_target",
    "resolve",
]


def open_target(
    text: str,
    board: Board,
    progress: Callable[[str], None] = lambda _: None,
    *,
    wait_s: float = 0.0,
    purpose: str = "",
    leased: bool = True,
) -> Target:
    """Open a target, leased where only one at a time may use it.

    Args:
        text: One of `harness.targets.spec.FORMS`, or a name in boards.toml.
        board: Which board to be, or to expect.
        progress: Told what is being done.
        wait_s: How long to wait for somebody else who has the board.
        purpose: What for, for others who want it.
        leased: Take the right to use it; not where a board is only looked at. A serial line always
            has one user.

    Raises:
        InputError: Unknown target, or one without a fabric.
        HarnessError: It cannot be opened.
    """
    spec, _ = resolve(text)
    if spec.kind in {"null", "mlperf"}:
        raise InputError(
            "has no fabric that can be read",
            where=f"--target {text}",
            hint=f"it is timed from this host: harness host BENCHMARK --target {text}",
        )
    if spec.kind == "virtual":
        from harness.targets.virtual import VirtualTarget  # noqa: PLC0415

        return VirtualTarget(board, progress)
    from harness.targets.lease import Lease  # noqa: PLC0415

    if not leased and spec.kind != "uart":
        return _open(spec, board, progress, wait_s, purpose, leased=False)
    with ExitStack() as held:
        lease = held.enter_context(Lease(spec.resource, purpose, wait_s, progress))
        target = _open(spec, board, progress, wait_s, purpose)
        target.lease = lease
        held.pop_all()
    return target


def _open(
    spec: TargetSpec,
    board: Board,
    progress: Callable[[str], None],
    wait_s: float,
    purpose: str,
    *,
    leased: bool = True,
) -> Target:
    if spec.kind == "pynq":
        from harness.targets.remote import RemoteTarget  # noqa: PLC0415

        return RemoteTarget(
            spec.host, spec.port, board, purpose, wait_s=wait_s, progress=progress, leased=leased
        )
    if spec.kind == "uart":
        from harness.targets.uart import UartTarget  # noqa: PLC0415

        return UartTarget(spec.path, spec.baud, board, progress)
    from harness.targets.local import LocalTarget  # noqa: PLC0415

    return LocalTarget(board)
