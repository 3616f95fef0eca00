"""Processes that run points: a point that takes its process down with it stops no other point."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import run
from harness.errors import HarnessError, InputError
from harness.report import store
from harness.sweep.rows import failed, row_of, skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import TracebackType

    from harness.sweep.matrix import Point


class Silent:
    """Progress of a run that nobody watches."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def events(self, done: int, of: int) -> None:
        """Say nothing."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    point: Point | None = None


class Workers:
    """Processes that wait for points; they are started with the first ones.

    Args:
        jobs: How many at the most.
        target: How a point reaches a board.
        out: Folder that receives the run folders.
    """

    def __init__(self, jobs: int, target: str, out: Path) -> None:
        self._jobs, self._target, self._out = jobs, target, out
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def run(self, points: Iterable[Point], done: Callable[[Point, dict[str, Any]], None]) -> None:
        """Run points, in order of start, and tell each one's row as it ends."""
        waiting = deque(points)
        while waiting or self._busy:
            while waiting and len(self._busy) < self._jobs:
                self._give(waiting.popleft())
            for ready in connection.wait([worker.pipe for worker in self._busy]):
                worker = next(each for each in self._busy if each.pipe is ready)
                self._busy.remove(worker)
                self._collect(worker, done)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in (*self._idle, *self._busy):
            worker.process.terminate()
            worker.process.join()
            worker.pipe.close()

    def _give(self, point: Point) -> None:
        worker = self._idle.pop() if self._idle else self._start()
        worker.point = point
        worker.pipe.send(point)
        self._busy.append(worker)

    def _collect(self, worker: _Worker, done: Callable[[Point, dict[str, Any]], None]) -> None:
        if worker.point is None:
            return
        try:
            row = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            worker.pipe.close()
            why = f"its process died with status {worker.process.exitcode}"
            done(worker.point, failed(worker.point, why))
            return
        self._idle.append(worker)
        done(worker.point, row)

    def _start(self) -> _Worker:
        # Started afresh: a forked copy of NumPy's or the terminal's threads would hang.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._target, str(self._out)))
        process.start()
        theirs.close()
        return _Worker(process, ours)


def measure(point: Point, target: str, out: Path) -> dict[str, Any]:
    """Run one point and return its row; that it cannot be run, or failed, is one too."""
    try:
        outcome = run.run(
            run.Request(point.benchmark, target, None, out, point.overrides), Silent()
        )
        return row_of(point, store.load(outcome.folder))
    except InputError as error:
        return skipped(point, str(error))
    except HarnessError as error:
        return failed(point, str(error))


def _serve(pipe: Connection, target: str, out: str) -> None:
    """Run points until the pipe closes; ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            point = pipe.recv()
        except EOFError:
            return
        pipe.send(measure(point, target, Path(out)))


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
