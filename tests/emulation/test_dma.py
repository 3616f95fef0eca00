"""The AXI DMA against PG021's tables of direct register mode, with a loopback in place of RTL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulation.dma import AxiDma, Control, Status
from harness.emulation.hwh import DmaCore
from harness.emulation.memory import ContiguousMemory
from tests.emulation.fake_fabric import LoopbackFabric

BASE = 0x6000_0000
CORE = DmaCore("axi_dma_0", 14, False, 8, 8, False, False)
MM2S, S2MM = 0x00, 0x30
CR, SR, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RESET_VALUE = 0x0001_0002
BOTH = pytest.mark.parametrize("channel", [MM2S, S2MM])
DONE = Status.IDLE | Status.IOC


class Bench:
    """A DMA, its memory and its fabric."""

    def __init__(self, core: DmaCore = CORE) -> None:
        self.fabric = LoopbackFabric()
        self.memory = ContiguousMemory(BASE, 1 << 20)
        self.dma = AxiDma(core, self.memory, self.fabric)

    def run(self, cycles: int = 10_000) -> None:
        self.fabric.run(cycles)
        self.dma.service()

    def status(self, channel: int) -> Status:
        return Status(self.dma.read(channel + SR))

    def start(self, channel: int) -> None:
        self.dma.write(channel + CR, Control.RUN)

    def transfer(self, channel: int, address: int, length: int) -> None:
        self.dma.write(channel + ADDRESS, address & 0xFFFF_FFFF)
        self.dma.write(channel + ADDRESS_HIGH, address >> 32)
        self.dma.write(channel + LENGTH, length)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@BOTH
def test_reset_values(bench: Bench, channel: int) -> None:
    assert bench.dma.read(channel + CR) == RESET_VALUE
    assert bench.status(channel) == Status.HALTED
    for register in (ADDRESS, ADDRESS_HIGH, LENGTH):
        assert bench.dma.read(channel + register) == 0


@BOTH
def test_running_is_neither_halted_nor_idle_before_the_first_transfer(
    bench: Bench, channel: int
) -> None:
    bench.start(channel)
    assert bench.dma.read(channel + CR) == RESET_VALUE | Control.RUN
    assert bench.status(channel) == Status(0)
    bench.dma.write(channel + CR, 0)
    assert bench.status(channel) == Status.HALTED


@BOTH
def test_length_is_ignored_while_halted(bench: Bench, channel: int) -> None:
    bench.transfer(channel, BASE, 64)
    assert not bench.dma.busy
    bench.start(channel)
    bench.run()
    assert bench.status(channel) == Status(0)


@BOTH
def test_length_zero_has_no_effect(bench: Bench, channel: int) -> None:
    bench.start(channel)
    bench.transfer(channel, BASE, 0)
    assert not bench.dma.busy
    assert bench.status(channel) == Status(0)


def test_length_has_the_width_it_was_built_with(bench: Bench) -> None:
    bench.start(MM2S)
    bench.transfer(MM2S, BASE, 1 << 14)  # reads as zero: no effect
    assert not bench.dma.busy
    bench.transfer(MM2S, BASE, (1 << 14) + 64)
    assert bench.dma.read(MM2S + LENGTH) == 64
    wide = Bench(replace(CORE, length_bits=26))
    wide.start(MM2S)
    wide.transfer(MM2S, BASE, 1 << 14)
    assert wide.dma.busy


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.integers(0, 64), st.booleans())
def test_bytes_go_round(data: bytes, room: int, receive_first: bool) -> None:
    bench = Bench()
    source, target = BASE + 0x1000, BASE + 0x4000
    bench.memory.write(source, data)
    bench.start(MM2S)
    bench.start(S2MM)
    whole = -(-len(data) // 8) * 8
    if receive_first:
        bench.transfer(S2MM, target, whole + room)
    bench.transfer(MM2S, source, len(data))
    assert not bench.status(MM2S) & Status.IDLE
    bench.run()
    if not receive_first:
        bench.transfer(S2MM, target, whole + room)
    assert bench.status(MM2S) == DONE
    assert bench.status(S2MM) == DONE
    assert bench.dma.read(MM2S + LENGTH) == len(data)
    assert bench.dma.read(S2MM + LENGTH) == whole  # bytes received, not bytes asked for
    padding = bytes(whole - len(data))
    assert bench.memory.read(target - 8, whole + 16) == bytes(8) + data + padding + bytes(8)


def test_back_pressure_holds_mm2s(bench: Bench) -> None:
    bench.fabric.takes_input = False
    bench.start(MM2S)
    bench.transfer(MM2S, BASE, 64)
    bench.run()
    assert bench.status(MM2S) == Status(0)
    assert bench.dma.busy
    bench.dma.write(MM2S + CR, 0)  # a stop waits for the transfer
    assert bench.status(MM2S) == Status(0)
    bench.fabric.takes_input = True
    bench.run()
    assert bench.status(MM2S) == Status.HALTED | Status.IOC


def test_without_tlast_s2mm_never_completes(bench: Bench) -> None:
    bench.start(S2MM)
    bench.transfer(S2MM, BASE, 256)
    for _ in range(3):
        bench.fabric.emit(bytes(range(64)), last=False)
        bench.run()
    assert bench.status(S2MM) == Status(0)
    assert bench.memory.read(BASE, 64) == bytes(range(64))  # what came is there all the same
    bench.fabric.emit(bytes(8), last=True)
    bench.run()
    assert bench.status(S2MM) == DONE
    assert bench.dma.read(S2MM + LENGTH) == 3 * 64 + 8


@pytest.mark.parametrize("length", [64, 60, 8])
def test_a_packet_longer_than_the_buffer_is_an_error(bench: Bench, length: int) -> None:
    bench.start(S2MM)
    bench.transfer(S2MM, BASE, length)
    bench.fabric.emit(b"\xaa" * 72, last=True)
    bench.run()
    expected = Status.HALTED | Status.INTERNAL_ERROR | Status.ERROR
    assert bench.status(S2MM) == expected
    assert not bench.dma.read(S2MM + CR) & Control.RUN
    assert bench.memory.read(BASE, length + 8) == b"\xaa" * length + bytes(8)


def test_packets_stay_apart(bench: Bench) -> None:
    bench.fabric.emit(b"a" * 16, last=True)
    bench.fabric.emit(b"b" * 8, last=True)
    bench.start(S2MM)
    for text, length in ((b"a", 16), (b"b", 8)):
        bench.transfer(S2MM, BASE, 1024)
        assert bench.dma.read(S2MM + LENGTH) == length
        assert bench.memory.read(BASE, length) == text * length


@BOTH
@pytest.mark.parametrize("address", [0, BASE - 64, BASE + (1 << 20) - 8, BASE + (1 << 32)])
def test_an_address_that_decodes_nowhere(bench: Bench, channel: int, address: int) -> None:
    bench.start(channel)
    bench.fabric.emit(bytes(64), last=True)
    bench.transfer(channel, address, 64)
    bench.run()
    assert bench.status(channel) == Status.HALTED | Status.DECODE_ERROR | Status.ERROR
    assert not bench.dma.busy
    other = S2MM if channel == MM2S else MM2S
    assert bench.status(other) == Status.HALTED  # untouched


@BOTH
def test_alignment_matters_without_a_realignment_engine(bench: Bench, channel: int) -> None:
    bench.start(channel)
    bench.transfer(channel, BASE + 4, 64)
    assert bench.status(channel) & Status.INTERNAL_ERROR
    realigning = Bench(replace(CORE, mm2s_realigns=True, s2mm_realigns=True))
    realigning.start(channel)
    realigning.transfer(channel, BASE + 4, 64)
    assert not realigning.status(channel) & Status.INTERNAL_ERROR


@BOTH
def test_only_a_reset_ends_an_error(bench: Bench, channel: int) -> None:
    bench.dma.write(channel + CR, 0x0005_1001)
    bench.transfer(channel, BASE + 1, 8)
    failed = bench.status(channel)
    assert bench.dma.read(channel + CR) == 0x0005_1002  # the run bit alone is cleared
    bench.start(channel)
    assert bench.status(channel) == failed
    bench.dma.write(channel + SR, 0xFFFF_FFFF)
    assert bench.status(channel) == Status.HALTED | Status.INTERNAL_ERROR
    bench.transfer(channel, BASE, 8)
    assert not bench.dma.busy
    bench.dma.write(channel + CR, Control.RESET)
    assert bench.status(channel) == Status.HALTED
    bench.start(channel)
    assert bench.status(channel) == Status(0)


@BOTH
def test_a_reset_of_either_channel_resets_both(bench: Bench, channel: int) -> None:
    for each in (MM2S, S2MM):
        bench.start(each)
    bench.fabric.takes_input = False
    bench.transfer(S2MM, BASE, 64)
    bench.transfer(MM2S, BASE, 64)
    assert bench.dma.busy
    bench.dma.write(channel + CR, Control.RESET | Control.RUN)
    assert not bench.dma.busy
    for each in (MM2S, S2MM):
        assert bench.dma.read(each + CR) == RESET_VALUE  # the reset bit is over
        assert bench.status(each) == Status.HALTED
        assert bench.dma.read(each + ADDRESS) == 0
    assert bench.fabric.unsent == 0


def test_interrupts_are_cleared_by_writing_one(bench: Bench) -> None:
    bench.start(MM2S)
    bench.transfer(MM2S, BASE, 8)
    bench.run()
    assert bench.status(MM2S) == DONE
    bench.dma.write(MM2S + SR, 0)
    assert bench.status(MM2S) == DONE
    bench.dma.write(MM2S + SR, Status.DELAY)
    assert bench.status(MM2S) == DONE
    bench.dma.write(MM2S + SR, Status.IOC)
    assert bench.status(MM2S) == Status.IDLE
    bench.transfer(MM2S, BASE, 8)
    assert bench.status(MM2S) == Status(0)


def test_a_transfer_started_while_busy_is_ignored(bench: Bench) -> None:
    bench.fabric.takes_input = False
    bench.start(MM2S)
    bench.transfer(MM2S, BASE, 64)
    bench.transfer(MM2S, BASE, 128)
    assert bench.fabric.unsent == 8
    assert bench.dma.read(MM2S + LENGTH) == 64


@BOTH
def test_control_keeps_what_is_writable(bench: Bench, channel: int) -> None:
    bench.dma.write(channel + CR, 0xFFFF_FFFB)
    assert bench.dma.read(channel + CR) == 0xFFFF_701B
    bench.dma.write(channel + CR, 0x1001)  # a threshold of zero is not taken
    assert bench.dma.read(channel + CR) == 0x00FF_1003


def test_a_missing_channel_reads_as_zero() -> None:
    bench = Bench(replace(CORE, s2mm_bytes=0))
    bench.start(S2MM)
    assert bench.dma.read(S2MM + SR) == 0
    assert bench.dma.read(S2MM + CR) == 0


def test_what_is_no_register_reads_as_zero(bench: Bench) -> None:
    for offset in (0x08, 0x0C, 0x2C, 0x5C, 0x3FC):
        bench.dma.write(offset, 0xFFFF_FFFF)
        assert bench.dma.read(offset) == 0
    assert bench.dma.read(0x400 + SR) == Status.HALTED  # ten address bits are decoded
