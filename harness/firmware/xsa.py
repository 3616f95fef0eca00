"""The `.bit` and `.hwh` inside a Vivado `.xsa`, taken out without trusting the archive.

An `.xsa` is a zip file from somebody else. Member names are only compared, never used as paths;
what is unpacked is limited while it is being unpacked, not by what the directory promises.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from harness import bitfile
from harness.archives import DAMAGED
from harness.errors import ImageError

__all__ = ["Xsa", "read_xsa"]

MAX_MEMBERS: Final = 10_000
MAX_BYTES: Final = {".bit": bitfile.MAX_BYTES, ".hwh": 64 << 20}
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Xsa:
    """What an archive holds that configures a board.

    Args:
        bit_name: Member name of the bitstream, for messages only.
        bit: Its bytes.
        hwh_name: Member name of the top design's hardware description, for messages only.
        hwh: Its text.
    """

    bit_name: str
    bit: bytes
    hwh_name: str
    hwh: str


def read_xsa(path: Path) -> Xsa:
    """Take bitstream and top-level hardware description out of an `.xsa`.

    Nothing is written to disk.

    Args:
        path: The archive.

    Raises:
        ImageError: It is no zip file, is damaged or encrypted, holds not exactly one bitstream, has
            names that are absolute, climb, or occur twice, or unpacks to more than any board needs.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, where)
            bits = [item for item in members if item.filename.lower().endswith(".bit")]
            if len(bits) != 1:
                names = ", ".join(repr(item.filename) for item in bits[:4])
                raise ImageError(
                    f"holds {len(bits)} bitstreams",
                    where=where,
                    why=names or "was it exported without -include_bit?",
                    hint="export the platform with its bitstream, for one board",
                )
            description = _top_hwh(members, bits[0], where)
            text = _unpack(archive, description, where)
            bit = _unpack(archive, bits[0], where)
    except OSError as error:
        raise ImageError("cannot be read", where=where, why=error.strerror or str(error)) from error
    except DAMAGED as error:
        raise ImageError(
            "is no readable .xsa", where=where, why=str(error), hint="export or copy it again"
        ) from error
    try:
        return Xsa(bits[0].filename, bit, description.filename, text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ImageError("holds a .hwh that is not UTF-8", where=where, why=str(error)) from error


def _members(archive: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    found = archive.infolist()
    if len(found) > MAX_MEMBERS:
        raise ImageError("holds too many files", where=where, why=f"{len(found)}")
    seen: set[str] = set()
    for item in found:
        name = PurePosixPath(item.filename.replace("\\", "/"))
        link = item.external_attr >> 28 == 0xA
        if name.is_absolute() or ".." in name.parts or ":" in item.filename or link:
            raise ImageError(
                "holds a file that points outside it",
                where=where,
                why=repr(item.filename),
                hint="this is not how Vivado writes an .xsa: do not trust it",
            )
        if item.filename.lower() in seen:
            raise ImageError("holds a name twice", where=where, why=repr(item.filename))
        seen.add(item.filename.lower())
    return [item for item in found if not item.is_dir()]


def _top_hwh(members: list[zipfile.ZipInfo], bit: zipfile.ZipInfo, where: str) -> zipfile.ZipInfo:
    """Return the description of the top design: the others are of blocks inside it."""
    found = [item for item in members if item.filename.lower().endswith(".hwh")]
    if len(found) == 1:
        return found[0]
    stem = PurePosixPath(bit.filename).stem
    wanted = {stem, stem.removesuffix("_wrapper")}
    top = [item for item in found if PurePosixPath(item.filename).stem in wanted]
    if len(top) != 1:
        names = ", ".join(repr(item.filename) for item in found[:8])
        raise ImageError(
            f"holds {len(found)} .hwh files, none of them clearly the top design's",
            where=where,
            why=names or "there is none",
            hint=f"it should be called {stem.removesuffix('_wrapper')}.hwh",
        )
    return top[0]


def _unpack(archive: zipfile.ZipFile, item: zipfile.ZipInfo, where: str) -> bytes:
    limit = MAX_BYTES[PurePosixPath(item.filename).suffix.lower()]
    parts: list[bytes] = []
    size = 0
    with archive.open(item) as stream:
        while part := stream.read(_CHUNK):
            size += len(part)
            if size > limit:
                raise ImageError(
                    f"unpacks {item.filename!r} to more than {limit} bytes",
                    where=where,
                    hint="no board needs that much: do not trust this archive",
                )
            parts.append(part)
    return b"".join(parts)
