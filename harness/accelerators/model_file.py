"""Reading `model.json`: everything is checked here, nothing afterwards.

The format, by example:

    {"schema": 1, "name": "...",
     "input": {"values": 16, "format": {"width": 16, "integer": 6, "signed": true}},
     "layers": [{"kind": "dense", "inputs": 16, "outputs": 64, "weight_format": {...},
                 "weights": [[...], ...], "bias": [...], "shift": 7, "rounding": "half_up",
                 "overflow": "saturate", "activation": "relu", "output_format": {...}}, ...],
     "output": {"kind": "logits_argmax"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import OVERFLOWS, ROUNDINGS, NumberFormat
from harness.accelerators.model import ACTIVATIONS, OUTPUT_KINDS, Dense, Model
from harness.errors import OverlayError

SCHEMA = 1

_MODEL_KEYS = ("schema", "name", "input", "layers", "output")
_LAYER_KEYS = (
    "kind",
    "inputs",
    "outputs",
    "weight_format",
    "weights",
    "bias",
    "shift",
    "rounding",
    "overflow",
    "activation",
    "output_format",
)
_MAX_VALUES = 65536  # refuses a typing error before it becomes an allocation
_MAX_SHIFT = 62


@dataclass(frozen=True, slots=True)
class _Node:
    """A JSON value and the path that leads to it, for messages."""

    value: Any
    where: str

    def fail(self, what: str, hint: str = "") -> NoReturn:
        """Raise with the place."""
        raise OverlayError(what, where=self.where, hint=hint)

    def table(self, keys: tuple[str, ...]) -> dict[str, _Node]:
        """Return the members of an object that has exactly these keys."""
        if not isinstance(self.value, dict):
            self.fail("expected an object", f"with the keys {', '.join(keys)}")
        missing = [key for key in keys if key not in self.value]
        unknown = [key for key in self.value if key not in keys]
        if missing or unknown:
            parts = [f"missing {', '.join(missing)}"] if missing else []
            parts += [f"unknown {', '.join(unknown)}"] if unknown else []
            self.fail(f"keys: {'; '.join(parts)}", f"expected {', '.join(keys)}")
        return {key: _Node(value, f"{self.where}.{key}") for key, value in self.value.items()}

    def items(self, count: int | None = None) -> list[_Node]:
        """Return the elements of a list of the given length, or of any but zero."""
        if not isinstance(self.value, list):
            self.fail("expected a list")
        if len(self.value) != count if count is not None else not self.value:
            self.fail(f"{len(self.value)} elements where {count or 'at least one'} are expected")
        return [_Node(value, f"{self.where}[{index}]") for index, value in enumerate(self.value)]

    def integer(self, low: int, high: int) -> int:
        """Return an integer between two limits, both included."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.fail(f"{self.value!r} is not an integer in {low}..{high}")
        return self.value

    def integers(self, count: int, low: int, high: int) -> list[int]:
        """Return a list of integers between two limits."""
        return [item.integer(low, high) for item in self.items(count)]

    def choice(self, options: tuple[str, ...]) -> Any:
        """Return one of the options."""
        if self.value not in options:
            self.fail(f"{self.value!r} is not one of {', '.join(options)}")
        return self.value

    def number_format(self) -> NumberFormat:
        """Return a number format."""
        members = self.table(("width", "integer", "signed"))
        try:
            return NumberFormat(**{key: node.value for key, node in members.items()})
        except OverlayError as error:
            raise OverlayError(error.what, where=self.where) from error


def load_model(path: Path) -> Model:
    """Read a model file.

    Args:
        path: The overlay's `model.json`.

    Returns:
        The model, checked.

    Raises:
        OverlayError: The file cannot be read, or something in it is wrong; the message names the
            layer and the key.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OverlayError("cannot read the model", where=str(path), why=str(error)) from error
    return parse_model(data, where=path.name)


def parse_model(data: Mapping[str, Any], *, where: str = "model") -> Model:
    """Make a model from the content of a model file.

    Args:
        data: Parsed JSON.
        where: What messages call it.

    Returns:
        The model, checked.

    Raises:
        OverlayError: Something in it is wrong; the message names the layer and the key.
    """
    root = _Node(data, where)
    top = root.table(_MODEL_KEYS)
    if top["schema"].value != SCHEMA:
        top["schema"].fail(f"schema {top['schema'].value!r} is not {SCHEMA}")
    name = top["name"].value
    if not isinstance(name, str) or not name:
        top["name"].fail("expected the overlay's name")
    source = top["input"].table(("values", "format"))
    width = source["values"].integer(1, _MAX_VALUES)
    input_format = source["format"].number_format()
    layers: list[Dense] = []
    for node in top["layers"].items():
        layer = _dense(node, width, layers[-1].output_format if layers else input_format)
        width = layer.outputs
        layers.append(layer)
    kind = top["output"].table(("kind",))["kind"].choice(OUTPUT_KINDS)
    return Model(name=name, input_format=input_format, layers=tuple(layers), output_kind=kind)


def _dense(node: _Node, inputs: int, input_format: NumberFormat) -> Dense:
    """Make a layer that takes `inputs` values of the given format."""
    members = node.table(_LAYER_KEYS)
    members["kind"].choice(("dense",))
    if members["inputs"].integer(1, _MAX_VALUES) != inputs:
        members["inputs"].fail(f"{members['inputs'].value} inputs, but {inputs} values arrive")
    outputs = members["outputs"].integer(1, _MAX_VALUES)
    weight_format = members["weight_format"].number_format()
    limits = weight_format.minimum, weight_format.maximum
    weights = [row.integers(inputs, *limits) for row in members["weights"].items(outputs)]
    bias = members["bias"].integers(outputs, -(1 << 62), (1 << 62) - 1)
    try:
        return Dense(
            weights=_frozen(weights),
            bias=_frozen(bias),
            shift=members["shift"].integer(0, _MAX_SHIFT),
            rounding=members["rounding"].choice(ROUNDINGS),
            overflow=members["overflow"].choice(OVERFLOWS),
            activation=members["activation"].choice(ACTIVATIONS),
            input_format=input_format,
            weight_format=weight_format,
            output_format=members["output_format"].number_format(),
        )
    except OverlayError as error:
        if error.where:
            raise
        raise OverlayError(error.what, where=node.where, why=error.why, hint=error.hint) from error


def _frozen(values: list[Any]) -> NDArray[np.int64]:
    """Return a read-only array."""
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array
