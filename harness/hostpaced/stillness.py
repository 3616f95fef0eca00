"""What a process can do so that its sender wakes when it should, and how well that works.

Each measure is optional: what the operating system does not permit is recorded as not taken.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from harness.targets import time_slice

_SLACK: Final = Path("/proc/self/timerslack_ns")
_SWITCH_S: Final = 20e-6
_REALTIME_PRIORITY: Final = 10
_NAPS: Final = 100
_NAP_NS: Final = 300_000
_CALLS: Final = 2_000
_MOST_SPIN_NS: Final = 300_000
_SPIN_SHARE: Final = {"ordinary": 4, "realtime": 2}
"""The part of a mean gap that may be spun through. Who spins all the time is set aside: the kernel
takes up to 50 ms in a second from a real-time thread that leaves others nothing, and an ordinary
one waits for their slices. That is far worse than to oversleep now and then.
"""
_SLICE_NS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Stillness:
    """The conditions of a run, to be stored with it.

    Args:
        scheduling: `realtime` (SCHED_FIFO) or `ordinary`.
        slice_ns: Time slice that the kernel granted; None for its own.
        timer_slack_ns: By which the kernel may delay a wake-up; None if it does not say.
        cpu: The one the sender was bound to; None for any.
        spin_ns: Time before a deadline from which the sender no longer sleeps.
        oversleep_p50_ns: Median by which a nap was too long.
        oversleep_p99_ns: And the 99th percentile.
        clock_call_ns: Mean cost of reading the clock.
        clock_resolution_ns: Resolution that the operating system claims for it.
    """

    scheduling: str
    slice_ns: int | None
    timer_slack_ns: int | None
    cpu: int | None
    spin_ns: int
    oversleep_p50_ns: int
    oversleep_p99_ns: int
    clock_call_ns: int
    clock_resolution_ns: int

    def facts(self) -> dict[str, object]:
        """Return the conditions, JSON-ready."""
        return asdict(self)


@contextmanager
def stillness(
    interval_ns: int, *, realtime: bool = False, cpu: int | None = None
) -> Iterator[Stillness]:
    """Disturb the calling thread as little as the operating system permits; undone at the end.

    The garbage collector is off, the timer slack is 1 ns, threads switch after 20 us, the thread
    has a short time slice and, if asked for, is scheduled in real time or bound to one CPU. A
    real-time thread that spins keeps everyone else off its CPU: that is for machines with a CPU to
    spare.

    Args:
        interval_ns: Mean time between two events, from which follows how long it may spin.
        realtime: Whether to ask for SCHED_FIFO.
        cpu: CPU to run on; None for any.
    """
    with ExitStack() as undo:
        undo.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_S)
        if gc.isenabled():
            undo.callback(gc.enable)
        gc.collect()
        gc.disable()
        slack = _reduce_slack(undo)
        bound = _bind(undo, cpu) if cpu is not None else None
        scheduling = _hurry(undo) if realtime else "ordinary"
        granted = _shorten_slice(undo) if scheduling == "ordinary" else None
        over = np.sort([_oversleep() for _ in range(_NAPS)])
        p50, p99 = (int(over[-(-q * _NAPS // 100) - 1]) for q in (50, 99))
        yield Stillness(
            scheduling=scheduling,
            slice_ns=granted,
            timer_slack_ns=slack,
            cpu=bound,
            spin_ns=_spin_ns(p50, p99, interval_ns // _SPIN_SHARE[scheduling]),
            oversleep_p50_ns=p50,
            oversleep_p99_ns=p99,
            clock_call_ns=_clock_call(),
            clock_resolution_ns=max(1, round(time.get_clock_info("monotonic").resolution * 1e9)),
        )


def _spin_ns(p50_ns: int, p99_ns: int, share_ns: int) -> int:
    """Return for how long to spin: through nearly every late wake-up, or else most of them.

    Where others compete for the CPU, wake-ups are late by milliseconds at times. No spinning covers
    that, and it makes the next ones later still.
    """
    most = min(share_ns, _MOST_SPIN_NS)
    nearly_all = p99_ns + p99_ns // 4
    return nearly_all if nearly_all <= most else min(p50_ns + p50_ns // 2, most)


def _oversleep() -> int:
    before = time.monotonic_ns()
    time.sleep(_NAP_NS / 1e9)
    return max(0, time.monotonic_ns() - before - _NAP_NS)


def _clock_call() -> int:
    now = time.monotonic_ns
    before = now()
    for _ in range(_CALLS):
        now()
    return (now() - before) // _CALLS


def _reduce_slack(undo: ExitStack) -> int | None:
    try:
        before = _SLACK.read_text()
        _SLACK.write_text("1")
        undo.callback(_SLACK.write_text, before)
        return int(_SLACK.read_text())
    except (OSError, ValueError):
        return None


def _bind(undo: ExitStack, cpu: int) -> int | None:
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {cpu})
    except (OSError, OverflowError, ValueError):
        return None
    undo.callback(os.sched_setaffinity, 0, before)
    return cpu


def _shorten_slice(undo: ExitStack) -> int | None:
    granted = time_slice.request(_SLICE_NS)
    undo.callback(time_slice.request, 0)
    return granted


def _hurry(undo: ExitStack) -> str:
    try:
        policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
        # Not inherited: what the sender starts has no claim to real time.
        wanted = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, wanted, os.sched_param(_REALTIME_PRIORITY))
    except (OSError, AttributeError):
        return "ordinary"
    undo.callback(os.sched_setscheduler, 0, policy, parameter)
    return "realtime"
