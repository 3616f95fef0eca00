"""A run in the terminal while it lasts: counters, queue, and the total latency as it builds up."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.report import text
from harness.report.terminal import ranges
from harness.report.text import clean

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import RenderableType

    from harness.fabric.samples import LatencyHistogram
    from harness.fabric.watch import About, Look

_BAR: Final = 36
_REDRAWS_PER_S: Final = 8
_LINE_NS: Final = 1_000_000_000
_NOT_READ: Final = "total latency: not read yet; the bus is left to the run"


class LiveView:
    """Shows stages and looks on standard error. Use as a context manager.

    Where standard error is not a terminal, stages and at most one line a second are printed.

    Args:
        console: Where to show; standard error if None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, transient=True, refresh_per_second=_REDRAWS_PER_S)
        self._stage = "starting"
        self._about: About | None = None
        self._look: Look | None = None
        self._said_ns: int | None = None

    def stage(self, text: str) -> None:
        """Say what is being done now."""
        self._stage = text
        if self._console.is_terminal:
            self._live.update(self.render())
        else:
            self._console.print(text, markup=False, highlight=False)

    def events(self, done: int, of: int) -> None:
        """Do nothing: looks say more."""

    def begin(self, about: About) -> None:
        """Remember what will be seen."""
        self._about = about

    def look(self, look: Look) -> None:
        """Show what was seen."""
        self._look = look
        if self._console.is_terminal:
            self._live.update(self.render())
            return
        now_ns = time.monotonic_ns()
        if self._said_ns is None or now_ns - self._said_ns > _LINE_NS:
            self._said_ns = now_ns
            line = ", ".join(f"{name} {value}" for name, value in self._numbers(look))
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        parts: list[RenderableType] = [Text(clean(self._stage), style="bold")]
        about, look = self._about, self._look
        if about is not None:
            head = f"{about.benchmark} on {about.target}, time base {about.time_base}"
            parts.append(Text(clean(head)))
        if about is not None and look is not None:
            settled = look.completed + look.dropped
            bar = Table.grid()  # a bar alone does not end its line
            bar.add_row(ProgressBar(total=about.events, completed=settled, width=_BAR))
            parts.append(bar)
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(style="dim")
            table.add_column(justify="right")
            for name, value in self._numbers(look):
                table.add_row(name, value)
            parts.append(table)
            parts.append(
                Text(_NOT_READ, style="dim") if look.total is None else self._bars(look.total)
            )
        return Group(*parts)

    def _numbers(self, look: Look) -> list[tuple[str, str]]:
        rate = None
        if self._about is not None and look.run_cycles:
            rate = look.completed * self._about.clock_hz / look.run_cycles
        return [
            ("rate", text.hertz(rate)),
            ("completed", text.count(look.completed)),
            ("dropped", text.count(look.dropped)),
            ("misses", text.count(look.deadline_misses)),
            ("waiting", f"{text.count(look.waiting)} (at most {text.count(look.max_depth)})"),
        ]

    def _bars(self, histogram: LatencyHistogram) -> Table:
        rows = ranges(histogram)
        most = max((count for _, _, count in rows), default=0)
        mark = "#" if self._console.options.ascii_only else "\u2588"
        table = Table(
            box=None, padding=(0, 1), title="total latency in cycles", title_justify="left"
        )
        table.add_column("from", justify="right")
        table.add_column("")
        table.add_column("events", justify="right")
        for low, _, count in rows:
            share = math.log1p(count) / math.log1p(most) if count else 0.0
            table.add_row(text.count(low), mark * round(_BAR * share), text.count(count))
        return table

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
