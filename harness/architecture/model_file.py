"""Networks from files of other people's tools, told apart by suffix and content."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, Final

from harness.accelerators.model_file import parse_model
from harness.architecture import keras_file, network, onnx_file
from harness.architecture.network import Layer, Network
from harness.errors import InputError

_LARGEST_HLS4ML: Final = 1 << 20
_PRECISION: Final = re.compile(r"(?:ap_)?u?(?:fixed|int)\s*<\s*(\d{1,2})")
_SUFFIXES: Final = (".onnx", ".keras", ".h5", ".hdf5", ".json")
MOST_BITS: Final = 64


def read_network(
    path: Path,
    *,
    hls4ml: Path | None = None,
    weight_bits: int | None = None,
    input_bits: int | None = None,
) -> Network:
    """Return the network in a file.

    Args:
        path: `.onnx` (QONNX too), `.keras`, `.h5`, or a `.json` of Keras or of an overlay.
        hls4ml: Configuration of hls4ml, YAML or JSON, whose precisions go before the file's.
        weight_bits: Of weights and biases where nothing says how wide they are.
        input_bits: Likewise of the values they multiply.

    Raises:
        InputError: A file cannot be read or is none of these, or a library is missing.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(
            f"is no model file: {path.suffix or 'no suffix'}",
            where=str(path),
            hint=f"known: {', '.join(_SUFFIXES)}",
        )
    found = onnx_file.read_onnx(path) if path.suffix == ".onnx" else _configured(path)
    if hls4ml is not None:
        found = _with_precision(found, _read_hls4ml(hls4ml))
    layers = tuple(_filled(layer, weight_bits, input_bits) for layer in found.layers)
    return dataclasses.replace(found, layers=layers)


def _configured(path: Path) -> Network:
    if path.suffix == ".json":
        content = _json(path)
        if isinstance(content, dict) and "schema" in content:
            return network.of_model(parse_model(content, where=path.name))
    return keras_file.of_config(keras_file.read_config(path), path.name)


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            raw = file.read(keras_file.LARGEST_CONFIG + 1)
        if len(raw) > keras_file.LARGEST_CONFIG:
            raise InputError("is larger than 16 MiB", where=str(path))
        return json.loads(raw)
    except (OSError, ValueError, RecursionError) as cause:
        raise InputError("is no JSON file", where=str(path), why=str(cause)) from cause


def _filled(layer: Layer, weight_bits: int | None, input_bits: int | None) -> Layer:
    """Return the layer with widths where it has none; biases are as wide as weights."""
    weights = layer.weight_bits if layer.weight_bits is not None else weight_bits
    return dataclasses.replace(
        layer,
        weight_bits=weights,
        bias_bits=layer.bias_bits if layer.bias_bits is not None else weights,
        input_bits=layer.input_bits if layer.input_bits is not None else input_bits,
    )


def _read_hls4ml(path: Path) -> dict[str, Any]:
    """Return hls4ml's table of precisions."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_HLS4ML + 1)
    except OSError as cause:
        raise InputError("cannot be read", where=str(path), why=str(cause)) from cause
    if len(raw) > _LARGEST_HLS4ML:
        raise InputError("is larger than 1 MiB", where=str(path), hint="is it hls4ml's?")
    content = _json(path) if path.suffix == ".json" else _yaml(path, raw)
    if isinstance(content, dict) and isinstance(content.get("HLSConfig"), dict):
        content = content["HLSConfig"]
    if not isinstance(content, dict) or not ({"Model", "LayerName", "LayerType"} & set(content)):
        raise InputError(
            "is no configuration of hls4ml", where=str(path), hint="it has Model or LayerName"
        )
    return content


def _yaml(path: Path, raw: bytes) -> Any:
    try:
        import yaml  # noqa: PLC0415
    except ImportError as cause:
        raise InputError(
            "cannot be read without PyYAML",
            where=str(path),
            hint="pip install 'fpga-harness[models]'",
        ) from cause
    if b"&" in raw:  # hls4ml writes no anchors, and nested ones expand without bound
        raise InputError("has an anchor", where=str(path), hint="hls4ml writes none")
    try:
        return yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as cause:
        raise InputError("is no YAML", where=str(path), why=str(cause)) from cause


def _with_precision(found: Network, config: dict[str, Any]) -> Network:
    """Return the network with hls4ml's widths: of the layer, else of the model."""
    model = config.get("Model")
    default = _width(model.get("Precision") if isinstance(model, dict) else None, "default")
    named = config.get("LayerName")
    table = named if isinstance(named, dict) else {}
    layers, carried = [], default
    for layer in found.layers:
        own = table.get(layer.name)
        precision = own.get("Precision") if isinstance(own, dict) else None
        weight = _width(precision, "weight") or default
        layers.append(
            dataclasses.replace(
                layer,
                weight_bits=weight or layer.weight_bits,
                bias_bits=_width(precision, "bias") or weight or layer.bias_bits,
                input_bits=layer.input_bits or carried,
            )
        )
        carried = _width(precision, "result") or default
    return dataclasses.replace(found, layers=tuple(layers))


def _width(precision: Any, key: str) -> int | None:
    """Return the bits of an `ap_fixed<W, I>`, one for all or by role."""
    text = (
        precision.get(key, precision.get("default")) if isinstance(precision, dict) else precision
    )
    match = _PRECISION.search(text) if isinstance(text, str) else None
    bits = int(match[1]) if match else 0
    return bits if 0 < bits <= MOST_BITS else None
