"""The container of a Xilinx `.bit` file, read without trusting it and written reproducibly.

Layout, all big-endian: u16 length and that many bytes; u16 1; then fields of a key byte, u16 length
and NUL-terminated ASCII: `a` design, `b` part, `c` date, `d` time; last `e`, u32 length, and the
payload. Source: FPGA FAQ 0026, "Tell me about .bit files".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from harness.errors import ImageError

__all__ = ["BitFile", "build_bit", "emulation_facts", "parse_bit", "to_bin"]

MAX_BYTES = 256 << 20  # the largest device needs less than 200 MiB
SYNC_WORDS = (bytes.fromhex("AA995566"), bytes.fromhex("665599AA"))
_PREFIX = bytes.fromhex("0FF00FF00FF00FF000")
_KEYS = ("a", "b", "c", "d")
_NAMES = {"a": "design", "b": "part", "c": "date", "d": "time"}
_NOT_A_BIT = (
    (b"\x7fELF", "an ELF program"),
    (b"PK\x03\x04", "a zip archive, perhaps an .xsa: extract it first"),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself"),
    (b"<", "a web page or XML"),
    (b"xclbin2", "an .xclbin"),
    (b"\xff\xff\xff\xff", "a raw .bin image without header"),
)
EMULATION_MARK = b"FPGA-HARNESS EMULATION IMAGE\n"
_FACT = re.compile(r"([a-z_0-9]+) = ([ -~]*)")


@dataclass(frozen=True, slots=True)
class BitFile:
    """The content of a `.bit` file.

    Args:
        design: First part of the design field, the top's name.
        part: Device and package.
        date: As written.
        time: As written.
        payload: Configuration data, whole 32-bit words.
        attributes: Rest of the design field, such as `Version`; None for a name without value.
    """

    design: str
    part: str
    date: str
    time: str
    payload: bytes
    attributes: tuple[tuple[str, str | None], ...] = ()

    @property
    def has_sync_word(self) -> bool:
        """Whether a device would recognise the payload as configuration, in either byte order."""
        return any(word in self.payload for word in SYNC_WORDS)


def _fail(what: str, why: str = "", hint: str = "copy or build the file again") -> ImageError:
    return ImageError(what, where=".bit", why=why, hint=hint)


def _u16(data: bytes, offset: int, what: str) -> int:
    if offset + 2 > len(data):
        raise _fail(f"ends inside {what}", f"{len(data)} bytes")
    value: int = struct.unpack_from(">H", data, offset)[0]
    return value


def parse_bit(data: bytes) -> BitFile:
    """Parse a `.bit` file.

    Args:
        data: The whole file.

    Raises:
        ImageError: It is anything but one complete `.bit` file; the message says what is wrong.
    """
    if len(data) > MAX_BYTES:
        raise _fail("is larger than any device", f"{len(data)} bytes")
    if not data.startswith(len(_PREFIX).to_bytes(2, "big") + _PREFIX):
        kind = next((text for magic, text in _NOT_A_BIT if data.lstrip().startswith(magic)), "")
        why = (
            f"it looks like {kind}" if kind else f"it begins with {data[:8].hex(' ') or 'nothing'}"
        )
        raise _fail("is not a .bit file", why)
    offset = 2 + len(_PREFIX)
    if _u16(data, offset, "the header") != 1:
        raise _fail("is not a .bit file", "the field after the prefix is not 1")
    offset += 2
    texts: dict[str, str] = {}
    for key in _KEYS:
        if data[offset : offset + 1] != key.encode():
            found = data[offset : offset + 1].hex() or "nothing"
            raise _fail(f"has no {_NAMES[key]} field", f"found {found} at byte {offset}")
        texts[key], offset = _text(data, offset + 1, _NAMES[key])
    if data[offset : offset + 1] != b"e":
        raise _fail("has no payload", f"at byte {offset}")
    if offset + 5 > len(data):
        raise _fail("ends inside the payload's length", f"{len(data)} bytes")
    length: int = struct.unpack_from(">I", data, offset + 1)[0]
    payload = data[offset + 5 :]
    if length != len(payload):
        kind = "is cut short" if length > len(payload) else "has bytes after its end"
        raise _fail(kind, f"the header promises {length} bytes of payload, {len(payload)} follow")
    if length == 0 or length % 4:
        raise _fail("has a payload that is no whole number of words", f"{length} bytes")
    design, *rest = texts["a"].split(";")
    pairs = [item.partition("=") for item in rest]
    attributes = tuple((name, value if equals else None) for name, equals, value in pairs)
    return BitFile(design, texts["b"], texts["c"], texts["d"], payload, attributes)


def _text(data: bytes, offset: int, what: str) -> tuple[str, int]:
    length = _u16(data, offset, f"the {what} field")
    offset += 2
    raw = data[offset : offset + length]
    if len(raw) != length:
        raise _fail(f"ends inside the {what} field", f"{len(raw)} of {length} bytes are there")
    if not raw.endswith(b"\0") or b"\0" in raw[:-1]:
        raise _fail(f"has a {what} that is no NUL-terminated string", raw[:16].hex(" "))
    try:
        text = raw[:-1].decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise _fail(f"has a {what} that is no printable ASCII", raw[:16].hex(" "))
    return text, offset + length


def build_bit(content: BitFile) -> bytes:
    """Return the bytes of a `.bit` file."""
    rest = (name if value is None else f"{name}={value}" for name, value in content.attributes)
    design = ";".join([content.design, *rest])
    parts = [len(_PREFIX).to_bytes(2, "big"), _PREFIX, b"\x00\x01"]
    for key, text in zip(_KEYS, (design, content.part, content.date, content.time), strict=True):
        raw = text.encode("ascii") + b"\0"
        parts += [key.encode(), len(raw).to_bytes(2, "big"), raw]
    parts += [b"e", len(content.payload).to_bytes(4, "big"), content.payload]
    return b"".join(parts)


def to_bin(content: BitFile) -> bytes:
    """Return what Linux's fpga_manager takes: the payload with the bytes of each word swapped."""
    words = len(content.payload) // 4
    return struct.pack(f"<{words}I", *struct.unpack(f">{words}I", content.payload))


def emulation_facts(content: BitFile) -> dict[str, str] | None:
    """Return what the payload of an emulation image says about itself; none for any other image."""
    if not content.payload.startswith(EMULATION_MARK) or content.has_sync_word:
        return None
    text = content.payload.decode("ascii", "replace")
    return {
        match[1]: match[2].rstrip() for match in map(_FACT.fullmatch, text.split("\n")) if match
    }
