"""IP without RTL here: models in Python, for designs that were built by Vivado.

A model is a class made from an instance of the design:

    class Resizer:
        def __init__(self, module: HwhModule) -> None: ...
        def read(self, offset: int) -> int: ...              # a 32-bit register, by byte offset
        def write(self, offset: int, value: int) -> None: ...
        def process(self, packet: bytes) -> bytes | None: ...  # only if it has streams

`process` gets what came in with one TLAST and returns the packet that goes out, or none. Models
know no clock: what they answer is right or wrong, never early or late.
"""

from __future__ import annotations

import importlib.util
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from harness.emulation.hwh import HwhModule
from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.emulation.hwh import Hwh

__all__ = ["IpModel", "ModelStreams", "load_model_class", "make_models", "stages"]

_PASS_ON = (
    "axis_data_fifo", "axis_register_slice", "axis_dwidth_converter", "axis_clock_converter",
    "axis_subset_converter",
)  # fmt: skip
_MOST_STAGES = 64


class IpModel(Protocol):
    """What an IP's registers do."""

    def read(self, offset: int) -> int:
        """Return a 32-bit register, by byte offset."""

    def write(self, offset: int, value: int) -> None:
        """Set a 32-bit register, by byte offset."""


class AxiGpio:
    """An AXI GPIO whose pins are connected to nothing: outputs read back, inputs read zero (PG144).

    Args:
        module: The instance; its width parameters are obeyed.
    """

    def __init__(self, module: HwhModule) -> None:
        given = {key.lower(): value for key, value in module.parameters.items()}
        self._masks = [
            (1 << int(given.get(name, "32"))) - 1 for name in ("c_gpio_width", "c_gpio2_width")
        ]
        outputs = [given.get(name) == "1" for name in ("c_all_outputs", "c_all_outputs_2")]
        self._data = [0, 0]
        self._inputs = [
            0 if only else mask for only, mask in zip(outputs, self._masks, strict=True)
        ]

    def read(self, offset: int) -> int:
        """Return data or direction (1 is in) of either channel."""
        channel, direction = divmod(offset, 8)
        if channel > 1:
            return 0
        inputs = self._inputs[channel]
        return inputs if direction else self._data[channel] & ~inputs

    def write(self, offset: int, value: int) -> None:
        """Set data or direction of either channel."""
        channel, direction = divmod(offset, 8)
        if channel > 1:
            return
        (self._inputs if direction else self._data)[channel] = value & self._masks[channel]


class Memory:
    """A block memory behind an AXI BRAM controller.

    Args:
        module: The instance; its size is that of its address range, unwritten words are zero.
    """

    def __init__(self, module: HwhModule) -> None:
        self._words: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """Return a word."""
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set a word."""
        self._words[offset] = value


BUILT_IN: Mapping[str, Callable[[HwhModule], IpModel]] = {
    "xilinx.com:ip:axi_gpio:": AxiGpio,
    "xilinx.com:ip:axi_bram_ctrl:": Memory,
}


def _find_model(
    module: HwhModule, given: Mapping[str, Callable[[HwhModule], IpModel]]
) -> IpModel | None:
    """Return the model of an instance: the user's, else a built-in one, else none."""
    for key, make in given.items():
        if key == module.instance or module.vlnv.startswith(key):
            return make(module)
    for key, make in BUILT_IN.items():
        if module.vlnv.startswith(key):
            return make(module)
    return None


def make_models(
    design: Hwh, given: Mapping[str, Callable[[HwhModule], IpModel]]
) -> dict[str, IpModel]:
    """Return a model of each instance that is mapped or takes a stream, where there is one."""
    mapped = {item.instance for item in design.ranges}
    found = {
        name: _find_model(module, given)
        for name, module in design.modules.items()
        if name in mapped or module.sinks
    }
    return {name: model for name, model in found.items() if model is not None}


def load_model_class(path: Path, name: str) -> Callable[[HwhModule], IpModel]:
    """Return a class out of a Python file of the user's; the file is run.

    Raises:
        InputError: It cannot be run, or has no such class.
    """
    where = str(path)
    spec = importlib.util.spec_from_file_location(f"harness_model_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError("is no Python file", where=where, hint="give FILE.py:Class")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises
        raise InputError(
            "cannot be run", where=where, why=f"{type(error).__name__}: {error}"
        ) from error
    found: Any = getattr(module, name, None)
    if not callable(found):
        raise InputError(f"has no class {name!r}", where=where, hint="give FILE.py:Class")
    make: Callable[[HwhModule], IpModel] = found
    return make


def stages(design: Hwh, dma: str, models: Mapping[str, IpModel]) -> list[Callable[[bytes], Any]]:
    """Return what a packet from a DMA goes through until it comes back to one.

    Args:
        design: The whole design.
        dma: Instance of the DMA that sends.
        models: Models by instance.

    Raises:
        InputError: Something on the way has no model that processes packets.
    """
    bus = design.modules[dma].sources.get("M_AXIS_MM2S", "")
    found: list[Callable[[bytes], Any]] = []
    while bus and len(found) < _MOST_STAGES:
        taker = next((m for m in design.modules.values() if bus in m.sinks.values()), None)
        if taker is None or taker.vlnv.startswith("xilinx.com:ip:axi_dma:"):
            break
        process = getattr(models.get(taker.instance), "process", None)
        if process is not None:
            found.append(process)
        elif not any(f":{kind}:" in taker.vlnv for kind in _PASS_ON):
            raise InputError(
                f"{taker.instance} has no model that processes packets",
                where=f"the stream from {dma}",
                why=f"its IP is {taker.vlnv}",
                hint=f"serve with --model {taker.instance}=FILE.py:Class",
            )
        bus = next(iter(taker.sources.values()), "")
    return found


class ModelStreams:
    """Both stream ends of a DMA, with models between them.

    Args:
        between: What a packet goes through, in order.
        out_bytes: Bytes of a beat towards the DMA.
    """

    unsent = 0

    def __init__(self, between: list[Callable[[bytes], Any]], out_bytes: int) -> None:
        self._between = between
        self._out_bytes = out_bytes
        self._coming = bytearray()
        self._ready: deque[bytes] = deque()

    def push(self, data: bytes, last: bool) -> None:
        """Take beats; a packet is processed when its TLAST has come."""
        self._coming += data
        if not last:
            return
        packet: bytes | None = bytes(self._coming)
        self._coming.clear()
        for process in self._between:
            if packet is not None:
                packet = process(packet)
        if packet:
            self._ready.append(packet + bytes(-len(packet) % self._out_bytes))

    def pop(self, max_bytes: int) -> tuple[bytes, bool]:
        """Give beats of the first packet that is ready."""
        if not self._ready:
            return b"", False
        packet = self._ready.popleft()
        if len(packet) <= max_bytes:
            return packet, True
        self._ready.appendleft(packet[max_bytes:])
        return packet[:max_bytes], False

    def flush(self) -> None:
        """Forget what is under way."""
        self._coming.clear()
        self._ready.clear()
