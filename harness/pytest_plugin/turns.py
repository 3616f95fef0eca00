"""Turns of the workers of one pytest-xdist run at a board that is one of a kind.

The lease keeps others away, and fails at once unless told to wait. Workers of one run do not fail:
each has the board for one test at a time. That holds with every `--dist`; groups of tests would not
do, since pytest-xdist 3.8 does not group at all with pytest 9.2.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from harness.errors import BoardError

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S: Final = 3600.0
_POLL_S: Final = 0.02
# A worker that comes straight back would starve the others, who only look now and then.
_PAUSE_S: Final = 3 * _POLL_S


class Turn:
    """The right to use the board for one test.

    Args:
        path: A file that the workers of this run share, and nobody else.
        wait_s: How long to wait for the other workers.

    Raises:
        BoardError: They took longer.
    """

    def __init__(self, path: Path, wait_s: float = WAIT_S) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + wait_s
        while not self._taken():
            if time.monotonic() >= until:
                os.close(self._file)
                raise BoardError(
                    "other workers have kept the board",
                    where=str(path),
                    why=f"for {wait_s:g} s",
                    hint="run the tests of the board without -n",
                )
            time.sleep(_POLL_S)

    def _taken(self) -> bool:
        try:
            # A lock of the kernel's ends with the worker, however that ends.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def end(self) -> None:
        """Let the others have it."""
        os.close(self._file)
        time.sleep(_PAUSE_S)
