"""`harness board serve`: a virtual board for PYNQ.remote's clients."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from harness.errors import InputError

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser(
        "serve",
        help="serve a virtual board to any PYNQ.remote client",
        description="Serve a virtual board over gRPC, as PYNQ.remote's clients know one.",
    )
    parser.set_defaults(command=main)
    parser.add_argument(
        "--overlay", action="append", default=[], metavar="NAME",
        help="overlay of this harness that clients may load; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--design", action="append", default=[], type=Path, metavar="FILE.bit",
        help="design of another origin, its .hwh beside it; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--model", action="append", default=[], metavar="IP=FILE.py:CLASS",
        help="model of such a design's IP, by instance or beginning of the VLNV; the file is run",
    )  # fmt: skip
    parser.add_argument("--board", default="zcu104", help="which board to be (default: zcu104)")
    parser.add_argument(
        "--port", type=int, default=7967, help="port, 0 for any that is free (default: 7967)"
    )
    parser.add_argument(
        "--bind", default="127.0.0.1", metavar="ADDRESS", help="address (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--insecure", action="store_true",
        help="allow an address that others reach: they may do anything to the virtual board",
    )  # fmt: skip
    parser.add_argument(
        "--cma", default="128 MiB", metavar="SIZE", help="contiguous memory (default: 128 MiB)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")


def main(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    from harness.inventory import find_board  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets.serve import serve  # noqa: PLC0415

    board = find_board(options.board)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Progress(quiet=options.json) as progress:
        server = serve(
            board,
            options.overlay,
            options.design,
            _models(options.model),
            address=options.bind,
            port=options.port,
            insecure=options.insecure,
            cma_bytes=_size(options.cma),
            progress=progress.stage,
        )
    with server:
        images = [find_overlay(name).image(board.name).bit for name in options.overlay]
        _announce(options, server.port, [*images, *options.design])
        ended.wait()
    return 0


def _announce(options: argparse.Namespace, port: int, images: list[Path]) -> None:
    address = f"{options.bind}:{port}"
    if options.json:
        facts = {"address": address, "board": options.board, "images": [str(i) for i in images]}
        print(json.dumps(facts), flush=True)
        return
    pynq = f"PYNQ_REMOTE_DEVICES={options.bind}"
    if port != 7967:
        pynq = f"pynq.pl_server.remote_device.RemoteDevice(0, {options.bind!r}, {port})"
    print(
        "\n".join(
            [
                f"virtual {options.board} at {address}, until interrupted",
                *(f"  image     {image}" for image in images),
                f"  harness   --target pynq://{address}",
                f"  pynq      {pynq}",
            ]
        ),
        flush=True,
    )


def _models(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, place = text.partition("=")
        if not (name and equals and ":" in place):
            raise InputError(f"{text!r} is no model", where="--model", hint="IP=FILE.py:CLASS")
        found[name] = place
    return found


def _size(text: str) -> int:
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.isdigit() and int(number):
            return int(number) * factor
    raise InputError(f"{text!r} is no size", where="--cma", hint="such as '128 MiB'")
