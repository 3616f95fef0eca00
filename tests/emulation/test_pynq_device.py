"""Stock pynq objects on the virtual board, without RTL: a loopback stands in for the fabric."""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.bitfile import BitFile, build_bit, parse_bit
from harness.emulation.board import ACCESS_CYCLES, STILL_ACCESS_NS, VirtualBoard
from harness.emulation.pynq_device import VirtualBuffer, VirtualDevice
from harness.errors import BoardError, BusError, ImageError, InputError, OverlayError
from harness.generate.write import generated_files
from harness.inventory import BOARDS, Board
from harness.overlay import find_overlay
from harness.ps_clocks import control_register, plan_pl_clock
from harness.registers import REGISTER
from tests.emulation.fake_fabric import UNMAPPED, LoopbackFabric

import pynq  # isort: skip  # after the device, which imports it without its warnings

SCRATCH = REGISTER["SCRATCH"].offset
CMA_BYTES = 1 << 20
OVERLAY = find_overlay("loopback")


@dataclass
class Rig:
    """A virtual board, its pynq device, and the fabrics it was given."""

    board: VirtualBoard
    device: VirtualDevice
    fabrics: list[LoopbackFabric]
    bit: Path

    def overlay(self, **options: Any) -> Any:
        with warnings.catch_warnings():
            # On the UltraScale+ boards pynq 4 warns that it cannot make 200 MHz. So it should.
            warnings.filterwarnings("ignore", "Setting frequency to the closest", UserWarning)
            return pynq.Overlay(str(self.bit), device=self.device, **options)

    def read_word(self, address: int) -> int:
        return int.from_bytes(self.board.read(address, 4), "little")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of all boards as they are generated now, whatever is committed."""
    folder = tmp_path_factory.mktemp("images")
    for path, content in generated_files(OVERLAY).items():
        if path.suffix in {".bit", ".hwh"}:
            (folder / path.name).write_bytes(content)
    return folder


def make(board: Board, images: Path, folder: Path) -> Rig:
    fabrics: list[LoopbackFabric] = []

    def build(digest: str) -> LoopbackFabric:
        if digest != OVERLAY.digest:
            raise OverlayError(f"no overlay of digest {digest}")
        fabrics.append(LoopbackFabric(digest))
        return fabrics[-1]

    virtual = VirtualBoard(board, build, CMA_BYTES)
    for suffix in (".bit", ".hwh"):
        shutil.copy(images / f"{board.name}{suffix}", folder)
    return Rig(virtual, VirtualDevice(virtual), fabrics, folder / f"{board.name}.bit")


@pytest.fixture(params=list(BOARDS))
def rig(request: pytest.FixtureRequest, images: Path, tmp_path: Path) -> Iterator[Rig]:
    made = make(BOARDS[request.param], images, tmp_path)
    yield made
    made.board.close()


@pytest.fixture
def zcu104(images: Path, tmp_path: Path) -> Rig:
    return make(BOARDS["zcu104"], images, tmp_path)


# ---------------------------------------------------------------------- stock pynq


def test_overlay_loads_and_has_its_ip(rig: Rig) -> None:
    overlay = rig.overlay()
    assert rig.board.state == "operating"
    assert rig.board.loads == 1
    assert [fabric.digest for fabric in rig.fabrics] == [OVERLAY.digest]
    assert set(overlay.ip_dict) >= {"stream_bench_0", "axi_dma_0"}
    assert overlay.is_loaded()
    assert isinstance(overlay.axi_dma_0, pynq.lib.dma.DMA)
    assert rig.device.arch == rig.board.board.arch


def test_registers_through_ip_map_and_mmio(rig: Rig) -> None:
    overlay = rig.overlay()
    bench = overlay.stream_bench_0
    bench.write(SCRATCH, 0xDEAD_BEEF)
    assert bench.read(SCRATCH) == 0xDEAD_BEEF
    assert int(bench.register_map.SCRATCH) == 0xDEAD_BEEF
    bench.register_map.SCRATCH = 0x1234
    assert rig.fabrics[0].words[SCRATCH] == 0x1234
    mmio = pynq.MMIO(overlay.ip_dict["stream_bench_0"]["phys_addr"], 0x1000, device=rig.device)
    assert mmio.read(SCRATCH) == 0x1234
    mmio.write(SCRATCH, (7).to_bytes(4, "little") + (9).to_bytes(4, "little"))
    assert mmio.read(SCRATCH, 8) == 9 << 32 | 7
    assert "SCRATCH = Register(value=7)" in repr(bench.register_map)


def test_a_dma_round_trip(rig: Rig) -> None:
    overlay = rig.overlay()
    dma = overlay.axi_dma_0
    with (
        pynq.allocate(1000, "u8", target=rig.device) as source,
        pynq.allocate(1000, "u8", target=rig.device) as target,
    ):
        source[:] = np.arange(1000)
        target[:] = 0
        for start, count in ((0, 1000), (100, 10)):
            dma.recvchannel.transfer(target)
            dma.sendchannel.transfer(source, start * 8, count * 8)
            dma.sendchannel.wait()
            dma.recvchannel.wait()
            assert dma.recvchannel.transferred == count * 8
            assert dma.sendchannel.transferred == count * 8
            assert (target[:count] == source[start : start + count]).all()
    assert rig.board.memory.free_bytes == CMA_BYTES
    assert dma.buffer_max_size == (1 << 26) - 1


def test_dma_errors_arrive_as_pynq_reports_them(rig: Rig) -> None:
    dma = rig.overlay().axi_dma_0
    source = pynq.allocate(64, "u8", target=rig.device)
    target = pynq.allocate(8, "u8", target=rig.device)
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    with pytest.raises(RuntimeError, match="DMA channel not started"):
        dma.recvchannel.wait()  # what pynq says of a packet longer than the buffer
    assert dma.recvchannel.error
    assert dma.mmio.read(0x34) & 0x10


def test_buffers_are_the_boards_memory(rig: Rig) -> None:
    buffer = pynq.allocate((4, 8), np.uint16, target=rig.device)
    assert isinstance(buffer, VirtualBuffer)
    assert buffer.physical_address == rig.board.board.cma_base
    buffer[:] = np.arange(32, dtype=np.uint16).reshape(4, 8)
    expected = np.arange(32, dtype="<u2").tobytes()
    assert rig.board.memory.read(buffer.physical_address, 64) == expected
    row = buffer[2]
    assert row.physical_address == buffer.physical_address + 32
    buffer.flush()
    row.invalidate()
    del buffer
    gc.collect()
    assert rig.board.memory.free_bytes == CMA_BYTES - 4096  # the view still lives
    del row
    gc.collect()
    assert rig.board.memory.free_bytes == CMA_BYTES


def test_memory_runs_out_with_a_number(rig: Rig) -> None:
    held = pynq.allocate(CMA_BYTES // 2, "u1", target=rig.device)
    with pytest.raises(BoardError, match="524288 of 1048576 bytes are free"):
        pynq.allocate(CMA_BYTES, "u1", target=rig.device)
    held.freebuffer()
    held.freebuffer()
    assert rig.board.memory.free_bytes == CMA_BYTES
    with pytest.raises(InputError, match="negative"):
        rig.device.allocate(-1, "u1")
    with pytest.raises(InputError, match="got object"):
        rig.device.allocate(4, "O")
    assert rig.board.memory.free_bytes == CMA_BYTES


def test_without_download_the_board_stays_as_it_is(rig: Rig) -> None:
    overlay = rig.overlay(download=False)
    assert rig.board.loads == 0
    with pytest.raises(BusError, match="nothing is configured"):
        overlay.stream_bench_0.read(0)
    rig.overlay().stream_bench_0.write(SCRATCH, 5)
    assert rig.overlay(download=False).stream_bench_0.read(SCRATCH) == 5
    assert rig.board.loads == 1


def test_loading_again_gives_a_new_fabric(rig: Rig) -> None:
    rig.overlay().stream_bench_0.write(SCRATCH, 5)
    before_ns = rig.board.now_ns()
    assert rig.overlay().stream_bench_0.read(SCRATCH) == 0
    assert rig.board.loads == 2
    assert rig.fabrics[0].closed
    assert rig.board.now_ns() > before_ns


def test_pynq_sets_the_clock_as_it_does_on_a_board(rig: Rig) -> None:
    rig.overlay()
    zynq = rig.board.board.family == "processing_system7"
    older = pynq.__version__.startswith("3.")
    # Only Zynq-7000 ends at 200 MHz. pynq 4 divides the IOPLL by 7; pynq 3.1 takes the divisors
    # that are meant for the RPLL and leaves the IOPLL selected (PYNQ pull request 1607).
    expected_hz = 200e6 if zynq else 1.5e9 / 4 if older else 1.5e9 / 7
    hz = rig.board.pl_clock_hz
    assert hz is not None
    assert float(hz) == pytest.approx(expected_hz, rel=1e-6)
    assert pynq.Clocks.fclk0_mhz == pytest.approx(expected_hz / 1e6, rel=2e-5)


def test_two_boards_in_one_process(images: Path, tmp_path: Path) -> None:
    rigs = []
    for name in ("pynq-z2", "zcu104", "kv260"):
        (tmp_path / name).mkdir()
        rigs.append(make(BOARDS[name], images, tmp_path / name))
    overlays = [rig.overlay() for rig in rigs]
    clocks = [rig.board.pl_clock_hz for rig in rigs]
    assert float(clocks[0] or 0) == 200e6
    assert clocks[1] == clocks[2] != clocks[0]
    for number, overlay in enumerate(overlays):
        overlay.stream_bench_0.write(SCRATCH, number)
    assert [overlay.stream_bench_0.read(SCRATCH) for overlay in overlays] == [0, 1, 2]
    assert len({rig.device.tag for rig in rigs}) == 3


def test_pynqs_own_folder_is_left_alone(zcu104: Rig) -> None:
    folder = Path(pynq.__file__).parent
    before = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
    zcu104.overlay(gen_cache=True)
    zcu104.overlay(download=False, gen_cache=True)
    assert before == {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def test_a_virtual_device_is_never_found_by_itself() -> None:
    assert VirtualDevice._probe_() == []


# ---------------------------------------------------------------------- images that are refused


def damage(rig: Rig, kind: str) -> None:
    content = parse_bit(rig.bit.read_bytes())
    hwh = rig.bit.with_suffix(".hwh")
    sync = bytes.fromhex("AA995566")
    changed = {
        "cut": rig.bit.read_bytes()[:-4],
        "html": b"<html>404</html>",
        "empty": b"",
        "part": build_bit(
            BitFile("fabric_top", "xc7a35tcpg236", "a", "b", content.payload, content.attributes)
        ),
        "real": build_bit(BitFile("top", content.part, "a", "b", b"\xff" * 32 + sync + bytes(32))),
        "no sync": build_bit(BitFile("top", content.part, "a", "b", bytes(64))),
        "digest": build_bit(
            BitFile(
                "fabric_top",
                content.part,
                "a",
                "b",
                content.payload.replace(OVERLAY.digest.encode(), b"0" * 32),
            )
        ),
    }
    if kind in changed:
        rig.bit.write_bytes(changed[kind])
    elif kind == "other hwh":
        text = hwh.read_text()
        hwh.write_text(text.replace("stream_bench_0", "stream_bench_1"))
    elif kind == "no hwh":
        hwh.unlink()
    elif kind == "bomb":
        hwh.write_text('<!DOCTYPE a [<!ENTITY b "c">]>' + hwh.read_text())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cut", "is cut short"),
        ("html", "a web page"),
        ("empty", "begins with nothing"),
        ("part", "wrong bitstream for this device"),
        ("real", "it holds configuration data"),
        ("no sync", "it has no sync word"),
        ("digest", "no overlay of digest 000"),
        ("other hwh", "does not belong to the .bit"),
    ],
)
def test_bad_images_are_refused_like_a_board_would(zcu104: Rig, kind: str, words: str) -> None:
    overlay = zcu104.overlay()
    damage(zcu104, kind)
    with pytest.raises((ImageError, OverlayError), match=words):
        zcu104.overlay()
    assert zcu104.board.state == "write error"
    assert zcu104.fabrics[0].closed
    with pytest.raises(BusError, match="nothing is configured"):
        overlay.stream_bench_0.read(0)


@pytest.mark.parametrize(
    ("kind", "words"), [("no hwh", "must lie beside"), ("bomb", "document type")]
)
def test_bad_descriptions_are_refused_before_pynq_reads_them(
    zcu104: Rig, kind: str, words: str
) -> None:
    damage(zcu104, kind)
    with pytest.raises(ImageError, match=words):
        zcu104.overlay()
    assert zcu104.board.loads == 0


def test_an_image_of_another_board_is_refused(images: Path, tmp_path: Path) -> None:
    rig = make(BOARDS["kv260"], images, tmp_path)
    for suffix in (".bit", ".hwh"):
        shutil.copy(images / f"zcu104{suffix}", tmp_path)
    rig.bit = tmp_path / "zcu104.bit"
    with pytest.raises(ImageError, match="for xczu7ev-ffvc1156-2-e, the board has xck26"):
        rig.overlay()


def test_a_partial_image_is_refused(zcu104: Rig) -> None:
    bitstream = pynq.Bitstream(str(zcu104.bit), partial=True, device=zcu104.device)
    with pytest.raises(ImageError, match="partial"):
        bitstream.download()


# ---------------------------------------------------------------------- the board itself


def test_what_is_not_mapped_answers_at_once(rig: Rig) -> None:
    rig.overlay()
    base = rig.board.board.pl_base
    design = rig.board.design
    assert design is not None
    last = max(design.ranges, key=lambda item: item.base)
    end = last.base + last.size_bytes
    for address, size in ((0x10, 4), (base - 4, 4), (end, 4), (base + 0x40_0000 - 4, 8)):
        with pytest.raises(BusError) as caught:
            rig.board.read(address, size)
        assert f"{address:#x}" in str(caught.value)
        assert "nearest" in str(caught.value)
    with pytest.raises(BusError, match=rf"nearest: {last.instance} {last.base:#x}"):
        rig.board.read(end, 4)
    for address, size in ((base + 2, 4), (base, 3), (base, 0), (-4, 4)):
        with pytest.raises(BusError, match="not whole aligned words"):
            rig.board.read(address, size)
    with pytest.raises(BusError, match="read of offset"):
        rig.board.read(base + UNMAPPED, 4)


def test_a_stopped_clock_is_an_error_and_no_hang(zcu104: Rig) -> None:
    overlay = zcu104.overlay()
    address = control_register(zcu104.board.board)
    zcu104.board.write(address, bytes(4))
    with pytest.raises(BusError, match="fabric clock stands still"):
        overlay.stream_bench_0.read(0)
    before_ns = zcu104.board.now_ns()
    zcu104.board.elapse(1000)
    assert zcu104.board.now_ns() == before_ns + 1000
    zcu104.read_word(address)
    assert zcu104.board.now_ns() == before_ns + 1000 + STILL_ACCESS_NS


def test_time_is_cycles_at_the_clock_in_force(rig: Rig) -> None:
    rig.overlay()
    board = rig.board
    fabric = rig.fabrics[0]

    def set_clock(hz: float) -> None:
        for address, value in plan_pl_clock(board.board, hz, rig.read_word).writes:
            board.write(address, value.to_bytes(4, "little"))

    set_clock(200e6)
    for hz in (200e6, 100e6, 37e6, 200e6):
        set_clock(hz)
        exact = board.pl_clock_hz
        assert exact is not None
        cycle, now_ns = fabric.cycle, board.now_ns()
        board.elapse(1_000_000)
        cycles = fabric.cycle - cycle
        assert cycles == -(-exact // 1000)  # the fewest cycles that last a millisecond
        assert abs(board.now_ns() - now_ns - cycles * 1_000_000_000 / exact) < 2
    before = fabric.cycle
    rig.read_word(board.board.pl_base)
    assert fabric.cycle - before == ACCESS_CYCLES
    rig.read_word(board.board.pl_base + 0x40_0000)
    rig.read_word(control_register(board.board))
    assert fabric.cycle - before == 3 * ACCESS_CYCLES


def test_time_never_runs_backwards(rig: Rig) -> None:
    rig.overlay()
    last = rig.board.now_ns()
    for step in range(200):
        plan = plan_pl_clock(rig.board.board, 10e6 + step * 1e6, rig.read_word)
        rig.board.write(plan.writes[0][0], plan.writes[0][1].to_bytes(4, "little"))
        now = rig.board.now_ns()
        assert now > last
        last = now


def test_a_device_moves_data_while_time_elapses(zcu104: Rig) -> None:
    dma = zcu104.overlay().axi_dma_0
    source = pynq.allocate(512, "u8", target=zcu104.device)
    target = pynq.allocate(512, "u8", target=zcu104.device)
    source[:] = np.arange(512)
    zcu104.fabrics[0].takes_input = False
    dma.recvchannel.transfer(target)
    dma.sendchannel.transfer(source)
    zcu104.board.elapse(100_000)
    assert not dma.sendchannel.idle
    zcu104.fabrics[0].takes_input = True
    zcu104.board.elapse(100_000)
    assert dma.sendchannel.idle
    assert dma.recvchannel.idle
    assert (target == source).all()


def test_closing_twice_is_harmless(rig: Rig) -> None:
    rig.overlay()
    rig.board.close()
    rig.board.close()
    assert rig.fabrics[0].closed
    assert rig.board.state == "unknown"
