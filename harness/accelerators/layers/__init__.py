"""The kinds of layers: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.accelerators.layer import Layer, Tensor
from harness.accelerators.layers.conv2d import Conv2d
from harness.accelerators.layers.dense import Dense
from harness.accelerators.layers.dense_per_beat import DensePerBeat
from harness.accelerators.layers.lif import Lif
from harness.accelerators.layers.recurrent import Recurrent
from harness.accelerators.layers.regroup import Regroup
from harness.accelerators.layers.xnor import XnorDense
from harness.accelerators.node import Node

KINDS: Mapping[str, Callable[[Node, Tensor], Layer]] = MappingProxyType(
    {
        "conv2d": Conv2d.parse,
        "dense": Dense.parse,
        "dense_per_beat": DensePerBeat.parse,
        "lif": Lif.parse,
        "recurrent": Recurrent.parse,
        "regroup": Regroup.parse,
        "xnor_dense": XnorDense.parse,
    }
)
"""What reads a layer's table, given what arrives at the layer; by the table's `kind`."""
