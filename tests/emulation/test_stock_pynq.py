"""Code that knows pynq and not the harness, on the virtual board with real RTL in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pynq
import pytest

from harness.accelerators import golden_rows, load_model
from harness.emulation.board import VirtualBoard
from harness.emulation.pynq_device import VirtualDevice
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.registers import MAGIC, REGISTER, Config
from harness.targets.virtual import VirtualTarget
from harness.traffic import Jets

pytestmark = pytest.mark.xdist_group("stock")


@pytest.fixture(params=["zcu104", "pynq-z2"])
def device(request: pytest.FixtureRequest) -> Iterator[Any]:
    target = VirtualTarget(BOARDS[request.param])
    board: VirtualBoard = target._virtual
    yield VirtualDevice(board)
    target.close()


def overlay_on(device: Any, name: str) -> Any:
    """What a user of pynq writes, warnings about clocks and drivers apart."""
    image = find_overlay(name).image(device.board.board.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pynq.Overlay(str(image.bit), device=device)


def test_mmio_reads_the_identity_of_the_fabric(device: Any) -> None:
    overlay = overlay_on(device, "loopback")
    assert overlay.stream_bench_0.read(REGISTER["MAGIC"].offset) == MAGIC
    address = overlay.ip_dict["stream_bench_0"]["phys_addr"]
    mmio = pynq.MMIO(address, 0x1000, device=device)
    mmio.write(REGISTER["SCRATCH"].offset, 0xDEAD_BEEF)
    assert mmio.read(REGISTER["SCRATCH"].offset) == 0xDEAD_BEEF
    assert int(overlay.stream_bench_0.register_map.SCRATCH) == 0xDEAD_BEEF


def test_the_dma_driver_of_pynq_classifies_jets_bit_exactly(device: Any) -> None:
    """One jet a transfer, through allocate, sendchannel and recvchannel, as in a notebook."""
    manifest = find_overlay("jet_tagger")
    assert manifest.model_path is not None
    overlay = overlay_on(device, "jet_tagger")
    overlay.stream_bench_0.write(REGISTER["CONFIG"].offset, int(Config.PATH_DMA))
    jets = Jets().generate(8, seed=3)
    inputs = manifest.input.format.pack(jets.raw, manifest.input.width_bits)
    golden = golden_rows(load_model(manifest.model_path), jets.raw, manifest.output.width_bits)
    sent = pynq.allocate(inputs.shape[1:], np.uint8, target=device)
    received = pynq.allocate(golden.shape[1:], np.uint8, target=device)
    for jet, expected in zip(inputs, golden, strict=True):
        sent[:] = jet
        received[:] = 0xAA
        overlay.axi_dma_0.recvchannel.transfer(received)
        overlay.axi_dma_0.sendchannel.transfer(sent)
        overlay.axi_dma_0.sendchannel.wait()
        overlay.axi_dma_0.recvchannel.wait()
        np.testing.assert_array_equal(np.array(received), expected)
