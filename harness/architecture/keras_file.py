"""Keras and QKeras networks from their configuration alone: no TensorFlow, no code of the file's.

A `.keras` file is a zip with `config.json`, a `.h5` file keeps the same text in an attribute, and
`model.to_json()` writes it bare. Only that JSON is read: a layer's class is looked up by name in
the table below, and what is not in it is reported, never imported.
"""

from __future__ import annotations

import json
import re
import zipfile
from math import prod
from pathlib import Path
from typing import Any, Final

from harness.architecture.network import Layer, Network
from harness.archives import DAMAGED
from harness.errors import InputError

LARGEST_CONFIG: Final = 16 << 20
_SAME: Final = {
    "Activation", "ActivityRegularization", "BatchNormalization", "Dropout", "ELU", "InputLayer",
    "LayerNormalization", "LeakyReLU", "PReLU", "QActivation", "QBatchNormalization", "ReLU",
    "Softmax", "ThresholdedReLU", "Add", "Subtract", "Average", "Maximum",
}  # fmt: skip
_GATES: Final = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
_BITS: Final = re.compile(
    r"(?:quantized_\w+|binary|ternary|stochastic_\w+)(?:\((?:bits=)?(\d{1,2}))?"
)
_FIXED: Final = {"binary": 1, "stochastic_binary": 1, "ternary": 2, "stochastic_ternary": 2}

Shape = tuple[int, ...]


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration in a `.keras`, `.h5` or `.json` file.

    Raises:
        InputError: The file is not one of these, is too large, or holds no configuration.
    """
    where = str(path)
    try:
        text = _text(path)
        content = json.loads(text)
    except DAMAGED as cause:
        raise InputError(
            "no configuration of a Keras model can be read", where=where, why=str(cause)
        ) from cause
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise InputError(
            "is no Keras model", where=where, hint="write it with model.save or model.to_json"
        )
    return content


def of_config(content: dict[str, Any], name: str) -> Network:
    """Return the network that a Keras configuration describes.

    Args:
        content: As `read_config` returns it.
        name: What messages call it.

    Raises:
        InputError: It has no list of layers.
    """
    items = content["config"].get("layers")
    if not isinstance(items, list) or not items:
        raise InputError("has no layers", where=name, hint="Sequential and Functional are read")
    return _Reader().read(items, name)


class _Reader:
    """Follows shapes and widths from layer to layer."""

    def __init__(self) -> None:
        self.shapes: dict[str, Shape | None] = {}
        self.widths: dict[str, int | None] = {}
        self.layers: list[Layer] = []
        self.unsupported: list[str] = []

    def read(self, items: list[Any], name: str) -> Network:
        last = ""
        for index, item in enumerate(items):
            kind = item.get("class_name") if isinstance(item, dict) else None
            config = item.get("config") if isinstance(item, dict) else None
            if not isinstance(kind, str) or not isinstance(config, dict):
                raise InputError("is no layer", where=f"{name}: layers[{index}]")
            own = str(config.get("name") or f"layer {index + 1}")
            sources = _inbound(item.get("inbound_nodes")) or ([last] if last else [])
            try:
                self._layer(own, kind, config, item, sources)
            except (TypeError, ValueError, KeyError, IndexError, OverflowError) as cause:
                self._give_up(own, kind, f"its configuration is not understood: {cause}")
            last = own
        return Network(name, name, tuple(self.layers), tuple(self.unsupported))

    def _give_up(self, own: str, kind: str, why: str) -> None:
        self.unsupported.append(f"{own} ({kind}): {why}")
        self.shapes.setdefault(own, None)

    def _layer(
        self, own: str, kind: str, config: dict[str, Any], item: dict[str, Any], sources: list[str]
    ) -> None:
        shape = self._shape(config, item, sources)
        width = self.widths.get(sources[0]) if sources else None
        self.widths[own] = width
        base = kind.removeprefix("Q")
        if kind in _SAME or base in _SAME:
            self.shapes[own] = shape
            if "activation" in config and kind.startswith("Q"):
                self.widths[own] = _bits(config["activation"]) or width
            return
        if shape is None:
            self._give_up(own, kind, "the shape of its input is not known")
            return
        if base in {"Dense", "Conv1D", "Conv2D", "DepthwiseConv2D"} or base in _GATES:
            self._weighted(own, base, config, shape, width)
        else:
            moved = _moved(base, config, shape, [self.shapes.get(name) for name in sources])
            if moved is None:
                self._give_up(own, kind, "this kind of layer is not known here")
            self.shapes[own] = moved

    def _shape(
        self, config: dict[str, Any], item: dict[str, Any], sources: list[str]
    ) -> Shape | None:
        """Return the shape of what comes in, without the batch."""
        if sources and self.shapes.get(sources[0]) is not None:
            return self.shapes[sources[0]]
        build = item.get("build_config")
        told = build.get("input_shape") if isinstance(build, dict) else None
        told = told or config.get("batch_input_shape") or config.get("batch_shape")
        if isinstance(told, list) and all(isinstance(size, int) for size in told[1:]):
            return tuple(told[1:])
        return None

    def _weighted(
        self, own: str, base: str, config: dict[str, Any], shape: Shape, width: int | None
    ) -> None:
        fan_in, channels, groups, out = _geometry(base, config, shape)
        weights, positions = fan_in * channels, prod(out[:-1]) if base not in _GATES else shape[0]
        biases = channels if config.get("use_bias", True) else 0
        if base == "GRU" and config.get("reset_after", True):
            biases *= 2
        if min(fan_in, channels, positions, groups) < 1:
            raise ValueError("a size is not positive")
        self.layers.append(
            Layer(
                name=own,
                kind=base.lower(),
                fan_in=fan_in,
                weights=weights,
                biases=biases,
                multiplications=weights * positions,
                weight_bits=_bits(config.get("kernel_quantizer"))
                or _bits(config.get("depthwise_quantizer")),
                bias_bits=_bits(config.get("bias_quantizer")),
                input_bits=width,
            )
        )
        self.shapes[own] = out
        self.widths[own] = _bits(config.get("activation"))


def _geometry(base: str, config: dict[str, Any], shape: Shape) -> tuple[int, int, int, Shape]:
    """Return fan-in, kernels, groups and the shape of what goes out."""
    if base == "Dense":
        units = int(config["units"])
        return shape[-1], units, 1, (*shape[:-1], units)
    if base in _GATES:
        units = int(config["units"])
        out = (shape[0], units) if config.get("return_sequences") else (units,)
        return shape[-1] + units, _GATES[base] * units, 1, out
    if config.get("data_format", "channels_last") != "channels_last":
        raise ValueError("channels_first")
    rank = len(shape) - 1
    kernel = _sizes(config["kernel_size"], rank)
    spatial = tuple(
        _slide(size, width, step, config.get("padding", "valid"), gap)
        for size, width, step, gap in zip(
            shape[:-1],
            kernel,
            _sizes(config.get("strides", 1), rank),
            _sizes(config.get("dilation_rate", 1), rank),
            strict=True,
        )
    )
    if base == "DepthwiseConv2D":
        channels = shape[-1] * int(config.get("depth_multiplier", 1))
        return prod(kernel), channels, shape[-1], (*spatial, channels)
    groups, filters = int(config.get("groups", 1)), int(config["filters"])
    return prod(kernel) * (shape[-1] // groups), filters, groups, (*spatial, filters)


def _moved(
    base: str, config: dict[str, Any], shape: Shape, inputs: list[Shape | None]
) -> Shape | None:
    """Return the shape after a layer without weights; None if its kind is not known."""
    if base == "Flatten":
        return (prod(shape),)
    if base == "Reshape":
        target = tuple(int(size) for size in config["target_shape"])
        known = prod(size for size in target if size > 0)
        return tuple(prod(shape) // known if size < 0 else size for size in target)
    if base.startswith("Global") and "Pooling" in base:
        return (shape[-1],)
    if "Pooling" in base:
        rank = len(shape) - 1
        pool = _sizes(config["pool_size"], rank)
        steps = _sizes(config.get("strides") or config["pool_size"], rank)
        padding = config.get("padding", "valid")
        moved = (
            _slide(size, width, step, padding, 1)
            for size, width, step in zip(shape[:-1], pool, steps, strict=True)
        )
        return (*moved, shape[-1])
    if base == "Concatenate" and None not in inputs:
        return (*shape[:-1], sum(item[-1] for item in inputs if item))
    if base.startswith("ZeroPadding"):
        rank = len(shape) - 1
        pads = config["padding"]
        pairs = [pads] if rank == 1 else pads
        widened = (size + sum(_sizes(pair, 2)) for size, pair in zip(shape, pairs, strict=False))
        return (*widened, shape[-1])
    return None


def _slide(size: int, width: int, step: int, padding: str, gap: int) -> int:
    """Return how many positions a kernel takes along one axis."""
    if padding in {"same", "causal"}:
        return -(-size // step)
    return (size - (width - 1) * gap - 1) // step + 1


def _sizes(value: Any, rank: int) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in value) if isinstance(value, list) else (int(value),) * rank
    if len(sizes) != rank:
        raise ValueError(f"{len(sizes)} sizes for {rank} axes")
    return sizes


def _bits(quantizer: Any) -> int | None:
    """Return the bits of a QKeras quantizer, as an object or as text; None for none."""
    if isinstance(quantizer, dict):
        inner = quantizer.get("config")
        bits = inner.get("bits") if isinstance(inner, dict) else None
        if isinstance(bits, int) and 0 < bits < 100:
            return bits
        quantizer = quantizer.get("class_name")
    if not isinstance(quantizer, str):
        return None
    match = _BITS.match(quantizer)
    if match is None:
        return None
    kind = quantizer.split("(")[0]
    return _FIXED.get(kind) or (int(match[1]) if match[1] else None)


def _inbound(nodes: Any) -> list[str]:
    """Return the names of the layers that a layer takes its input from: Keras 2 lists, or 3."""
    found: list[str] = []

    def walk(value: Any, depth: int) -> None:
        if depth > 12 or len(found) > 64:
            return
        if isinstance(value, dict):
            history = value.get("keras_history")
            if isinstance(history, list) and history:
                found.append(str(history[0]))
                return
            for inner in value.values():
                walk(inner, depth + 1)
        elif isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
                found.append(value[0])
                return
            for inner in value:
                walk(inner, depth + 1)

    walk(nodes, 0)
    return found


def _text(path: Path) -> str | bytes:
    """Return the JSON in a file, refusing more than 16 MiB of it."""
    if path.suffix == ".json":
        with path.open("rb") as file:
            raw = file.read(LARGEST_CONFIG + 1)
        return _small(raw)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
            return _small(file.read(LARGEST_CONFIG + 1))
    try:
        import h5py  # noqa: PLC0415
    except ImportError as cause:
        raise InputError(
            "cannot be read without h5py",
            where=str(path),
            hint="pip install 'fpga-harness[models]', or save the model as .keras or .json",
        ) from cause
    with h5py.File(path, "r") as archive:
        value = archive.attrs["model_config"]
    return _small(value if isinstance(value, bytes) else str(value).encode())


def _small(raw: bytes) -> bytes:
    if len(raw) > LARGEST_CONFIG:
        raise ValueError("the configuration is larger than 16 MiB")
    return raw
