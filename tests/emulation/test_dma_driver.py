"""The DMA driver against the virtual board's DMA: every failure has its cause and its limit."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.cli import main
from harness.emulation.dma import AxiDma, Status
from harness.emulation.hwh import DmaCore
from harness.emulation.memory import ContiguousMemory
from harness.errors import BoardError, DeadlineError, ImageError, InputError
from harness.fabric.dma import CAUSES, CONTROL, LENGTH, MM2S, S2MM, STATUS, Dma, DmaStatus
from harness.hostpaced.dma_link import DmaLink
from harness.hostpaced.pacing import play
from harness.hostpaced.schedule import draw
from harness.overlay import Image, find_overlay
from harness.report import host_store, store
from harness.targets.base import AddressRange, Target, TimeBase
from harness.targets.dma import DmaBuild, dma_build
from tests.emulation.fake_fabric import LoopbackFabric

if TYPE_CHECKING:
    from harness.targets.base import DeviceMemory

pytestmark = pytest.mark.xdist_group("run")

BASE = 0x4000_0000
CMA = 0x6000_0000
BUILD = DmaBuild("axi_dma_0", 14, 8, 8)
TIMEOUT_NS = 2_000_000


class Memory:
    """A piece of the arena, with a processor that may look at an old copy."""

    def __init__(self, arena: ContiguousMemory, size_bytes: int) -> None:
        self._arena, self._block = arena, arena.allocate(size_bytes)
        self.address = self._block.address
        self.data = arena.view(self._block)[:size_bytes]
        self.closed = 0

    def flush(self) -> None:
        pass

    def invalidate(self) -> None:
        pass

    def close(self) -> None:
        if not self.closed:
            self._arena.free(self._block)
        self.closed += 1


class DmaTarget(Target):
    """The virtual board's DMA with a loopback, and status bits that a test may add."""

    name = "fake"
    time_base: TimeBase = "simulated fabric"
    poll_ns = 0

    def __init__(self) -> None:
        self.fabric = LoopbackFabric()
        self.arena = ContiguousMemory(CMA, 1 << 20)
        self.dma = AxiDma(
            DmaCore("axi_dma_0", 14, False, 8, 8, False, False), self.arena, self.fabric
        )
        self.writes: list[tuple[int, int]] = []
        self.added: dict[int, int] = {}
        self.stuck_reset = False
        self.memories: list[Memory] = []
        self.looks = 0
        self._now_ns = 0

    def load(self, image: Image) -> Mapping[str, AddressRange]:
        return {"axi_dma_0": AddressRange(BASE, 0x1_0000)}

    def set_clock(self, hz: float) -> float:
        return hz

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        self.looks += 1
        self.elapse(160)
        offset = address - BASE
        value = self.dma.read(offset) | self.added.get(offset, 0)
        if self.stuck_reset and offset in {MM2S + CONTROL, S2MM + CONTROL}:
            value |= 4
        return np.array([value], np.uint32)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        for index, word in enumerate(words.tolist()):
            self.writes.append((address - BASE + 4 * index, word))
            self.dma.write(address - BASE + 4 * index, word)
        self.elapse(160)

    def now_ns(self) -> int:
        return self._now_ns

    def elapse(self, ns: int) -> None:
        self._now_ns += ns
        self.fabric.run(max(1, ns // 5))
        self.dma.service()

    def allocate(self, size_bytes: int) -> DeviceMemory:
        self.memories.append(Memory(self.arena, size_bytes))
        return self.memories[-1]

    def facts(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        pass


class Rig:
    def __init__(self, receive_bytes: int = 64) -> None:
        self.target = DmaTarget()
        self.dma = Dma(
            self.target, AddressRange(BASE, 0x1_0000), BUILD,
            send_bytes=1024, receive_bytes=receive_bytes, timeout_ns=TIMEOUT_NS,
        )  # fmt: skip
        self.dma.reset()

    def exchange(self, data: bytes, room: int = 64, offset: int = 0) -> NDArray[np.uint8]:
        self.dma.source[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
        self.dma.flush()
        self.dma.arm(room)
        self.dma.send(offset, len(data))
        self.dma.wait()
        return self.dma.received()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_packets_go_round_and_receive_is_armed_before_send(rig: Rig) -> None:
    for size, offset in ((64, 0), (8, 128), (40, 512)):
        data = np.random.default_rng(size).bytes(size)
        assert rig.exchange(data, offset=offset).tobytes() == data
    lengths = [
        offset for offset, _ in rig.target.writes if offset in {MM2S + LENGTH, S2MM + LENGTH}
    ]
    assert lengths == [S2MM + LENGTH, MM2S + LENGTH] * 3


@pytest.mark.parametrize("channel", [MM2S, S2MM], ids=["MM2S", "S2MM"])
@pytest.mark.parametrize("bit", list(CAUSES), ids=[name for name, _ in CAUSES.values()])
def test_every_error_bit_names_its_cause(rig: Rig, bit: DmaStatus, channel: int) -> None:
    rig.dma.arm(64)
    rig.dma.send(0, 64)
    rig.target.added[channel + STATUS] = int(bit | DmaStatus.HALTED)
    with pytest.raises(BoardError) as caught:
        rig.dma.wait()
    name, cause = CAUSES[bit]
    said = str(caught.value)
    assert f"{name} ({int(bit):#x}): {cause}" in said
    assert ("MM2S" if channel == MM2S else "S2MM") in said
    assert not isinstance(caught.value, DeadlineError)


@pytest.mark.parametrize("channel", [MM2S, S2MM], ids=["MM2S", "S2MM"])
def test_a_channel_that_has_halted_is_not_started(rig: Rig, channel: int) -> None:
    rig.target.dma.write(channel + CONTROL, 0)
    with pytest.raises(BoardError, match="halted though nobody stopped it"):
        rig.exchange(bytes(64))
    rig.dma.reset()
    assert rig.exchange(b"again..." * 2).tobytes() == b"again..." * 2


def test_a_packet_longer_than_the_buffer_says_so_and_a_reset_helps(rig: Rig) -> None:
    with pytest.raises(BoardError, match=r"S2MM halted by DMAIntErr \(0x10\): a packet longer"):
        rig.exchange(bytes(range(64)), room=32)
    rig.dma.reset()
    assert rig.exchange(bytes(range(32)), room=32).tobytes() == bytes(range(32))


def test_a_buffer_that_decodes_nowhere_says_so(rig: Rig) -> None:
    rig.target.memories[0].address = 0x10_0000
    with pytest.raises(BoardError, match=r"MM2S halted by DMADecErr \(0x40\)"):
        rig.exchange(bytes(64))


def test_without_tlast_the_wait_ends_in_bounded_time(rig: Rig) -> None:
    rig.target.fabric.sends_last = False
    before_ns, began = rig.target.now_ns(), time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        rig.exchange(bytes(32))
    assert TIMEOUT_NS <= rig.target.now_ns() - before_ns < 2 * TIMEOUT_NS
    assert time.monotonic() - began < 10
    assert rig.target.looks < 100_000
    assert "S2MM is not idle after 2 ms" in str(caught.value)
    assert "no TLAST arrived; all was sent" in str(caught.value)
    rig.target.fabric.sends_last = True
    rig.dma.reset()
    assert rig.exchange(b"12345678").tobytes() == b"12345678"


def test_a_fabric_that_takes_nothing_is_told_apart(rig: Rig) -> None:
    rig.target.fabric.takes_input = False
    with pytest.raises(DeadlineError, match="not all was taken by the fabric"):
        rig.exchange(bytes(32))


def test_a_reset_that_sticks_ends_in_bounded_time(rig: Rig) -> None:
    rig.target.stuck_reset = True
    with pytest.raises(DeadlineError, match="reset does not end"):
        rig.dma.reset()


def test_a_write_that_never_arrived_is_poison(rig: Rig) -> None:
    rig.dma.source[:32] = np.arange(32)
    rig.dma.arm(64)
    kept = rig.target.memories[1].data.copy()
    rig.dma.send(0, 32)
    rig.dma.wait()
    rig.target.memories[1].data[8:24] = kept[8:24]  # as a stale cache line shows it
    with pytest.raises(BoardError, match=r"still poison in \[8, 24\)"):
        rig.dma.received()


@pytest.mark.parametrize("at", [32, 63, 64, 64 + 63])
def test_a_write_past_the_end_is_seen(rig: Rig, at: int) -> None:
    rig.dma.arm(64)
    rig.dma.send(0, 32)
    rig.dma.wait()
    rig.target.memories[1].data[at] ^= 0xFF
    with pytest.raises(BoardError, match=f"byte {at} past the end"):
        rig.dma.received()


def test_what_length_cannot_hold_is_refused_before_anything_moves() -> None:
    target = DmaTarget()
    where = AddressRange(BASE, 0x1_0000)
    with pytest.raises(InputError, match=r"needs 65536 B, DMA limit 16383.*c_sg_length_width=14"):
        Dma(target, where, BUILD, send_bytes=64, receive_bytes=65536)
    dma = Dma(target, where, BUILD, send_bytes=1 << 15, receive_bytes=64)
    with pytest.raises(InputError, match="needs 16384 B, DMA limit 16383"):
        dma.send(0, 1 << 14)
    for offset, size in ((0, 0), (-8, 8), ((1 << 15) - 8, 16)):
        with pytest.raises(InputError):
            dma.send(offset, size)
    with pytest.raises(InputError, match="the buffer has 64"):
        dma.arm(65)
    assert target.writes == []


def test_buffers_are_given_back_also_when_the_second_cannot_be_had() -> None:
    rig = Rig()
    for _ in range(2):
        rig.dma.close()
    assert rig.target.arena.free_bytes == rig.target.arena.size_bytes
    target = DmaTarget()
    with pytest.raises(BoardError):
        Dma(target, AddressRange(BASE, 64), BUILD, send_bytes=1 << 20, receive_bytes=64)
    assert target.arena.free_bytes == target.arena.size_bytes


def test_status_bits_are_those_of_the_virtual_board() -> None:
    for name, bit in (
        ("HALTED", Status.HALTED), ("IDLE", Status.IDLE), ("IOC", Status.IOC),
        ("INTERNAL", Status.INTERNAL_ERROR), ("SLAVE", Status.SLAVE_ERROR),
        ("DECODE", Status.DECODE_ERROR), ("DELAY", Status.DELAY), ("ERROR", Status.ERROR),
    ):  # fmt: skip
        assert int(DmaStatus[name]) == int(bit)


def test_the_limit_comes_from_the_hardware_description(tmp_path: Path) -> None:
    image = find_overlay("loopback").image("zcu104")
    build = dma_build(image)
    assert (build.instance, build.length_bits, build.most_bytes) == ("axi_dma_0", 26, (1 << 26) - 1)
    assert image.hwh is not None
    text = image.hwh.read_text()
    for old, new, says in (
        ('NAME="c_include_sg" VALUE="0"', 'NAME="c_include_sg" VALUE="1"', "another kind"),
        ("xilinx.com:ip:axi_dma:", "xilinx.com:ip:axi_cdma:", "has 0 AXI DMAs"),
    ):
        assert old in text
        path = tmp_path / "changed.hwh"
        path.write_text(text.replace(old, new))
        changed = dataclasses.replace(image, hwh=path)
        with pytest.raises(ImageError, match=says):
            dma_build(changed)


@pytest.mark.parametrize("overlay", ["loopback", "jet_tagger"])
def test_a_host_paced_run_over_the_dma_of_the_virtual_board(
    overlay: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--rate", "20 Hz", "--events", "12", "--link", "dma", "--no-realtime"]
    main(["host", f"smoke/{overlay}", *arguments, "--out", str(tmp_path), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["measured"]["answered"] == 12
    assert result["link_facts"]["compared"] == 12
    assert result["link_facts"]["mismatches"] == 0  # what the accelerator computes is golden
    assert result["time_base"] == "host"
    notes = [reason["evidence"] for reason in result["reasons"] if reason["effect"] == "note"]
    assert any("not of any board" in note for note in notes)
    (folder,) = store.list_runs(tmp_path)
    assert host_store.load(folder).stamps.answered.all()


def test_answers_unlike_the_golden_ones_are_counted(rig: Rig) -> None:
    rows = np.arange(64, dtype=np.uint8).reshape(4, 16)
    golden = rows.copy()
    golden[2, 5] ^= 1
    where = AddressRange(BASE, 0x1_0000)
    with DmaLink(rig.target, where, BUILD, rows, golden) as link:
        link.reset()
        stamps, failure = play(link, draw(Fraction(500), 10, "periodic", 1), 50_000)
        assert failure is None
        assert stamps.answered.all()
        found = link.facts()
    assert (found["compared"], found["mismatches"], found["first_mismatch"]) == (10, 2, 2)
    assert rig.target.memories[-1].closed
