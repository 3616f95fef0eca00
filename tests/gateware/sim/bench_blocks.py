"""Blocks moved through the DMA's streams: every window, beside the register port, between runs."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import with_timeout

from harness.registers import ADDRESS_BITS, REGISTER, WINDOW, Config, Control, Fault, Status
from tests.gateware.reference import ONE
from tests.gateware.sim.bench_runs import verify
from tests.gateware.sim.host import FIRST, LAST, SIZES, Host, Plan, connect, frame, to_words
from tests.gateware.sim.support import CLOCK_NS, pauses

LIMIT_NS = 20_000 * CLOCK_NS


async def order(host: Host, command: Control, offset: int, words: int) -> None:
    await host.set("BLOCK_ADDRESS", offset)
    await host.set("BLOCK_WORDS", words)
    await host.set("CONTROL", command)


async def still(host: Host) -> int:
    """Wait for the end of a move; return STATUS."""
    for _ in range(2000):
        status = await host.get("STATUS")
        if not status & Status.MOVING:
            return status
    raise AssertionError("it moves for ever")


def packet(host: Host, words: list[int]) -> list[int]:
    data = b"".join(word.to_bytes(4, "little") for word in words)
    data += b"\xa5" * (-len(data) % host.beat_bytes)
    return [
        int.from_bytes(data[at : at + host.beat_bytes], "little")
        for at in range(0, len(data), host.beat_bytes)
    ]


async def load(host: Host, offset: int, words: list[int]) -> int:
    await order(host, Control.LOAD, offset, len(words))
    await host.source.send(frame(packet(host, words), host.beat_bytes))
    return await still(host)


async def dump(host: Host, offset: int, words: int) -> list[int]:
    await order(host, Control.DUMP, offset, words)
    received = await with_timeout(host.sink.recv(), LIMIT_NS, "ns")
    found = to_words(bytes(received.tdata))
    assert len(found) == -(-4 * words // host.beat_bytes) * host.beat_bytes // 4
    assert not any(found[words:]), "the rest of the last beat is zero"
    return found[:words]


def sizes(host: Host) -> dict[str, int]:
    beat = host.beat_bytes // 4
    return {
        "EVENT": min(SIZES["event_rows"], 64) * beat,
        "GOLDEN": SIZES["golden_rows"] * beat,
        "GAP_TABLE": SIZES["gap_entries"],
    }


@cocotb.test()
@cocotb.parametrize(pressure=[0.0, 0.6])
async def windows_by_blocks_and_by_words_are_the_same(dut: Any, pressure: float) -> None:
    host = await connect(dut)
    rng = random.Random(pressure)
    host.source.set_pause_generator(pauses(1, pressure))
    host.sink.set_pause_generator(pauses(2, pressure))
    for name, words in sizes(host).items():
        offset = WINDOW[name].offset
        content = [rng.getrandbits(16 if name == "GAP_TABLE" else 32) for _ in range(words)]
        assert await load(host, offset, content) == 0
        assert await host.read(offset, words) == content
        first, count = rng.randrange(words), 1
        count = rng.randrange(1, words - first + 1)
        changed = [rng.getrandbits(16) for _ in range(count)]
        await host.write(offset + 4 * first, *changed)
        content[first : first + count] = changed
        assert await dump(host, offset, words) == content
        assert await dump(host, offset + 4 * first, count) == changed
    assert await host.get("STATUS") == 0


@cocotb.test()
async def a_run_read_out_by_blocks(dut: Any) -> None:
    """Counters, bins and trace as the register port shows them; the next run is as ever."""
    host = await connect(dut)
    plan = Plan(40, 4 * ONE, depth=2)
    for _ in range(2):
        await verify(host, plan, 6, 9)
        reading = await host.read_out()
        words = await dump(host, FIRST, (LAST - FIRST) // 4)
        assert words == await host.read(FIRST, (LAST - FIRST) // 4)
        for kind, bins in reading.bins.items():
            assert await dump(host, WINDOW[f"{kind}_BINS"].offset, len(bins)) == bins
        rows = await dump(host, WINDOW["TRACE"].offset, 4 * len(reading.trace))
        assert rows == [value for row in reading.trace for value in row]
        assert await host.get("STATUS") == Status.DONE


@cocotb.test()
async def the_register_port_is_served_meanwhile(dut: Any) -> None:
    host = await connect(dut)
    words = sizes(host)["EVENT"]
    content = list(range(1, words + 1))
    host.source.set_pause_generator(pauses(3, 0.8))
    await order(host, Control.LOAD, WINDOW["EVENT"].offset, words)
    cocotb.start_soon(host.source.send(frame(packet(host, content), host.beat_bytes)))
    looks = 0
    while await host.get("STATUS") & Status.MOVING:
        await host.set("SCRATCH", looks)
        assert await host.get("SCRATCH") == looks
        assert await host.get("MAGIC") == int.from_bytes(b"FILB", "big")
        looks += 1
    assert looks > 0
    assert await host.read(WINDOW["EVENT"].offset, words) == content


@cocotb.test()
@cocotb.parametrize(
    command=[Control.START, Control.CLEAR, Control.LOAD, Control.DUMP, Control.LOAD | Control.DUMP]
)
async def refused_while_moving(dut: Any, command: Control) -> None:
    host = await connect(dut)
    await order(host, Control.LOAD, WINDOW["EVENT"].offset, 4)
    await host.set("CONTROL", command)
    assert await host.get("STATUS") == Status.MOVING | Fault.BAD_COMMAND
    await host.source.send(frame(packet(host, [1, 2, 3, 4]), host.beat_bytes))
    assert await still(host) == Fault.BAD_COMMAND
    await host.fresh()
    assert await host.get("STATUS") == 0
    assert await host.read(WINDOW["EVENT"].offset, 4) == [1, 2, 3, 4]


@cocotb.test()
@cocotb.parametrize(why=["running", "path", "nothing", "odd", "beyond", "both", "start too"])
async def a_move_that_cannot_be(dut: Any, why: str) -> None:
    host = await connect(dut)
    command = {"both": Control.LOAD | Control.DUMP, "start too": Control.DUMP | Control.START}
    if why == "running":
        await host.arm(Plan(0xFFFF_FFFF, 3 * ONE, depth=2))
        await host.start()
    elif why == "path":
        await host.set("CONFIG", Config.PATH_DMA)
    offset = {"odd": 2, "beyond": 1 << ADDRESS_BITS}.get(why, WINDOW["EVENT"].offset)
    await order(host, command.get(why, Control.DUMP), offset, 0 if why == "nothing" else 4)
    # A start beside a dump is obeyed, and with no event to play it ends at once.
    others = {"running": Status.RUNNING, "start too": Status.DONE}.get(why, Status(0))
    assert await host.get("STATUS") == Fault.BAD_COMMAND | others
    await host.fresh()
    assert await host.get("STATUS") == 0


@cocotb.test()
async def blocks_outside_and_packets_of_wrong_length(dut: Any) -> None:
    host = await connect(dut)
    end = WINDOW["GAP_TABLE"].offset + 4 * SIZES["gap_entries"]
    assert await load(host, end - 4, [5, 6]) == Fault.BLOCK
    assert await host.read(end - 4) == [5]
    await host.fresh()
    await order(host, Control.DUMP, end - 4, 3 + host.beat_bytes // 4)
    received = await with_timeout(host.sink.recv(), LIMIT_NS, "ns")
    assert to_words(bytes(received.tdata))[0] == 5
    assert await still(host) == Fault.BLOCK
    await host.fresh()
    # CONTROL is a register, not memory: a block cannot start a run.
    assert await load(host, REGISTER["CONTROL"].offset, [Control.START]) == Fault.BLOCK
    await host.fresh()
    beat = host.beat_bytes // 4
    for beats in (1, 3):
        await order(host, Control.LOAD, WINDOW["EVENT"].offset, 2 * beat)
        await host.source.send(frame([7] * beats, host.beat_bytes))
        assert await still(host) == Fault.BLOCK
        await host.fresh()
    assert await load(host, WINDOW["EVENT"].offset, list(range(2 * beat))) == 0
    await verify(host, Plan(20, 4 * ONE, depth=2), 3, 6)


@cocotb.test()
async def an_abort_ends_a_move(dut: Any) -> None:
    host = await connect(dut)
    for command in (Control.LOAD, Control.DUMP):
        host.sink.pause = True
        await order(host, command, WINDOW["EVENT"].offset, 4 * host.beat_bytes)
        await host.cycles(50)
        assert await host.get("STATUS") == Status.MOVING
        await host.set("CONTROL", Control.ABORT)
        await host.idle()
        assert await host.get("STATUS") == 0
        # As with any packet that is cut off, the DMA is to be reset before the next.
        host.sink.pause = False
        host.sink.clear()
    await verify(host, Plan(20, 4 * ONE, depth=2), 3, 6)
