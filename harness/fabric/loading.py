"""Weights that the host writes into registers of the accelerator, for a run with others than built.

A reset gives every layer the weights that the image was built with. A benchmark may name a model
file of the same network with others; they are written between the reset and the run.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.accelerators import load_model
from harness.errors import BenchmarkError
from harness.generate.accelerator import register_bases

if TYPE_CHECKING:
    from harness.accelerators import Block, Model
    from harness.benchmark import Weights
    from harness.fabric.stream_bench import StreamBench

_WORD_BYTES = 4


def with_weights(built: Model, weights: Weights | None) -> Model:
    """Return the network of the fabric, with the weights that a benchmark wants.

    Args:
        built: What the fabric was built from.
        weights: Which; None for those it was built with.

    Raises:
        BenchmarkError: The fabric cannot take them.
        OverlayError: The model file is wrong.
    """
    if weights is None:
        return built
    model = load_model(Path(weights.file))
    _check(model, built)
    return model


def _check(model: Model, built: Model) -> None:
    """Refuse a model that differs from the fabric's in more than weights of loadable layers."""
    pairs = zip_longest(model.layers, built.layers)
    for number, (layer, other) in enumerate(pairs):
        if layer is None or other is None:
            raise BenchmarkError(
                f"{len(model.layers)} layers where the fabric has {len(built.layers)}",
                where="weights.file",
                hint="change nothing but weights and biases of loadable layers",
            )
        for mine, theirs in zip_longest(layer.blocks(), other.blocks()):
            same = mine is not None and theirs is not None and mine.module == theirs.module
            fixed = same and not mine.loading and _arrays(mine) != _arrays(theirs)
            if not same or fixed or mine.parameters != theirs.parameters:
                raise BenchmarkError(
                    f"layer {number} is another than the fabric's",
                    where="weights.file",
                    hint="change nothing but weights and biases of loadable layers",
                )
    if model.input != built.input or model.output_kind != built.output_kind:
        raise BenchmarkError("input or output are other than the fabric's", where="weights.file")
    if not any(block.loading for _, block in built.blocks()):
        raise BenchmarkError(
            f"the weights of {built.name} are part of the design",
            where="weights.file",
            hint='only layers with "loadable": true in model.json take others',
        )


def _arrays(block: Block) -> list[str]:
    return [f"{name} {np.asarray(array.values).tolist()}" for name, array in block.arrays.items()]


def load_registers(bench: StreamBench, model: Model) -> int:
    """Write the weights of all loadable layers; return how many words that took.

    The accelerator must be idle, and must have been reset since it was anything else.

    Raises:
        InfrastructureError: The board failed.
    """
    blocks = [block for _, block in model.blocks()]
    words = 0
    for index, base in register_bases(blocks).items():
        for word, value in blocks[index].loading:
            bench.set_accelerator(_WORD_BYTES * (base + word), value)
            words += 1
    return words
