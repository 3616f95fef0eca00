"""What the user writes after --target, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from harness.errors import InputError

__all__ = ["FORMS", "PYNQ_PORT", "TargetSpec", "parse_spec"]

Kind = Literal["virtual", "local", "pynq", "uart", "mlperf", "null"]

PYNQ_PORT: Final = 7967
BAUD: Final = 921_600
FORMS: Final = (
    "virtual", "local", "pynq://HOST[:7967]", "uart:///dev/ttyUSB1?baud=921600",
    "mlperf:///dev/ttyACM0", "null",
)  # fmt: skip
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+")
_MOST_BAUD: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A way to reach a board.

    Args:
        text: As the user wrote it.
        kind: Which way.
        host: Name or address of a remote board.
        port: Its TCP port.
        path: Device file of a serial line.
        baud: Its symbol rate.
    """

    text: str
    kind: Kind
    host: str = ""
    port: int = 0
    path: str = ""
    baud: int = 0

    @property
    def resource(self) -> str:
        """What only one at a time may use, as a target; empty if there is no such thing."""
        if self.kind == "pynq":
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"pynq://{host}:{self.port}"
        return {"local": "local", "uart": f"uart://{self.path}"}.get(self.kind, "")


def parse_spec(text: str) -> TargetSpec:
    """Take a target apart.

    Raises:
        InputError: It has none of the known forms, or a part of it cannot be.
    """
    if text in {"virtual", "local", "null"}:
        return TargetSpec(text, text)  # type: ignore[arg-type]  # the three are kinds
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise _wrong(text, str(error)) from error
    if url.scheme == "pynq":
        host = url.hostname or ""
        if not _HOST.fullmatch(host) or url.path not in {"", "/"} or url.query or url.username:
            raise _wrong(text, "a host and a port, nothing else")
        return TargetSpec(text, "pynq", host=host, port=PYNQ_PORT if port is None else port)
    if url.scheme == "uart":
        if url.netloc or not url.path.startswith("/") or "\0" in url.path:
            raise _wrong(text, "the device file needs its full path, after three slashes")
        return TargetSpec(text, "uart", path=url.path, baud=_baud(text, url.query))
    if url.scheme == "mlperf":
        return TargetSpec(text, "mlperf", path=url.path)
    raise _wrong(text, "")


def _baud(text: str, query: str) -> int:
    found = parse_qs(query, keep_blank_values=True)
    value = found.pop("baud", [str(BAUD)])
    if found or len(value) != 1 or not re.fullmatch(r"[0-9]{1,9}", value[0]):
        raise _wrong(text, "only ?baud=NUMBER is known")
    if not 0 < int(value[0]) <= _MOST_BAUD:
        raise _wrong(text, f"baud is 1 to {_MOST_BAUD}")
    return int(value[0])


def _wrong(text: str, why: str) -> InputError:
    return InputError(
        f"unknown target {text!r}",
        where="--target",
        why=why,
        hint=f"known: {', '.join(FORMS)}, or a name in boards.toml",
    )
