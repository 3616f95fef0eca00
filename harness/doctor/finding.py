"""What a probe found, and probes that cannot hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError

__all__ = ["Finding", "Probe", "State", "take"]

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        group: `machine`, `packages`, `compiler`, `project` or `board`.
        name: What was looked at.
        state: `ok`; `note` (does not matter to everybody); `wrong` (something will not work).
        found: What is there.
        hint: What to do about it; empty if nothing needs to be done.
    """

    group: str
    name: str
    state: State
    found: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A look at something.

    Args:
        group: Of its findings, if it fails.
        name: What it looks at.
        look: Finds.
        deadline_s: How long it may take.
    """

    group: str
    name: str
    look: Callable[[], Iterable[Finding]]
    deadline_s: float = 5.0


def take(probe: Probe) -> Iterator[Finding]:
    """Yield what a probe finds, or that it failed or took too long."""
    found: list[Finding] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.extend(probe.look())
        except Exception as error:  # noqa: BLE001 (raised again below, in the caller's thread)
            failed.append(error)

    # A daemon: what hangs in the kernel must not keep this process from ending.
    thread = threading.Thread(target=run, name=f"probe {probe.name}", daemon=True)
    thread.start()
    thread.join(probe.deadline_s)
    yield from list(found)
    if thread.is_alive():
        told = f"no answer within {probe.deadline_s:g} s"
        yield Finding(
            probe.group, probe.name, "wrong", told, "see what hangs there, then try again"
        )
    elif failed:
        error = failed[0]
        if not isinstance(error, HarnessError | OSError):
            raise error
        hint = error.hint if isinstance(error, HarnessError) else ""
        told = str(error).removesuffix(f"; {hint}") if hint else str(error)
        yield Finding(probe.group, probe.name, "wrong", told, hint)
