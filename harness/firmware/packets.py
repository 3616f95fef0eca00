"""What a configuration image tells a device to do, read packet by packet without trusting it.

After the sync word an image is a sequence of 32-bit big-endian packets. Type 1 names a register and
up to 2047 words for it; type 2 carries more words for the register named last. Sources: UG470 (7
series) and UG570 (UltraScale), chapters on configuration packets; both families agree on what is
read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from harness.errors import ImageError

__all__ = ["Configuration", "read_configuration"]

SYNC: Final = 0xAA99_5566
_SYNC_BYTES: Final = SYNC.to_bytes(4, "big")
_SWAPPED_BYTES: Final = SYNC.to_bytes(4, "little")
_WRITE: Final = 2
_CRC, _FDRI, _CMD, _IDCODE, _AXSS = 0, 2, 4, 12, 13
_DESYNC: Final = 13
_TYPE_1_WORDS: Final = 0x7FF
_TYPE_2_WORDS: Final = 0x7FF_FFFF
_MAX_PACKETS: Final = 4_000_000  # a compressed image of the largest device has far fewer


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an image holds, as its packets say.

    Args:
        sync_offset: Byte offset of the sync word in the payload.
        byte_swapped: Whether the words lie low byte first, as Linux's fpga_manager wants a `.bin`.
        idcodes: Values written to IDCODE, in order; a device refuses frames after a wrong one.
        crc_checks: Writes to the CRC register; none means that the check was disabled.
        frame_words: Words written to FDRI.
        packets: Packets read.
        desynchronised: Whether it ends properly, with the command DESYNC.
        user_access: Last value written to AXSS, or none.
    """

    sync_offset: int
    byte_swapped: bool
    idcodes: tuple[int, ...]
    crc_checks: int
    frame_words: int
    packets: int
    desynchronised: bool
    user_access: int | None


def read_configuration(payload: bytes, where: str = ".bit") -> Configuration:
    """Read the packets of a configuration image up to its DESYNC.

    Args:
        payload: What follows the header of a `.bit`, or a whole `.bin`.
        where: For messages.

    Raises:
        ImageError: There is no sync word, a packet is of no known type, or the image ends inside
            one; the message says at which byte.
    """
    straight, swapped = payload.find(_SYNC_BYTES), payload.find(_SWAPPED_BYTES)
    if straight < 0 and swapped < 0:
        raise ImageError(
            "has no sync word",
            where=where,
            why=f"{SYNC:08X} is nowhere in {len(payload)} bytes",
            hint="this is no configuration data; build or copy the image again",
        )
    byte_swapped = straight < 0 or 0 <= swapped < straight
    start = swapped if byte_swapped else straight
    body = payload[start + 4 :]
    words = struct.unpack(
        f"{'<' if byte_swapped else '>'}{len(body) // 4}I", body[: len(body) & ~3]
    )
    return _walk(words, start, byte_swapped, where)


def _walk(words: tuple[int, ...], start: int, byte_swapped: bool, where: str) -> Configuration:
    idcodes: list[int] = []
    crc_checks = frame_words = packets = at = register = 0
    user_access: int | None = None
    desynchronised = False
    while at < len(words) and not desynchronised:
        head, place = words[at], start + 4 + 4 * at
        kind, operation = head >> 29, head >> 27 & 3
        if kind == 1:
            register, count = head >> 13 & 0x3FFF, head & _TYPE_1_WORDS
        elif kind == 2:
            count = head & _TYPE_2_WORDS
        elif head == 0xFFFF_FFFF:
            at += 1  # padding between parts of an image is legal
            continue
        else:
            raise _broken(f"no packet begins with {head:08X}", place, where)
        at += 1
        packets += 1
        if packets > _MAX_PACKETS:
            raise _broken("more packets than any device needs", place, where)
        if at + count > len(words):
            missing = at + count - len(words)
            raise _broken(f"a packet of {count} words lacks {missing}", place, where)
        if operation == _WRITE and count:
            last = words[at + count - 1]
            if register == _IDCODE:
                idcodes.append(last)
            elif register == _CRC:
                crc_checks += 1
            elif register == _FDRI:
                frame_words += count
            elif register == _AXSS:
                user_access = last
            elif register == _CMD:
                desynchronised = last == _DESYNC
        at += count if operation == _WRITE else 0
    return Configuration(
        sync_offset=start,
        byte_swapped=byte_swapped,
        idcodes=tuple(idcodes),
        crc_checks=crc_checks,
        frame_words=frame_words,
        packets=packets,
        desynchronised=desynchronised,
        user_access=user_access,
    )


def _broken(why: str, place: int, where: str) -> ImageError:
    return ImageError(
        "is no sequence of configuration packets",
        where=f"{where}, byte {place} of the payload",
        why=why,
        hint="the file is damaged or cut short; build or copy it again",
    )
