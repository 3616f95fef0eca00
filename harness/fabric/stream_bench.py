"""Host driver of `stream_bench`: load, arm, play, read out.

Call order: `identify`, then for each run `reset`, the `load_*` methods, `arm`, `play`, `read_out`.
Register offsets and bits are those of `harness.registers`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import BoardError, DeadlineError
from harness.fabric.block_mover import WORTH_WORDS
from harness.fabric.plan import COUNTER_MODULUS, Identity, RunPlan
from harness.fabric.samples import Counters, LatencyHistogram, Samples, Trace
from harness.registers import (
    ABI_MAJOR,
    MAGIC,
    REGISTER,
    WINDOW,
    Config,
    Control,
    Fault,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.fabric.block_mover import BlockMover
    from harness.targets import AddressRange, Target

LOOKS = 50
REMOTE_LOOKS = 10
CLEAR_DEADLINE_NS = 1_000_000_000
FIRST_COUNTER = REGISTER["CYCLE"].offset
LAST_COUNTER = REGISTER["TOTAL_OVERFLOW"].offset + 8


class StreamBench:
    """The measuring IP of a loaded fabric.

    Args:
        target: An open target with a design loaded.
        where: Address range of `stream_bench_0`.
        mover: Moves large blocks, if that is cheaper than register accesses.
    """

    def __init__(
        self, target: Target, where: AddressRange, mover: BlockMover | None = None
    ) -> None:
        self._target = target
        self._base = where.base
        self._mover = mover
        self._cycle_init = 0
        self._bins: int | None = None

    def identify(self) -> Identity:
        """Read the identity block.

        Raises:
            BoardError: It is not a stream_bench, or one of another generation.
        """
        words = self._target.read(self._base, REGISTER["GAP_ENTRIES"].offset // 4 + 1)

        def word(name: str) -> int:
            return int(words[REGISTER[name].offset // 4])

        if word("MAGIC") != MAGIC:
            raise BoardError(
                f"no stream_bench at {self._base:#010x}",
                where=f"target {self._target.name}",
                why=f"read {word('MAGIC'):#010x}, expected {MAGIC:#010x}",
                hint="the loaded design is not one of this harness, or its address map differs",
            )
        abi = (word("ABI") >> 16, word("ABI") & 0xFFFF)
        if abi[0] != ABI_MAJOR:
            raise BoardError(
                f"register map version {abi[0]}.{abi[1]} is not spoken here",
                where=f"target {self._target.name}",
                why=f"this harness speaks {ABI_MAJOR}.x",
                hint="rebuild the overlay, or install the harness that built it",
            )
        digest = "".join(f"{word(f'DIGEST_{i}'):08x}" for i in (3, 2, 1, 0))
        return Identity(
            digest=digest,
            abi=abi,
            clock_hz=word("CLOCK_HZ"),
            in_bytes=word("IN_BYTES"),
            out_bytes=word("OUT_BYTES"),
            event_rows=word("EVENT_ROWS"),
            golden_rows=word("GOLDEN_ROWS"),
            queue_entries=word("QUEUE_ENTRIES"),
            histogram_bins=word("HISTOGRAM_BINS"),
            trace_entries=word("TRACE_ENTRIES"),
            gap_entries=word("GAP_ENTRIES"),
        )

    def snapshot(self) -> None:
        """Copy all counters, to be read at leisure."""
        self._set("CONTROL", Control.SNAPSHOT)

    def cycle(self) -> int:
        """Return the free-running 64-bit count of fabric clock cycles."""
        self.snapshot()
        return self.snapshot_cycle()

    def reset(self) -> None:
        """Stop whatever runs, reset the accelerator, zero counters, histograms and faults.

        Raises:
            DeadlineError: The histograms are not zero in time.
        """
        self._set("CONTROL", Control.ABORT)
        self._await_clear()  # power-up clears too, and a CLEAR meanwhile would be refused
        self._set("CONTROL", Control.CLEAR)
        self._await_clear()

    def load_events(self, rows: NDArray[np.uint8]) -> None:
        """Write the event memory; rows is uint8 [events, bytes]."""
        self._load("EVENT", rows)

    def load_golden(self, rows: NDArray[np.uint8]) -> None:
        """Write the golden memory; rows is uint8 [events, bytes]."""
        self._load("GOLDEN", rows)

    def set_accelerator(self, offset: int, value: int) -> None:
        """Write one of the accelerator's own registers, at a byte offset."""
        self._write(WINDOW["ACCELERATOR"].offset + offset, np.array([value], np.uint32))

    def get_accelerator(self, offset: int) -> int:
        """Read one of the accelerator's own registers, at a byte offset."""
        return int(self._target.read(self._base + WINDOW["ACCELERATOR"].offset + offset, 1)[0])

    def configure(self, mode: Config) -> None:
        """Set path, schedule kind and output check; `arm` does so for a run of the player."""
        self._set("CONFIG", mode)

    def arm(self, plan: RunPlan) -> None:
        """Write all settings of a run; nothing moves yet."""
        schedule = plan.schedule
        mode = Config(0)
        if plan.check_output:
            mode |= Config.CHECK_OUTPUT
        if schedule.bernoulli_threshold is not None:
            mode |= Config.BERNOULLI
        if schedule.gaps is not None:
            mode |= Config.GAP_TABLE
            gaps = np.asarray(schedule.gaps, np.uint32)
            self._write_block(WINDOW["GAP_TABLE"].offset, gaps)
            self._set("GAPS", gaps.size)
        self._set("CONFIG", mode)
        self._set("EVENTS", schedule.events)
        self._set("DISTINCT", plan.distinct)
        self._set("IN_BEATS", plan.in_beats)
        self._set("OUT_BEATS", plan.out_beats)
        self._set("DERANDOMISER", plan.derandomiser)
        self._set("INTERVAL_FRACTION", schedule.interval_q32 % COUNTER_MODULUS)
        self._set("INTERVAL_CYCLES", schedule.interval_q32 // COUNTER_MODULUS)
        self._set("BERNOULLI", schedule.bernoulli_threshold or 0)
        self._set("SEED", schedule.seed)
        self._set("DEADLINE", plan.deadline_cycles)
        self._set("TRACE_START", plan.trace_start)
        self._set("CYCLE_INIT", plan.cycle_init)
        self._cycle_init = plan.cycle_init

    def play(
        self,
        expected_ns: int,
        progress: Callable[[int], None] = lambda _: None,
        steps: int | None = None,
    ) -> bool:
        """Start the run and wait for its end.

        Args:
            expected_ns: How long the schedule takes, in board time.
            progress: Told the number of events completed so far.
            steps: Looks at the fabric during the expected time; fewer by default where each costs
                several messages.

        Returns:
            Whether the run ended by itself within three times the expected time; if not, it was
            stopped and what it left can be read.
        """
        steps = steps or (REMOTE_LOOKS if self._target.prefers_dma else LOOKS)
        step_ns = max(expected_ns // steps, self._target.poll_ns, 1_000)
        deadline_ns = self._target.now_ns() + 3 * expected_ns + max(10_000_000, 4 * step_ns)
        self._set("CONTROL", Control.START)
        while True:
            self._target.elapse(step_ns)
            self._set("CONTROL", Control.SNAPSHOT)
            progress(self._get("COMPLETED"))
            if self._get("STATUS") & Status.DONE:
                return True
            if self._target.now_ns() > deadline_ns:
                return False

    def stop(self) -> None:
        """Stop a run where it is; counters and histograms stay."""
        self._set("CONTROL", Control.SNAPSHOT)
        self._set("CONTROL", Control.ABORT)

    def status(self) -> int:
        """Return STATUS: bits of `Status` and `Fault`."""
        return self._get("STATUS")

    def spied(self, words: int) -> NDArray[np.uint32]:
        """Return the beginning of the spy memory, which holds the first output beats of a run."""
        return self._target.read(self._base + WINDOW["SPY"].offset, words)

    @property
    def counter_words(self) -> int:
        """Words that `snapshot_values` reads."""
        return (LAST_COUNTER - FIRST_COUNTER) // 4

    @property
    def histogram_bins(self) -> int:
        """One-cycle bins of each histogram; read once."""
        if self._bins is None:
            self._bins = self._get("HISTOGRAM_BINS")
        return self._bins

    def snapshot_cycle(self) -> int:
        """Return the free-running count of cycles at the last snapshot."""
        return self._get("CYCLE")

    def snapshot_values(self) -> dict[str, int]:
        """Return all counters of the last snapshot by register name, in one block read."""
        block = self._target.read(self._base + FIRST_COUNTER, self.counter_words)
        return self._named(block)

    @staticmethod
    def _named(block: NDArray[np.uint32]) -> dict[str, int]:
        return {
            name: int(block[(r.offset - FIRST_COUNTER) // 4])
            | (int(block[(r.offset - FIRST_COUNTER) // 4 + 1]) << 32 if r.words == 2 else 0)
            for name, r in REGISTER.items()
            if FIRST_COUNTER <= r.offset < LAST_COUNTER
        }

    def read_bins(self, kind: str, first: int, count: int) -> NDArray[np.uint32]:
        """Return consecutive bins of a histogram, also while a run lasts.

        Args:
            kind: `WAIT`, `SERVICE` or `TOTAL`.
            first: First bin, in cycles.
            count: How many, at least one.
        """
        return self._target.read(self._base + WINDOW[f"{kind}_BINS"].offset + 4 * first, count)

    def read_out(self, trace: int) -> Samples:
        """Read everything the fabric kept of the last run.

        Args:
            trace: Traced events to read at the most.
        """
        # Faults first: a snapshot taken after them cannot hide one.
        status = self._get("STATUS")
        self._set("CONTROL", Control.SNAPSHOT)
        values = self._named(self._read_block(FIRST_COUNTER, self.counter_words))
        mismatched = values["MISMATCHES"] > 0
        counters = Counters(
            scheduled=values["SCHEDULED"],
            accepted=values["ACCEPTED"],
            completed=values["COMPLETED"],
            dropped=values["DROPPED"],
            deadline_misses=values["DEADLINE_MISSES"],
            stall_cycles=values["STALL_CYCLES"],
            occupancy_sum=values["OCCUPANCY_SUM"],
            max_depth=values["MAX_DEPTH"],
            mismatches=values["MISMATCHES"],
            first_mismatch=values["FIRST_MISMATCH"] if mismatched else None,
            output_beats=values["OUTPUT_BEATS"],
            crc=values["CRC"],
            run_cycles=values["RUN_CYCLES"],
            faults=tuple((fault.name or "").lower() for fault in Fault if status & fault),
        )
        return Samples(
            wait=self._histogram("WAIT", values),
            service=self._histogram("SERVICE", values),
            total=self._histogram("TOTAL", values),
            counters=counters,
            trace=self._trace(min(trace, values["TRACED"])),
        )

    def _histogram(self, kind: str, values: dict[str, int]) -> LatencyHistogram:
        count = values[f"{kind}_COUNT"]
        # The bins past the largest value are zero: what need not be read is not.
        last = values[f"{kind}_MAX"] if count else -1
        bins = self.histogram_bins
        used = min(last + 1, bins)
        counts = np.zeros(bins, np.int64)
        if used:
            counts[:used] = self._read_block(WINDOW[f"{kind}_BINS"].offset, used)
        return LatencyHistogram(
            counts=counts,
            overflow=values[f"{kind}_OVERFLOW"],
            count=count,
            minimum=values[f"{kind}_MIN"] if count else None,
            maximum=values[f"{kind}_MAX"] if count else None,
            total=values[f"{kind}_SUM"],
        )

    def _trace(self, entries: int) -> Trace:
        if entries == 0:
            empty = np.zeros(0, np.int64)
            return Trace(empty, empty, empty, empty)
        words = self._read_block(WINDOW["TRACE"].offset, 4 * entries)
        event, due, accepted, done = words.astype(np.int64).reshape(entries, 4).T
        # Stamps are 32 bits wide; events are in order, so a step back is a wrap.
        start = (due - self._cycle_init) % COUNTER_MODULUS
        wraps = np.concatenate(([0], np.cumsum(np.diff(start) < 0)))
        scheduled = start + wraps * COUNTER_MODULUS
        return Trace(
            event=event,
            scheduled=scheduled,
            accepted=scheduled + (accepted - due) % COUNTER_MODULUS,
            done=scheduled + (done - due) % COUNTER_MODULUS,
        )

    def _await_clear(self) -> None:
        # In the clock of the wall as well: simulated time stands still if nobody advances it.
        give_up_ns = time.monotonic_ns() + 10 * CLEAR_DEADLINE_NS
        deadline_ns = self._target.now_ns() + CLEAR_DEADLINE_NS
        while self._get("STATUS") & Status.CLEARING:
            if self._target.now_ns() > deadline_ns or time.monotonic_ns() > give_up_ns:
                raise DeadlineError(
                    "histograms are still being zeroed",
                    where="stream_bench_0.STATUS",
                    why=f"after {CLEAR_DEADLINE_NS / 1e9:g} s",
                    hint="load the overlay again; is the fabric clock running?",
                )
            self._target.elapse(max(self._target.poll_ns, 20_000))

    def _load(self, window: str, rows: NDArray[np.uint8]) -> None:
        words = np.frombuffer(np.ascontiguousarray(rows).tobytes(), "<u4")
        self._write_block(WINDOW[window].offset, words.astype(np.uint32))

    def _write_block(self, offset: int, words: NDArray[np.uint32]) -> None:
        if self._mover is not None and words.size >= WORTH_WORDS:
            self._mover.load(offset, words)
        else:
            self._write(offset, words)

    def _read_block(self, offset: int, words: int) -> NDArray[np.uint32]:
        if self._mover is not None and words >= WORTH_WORDS:
            return self._mover.dump(offset, words)
        return self._target.read(self._base + offset, words)

    def _set(self, name: str, value: int) -> None:
        register = REGISTER[name]
        words = [(value >> 32 * i) & 0xFFFF_FFFF for i in range(register.words)]
        self._write(register.offset, np.array(words, np.uint32))

    def _get(self, name: str) -> int:
        register = REGISTER[name]
        words = self._target.read(self._base + register.offset, register.words)
        return int(words[0]) | (int(words[1]) << 32 if register.words == 2 else 0)

    def _write(self, offset: int, words: NDArray[np.uint32]) -> None:
        self._target.write(self._base + offset, words)
