"""`harness board uart`: a virtual board without a processor, behind a pseudo terminal."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_parser(commands: Commands) -> None:
    """Add the subcommand to the command line."""
    parser = commands.add_parser(
        "uart",
        help="be a board behind a serial line, until interrupted",
        description="Run an overlay's RTL behind its serial bridge, and open a pseudo terminal to "
        "it. Its name is printed; give it to --target as uart://NAME.",
    )
    parser.set_defaults(command=main)
    parser.add_argument("--overlay", required=True, help="what the board is configured with")
    parser.add_argument("--board", default="arty-a7", help="which board to be (default: arty-a7)")
    parser.add_argument(
        "--baud", type=_positive, metavar="N",
        help="rate of the simulated line (default: four clock cycles a bit, which is quick)",
    )  # fmt: skip
    parser.add_argument(
        "--link", type=Path, metavar="PATH", help="also make this symbolic link to the terminal"
    )
    parser.add_argument(
        "--noise", type=_share, default=0.0, metavar="RATE",
        help="share of bytes to damage, either way: flipped, lost, doubled, inserted",
    )  # fmt: skip
    parser.add_argument("--noise-seed", type=int, default=1, metavar="N", help="of the damage")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    from harness.inventory import find_board  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets.virtual_uart import (  # noqa: PLC0415
        Noise,
        PtyServer,
        virtual_uart_board,
    )

    overlay, board = find_overlay(options.overlay), find_board(options.board)
    with Progress(quiet=options.json) as progress:
        simulated = virtual_uart_board(overlay, board, options.baud, progress.stage)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    inward, outward = (Noise(options.noise, 2 * options.noise_seed + i) for i in (0, 1))
    with PtyServer(simulated, options.link, inward, outward) as server:
        path = str(options.link or server.path)
        found = {
            "path": path, "terminal": server.path, "target": f"uart://{path}", "board": board.name,
            "overlay": overlay.name, "digest": overlay.digest,
        }  # fmt: skip
        text = f"{board.name} with {overlay.name}: --target uart://{path} --board {board.name}"
        print(json.dumps(found) if options.json else text, flush=True)
        server.serve(ended.is_set)
    simulated.close()
    return 0


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share
