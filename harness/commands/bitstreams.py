"""`harness bitstreams`: the images of overlays, and new ones among them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser("bitstreams", help="list, verify and add images of overlays")
    kinds = parser.add_subparsers(metavar="ACTION", required=True)
    for name, act, text in (
        ("list", list_images, "list every image, and where it comes from"),
        (
            "verify",
            verify_images,
            "check every image: record, SHA-256, part, IDCODE, .hwh, manifest",
        ),
    ):
        kind = kinds.add_parser(name, help=text)
        kind.set_defaults(command=act)
        kind.add_argument("overlay", nargs="*", help="name of an overlay (default: all)")
        kind.add_argument("--json", action="store_true", help="print JSON")
    add = kinds.add_parser(
        "add",
        help="put an image that Vivado built in its place",
        description="Check an image against overlay and board, and put it in its place with a "
        "record. It takes the place of the emulation image; harness generate leaves it there.",
    )
    add.set_defaults(command=add_image)
    add.add_argument("overlay", help="name of the overlay that it is built from")
    add.add_argument("board", help="name of the board that it is built for")
    add.add_argument("file", type=Path, help="a .bit with its .hwh beside it, or an .xsa")
    add.add_argument("--hwh", type=Path, metavar="FILE", help="the .hwh, if it lies elsewhere")


def list_images(options: argparse.Namespace) -> int:
    """Print all images."""
    from harness.firmware.records import verify  # noqa: PLC0415

    return _show(options, list(verify(options.overlay)), strict=False)


def verify_images(options: argparse.Namespace) -> int:
    """Print all images; fail if one is not as it should be."""
    from harness.firmware.records import verify  # noqa: PLC0415

    return _show(options, list(verify(options.overlay)), strict=True)


def _show(options: argparse.Namespace, found: list[object], *, strict: bool) -> int:
    from harness.report import firmware  # noqa: PLC0415

    rows = [asdict(item) for item in found]  # type: ignore[call-overload]  # all are dataclasses
    broken = any(row["problems"] for row in rows)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        firmware.show_images(rows)
    return int(strict and broken)


def add_image(options: argparse.Namespace) -> int:
    """Check an image and put it in its place."""
    from harness.firmware.records import add, read_source  # noqa: PLC0415
    from harness.inventory import find_board  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415

    overlay, board = find_overlay(options.overlay), find_board(options.board)
    print(add(overlay, board, read_source(options.file, options.hwh, board)))
    return 0
