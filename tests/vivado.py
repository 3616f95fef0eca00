"""Files of `loopback` as Vivado would write them, but for the frames: those are nonsense."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from harness.bitfile import BitFile
from harness.generate.hwh import TIMESTAMP
from harness.inventory import find_board
from harness.overlay import find_overlay, project_root

IDCODE, CRC, CMD, AXSS, FDRI = 12, 0, 4, 13, 2
SYNC, NOP, DESYNC = 0xAA99_5566, 0x2000_0000, 13


def write(register: int, *words: int) -> tuple[int, ...]:
    return (1 << 29 | 2 << 27 | register << 13 | len(words), *words)


def payload(idcode: int, access: int | None = None, *, crc: bool = True) -> bytes:
    """Return configuration data as Vivado lays them out, with frames of nonsense."""
    stamp = write(AXSS, access) if access is not None else ()
    frames = (1 << 29 | 2 << 27 | FDRI << 13, 2 << 29 | 2 << 27 | 4096, *range(4096))
    check = write(CRC, 0x1234_5678) if crc else ()
    words = (
        *[0xFFFF_FFFF] * 8, 0x0000_00BB, 0x1122_0044, 0xFFFF_FFFF, SYNC, NOP,
        *write(IDCODE, idcode), *stamp, *frames, *check, *write(CMD, DESYNC), NOP, NOP,
    )  # fmt: skip
    return struct.pack(f">{len(words)}I", *words)


def built(board: str = "zcu104", **changes: Any) -> BitFile:
    """Return the .bit of loopback for a board as Vivado would write it."""
    overlay, kind = find_overlay("loopback"), find_board(board)
    data = payload(kind.idcode | 0x1000_0000, int(overlay.digest[:8], 16))
    sound = BitFile(
        "fabric_wrapper", kind.bit_part, "2024/05/17", "12:00:00", data,
        (("UserID", "0XFFFFFFFF"), ("Version", "2023.2")),
    )  # fmt: skip
    return replace(sound, **changes)


def described(board: str = "zcu104", written: str = "Fri May 17 11:30:00 2024") -> str:
    text = (project_root() / "bitstreams" / "loopback" / f"{board}.hwh").read_text()
    return text.replace(TIMESTAMP, written).replace("none: emulation", "2023.2")
