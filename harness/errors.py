"""Every error the harness raises on purpose, in one tree.

    HarnessError                   exit code
      InputError                       2     a file or argument of the user's is wrong
        BenchmarkError, OverlayError, ImageError
      RunInvalidError                  3     the run took place but must not be believed
      InfrastructureError              4     the machine, the board or the link failed
        ToolchainError, BusError, BoardError, StorageError, DeadlineError

An error says what happened, where, why, and what to do next; it formats itself, so that the command
line prints one line and a program can read the parts.
"""

from __future__ import annotations

from typing import ClassVar


class HarnessError(Exception):
    """Root of the tree.

    Args:
        what: What went wrong, one clause without a full stop.
        where: The file, key, register or step.
        why: The cause or the evidence.
        hint: What the reader should do next.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint
        super().__init__(what, where, why, hint)

    def __str__(self) -> str:
        """Return the parts joined on one line."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        tail = "".join(f"; {part}" for part in (self.why, self.hint) if part)
        return " ".join((head + tail).split())


class InputError(HarnessError):
    """A file or an argument the user gave is wrong."""

    exit_code = 2


class BenchmarkError(InputError):
    """A benchmark file is unreadable or asks for something impossible."""


class OverlayError(InputError):
    """An overlay is unknown, its manifest is wrong, or its generated files are stale."""


class ImageError(InputError):
    """A .bit or .hwh is missing, malformed, or belongs to something else."""


class RunInvalidError(HarnessError):
    """A run took place, but its numbers must not be believed."""

    exit_code = 3


class InfrastructureError(HarnessError):
    """The machine, the board, or the link to it failed."""

    exit_code = 4


class ToolchainError(InfrastructureError):
    """Verilator or the C++ compiler is missing or failed."""


class BusError(InfrastructureError):
    """A register or memory access was answered with an error, or is out of range."""


class BoardError(InfrastructureError):
    """A board could not be opened, loaded or identified."""


class StorageError(InfrastructureError):
    """A result could not be written or read back."""


class DeadlineError(InfrastructureError):
    """Hardware did not reach an awaited state in time."""
