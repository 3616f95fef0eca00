"""What accelerators compute: fixed-point formats, bit-exact models, golden outputs."""

from __future__ import annotations

from harness.accelerators.fixed import NumberFormat, Overflow, Rounding, pack_fields
from harness.accelerators.golden import classify, crc32_of_looped, golden_rows, identity_rows
from harness.accelerators.model import Dense, Model
from harness.accelerators.model_file import load_model, parse_model

__all__ = [
    "Dense",
    "Model",
    "NumberFormat",
    "Overflow",
    "Rounding",
    "classify",
    "crc32_of_looped",
    "golden_rows",
    "identity_rows",
    "load_model",
    "pack_fields",
    "parse_model",
]
