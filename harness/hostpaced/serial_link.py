"""The host's whole way to an accelerator over register accesses alone, as a serial line has them.

What is timed is one event from the host's memory to the accelerator and its output back: the event
written into the fabric, the player started on it, its end awaited, its output beats read. That is
four requests and answers at the least. Counters are cleared, and what came last is compared with
the golden output, before the next event is due.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DeadlineError
from harness.fabric.plan import COUNTER_MODULUS, RunPlan
from harness.registers import REGISTER, WINDOW, Control, Status
from harness.traffic import Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.fabric.stream_bench import StreamBench
    from harness.overlay import Overlay
    from harness.targets import AddressRange, Target

ANSWER_DEADLINE_NS = 2_000_000_000


class SerialLink:
    """One event at a time, by registers.

    Args:
        target: An open target with an overlay loaded.
        where: Address range of stream_bench.
        bench: Its driver; the accelerator's own registers are set.
        overlay: What is loaded: how many beats an event has.
        inputs: Input beats of the events, uint8, shape (distinct, bytes); played in a loop.
        golden: Output beats that they must cause, uint8, shape (distinct, bytes).

    Raises:
        InfrastructureError: The fabric cannot be used.
    """

    name = "serial"
    synchronous = True

    def __init__(
        self,
        target: Target,
        where: AddressRange,
        bench: StreamBench,
        overlay: Overlay,
        inputs: NDArray[np.uint8],
        golden: NDArray[np.uint8],
    ) -> None:
        self._target = target
        self._bench = bench
        self._control = where.base + REGISTER["CONTROL"].offset
        self._status = where.base + REGISTER["STATUS"].offset
        self._event = where.base + WINDOW["EVENT"].offset
        self._spy = where.base + WINDOW["SPY"].offset
        self._inputs = np.ascontiguousarray(inputs).view("<u4").astype(np.uint32)
        self._golden = np.ascontiguousarray(golden).view("<u4").astype(np.uint32)
        self._compared = 0
        self._mismatches = 0
        self._first_mismatch: int | None = None
        self._open: int | None = None
        self._answer = np.zeros(0, np.uint32)
        self._start = np.array([Control.START], np.uint32)
        bench.reset()
        bench.arm(
            RunPlan(
                schedule=Schedule.periodic(Fraction(1), Fraction(1), 1),
                distinct=1,
                in_beats=overlay.input.beats,
                out_beats=overlay.output.beats,
                derandomiser=1,
                deadline_cycles=COUNTER_MODULUS - 1,
                check_output=False,
            )
        )

    def prepare(self, event: int) -> None:
        """Check the last answer, and clear what the fabric kept of it."""
        self._check()
        self._bench.reset()
        self._open = event

    def submit(self, event: int) -> None:
        """Write one event, play it, and read what came out."""
        distinct, words = self._golden.shape
        self._target.write(self._event, self._inputs[event % distinct])
        self._target.write(self._control, self._start)
        give_up_ns = time.monotonic_ns() + ANSWER_DEADLINE_NS
        while not int(status := self._target.read(self._status, 1)[0]) & Status.DONE:
            if time.monotonic_ns() > give_up_ns:
                raise DeadlineError(
                    f"event {event} is not answered",
                    where="link serial",
                    why=f"STATUS is {int(status):#x} after {ANSWER_DEADLINE_NS / 1e9:g} s",
                    hint="the accelerator did not take the event, or sent too few output beats",
                )
        self._answer = self._target.read(self._spy, words)

    def collect(self) -> Sequence[int]:
        """Return nothing: the answer is there when `submit` returns."""
        return ()

    def finish(self) -> None:
        """Check the last answer."""
        self._check()

    def facts(self) -> Mapping[str, object]:
        """Return sizes, and how many answers were unlike the golden ones."""
        return {
            "in_bytes": 4 * self._inputs.shape[1],
            "out_bytes": 4 * self._golden.shape[1],
            "distinct": self._inputs.shape[0],
            "compared": self._compared,
            "mismatches": self._mismatches,
            "first_mismatch": self._first_mismatch,
        }

    def _check(self) -> None:
        event, self._open = self._open, None
        if event is None:
            return
        self._compared += 1
        if not np.array_equal(self._answer, self._golden[event % self._golden.shape[0]]):
            self._mismatches += 1
            if self._first_mismatch is None:
                self._first_mismatch = event
