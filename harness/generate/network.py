"""A network's integers as a SystemVerilog package, the parameters of the blocks of its top."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.accelerators import Array, Model

_COLUMNS = 96


def weights_package(model: Model) -> str:
    """Return `<name>_weights_pkg`: the arrays of integers of each layer's blocks."""
    body = "\n\n".join(
        "\n".join(_array(array_name(number, name), array))
        for number, block in model.blocks()
        for name, array in block.arrays.items()
    )
    digest = hashlib.sha256(body.encode()).hexdigest()[:32]
    name = f"{model.name}_weights_pkg"
    return (
        "`default_nettype none\n\n"
        f"// Generated from the model of {model.name} by `harness generate`; do not edit.\n"
        f"// Content digest {digest}.\n\n"
        f"/// The trained integers of {model.name}.\n"
        f"package {name};\n\n"
        f"{body}\n\n"
        "endpackage\n\n"
        "`default_nettype wire\n"
    )


def array_name(layer: int, parameter: str) -> str:
    """Return what an array of a layer's block is called in the package."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in parameter)
    return f"L{layer}{words.upper()}"


def _array(name: str, array: Array) -> Iterator[str]:
    shape: list[int] = []
    inner = array.values
    while hasattr(inner, "__len__"):
        shape.append(len(inner))
        inner = inner[0]
    sign = " signed" if array.signed else ""
    span = "".join(f"[{size}]" for size in shape)
    yield f"  localparam logic{sign} [{array.width - 1}:0] {name} {span} ="
    yield from _rows(array.values, len(shape), array.width, "    ", ";")


def _rows(values: Any, depth: int, bits: int, indent: str, end: str) -> Iterator[str]:
    if depth == 1:
        yield from _row(values, bits, indent, end)
        return
    yield f"{indent}'{{"
    for index, inner in enumerate(values):
        comma = "," if index + 1 < len(values) else ""
        yield from _rows(inner, depth - 1, bits, indent + "  ", comma)
    yield f"{indent}}}{end}"


def _row(values: Sequence[int], bits: int, indent: str, end: str) -> Iterator[str]:
    """Yield an assignment pattern, wrapped; sized literals, since -2**(n-1) has no plain one."""
    line = indent + "'{"
    words = [f"{bits}'h{int(value) & ((1 << bits) - 1):x}" for value in values]
    for index, word in enumerate(words):
        item = word + (", " if index + 1 < len(words) else "}" + end)
        if len(line) + len(item.rstrip()) > _COLUMNS:
            yield line.rstrip()
            line = indent + "  "
        line += item
    yield line.rstrip()
