"""The boards of one pytest process: opened when first asked for, latched when broken."""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, TypeVar

from harness.errors import BoardError, DeadlineError, HarnessError, InputError
from harness.inventory import find_board
from harness.pytest_plugin.needs import capabilities_of
from harness.pytest_plugin.turns import Turn
from harness.pytest_plugin.words import for_pytest
from harness.targets import open_target, resolve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from harness.inventory import Board
    from harness.pytest_plugin.settings import Settings
    from harness.session import Session
    from harness.targets import Target, TargetSpec, TimeBase

__all__ = ["Boards", "OpenBoard"]

DEFAULT_KIND: Final = "zcu104"
"""As benchmarks have it that name none."""
HEALTH_EVENTS: Final = 2000
_T = TypeVar("_T")
_LOG: Final = logging.getLogger("harness.pytest")


class LoggedProgress:
    """Tells pytest's log how far a run has come; `--log-cli-level=INFO` shows it."""

    def stage(self, text: str) -> None:
        """Log what is being done."""
        _LOG.info("%s", text)

    def events(self, done: int, of: int) -> None:
        """Log nothing: a line for each look would hide the others."""


class OpenBoard:
    """An open board.

    Args:
        kind: Which kind of board it is.
        target: How it is reached.
    """

    def __init__(self, kind: Board, target: Target) -> None:
        self.kind = kind
        self.target = target
        self.is_open = True

    @property
    def time_base(self) -> TimeBase:
        """`fabric` of a real board, `simulated fabric` of a virtual one, also over a network."""
        return self.target.time_base

    @property
    def capabilities(self) -> frozenset[str]:
        """What `requires_capability` may ask for."""
        return capabilities_of(self.kind)

    def load(self, name: str, clock: str | None = None) -> Session:
        """Load an overlay, check that the fabric is that one, set and measure its clock.

        A session that was loaded before is over, and so is memory that was allocated.

        Args:
            name: Of the overlay.
            clock: Such as `"200 MHz"`; None for what its image is built for.

        Raises:
            InputError: There is no such overlay, or none for this board.
            BoardError: The board failed.
        """
        __tracebackhide__ = True
        try:
            return self._load(name, clock)
        except HarnessError as error:
            raise for_pytest(error) from None

    def _load(self, name: str, clock: str | None) -> Session:
        from harness import session  # noqa: PLC0415
        from harness.overlay import find_overlay  # noqa: PLC0415
        from harness.quantity import parse_frequency  # noqa: PLC0415

        overlay = find_overlay(name)
        image = overlay.image(self.kind.name)
        clock_hz = parse_frequency(clock) if clock else overlay.built_clock_hz(self.kind.name)
        return session.start(self.target, overlay, image, float(clock_hz))

    def load_for(self, request: pytest.FixtureRequest) -> Session:
        """Load the overlay that a test's parameter or marker names.

        Raises:
            InputError: It names none.
        """
        __tracebackhide__ = True
        marker = request.node.get_closest_marker("overlay")
        name = getattr(request, "param", None)
        clock = None
        if marker is not None:
            name = name or next(iter(marker.args), None)
            clock = marker.kwargs.get("clock")
        if not isinstance(name, str):
            raise InputError(
                "names no overlay",
                where=request.node.nodeid,
                hint='such as @pytest.mark.overlay("dial"), or parametrize with indirect=True',
            )
        return self.load(name, clock)

    def close(self) -> None:
        """Give the board back, even one that no longer answers."""
        self.is_open = False
        with suppress(HarnessError):
            self.target.__exit__(None, None, None)


class Boards:
    """Opens the board that the settings name; of the virtual one, one of each kind.

    Args:
        settings: What the user asked for.
        temporary: Where pytest has its temporary folders; there is none before the first test.
        is_worker: Whether there are other processes of the same run.
    """

    def __init__(
        self,
        settings: Settings,
        temporary: Callable[[], pytest.TempPathFactory],
        *,
        is_worker: bool = False,
    ) -> None:
        self.settings = settings
        self._temporary = temporary
        self._is_worker = is_worker
        self._turn: Turn | None = None
        self.broken = ""
        """Why no more tests are let near the board; empty while all is well."""
        self._open: dict[str, OpenBoard] = {}

    def __str__(self) -> str:
        """Return one line for the head of pytest's output."""
        return f"target {self.settings.target}, board {self.kind().name}"

    @cached_property
    def _resolved(self) -> tuple[TargetSpec, str | None]:
        return resolve(self.settings.target)

    @cached_property
    def out(self) -> Path:
        """Folder that receives result folders."""
        return self.settings.out or self._temporary().mktemp("harness")

    @property
    def is_virtual(self) -> bool:
        """Whether boards are simulated in this process."""
        return self._resolved[0].kind == "virtual"

    def kind(self, wished: str | None = None) -> Board:
        """Return the kind of board that tests meet.

        Args:
            wished: What a benchmark would run on; counts where nothing else is said.

        Raises:
            InputError: It is unknown.
        """
        told = self.settings.board or self._resolved[1]
        # A board that is one of a kind does not become another one for a benchmark.
        return find_board(told or (wished if self.is_virtual and wished else DEFAULT_KIND))

    def open(self, wished: str | None = None) -> OpenBoard:
        """Return the board, opened and checked if it is not yet.

        Args:
            wished: As of `kind`.

        Raises:
            HarnessError: It cannot be opened, or is not healthy; then it is latched as broken.
        """
        __tracebackhide__ = True
        kind = self.kind(wished)
        if kind.name not in self._open:
            self._open[kind.name] = self._or_broken(lambda: self._opened(kind))
        return self._open[kind.name]

    def begin(self) -> None:
        """Before a test that uses a board: have it to ourselves, as this process's last test had.

        Raises:
            HarnessError: It cannot be opened again; then it is latched as broken.
        """
        __tracebackhide__ = True
        if self._is_worker and self._resolved[0].resource:
            # The workers of a run share the folder above their own.
            place = self._temporary().getbasetemp().parent / "harness-board"
            self._turn = self._or_broken(lambda: Turn(place))
        for board in self._open.values():
            if not board.is_open:
                target = self._or_broken(partial(self._connect, board.kind))
                board.target, board.is_open = target, True

    def end(self) -> None:
        """After it: let other workers have it."""
        if self._turn is not None:
            for board in self._open.values():
                board.close()
            self._turn.end()
            self._turn = None

    def _or_broken(self, act: Callable[[], _T]) -> _T:
        __tracebackhide__ = True
        try:
            return act()
        except HarnessError as error:
            told = for_pytest(error)
            self.broken = f"the board cannot be used: {told}"
            raise told from None

    def suspect(self, error: BaseException, test: str) -> None:
        """After a failure that may be the board's: latch it, unless it opens and passes anew."""
        if self.broken or not isinstance(error, BoardError | DeadlineError):
            return
        for board in self._open.values():
            board.close()
            try:
                # Who holds the object keeps it; only how the board is reached is new.
                board.target, board.is_open = self._opened(board.kind).target, True
            except HarnessError:
                self.broken = f"the board broke in {test}: {error}"
                return

    def close(self) -> None:
        """Give all boards back."""
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, kind: Board) -> OpenBoard:
        board = OpenBoard(kind, self._connect(kind))
        try:
            if self.settings.health and not self.is_virtual and kind.uart is None:
                self._check_health(board, self.settings.health)
        except BaseException:
            board.close()
            raise
        return board

    def _connect(self, kind: Board) -> Target:
        settings = self.settings
        _LOG.info("opening %s", settings.target)
        with warnings.catch_warnings():
            # What pynq and its packages say while they are imported is not about the user's tests.
            warnings.simplefilter("ignore")
            from harness import run  # noqa: PLC0415, F401
            from harness.targets import pynq  # noqa: PLC0415, F401

            return open_target(
                settings.target, kind, LoggedProgress().stage,
                wait_s=settings.wait_s, purpose="pytest",
            )  # fmt: skip

    def _check_health(self, board: OpenBoard, benchmark: str) -> None:
        """Play some events through a benchmark.

        Raises:
            BoardError: Its verdict is not `pass`.
        """
        from harness.pytest_plugin.runs import run_on  # noqa: PLC0415

        found = run_on(self, board, benchmark, [f"run.events={HEALTH_EVENTS}"])
        if found.verdict != "pass":
            first = found.reasons[0]
            raise BoardError(
                f"is not healthy, {benchmark} says {found.verdict}",
                where=f"target {self.settings.target}",
                why=f"{first['what']}: {first['evidence']}",
                hint=f"harness run {benchmark}, on this target, says more; "
                "--harness-health=none does without",
            )
