"""What a host-paced sender sends to, and the link that costs nothing.

Call order of a link, all from the sender's thread unless said otherwise:

1. `prepare(event)` before each event is due, outside what is timed.
2. `submit(event)` when it is due. A synchronous link returns when the answer is there.
3. `collect()` on other links, from the receiver's thread: the events answered since the last call.
4. `finish()` after the last event; `facts()` then says what the link itself found.

Whoever opened a link closes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Link(Protocol):
    """A way to hand over an event and to learn that it was answered."""

    name: str
    synchronous: bool

    def prepare(self, event: int) -> None:
        """Make ready for `event`, and check what the one before it left behind.

        Raises:
            InfrastructureError: The link failed.
        """

    def submit(self, event: int) -> None:
        """Hand over `event`; on a synchronous link, return when it is answered.

        Raises:
            InfrastructureError: The link failed, or did not answer in time.
        """

    def collect(self) -> Sequence[int]:
        """Return the events answered since the last call; may wait for up to 10 ms for one."""

    def finish(self) -> None:
        """Check what the last event left behind.

        Raises:
            InfrastructureError: The link failed.
        """

    def facts(self) -> Mapping[str, object]:
        """Return, JSON-ready, what the link is and what it found."""


class NullLink:
    """Answers at once: what is left is the sender's own overhead."""

    name = "null"
    synchronous = True

    def prepare(self, event: int) -> None:
        """Do nothing."""

    def submit(self, event: int) -> None:
        """Do nothing."""

    def collect(self) -> Sequence[int]:
        """Return nothing: every event was answered by its submission."""
        return ()

    def finish(self) -> None:
        """Do nothing."""

    def facts(self) -> Mapping[str, object]:
        """Return nothing: there is nothing to know."""
        return {}
