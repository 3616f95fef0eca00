"""The register map of `fabric_top`: every word of it, read and written."""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
from cocotb.triggers import with_timeout
from cocotbext.axi import AxiResp

from harness.registers import (
    ABI,
    MAGIC,
    REGISTER,
    REGISTERS,
    UNMAPPED_WORD,
    WINDOW,
    WINDOWS,
    Config,
    Control,
    Status,
)
from tests.gateware.sim.host import SIZES, Host, Plan, connect, join
from tests.gateware.sim.support import CLOCK_NS, pauses

DECODED = 0x400
KEPT_BITS = {"CONFIG": 0xF}
UNMAPPED = (AxiResp.SLVERR, [UNMAPPED_WORD])


def window_words(name: str, beat_words: int) -> int:
    """Return how many words of a window are there."""
    return {
        "ACCELERATOR": 0x4000,
        "GAP_TABLE": SIZES["gap_entries"],
        "WAIT_BINS": SIZES["histogram_bins"],
        "SERVICE_BINS": SIZES["histogram_bins"],
        "TOTAL_BINS": SIZES["histogram_bins"],
        "SPY": SIZES["spy_depth"] * beat_words,
        "TRACE": SIZES["trace_depth"] * 4,
        "GOLDEN": SIZES["golden_rows"] * beat_words,
        "EVENT": SIZES["event_rows"] * beat_words,
    }[name]


@cocotb.test()
async def identity(dut: Any) -> None:
    host = await connect(dut)
    expected = {
        "MAGIC": MAGIC,
        "ABI": ABI,
        "CLOCK_HZ": 200_000_000,
        "IN_BYTES": host.beat_bytes,
        "OUT_BYTES": host.beat_bytes,
        "EVENT_ROWS": SIZES["event_rows"],
        "GOLDEN_ROWS": SIZES["golden_rows"],
        "QUEUE_ENTRIES": SIZES["queue_depth"] - 1,
        "HISTOGRAM_BINS": SIZES["histogram_bins"],
        "TRACE_ENTRIES": SIZES["trace_depth"],
        "SPY_ROWS": SIZES["spy_depth"],
        "GAP_ENTRIES": SIZES["gap_entries"],
    }
    assert {name: await host.get(name) for name in expected} == expected
    digest = join([await host.get(f"DIGEST_{i}") for i in range(4)])
    assert f"{digest:032x}" == os.environ["BENCH_DIGEST"]


@cocotb.test()
async def reset_values(dut: Any) -> None:
    host = await connect(dut)
    for register in REGISTERS:
        if register.access == "rw":
            assert await host.get(register.name) == register.reset, register.name


@cocotb.test()
async def written_registers_keep_their_value(dut: Any) -> None:
    rng = random.Random(2)
    host = await connect(dut)
    for _ in range(2):
        written = {
            register.name: rng.getrandbits(32 * register.words)
            for register in REGISTERS
            if register.access == "rw"
        }
        for name, value in written.items():
            await host.set(name, value)
        for name, value in written.items():
            kept = value & KEPT_BITS.get(name, (1 << 64) - 1)
            assert await host.get(name) == kept, name


@cocotb.test()
async def every_other_word_is_an_error(dut: Any) -> None:
    host = await connect(dut)
    mapped = {r.offset + 4 * word for r in REGISTERS for word in range(r.words)}
    offsets = [offset for offset in range(0, DECODED, 4) if offset not in mapped]
    offsets += [1 << bit for bit in range(10, 16)] + [0xFFFC]
    edges = [0x03_0000, 0x03_FFFC, 0x07_0000, 0x07_FFFC, 0x0C_0000, 0x0D_1234, 0x0F_FFFC]
    beat_words = host.beat_bytes // 4
    for window in WINDOWS:
        words = window_words(window.name, beat_words)
        if 4 * words < window.span_bytes:
            edges += [window.offset + 4 * words, window.offset + window.span_bytes - 4]
    for offset in offsets + edges:
        assert await host.access_read(offset) == UNMAPPED, f"{offset:#x}"
    for offset in offsets[::8] + edges:
        assert await host.access_write(offset, [1]) == AxiResp.SLVERR, f"{offset:#x}"
    assert await host.get("STATUS") == 0


@cocotb.test()
async def read_only_words_refuse_writes(dut: Any) -> None:
    host = await connect(dut)
    for register in REGISTERS:
        if register.access == "ro":
            offsets = [register.offset + 4 * word for word in range(register.words)]
            before = [await host.read(offset) for offset in offsets]
            for offset in offsets:
                assert await host.access_write(offset, [0x5A5A_5A5A]) == AxiResp.SLVERR
            assert [await host.read(offset) for offset in offsets] == before
    for window in WINDOWS:
        if window.access == "ro":
            before = [await host.read(window.offset)]
            assert await host.access_write(window.offset, [0x5A5A_5A5A]) == AxiResp.SLVERR
            assert [await host.read(window.offset)] == before


@cocotb.test()
async def reads_change_nothing(dut: Any) -> None:
    host = await connect(dut)
    await host.load("EVENT", range(8))
    await host.load("GOLDEN", range(8))
    await host.fresh()
    await host.arm(Plan(20, distinct=8, depth=2))
    await host.start()
    await host.finish()
    await host.set("CONTROL", Control.SNAPSHOT)
    passes = []
    for _ in range(2):
        found = [await host.access_read(offset) for offset in range(0, DECODED, 4)]
        for window in WINDOWS:
            words = min(window_words(window.name, host.beat_bytes // 4), 16)
            found.append(await host.access_read(window.offset, words))
        passes.append(found)
    assert passes[0] == passes[1]
    assert join(passes[0][REGISTER["COMPLETED"].offset // 4][1]) == 20
    assert await host.get("CONTROL") == 0


@cocotb.test()
async def partial_writes_are_refused(dut: Any) -> None:
    host = await connect(dut)
    scratch = REGISTER["SCRATCH"].offset
    await host.set("SCRATCH", 0x0102_0304)
    for offset, size in ((0, 1), (3, 1), (0, 2), (2, 2), (1, 3)):
        done = host.lite.write(scratch + offset, b"\xff" * size)
        assert (await with_timeout(done, 1000 * CLOCK_NS, "ns")).resp == AxiResp.SLVERR
    assert await host.get("SCRATCH") == 0x0102_0304


@cocotb.test()
async def memories_keep_every_word(dut: Any) -> None:
    rng = random.Random(7)
    host = await connect(dut)
    for channel, seed in zip(
        (host.lite.write_if.w_channel, host.lite.read_if.r_channel), (1, 2), strict=True
    ):
        channel.set_pause_generator(pauses(seed, 0.3))
    for name, bits in (("EVENT", 32), ("GOLDEN", 32), ("GAP_TABLE", 32)):
        words = min(window_words(name, host.beat_bytes // 4), 256)
        data = [rng.getrandbits(bits) for _ in range(words)]
        await host.write(WINDOW[name].offset, *data)
        assert await host.read(WINDOW[name].offset, words) == data
        order = rng.sample(range(words), min(words, 40))
        for index in order:
            data[index] = rng.getrandbits(bits)
            await host.write(WINDOW[name].offset + 4 * index, data[index])
        assert await host.read(WINDOW[name].offset, words) == data
        # The last word of the memory is there too.
        last = WINDOW[name].offset + 4 * window_words(name, host.beat_bytes // 4) - 4
        await host.write(last, 0xFEED_BEEF)
        assert await host.read(last) == [0xFEED_BEEF]


@cocotb.test()
async def the_accelerators_registers(dut: Any) -> None:
    host = await connect(dut)
    base = WINDOW["ACCELERATOR"].offset
    await host.write(base, 3, 5, 7, 9)
    assert await host.read(base, 5) == [3, 5, 7, 9, 0]
    assert await host.read(base + 0xFFFC) == [0]


@cocotb.test()
async def memories_the_player_reads_are_closed_in_a_run(dut: Any) -> None:
    host = await connect(dut)
    await host.load("EVENT", range(4))
    await host.arm(Plan(1, distinct=1, check=False))
    await host.dial(REFUSE=1)
    await host.start()
    for name in ("EVENT", "GAP_TABLE"):
        assert (await host.access_read(WINDOW[name].offset))[0] == AxiResp.SLVERR
    assert await host.get("STATUS") == Status.RUNNING
    await host.dial(REFUSE=0)
    await host.finish()
    assert await host.read(WINDOW["EVENT"].offset) == [0]


@cocotb.test()
async def bins_are_closed_while_every_cycle_counts(dut: Any) -> None:
    """One event a cycle leaves the bins no cycle for the host; it is told, and not kept waiting."""
    host = await connect(dut)
    await host.fresh()
    await host.arm(Plan(0xFFFF_FFFF, check=False, depth=4))
    await host.start()
    await host.cycles(50)
    assert (await host.access_read(WINDOW["WAIT_BINS"].offset))[0] == AxiResp.SLVERR
    # Golden rows are read by every output beat.
    assert (await host.access_read(WINDOW["GOLDEN"].offset))[0] == AxiResp.SLVERR
    await host.set("CONTROL", Control.ABORT)
    assert (await host.read(WINDOW["WAIT_BINS"].offset))[0] > 50


@cocotb.test()
async def snapshots_are_coherent(dut: Any) -> None:
    """The cycle counter is copied with both halves at once, and stands until the next copy."""
    host = await connect(dut)
    seen = []
    for _ in range(3):
        await host.set("CONTROL", Control.SNAPSHOT)
        first = await host.get("CYCLE")
        await host.cycles(37)
        assert await host.get("CYCLE") == first
        seen.append(first)
    assert seen[0] < seen[1] < seen[2]


async def settled(host: Host) -> int:
    await host.cycles(20)
    return await host.get("STATUS")


@cocotb.test()
async def config_bits_are_what_the_host_thinks(dut: Any) -> None:
    host = await connect(dut)
    for bit in Config:
        await host.set("CONFIG", bit)
        assert await host.get("CONFIG") == bit
    assert await settled(host) == 0
