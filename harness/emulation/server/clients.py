"""What belongs to which client, and when a client is gone.

gRPC for Python does not tell a server that a connection has closed. The kernel knows: a client
whose connection is not in its table any more is dead, and what it held is freed. Where that table
cannot be read, only silence is left: a client is given up after `IDLE_S` without a call.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clients", "Held", "TooManyError"]

Thing = TypeVar("Thing")
MOST_PER_CLIENT: Final = 4096
MOST: Final = 32768
IDLE_S: Final = 3600.0
_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED: Final = "01"


class TooManyError(Exception):
    """A client holds as much as it may."""


@dataclass
class Held(Generic[Thing]):
    """Things by the id that a client knows them by.

    Ids start with a random word: after a restart an old id names nothing, not somebody else's.
    """

    release: Callable[[Thing], None]
    prefix: str = field(default_factory=lambda: secrets.token_hex(8))
    things: dict[str, tuple[str, Thing]] = field(default_factory=dict)
    made: int = 0

    def add(self, peer: str, thing: Thing) -> str:
        """Keep a thing for a client; return its id.

        Raises:
            TooManyError: The client, or all together, hold too many.
        """
        own = sum(owner == peer for owner, _ in self.things.values())
        if own >= MOST_PER_CLIENT or len(self.things) >= MOST:
            raise TooManyError(f"{own} handles of this client, {len(self.things)} in all")
        self.made += 1
        key = f"{self.prefix}-{self.made}"
        self.things[key] = (peer, thing)
        return key

    def get(self, key: str) -> Thing:
        """Return a thing; any client may name it, as on a board.

        Raises:
            KeyError: There is none of that id.
        """
        return self.things[key][1]

    def drop(self, key: str) -> None:
        """Release one thing.

        Raises:
            KeyError: There is none of that id.
        """
        self.release(self.things.pop(key)[1])

    def drop_all_of(self, peer: str) -> int:
        """Release what a client holds; return how much that was."""
        gone = [key for key, (owner, _) in self.things.items() if owner == peer]
        for key in gone:
            self.drop(key)
        return len(gone)


class Clients:
    """Who has called, and whether they still live.

    Args:
        forget: Called with a client that is gone, in the reaper's thread.
        every_s: How often to look.
    """

    def __init__(self, forget: Callable[[str], None], every_s: float = 0.5) -> None:
        self._forget = forget
        self._every_s = every_s
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._reap, name="clients", daemon=True)
        self._thread.start()

    def called(self, peer: str) -> None:
        """Note a call of a client, named as gRPC does: `ipv4:127.0.0.1:50000`."""
        with self._lock:
            self._seen[peer] = time.monotonic()

    def close(self) -> None:
        """Stop looking; twice is harmless."""
        self._ended.set()
        self._thread.join(timeout=5)

    def _reap(self) -> None:
        while not self._ended.wait(self._every_s):
            alive = connections()
            now = time.monotonic()
            with self._lock:
                gone = [
                    peer
                    for peer, last in self._seen.items()
                    if now - last > (IDLE_S if alive is None else self._every_s)
                    and (alive is None or endpoint(peer) not in alive)
                ]
                for peer in gone:
                    del self._seen[peer]
            for peer in gone:
                self._forget(peer)


def endpoint(peer: str) -> tuple[str, int]:
    """Return address and port of a peer as gRPC names it."""
    host, _, port = unquote(peer).partition(":")[2].rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        return _plain(address), int(port)
    except ValueError:
        return host, 0


def connections() -> set[tuple[str, int]] | None:
    """Return remote address and port of every established TCP connection; None if not told."""
    found = set()
    try:
        for table in _TABLES:
            if not table.exists():
                continue
            for line in table.read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _ESTABLISHED:
                    address, port = words[2].split(":")
                    # Words of the address lie in the machine's order: little-endian here.
                    raw = b"".join(
                        bytes.fromhex(address[at : at + 8])[::-1]
                        for at in range(0, len(address), 8)
                    )
                    found.add((_plain(ipaddress.ip_address(raw)), int(port, 16)))
    except (OSError, ValueError, IndexError):
        return None
    return found


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
