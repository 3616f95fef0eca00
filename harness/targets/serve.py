"""A virtual board for clients elsewhere: what `harness board serve` starts."""

from __future__ import annotations

import importlib.util
import ipaddress
import sys
from typing import TYPE_CHECKING

from harness.errors import InfrastructureError, InputError
from harness.overlay import find_overlay
from harness.targets.spec import PYNQ_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.emulation.server.server import BoardServer
    from harness.inventory import Board


def serve(
    board: Board,
    overlays: Sequence[str],
    designs: Sequence[Path] = (),
    models: Mapping[str, str] | None = None,
    *,
    address: str = "127.0.0.1",
    port: int = PYNQ_PORT,
    insecure: bool = False,
    cma_bytes: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> BoardServer:
    """Start serving a virtual board in threads of this process.

    Args:
        board: Which kind to be.
        overlays: Overlays of this harness that clients may load; compiled beforehand.
        designs: `.bit` files of other designs, each with its `.hwh` beside it.
        models: Where models of their IP are: instance or beginning of the VLNV, to `FILE.py:Class`.
        address: Address to listen at.
        port: Port to listen at; 0 for any that is free.
        insecure: Whether an address that others can reach is meant.
        cma_bytes: Contiguous memory; None for what boards have by default.
        progress: Told what is being compiled.

    Raises:
        InputError: An overlay, design or model is wrong, or the address is not loopback.
        InfrastructureError: The port is taken, an overlay cannot be compiled, or a package is
            missing.
    """
    check_address(address, insecure=insecure)
    _check_packages()
    from pathlib import Path  # noqa: PLC0415

    from harness.emulation.board import CMA_BYTES  # noqa: PLC0415
    from harness.emulation.models import load_model_class  # noqa: PLC0415
    from harness.emulation.server.board import ServedBoard, read_design  # noqa: PLC0415
    from harness.emulation.server.server import BoardServer  # noqa: PLC0415
    from harness.targets.virtual import build_fabric, fabric_of  # noqa: PLC0415

    known = []
    for name in overlays:
        overlay = find_overlay(name)
        build_fabric(overlay, progress)
        known.append(read_design(overlay.image(board.name).bit, emulated=True))
    known += [read_design(path, emulated=False) for path in designs]
    if not known:
        raise InputError(
            "has nothing to load", where="board serve", hint="name an --overlay or a --design"
        )
    made = {}
    for key, text in (models or {}).items():
        file, _, name = text.rpartition(":")
        made[key] = load_model_class(Path(file), name)
    served = ServedBoard(
        board,
        lambda digest: fabric_of(digest, board, progress),
        known,
        made,
        cma_bytes or CMA_BYTES,
    )
    return BoardServer(served, address, port)


def _check_packages() -> None:
    for name in ("grpc_health", "grpc_reflection"):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            raise InfrastructureError(
                f"{name} is not installed",
                where="board serve",
                why="clients ask a server for its health and its services",
                hint="pip install 'fpga-harness[serve]'",
            )


def check_address(address: str, *, insecure: bool) -> None:
    """Refuse an address that others can reach, unless that is meant.

    Raises:
        InputError: It is no address, or not loopback.
    """
    try:
        loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        loopback = address == "localhost"
        if not loopback:
            raise InputError(
                f"{address!r} is no IP address", where="--bind", hint="such as 127.0.0.1"
            ) from None
    if not loopback and not insecure:
        raise InputError(
            f"{address} can be reached by others",
            where="--bind",
            why="the protocol has no authentication: whoever reaches the port owns the board",
            hint="add --insecure if that is meant, or use an SSH tunnel",
        )
