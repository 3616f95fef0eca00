"""The DMA's way through the fabric: idle patterns x back pressure x packet length; its stamps."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, with_timeout

from harness.registers import Config, Control, Status
from tests.gateware.reference import ONE
from tests.gateware.sim.bench_runs import histogram, verify
from tests.gateware.sim.host import SIZES, Host, Plan, connect, frame
from tests.gateware.sim.support import CLOCK_NS, number, pauses

PACKETS = 12
LIMIT_NS = 50_000 * CLOCK_NS
WORD = 0xFFFF_FFFF


def pattern(name: str, seed: int) -> Iterator[bool] | None:
    """Return when to hold back."""
    return {
        "never": None,
        "every other": cycle((True, False)),
        "bursts": cycle((False, False, True, True, True, True, True)),
        "random": pauses(seed, 0.5),
        "nearly always": pauses(seed, 0.95),
    }[name]


@dataclass
class Seen:
    """Stamps read off the pins: a cycle's stamp is its distance from the end of reset."""

    offered: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    stalls: int = 0


async def watch(dut: Any, seen: Seen) -> None:
    """Note when packets are first offered, first taken, and done."""
    edge = RisingEdge(dut.aclk)
    stamp, first, waiting = 0, True, False
    while True:
        await edge
        if not number(dut.aresetn):
            stamp, first, waiting = 0, True, False
            continue
        held = number(dut.u_bench.clearing) and first and not waiting
        if number(dut.s_axis_dma_tvalid) and not held:
            if first and not waiting:
                seen.offered.append(stamp)
                waiting = True
            if number(dut.s_axis_dma_tready):
                if first:
                    seen.accepted.append(stamp)
                first, waiting = bool(number(dut.s_axis_dma_tlast)), False
            else:
                seen.stalls += 1
        if number(dut.m_axis_dma_tvalid) and number(dut.m_axis_dma_tready):
            if number(dut.m_axis_dma_tlast):
                seen.done.append(stamp)
        stamp += 1


async def exchange(host: Host, packets: list[list[int]]) -> None:
    """Send packets; each must come back as it went."""
    for packet in packets:
        await host.source.send(frame(packet, host.beat_bytes))
    await receive(host, packets)


async def receive(host: Host, packets: list[list[int]]) -> None:
    for packet in packets:
        received = await with_timeout(host.sink.recv(), LIMIT_NS, "ns")
        assert received.tdata == frame(packet, host.beat_bytes).tdata
    await host.cycles(5)
    assert host.sink.empty()


def noise(host: Host, beats: int, seed: object, count: int = PACKETS) -> list[list[int]]:
    rng = random.Random(f"{seed} {beats}")
    return [[rng.getrandbits(8 * host.beat_bytes) for _ in range(beats)] for _ in range(count)]


async def judge(host: Host, packets: list[list[int]], seen: Seen) -> None:
    """Compare the fabric's own view with the pins."""
    reading = await host.read_out()
    lives = list(zip(range(len(packets)), seen.offered, seen.accepted, seen.done, strict=True))
    assert reading.trace == lives[: SIZES["trace_depth"]]
    kinds = {
        "WAIT": [accepted - offered for _, offered, accepted, _ in lives],
        "SERVICE": [done - accepted for _, _, accepted, done in lives],
        "TOTAL": [done - offered for _, offered, _, done in lives],
    }
    beats = [beat for packet in packets for beat in packet]
    expected = {
        "SCHEDULED": len(packets),
        "ACCEPTED": len(packets),
        "COMPLETED": len(packets),
        "DROPPED": 0,
        "MISMATCHES": 0,
        "STALL_CYCLES": seen.stalls,
        "OUTPUT_BEATS": len(beats),
        "CRC": zlib.crc32(b"".join(beat.to_bytes(host.beat_bytes, "little") for beat in beats)),
        "OCCUPANCY_SUM": sum(kinds["TOTAL"]),  # Little's law, sample path
        "DEADLINE_MISSES": sum(total > 30 for total in kinds["TOTAL"]),
    }
    for kind, values in kinds.items():
        bins, summary = histogram(values)
        assert reading.bins[kind] == bins
        expected |= {f"{kind}_{name}": value for name, value in summary.items()}
    assert {name: reading.counters[name] for name in expected} == expected
    assert reading.status == 0
    assert reading.spy == beats[: SIZES["spy_depth"]]


@cocotb.test()
@cocotb.parametrize(
    idle=["never", "every other", "bursts", "random"],
    pressure=["never", "every other", "bursts", "random", "nearly always"],
    beats=[1, 2, 7],
)
async def packets_return_and_stamps_are_right(
    dut: Any, idle: str, pressure: str, beats: int
) -> None:
    host = await connect(dut)
    seen = Seen()
    cocotb.start_soon(watch(dut, seen))
    await host.reset()
    rng = random.Random(f"{idle} {pressure} {beats}")
    await host.dial(INITIATION_INTERVAL=rng.choice([1, 4, 9]), DELAY=rng.choice([1, 3, 12]))
    await host.set("CONFIG", Config.PATH_DMA)
    await host.set("DEADLINE", 30)
    host.source.set_pause_generator(pattern(idle, 1))
    host.sink.set_pause_generator(pattern(pressure, 2))
    packets = noise(host, beats, idle)
    await exchange(host, packets)
    await judge(host, packets, seen)


@cocotb.test()
async def packets_of_mixed_length(dut: Any) -> None:
    host = await connect(dut)
    seen = Seen()
    cocotb.start_soon(watch(dut, seen))
    await host.reset()
    # There is no golden row for what the host sends, so nothing is compared.
    await host.set("CONFIG", Config.PATH_DMA | Config.CHECK_OUTPUT)
    await host.set("DEADLINE", 30)
    await host.dial(INITIATION_INTERVAL=3, DELAY=5)
    host.source.set_pause_generator(pattern("random", 3))
    host.sink.set_pause_generator(pattern("random", 4))
    rng = random.Random(5)
    packets = [noise(host, rng.choice([1, 1, 2, 3, 7, 20]), n, 1)[0] for n in range(40)]
    await exchange(host, packets)
    await judge(host, packets, seen)


@cocotb.test()
async def packets_wait_for_the_end_of_a_clear(dut: Any) -> None:
    """Nothing is lost or counted into bins that are being zeroed; the wait for it is nobody's."""
    host = await connect(dut)
    seen = Seen()
    cocotb.start_soon(watch(dut, seen))
    await host.reset()
    await host.set("CONFIG", Config.PATH_DMA)
    await host.set("DEADLINE", 30)
    packets = noise(host, 2, "held")
    await host.set("CONTROL", Control.CLEAR)
    cocotb.start_soon(host.source.send(frame(packets[0], host.beat_bytes)))
    await host.cycles(3)
    assert number(dut.s_axis_dma_tvalid) == 1
    assert (number(dut.u_bench.clearing), number(dut.s_axis_dma_tready)) == (1, 0)
    for packet in packets[1:]:
        await host.source.send(frame(packet, host.beat_bytes))
    await receive(host, packets)
    await judge(host, packets, seen)


@cocotb.test()
async def reset_in_a_packet_then_clean(dut: Any) -> None:
    rng = random.Random(6)
    host = await connect(dut)
    seen = Seen()
    cocotb.start_soon(watch(dut, seen))
    for _ in range(4):
        await host.set("CONFIG", Config.PATH_DMA)
        host.sink.set_pause_generator(pattern("random", 7))
        for packet in noise(host, 7, "cut"):
            await host.source.send(frame(packet, host.beat_bytes))
        await host.cycles(rng.randrange(3, 60))
        host.source.clear()
        await host.reset()
        host.sink.clear()
        for stamps in (seen.offered, seen.accepted, seen.done):
            stamps.clear()
        seen.stalls = 0
        await host.set("CONFIG", Config.PATH_DMA)
        await host.set("DEADLINE", 30)
        packets = noise(host, 7, "after")
        await exchange(host, packets)
        await judge(host, packets, seen)


@cocotb.test()
async def the_two_paths_take_turns(dut: Any) -> None:
    """A run of the player after the DMA, and the DMA after a run; neither sees the other."""
    host = await connect(dut)
    for _ in range(2):
        await verify(host, Plan(20, 4 * ONE, depth=2), 3, 6)
        await host.set("CONTROL", Control.CLEAR)
        await host.idle()
        await host.set("CONFIG", Config.PATH_DMA)
        packets = noise(host, 2, "turn")
        await exchange(host, packets)
        found = await host.counters()
        assert (found["COMPLETED"], found["TRACED"]) == (PACKETS, PACKETS)
        assert found["OCCUPANCY_SUM"] == found["TOTAL_SUM"]
        assert await host.get("STATUS") == Status.DONE


@cocotb.test()
async def without_the_dma_path_nothing_is_taken(dut: Any) -> None:
    host = await connect(dut)
    await host.source.send(frame([1, 2, 3], host.beat_bytes))
    await host.cycles(100)
    assert not host.source.idle()
    assert host.sink.empty()
    assert (await host.counters())["SCHEDULED"] == 0
    # A run of the player is not disturbed by the packet that waits, nor seen by the DMA.
    await verify(host, Plan(20, 4 * ONE, depth=2), 3, 6)
    assert host.sink.empty()
    await host.set("CONFIG", Config.PATH_DMA)
    assert (await with_timeout(host.sink.recv(), LIMIT_NS, "ns")).tdata == frame(
        [1, 2, 3], host.beat_bytes
    ).tdata
