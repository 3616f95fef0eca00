"""Reading `model.json`: everything is checked here, nothing afterwards.

The format, by example:

    {"schema": 2, "name": "...",
     "input": {"values": 16, "format": {"width": 16, "integer": 6, "signed": true}},
     "layers": [{"kind": "dense", ...}, ...],
     "output": {"kind": "logits_argmax"}}

An event arrives in one beat of all its values, or, with `"lanes": 4` in `input`, in beats of four.
What a layer's table holds says the file of its kind in `harness/accelerators/layers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.accelerators.layer import MAX_VALUES, Layer, Tensor
from harness.accelerators.layers import KINDS
from harness.accelerators.model import Model
from harness.accelerators.node import Node
from harness.accelerators.outputs import OUTPUTS
from harness.errors import OverlayError

SCHEMA = 2

_MODEL_KEYS = ("schema", "name", "input", "layers", "output")


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
    except (OSError, ValueError, RecursionError) as error:
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
    top = Node(data, where).table(_MODEL_KEYS)
    if top["schema"].value != SCHEMA:
        top["schema"].fail(f"schema {top['schema'].value!r} is not {SCHEMA}")
    name = top["name"].value
    if not isinstance(name, str) or not name:
        top["name"].fail("expected the overlay's name")
    source = tensor = _input(top["input"])
    layers: list[Layer] = []
    for node in top["layers"].items():
        layers.append(_layer(node, tensor))
        tensor = layers[-1].output
    kind = top["output"].table(("kind",))["kind"].choice(tuple(OUTPUTS))
    try:
        return Model(name, source, tuple(layers), kind)
    except OverlayError as error:
        raise _at(error, top["output"].where) from error


def _input(node: Node) -> Tensor:
    members = node.table(("values", "format"), ("lanes",))
    values = members["values"].integer(1, MAX_VALUES)
    lanes = members["lanes"].integer(1, values) if "lanes" in members else values
    if values % lanes:
        members["lanes"].fail(f"{values} values do not fill beats of {lanes} lanes")
    return Tensor(values // lanes, lanes, members["format"].number_format())


def _layer(node: Node, tensor: Tensor) -> Layer:
    """Make the layer that takes `tensor`."""
    if not isinstance(node.value, dict) or "kind" not in node.value:
        node.fail("expected an object with the key kind")
    kind = Node(node.value["kind"], f"{node.where}.kind").choice(tuple(KINDS))
    try:
        return KINDS[kind](node, tensor)
    except OverlayError as error:
        raise _at(error, node.where) from error


def _at(error: OverlayError, where: str) -> OverlayError:
    """Return an error with its place: its own, or else the given one."""
    return OverlayError(error.what, where=error.where or where, why=error.why, hint=error.hint)
