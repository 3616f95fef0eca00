"""The sender: every event at its own absolute deadline, whether or not the last one is answered.

A late event does not move the next deadline. Latencies are taken from the scheduled instant, so
that what a stalled link delays is charged to it, event by event; how late the sender itself was is
kept apart, as issue lag.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import HarnessError, RunInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.hostpaced.links import Link
    from harness.hostpaced.schedule import HostSchedule

NEVER: Final = -1
LEAD_NS: Final = 5_000_000
"""From the decision when to start to the start itself; the first event is no later than others."""
DRAIN_NS: Final = 2_000_000_000
"""How long answers may come after the last event is sent."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """What the host noted of each event, in ns from the start of the run.

    Args:
        due: int64, shape (events,): when it was to be sent.
        sent: int64, shape (events,): the clock just before it was handed over; `NEVER` if it was
            not.
        done: int64, shape (events,): the clock when its answer was seen; `NEVER` if none was.
    """

    due: NDArray[np.int64]
    sent: NDArray[np.int64]
    done: NDArray[np.int64]

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which events were answered, shape (events,)."""
        return np.asarray(self.done != NEVER)

    @property
    def lag_ns(self) -> NDArray[np.int64]:
        """Issue lag of the events that were sent."""
        sent = self.sent != NEVER
        return np.asarray(self.sent[sent] - self.due[sent], np.int64)

    @property
    def response_ns(self) -> NDArray[np.int64]:
        """From the scheduled instant to the answer, of the events that were answered."""
        return np.asarray((self.done - self.due)[self.answered], np.int64)

    @property
    def link_ns(self) -> NDArray[np.int64]:
        """From the hand-over to the answer: what a closed-loop sender would call latency."""
        return np.asarray((self.done - self.sent)[self.answered], np.int64)


def play(link: Link, schedule: HostSchedule, spin_ns: int) -> tuple[Stamps, HarnessError | None]:
    """Send every event of a schedule to a link.

    Args:
        link: Where to; open.
        schedule: When.
        spin_ns: Time before a deadline from which the sender no longer sleeps.

    Returns:
        Stamps of all events, and the error that broke the run off, if one did.
    """
    events = schedule.events
    sent, done = np.full(events, NEVER, np.int64), np.full(events, NEVER, np.int64)
    # Python's own integers and memoryviews: reading and writing an element of an array costs more.
    offsets: list[int] = schedule.due_ns.tolist()
    start = time.monotonic_ns() + LEAD_NS + spin_ns
    due = [start + offset for offset in offsets]
    failure: HarnessError | None = None
    receiver = None if link.synchronous else _Receiver(link, done.data, events)
    try:
        if receiver is None:
            _send(link, due, sent.data, done.data, spin_ns)
        else:
            receiver.start()
            _send(link, due, sent.data, None, spin_ns)
            receiver.drain()
        link.finish()
    except HarnessError as error:
        failure = error
    except KeyboardInterrupt:
        # What was stamped so far is worth keeping, marked for what it is.
        failure = RunInvalidError("interrupted from the keyboard")
    finally:
        if receiver is not None:
            receiver.stop()
    if receiver is not None:
        failure = failure or receiver.failure
    for stamps in (sent, done):
        stamps[stamps != NEVER] -= start
    return Stamps(schedule.due_ns, sent, done), failure


def _send(
    link: Link, due: Sequence[int], sent: memoryview, done: memoryview | None, spin_ns: int
) -> None:
    """Send all events; nothing is in the loop, and between clock and link, but what must be there.

    Args:
        link: Where to.
        due: When, by the clock.
        sent: Receives the clock before each hand-over.
        done: Receives the clock after it, which is that of the answer on a synchronous link; None
            on others, whose answers come by themselves.
        spin_ns: Time before a deadline from which the sender no longer sleeps.
    """
    now, sleep = time.monotonic_ns, time.sleep
    prepare, submit = link.prepare, link.submit
    for event, at in enumerate(due):
        prepare(event)
        spare = at - now() - spin_ns
        if spare > 0:
            sleep(spare / 1e9)
        instant = now()
        while instant < at:
            instant = now()
        submit(event)
        answered = now()
        sent[event] = instant
        if done is not None:
            done[event] = answered


class _Receiver:
    """A thread that stamps answers as they come."""

    def __init__(self, link: Link, done: memoryview, events: int) -> None:
        self.failure: HarnessError | None = None
        self._link = link
        self._done = done
        self._missing = events
        self._ended = threading.Event()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="harness receiver", daemon=True)

    def start(self) -> None:
        """Begin to look for answers."""
        self._thread.start()

    def drain(self) -> None:
        """Wait until all answers are there, or none has come for as long as any may take."""
        self._ended.wait(DRAIN_NS / 1e9)

    def stop(self) -> None:
        """End the thread; `collect` waits for no longer than 10 ms."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        now, collect, done = time.monotonic_ns, self._link.collect, self._done
        try:
            while self._missing > 0 and not self._enough.is_set():
                for event in collect():
                    if done[event] == NEVER:
                        done[event] = now()
                        self._missing -= 1
        except HarnessError as error:
            self.failure = error
        finally:
            self._ended.set()
