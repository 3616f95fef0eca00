"""The host's side of `fabric_top`: registers, windows, whole runs, with somebody else's drivers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from harness.registers import REGISTER, WINDOW, Config, Control, Status
from tests.gateware.sim.support import CLOCK_NS, RESET_CYCLES

SIZES: dict[str, int] = json.loads(os.environ.get("BENCH_SIZES", "{}"))
FIRST, LAST = REGISTER["CYCLE"].offset, REGISTER["TOTAL_OVERFLOW"].offset + 8
FAULT_REGISTERS = {
    "REFUSE": 0x400, "CORRUPT_AT": 0x404, "SWALLOW_AT": 0x408, "REPEAT_AT": 0x40C,
    "SPURIOUS": 0x410, "FLICKER": 0x414,
}  # fmt: skip
DIAL_REGISTERS = {"INITIATION_INTERVAL": 0, "DELAY": 4, "JITTER_MASK": 8, "SEED": 12}
LIMIT_CYCLES = 200_000


@dataclass(frozen=True)
class Plan:
    """One run over the player; `gaps`, `bernoulli` and `interval_q32` as in the registers."""

    events: int
    interval_q32: int = 1 << 32
    gaps: Sequence[int] = ()
    bernoulli: int | None = None
    seed: int = 1
    distinct: int = 4
    beats: int = 1
    depth: int = 1
    deadline: int = 20
    trace_start: int = 0
    cycle_init: int = 0
    check: bool = True


@dataclass(frozen=True)
class Reading:
    """Everything the fabric kept of a run."""

    status: int
    counters: dict[str, int]
    bins: dict[str, list[int]]
    trace: list[tuple[int, ...]]
    spy: list[int]


class Host:
    """Drivers on the three buses of a `fabric_top` that has just been reset."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.lite = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False
        )
        self.source = AxiStreamSource(
            AxiStreamBus.from_prefix(dut, "s_axis_dma"),
            dut.aclk, dut.aresetn, reset_active_level=False,
        )  # fmt: skip
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis_dma"),
            dut.aclk, dut.aresetn, reset_active_level=False,
        )  # fmt: skip
        for driver in (self.lite.write_if, self.lite.read_if, self.source, self.sink):
            driver.log.setLevel("ERROR")

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat; input and output are alike."""
        return len(self.dut.s_axis_dma_tdata) // 8

    async def cycles(self, count: int) -> None:
        """Let `count` cycles pass."""
        await ClockCycles(self.dut.aclk, count)

    async def reset(self) -> None:
        """Pull `aresetn` for a few cycles and wait for the power-up clear to end."""
        self.dut.aresetn.value = 0
        await self.cycles(RESET_CYCLES)
        self.dut.aresetn.value = 1
        await self.idle()

    async def access_read(self, offset: int, words: int = 1) -> tuple[AxiResp, list[int]]:
        """Read consecutive words; the answer is the worst of all."""
        done = await with_timeout(
            self.lite.read(offset, 4 * words), (1000 + 500 * words) * CLOCK_NS, "ns"
        )
        return done.resp, to_words(done.data)

    async def access_write(self, offset: int, words: Sequence[int]) -> AxiResp:
        """Write consecutive words; the answer is the worst of all."""
        data = b"".join(word.to_bytes(4, "little") for word in words)
        limit = (1000 + 500 * len(words)) * CLOCK_NS
        return (await with_timeout(self.lite.write(offset, data), limit, "ns")).resp

    async def read(self, offset: int, words: int = 1) -> list[int]:
        """Read words that are there."""
        answer, data = await self.access_read(offset, words)
        assert answer == AxiResp.OKAY, f"read of {offset:#x}"
        return data

    async def write(self, offset: int, *words: int) -> None:
        """Write words that are there."""
        assert await self.access_write(offset, words) == AxiResp.OKAY, f"write of {offset:#x}"

    async def get(self, name: str) -> int:
        """Read a register of either length."""
        register = REGISTER[name]
        return join(await self.read(register.offset, register.words))

    async def set(self, name: str, value: int) -> None:
        """Write a register of either length."""
        register = REGISTER[name]
        words = [value >> 32 * i & 0xFFFF_FFFF for i in range(register.words)]
        await self.write(register.offset, *words)

    async def dial(self, **settings: int) -> None:
        """Write registers of the accelerator by name."""
        for name, value in settings.items():
            offset = (DIAL_REGISTERS | FAULT_REGISTERS)[name]
            await self.write(WINDOW["ACCELERATOR"].offset + offset, value)

    async def load(self, window: str, rows: Sequence[int]) -> None:
        """Write rows of one beat each from the start of a window."""
        data = b"".join(row.to_bytes(self.beat_bytes, "little") for row in rows)
        await self.write(WINDOW[window].offset, *to_words(data))

    async def idle(self) -> None:
        """Wait for the end of a clear."""
        for _ in range(1000):
            if not await self.get("STATUS") & Status.CLEARING:
                return
        raise AssertionError("the clear does not end")

    async def fresh(self) -> None:
        """Abort and clear, as the harness does before each run."""
        await self.set("CONTROL", Control.ABORT)
        await self.idle()
        await self.set("CONTROL", Control.CLEAR)
        await self.idle()

    async def arm(self, plan: Plan) -> None:
        """Write all settings of a run."""
        config = Config.CHECK_OUTPUT if plan.check else Config(0)
        if plan.gaps:
            config |= Config.GAP_TABLE
            await self.write(WINDOW["GAP_TABLE"].offset, *plan.gaps)
        if plan.bernoulli is not None:
            config |= Config.BERNOULLI
        settings = {
            "CONFIG": config, "EVENTS": plan.events, "DISTINCT": plan.distinct,
            "IN_BEATS": plan.beats, "OUT_BEATS": plan.beats, "DERANDOMISER": plan.depth,
            "INTERVAL_FRACTION": plan.interval_q32 & 0xFFFF_FFFF,
            "INTERVAL_CYCLES": plan.interval_q32 >> 32, "BERNOULLI": plan.bernoulli or 0,
            "SEED": plan.seed, "GAPS": len(plan.gaps) or 1, "DEADLINE": plan.deadline,
            "TRACE_START": plan.trace_start, "CYCLE_INIT": plan.cycle_init,
        }  # fmt: skip
        for name, value in settings.items():
            await self.set(name, value)

    async def start(self) -> None:
        """Start the run."""
        await self.set("CONTROL", Control.START)

    async def finish(self) -> None:
        """Wait for the run's end."""
        for _ in range(LIMIT_CYCLES // 100):
            if await self.get("STATUS") & Status.DONE:
                return
            await self.cycles(100)
        raise AssertionError("the run does not end")

    async def counters(self) -> dict[str, int]:
        """Take a snapshot and read all counters."""
        await self.set("CONTROL", Control.SNAPSHOT)
        words = await self.read(FIRST, (LAST - FIRST) // 4)
        found = {}
        for name, register in REGISTER.items():
            if FIRST <= register.offset < LAST:
                first = (register.offset - FIRST) // 4
                found[name] = join([words[first + i] for i in range(register.words)])
        return found

    async def read_out(self) -> Reading:
        """Read everything the fabric kept."""
        status = await self.get("STATUS")
        counters = await self.counters()
        bins = {
            name: await self.read(WINDOW[f"{name}_BINS"].offset, SIZES["histogram_bins"])
            for name in ("WAIT", "SERVICE", "TOTAL")
        }
        rows = counters["TRACED"]
        trace = await self.read(WINDOW["TRACE"].offset, 4 * rows) if rows else []
        words = self.beat_bytes // 4
        spy = await self.read(WINDOW["SPY"].offset, words * counters["SPIED"]) if words else []
        return Reading(
            status,
            counters,
            bins,
            [tuple(trace[i : i + 4]) for i in range(0, len(trace), 4)],
            [join(spy[i : i + words]) for i in range(0, len(spy), words)],
        )


async def connect(dut: Any) -> Host:
    """Start the clock, make the drivers, reset."""
    host = Host(dut)
    Clock(dut.aclk, CLOCK_NS, unit="ns").start()
    await host.reset()
    # The dial's settings outlive its reset, and the test before this one.
    await host.dial(INITIATION_INTERVAL=1, DELAY=1, JITTER_MASK=0, SEED=1)
    return host


def to_words(data: bytes) -> list[int]:
    """Split bytes into 32-bit words, little-endian."""
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]


def join(words: Sequence[int]) -> int:
    """Join 32-bit words, the lowest first."""
    return sum(word << 32 * i for i, word in enumerate(words))


def frame(rows: Sequence[int], beat_bytes: int) -> AxiStreamFrame:
    """Return a packet of whole beats."""
    return AxiStreamFrame(b"".join(row.to_bytes(beat_bytes, "little") for row in rows))
