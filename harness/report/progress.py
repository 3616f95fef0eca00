"""A progress bar on standard error, for what takes longer than a glance."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """Shows the stage a run is in, and how many events have completed.

    Where standard error is not a terminal each stage is one plain line, so that a log stays
    readable.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._task = self._bar.add_task("starting", total=None)

    def stage(self, text: str) -> None:
        """Say what is being done now."""
        if self._live:
            self._bar.update(self._task, description=escape(text))
        else:
            self._console.print(text, markup=False, highlight=False)

    def events(self, done: int, of: int) -> None:
        """Say how many of the events have completed."""
        self._bar.update(self._task, completed=done, total=of)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        sys.stderr.flush()
