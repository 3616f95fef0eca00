"""What accelerators compute: fixed-point formats, bit-exact models, golden outputs."""

from __future__ import annotations

from harness.accelerators.fixed import NumberFormat, Overflow, Rounding, pack_fields
from harness.accelerators.golden import crc32_of_looped, golden_rows, identity_rows
from harness.accelerators.layer import Array, Block, Layer, Tensor
from harness.accelerators.layers.dense import Dense
from harness.accelerators.model import Model
from harness.accelerators.model_file import load_model, parse_model
from harness.accelerators.outputs import classify, sum_of_squares
from harness.accelerators.requantise import Requantise

__all__ = [
    "Array",
    "Block",
    "Dense",
    "Layer",
    "Model",
    "NumberFormat",
    "Overflow",
    "Requantise",
    "Rounding",
    "Tensor",
    "classify",
    "crc32_of_looped",
    "golden_rows",
    "identity_rows",
    "load_model",
    "pack_fields",
    "parse_model",
    "sum_of_squares",
]
