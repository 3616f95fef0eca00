"""A design that Vivado made, none of ours, served with a model of the user's to stock pynq code."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness.bitfile import build_bit, parse_bit
from harness.errors import InputError
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.targets.serve import serve
from tests.stock_pynq import remote_device

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pynq import Overlay

pytestmark = [
    pytest.mark.xdist_group("served"),
    pytest.mark.filterwarnings("ignore::UserWarning:pynq"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # pynq's own: it opens a file and leaves closing it to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file.*_current_metadata:ResourceWarning"),
]

BOARD = BOARDS["pynq-z2"]
# Dummy words, bus width, sync word, no-operations: a bitstream, if one that configures nothing.
PAYLOAD = bytes.fromhex("ffffffff" * 8 + "000000bb11220044" + "ffffffffaa995566" + "20000000" * 64)
MODEL = '''
"""Halves an image of 24-bit pixels either way."""
import numpy as np


class Resize:
    def __init__(self, module):
        self.registers = {}

    def read(self, offset):
        return self.registers.get(offset, 0)

    def write(self, offset, value):
        self.registers[offset] = value

    def process(self, packet):
        rows, columns = self.registers[0x10], self.registers[0x18]
        return np.frombuffer(packet, np.uint8).reshape(rows, columns, 3)[::2, ::2].tobytes()
'''


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the resizer of pynqmetadata's own tests, with a .bit for its part."""
    folder = tmp_path_factory.mktemp("resizer")
    found = importlib.util.find_spec("pynqmetadata")
    assert found is not None
    assert found.origin is not None
    shutil.copy(Path(found.origin).parent / "tests" / "hwhs" / "resizer.hwh", folder)
    ours = parse_bit(find_overlay("loopback").image("pynq-z2").bit.read_bytes())
    (folder / "resizer.bit").write_bytes(build_bit(dataclasses.replace(ours, payload=PAYLOAD)))
    (folder / "model.py").write_text(MODEL)
    return folder / "resizer.bit"


@contextmanager
def served(design: Path, models: Mapping[str, str]) -> Iterator[Any]:
    """Serve the design, and give pynq's own device for it."""
    with (
        serve(BOARD, [], [design], models, port=0) as server,
        remote_device(server.port) as device,
    ):
        yield device


@pytest.fixture
def device(design: Path) -> Iterator[Any]:
    place = f"{design.parent / 'model.py'}:Resize"
    with served(design, {"xilinx.com:hls:resize_accel:": place}) as made:
        yield made


def load(design: Path, device: Any) -> Any:
    overlay = Overlay(str(design), download=False, device=device)
    for clock in overlay.clock_dict.values():  # pynq 4.0 reads none from a Zynq-7000 design
        if clock.get("frequency", 100.0) is None:
            clock["frequency"] = 100.0
    overlay.download()
    return overlay


def test_stock_code_resizes_a_picture(design: Path, device: Any) -> None:
    overlay = load(design, device)
    rows, columns = 64, 96
    picture = np.random.default_rng(1).integers(0, 256, (rows, columns, 3), np.uint8)
    source = device.allocate(picture.shape, "u1")
    result = device.allocate((rows // 2, columns // 2, 3), "u1")
    source[:] = picture
    overlay.resize_accel_0.write(0x10, rows)
    overlay.resize_accel_0.write(0x18, columns)
    assert overlay.resize_accel_0.read(0x18) == columns
    overlay.axi_dma_0.sendchannel.transfer(source)
    overlay.axi_dma_0.recvchannel.transfer(result)
    overlay.axi_dma_0.sendchannel.wait()
    overlay.axi_dma_0.recvchannel.wait()
    np.testing.assert_array_equal(np.asarray(result), picture[::2, ::2])
    source.freebuffer()
    result.freebuffer()


def test_the_address_map_and_the_dma_are_those_of_the_hwh(design: Path, device: Any) -> None:
    overlay = load(design, device)
    assert overlay.ip_dict["axi_dma_0"]["phys_addr"] == 0x4040_0000
    dma = overlay.axi_dma_0
    dma.register_map.MM2S_LENGTH = (1 << 26) + 5  # c_sg_length_width is 26
    assert int(dma.register_map.MM2S_LENGTH) == 5
    assert not dma.register_map.MM2S_DMASR.SGIncld


def test_a_design_without_its_model_says_which_is_missing(design: Path) -> None:
    with (
        served(design, {}) as device,
        pytest.raises(grpc.RpcError, match=r"--model resize_accel_0=FILE\.py:Class"),
    ):
        load(design, device)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("class Resize: pass", "Other", "has no class 'Other'"),
        ("1 / 0", "Resize", "ZeroDivisionError"),
        ("class Resize(", "Resize", "SyntaxError"),
    ],
)
def test_a_model_that_is_none(
    design: Path, tmp_path: Path, content: str, name: str, message: str
) -> None:
    (tmp_path / "model.py").write_text(content)
    with pytest.raises(InputError, match=message):
        serve(BOARD, [], [design], {"resize_accel_0": f"{tmp_path / 'model.py'}:{name}"}, port=0)
