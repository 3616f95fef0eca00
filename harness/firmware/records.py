"""The images of all overlays against their records, and new ones among them.

`bitstreams/<overlay>/<board>.toml` is the lock: it says which overlay, digest and board an image is
for, the SHA-256 of each file, and where the image comes from. Nothing else says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.bitfile import parse_bit
from harness.errors import ImageError, InputError, OverlayError, StorageError
from harness.firmware import image
from harness.firmware.xsa import read_xsa
from harness.inventory import find_board
from harness.overlay import EMULATION, find_overlay, list_overlays
from harness.overlay_files import read_bytes
from harness.targets.design import parse_hwh, read_hwh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.firmware.check import Check
    from harness.inventory import Board
    from harness.overlay import Overlay

__all__ = ["Finding", "Source", "add", "check_files", "read_source", "verify"]

_FILES: Final = (".bit", ".hwh", ".toml")


@dataclass(frozen=True, slots=True)
class Finding:
    """One image and what was found of it.

    Args:
        overlay: Name.
        board: Name.
        kind: `emulation`, `real`, or empty where there is none that can be read.
        provenance: Where it comes from, by its record.
        bit_sha256: Of its `.bit`; empty if there is none.
        problems: What is wrong, in words; empty if nothing is.
    """

    overlay: str
    board: str
    kind: str = ""
    provenance: str = ""
    bit_sha256: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A `.bit` and `.hwh` that somebody brings.

    Args:
        bit: Bytes of the `.bit`.
        hwh: Text of the `.hwh`; none for a board without a processing system.
        name: Where they come from, for the record.
    """

    bit: bytes
    hwh: str | None
    name: str


def verify(names: Iterable[str] = ()) -> Iterator[Finding]:
    """Yield every image that the manifests ask for, and every file that belongs to none.

    Args:
        names: Overlays to look at; all if empty.

    Raises:
        OverlayError: There is no overlay of such a name.
    """
    for name in names or list_overlays():
        try:
            overlay = find_overlay(name)
        except OverlayError as error:
            if name not in list_overlays():
                raise
            yield Finding(name, "", problems=(str(error),))
            continue
        for board in overlay.boards:
            yield _look(overlay, find_board(board))
        yield from _strays(overlay)


def _look(overlay: Overlay, board: Board) -> Finding:
    try:
        found = overlay.image(board.name)
        text = None if found.hwh is None else read_hwh(found.hwh)
        content = read_bytes(found.bit, ImageError)
        problems = tuple(_told(check) for check in check_files(overlay, board, content, text))
        kind = "emulation" if image.is_emulation(parse_bit(content)) else "real"
    except InputError as error:
        return Finding(overlay.name, board.name, problems=(str(error),))
    return Finding(overlay.name, board.name, kind, found.provenance, found.bit_sha256, problems)


def _strays(overlay: Overlay) -> Iterator[Finding]:
    known = {path for board in overlay.boards for path in overlay.image_paths(board)}
    folder = overlay.root / "bitstreams" / overlay.name
    for path in sorted(folder.glob("*")):
        if path.suffix in _FILES and path not in known:
            why = f"{path}: belongs to no board of the manifest; delete it, or add the board"
            yield Finding(overlay.name, path.stem, problems=(why,))


def check_files(
    overlay: Overlay, board: Board, bit: bytes, hwh_text: str | None
) -> Iterator[Check]:
    """Yield every check of a pair of files that does not hold.

    Raises:
        ImageError: One of them is not what its name says, or is damaged.
    """
    content = parse_bit(bit)
    checks = [*image.header_checks(content, board), *image.origin_checks(content, overlay, board)]
    if not image.is_emulation(content):
        checks += image.configuration_checks(content, board)
    if hwh_text is not None:
        design = parse_hwh(hwh_text)
        checks += image.pair_checks(content, design, hwh_text)
        checks += image.design_checks(design, overlay, board)
    yield from (check for check in checks if not check.holds)


def _told(check: Check) -> str:
    return f"{check.what}: expected {check.expected}, found {check.found}; {check.hint}"


def read_source(path: Path, hwh: Path | None, board: Board) -> Source:
    """Read what somebody brings, trusting none of it.

    Args:
        path: A `.bit` or an `.xsa`.
        hwh: The `.hwh` of a `.bit`; None for the one beside it.
        board: What it is for.

    Raises:
        InputError: A file is missing or damaged, or there is one too many.
    """
    if path.suffix.lower() == ".xsa":
        if hwh is not None:
            raise InputError("an .xsa brings its own .hwh", where=f"--hwh {hwh}", hint="drop it")
        found = read_xsa(path)
        return Source(found.bit, found.hwh if board.uart is None else None, path.name)
    bit = read_bytes(path, ImageError)
    if board.uart is not None:
        return Source(bit, None, path.name)
    return Source(bit, read_hwh(hwh or path.with_suffix(".hwh")), path.name)


def add(overlay: Overlay, board: Board, source: Source) -> Path:
    """Put an image in the place of the one that an overlay has for a board; return its record.

    Args:
        overlay: What it is an image of.
        board: What it is for.
        source: The files.

    Raises:
        ImageError: They are not an image of this overlay for this board; everything is named.
        OverlayError: The overlay is not made for this board.
        StorageError: They cannot be written.
    """
    if board.name not in overlay.boards:
        known = ", ".join(overlay.boards)
        raise OverlayError(
            f"{overlay.name} is not made for {board.name!r}", where="boards", hint=f"known: {known}"
        )
    problems = [_told(check) for check in check_files(overlay, board, source.bit, source.hwh)]
    if problems:
        raise ImageError(
            f"is no image of {overlay.name} for {board.name}",
            where=source.name,
            why="; ".join(problems),
        )
    bit, hwh, record = overlay.image_paths(board.name)
    files = {bit: source.bit}
    if source.hwh is not None:
        files[hwh] = source.hwh.encode()
    try:
        record.unlink(missing_ok=True)  # without its record an image is never taken for whole
        bit.parent.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            _replace(path, content)
        _replace(record, _record(overlay, board, source).encode())
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError("cannot be written", where=str(bit.parent), why=why) from error
    return record


def _record(overlay: Overlay, board: Board, source: Source) -> str:
    content = parse_bit(source.bit)
    tool = image.tool_of(content)
    built = f"built {content.date} {content.time} by {f'Vivado {tool}' if tool else 'unknown'}"
    if image.is_emulation(content):
        built = EMULATION
    name = "".join(c if c.isascii() and c.isprintable() else "_" for c in source.name)
    lines = [
        "# Added by `harness bitstreams add`; do not edit.",
        "schema = 1",
        f'overlay = "{overlay.name}"',
        f'board = "{board.name}"',
        f'digest = "{overlay.digest}"',
        f'bit_sha256 = "{hashlib.sha256(source.bit).hexdigest()}"',
    ]
    if source.hwh is not None:
        lines.append(f'hwh_sha256 = "{hashlib.sha256(source.hwh.encode()).hexdigest()}"')
    # Both come from strangers; JSON's strings of printable ASCII are TOML's.
    lines.append(f"provenance = {json.dumps(f'{built}, from {name}')}")
    return "\n".join(lines) + "\n"


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    if path.is_symlink():
        raise ImageError("is a link", where=str(path), hint="remove it first")
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
