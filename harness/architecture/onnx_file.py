"""ONNX and QONNX networks through the `onnx` library.

Only the graph is read. Tensors outside the file are not loaded. QONNX's quantisers are taken for
what they say of widths and then for identities, so that `onnx` can infer shapes; the `qonnx`
package itself is not used, since it imports modules by names that stand in the file.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, Final

from harness.architecture.network import Layer, Network
from harness.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST: Final = 256 << 20
_QUANTISERS: Final = {"Quant": 3, "IntQuant": 3, "BipolarQuant": None, "Trunc": 4}
_PASS: Final = {
    "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant",
    "DequantizeLinear", "Div", "Dropout", "Elu", "Flatten", "GlobalAveragePool", "GlobalMaxPool",
    "Identity", "LeakyRelu", "MaxPool", "Mul", "MultiThreshold", "Pad", "QuantizeLinear", "Relu",
    "Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub", "Tanh", "TopK",
    "Transpose", "Unsqueeze", "ArgMax", "Gather", "HardSigmoid", "PRelu", "Sign",
}  # fmt: skip
_RESHAPED: Final = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Flatten"}
_SAME_WIDTH: Final = _RESHAPED | {"QuantizeLinear", "DequantizeLinear", "Clip", "Relu", "MaxPool"}
_ELEMENT_BITS: Final = {2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 21: 4, 22: 4}  # TensorProto.DataType


def read_onnx(path: Path) -> Network:
    """Return the network in an ONNX or QONNX file.

    Raises:
        InputError: `onnx` is not installed, the file is too large, or it is no ONNX model.
    """
    try:
        import onnx  # noqa: PLC0415
        from google.protobuf.message import DecodeError  # noqa: PLC0415
    except ImportError as cause:
        raise InputError(
            "cannot be read without onnx",
            where=str(path),
            hint="pip install 'fpga-harness[models]'",
        ) from cause
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as cause:
        raise InputError("cannot be read", where=str(path), why=str(cause)) from cause
    if len(raw) > LARGEST:
        raise InputError("is larger than 256 MiB", where=str(path))
    try:
        model = onnx.load_model_from_string(raw)
    except (DecodeError, ValueError) as cause:
        raise InputError("is no ONNX model", where=str(path), why=str(cause)) from cause
    if not model.graph.node:
        raise InputError("has no nodes", where=str(path), hint="is it an ONNX model?")
    return _Graph(model).network(path.name)


class _Graph:
    """A graph with its widths and shapes looked up."""

    def __init__(self, model: Any) -> None:
        self.constants = {item.name: item for item in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.output:
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self.constants[node.output[0]] = attribute.t
        self.bits: dict[str, int | None] = {}
        for node in model.graph.node:
            if node.op_type in _QUANTISERS and node.input and node.output:
                self.bits[node.output[0]] = self._quantiser_bits(node)
                del node.input[1:]
                node.op_type, node.domain = "Identity", ""
                del node.attribute[:]
        self.nodes = list(model.graph.node)
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.shapes = _shapes(model)
        self.layers: list[Layer] = []
        self.unsupported: list[str] = []
        self.made: dict[str, int] = {}

    def network(self, name: str) -> Network:
        for index, node in enumerate(self.nodes):
            own = node.name or f"{node.op_type} {index + 1}"
            kind = node.op_type
            if kind in {"Gemm", "MatMul"}:
                why = self._dense(node, own)
            elif kind == "Conv":
                why = self._conv(node, own)
            elif kind in {"RNN", "GRU", "LSTM"}:
                why = self._recurrent(node, own)
            else:
                why = "" if kind in _PASS else "this operator is not known here"
                if kind == "Add":
                    self._bias(node)
                elif kind in _RESHAPED and node.input and node.input[0] in self.made:
                    self.made[node.output[0]] = self.made[node.input[0]]
            if why:
                self.unsupported.append(f"{own} ({kind}): {why}")
        return Network(name, name, tuple(self.layers), tuple(self.unsupported))

    def _quantiser_bits(self, node: Any) -> int | None:
        position = _QUANTISERS[node.op_type]
        if position is None:
            return 1
        value = self.constants.get(node.input[position]) if len(node.input) > position else None
        numbers = _numbers(value)
        return int(numbers[0]) if numbers and 0 < numbers[0] < 100 else None

    def _constant(self, name: str) -> tuple[tuple[int, ...], int | None] | None:
        """Return shape and width of a constant, seen through what does not change its values."""
        bits: int | None = None
        for _ in range(16):
            bits = bits or self.bits.get(name)
            if name in self.constants:
                found = self.constants[name]
                return tuple(found.dims), bits or _ELEMENT_BITS.get(found.data_type)
            node = self.producers.get(name)
            if node is None or node.op_type not in _SAME_WIDTH or not node.input:
                return None
            name = node.input[0]
        return None

    def _width(self, name: str) -> int | None:
        """Return the width of a value, seen through what does not change it."""
        for _ in range(16):
            if name in self.bits:
                return self.bits[name]
            node = self.producers.get(name)
            if node is None or node.op_type not in _SAME_WIDTH or not node.input:
                return None
            if node.op_type == "QuantizeLinear" and len(node.input) > 2:
                zero = self.constants.get(node.input[2])
                return None if zero is None else _ELEMENT_BITS.get(zero.data_type)
            name = node.input[0]
        return None

    def _add(
        self, node: Any, own: str, kind: str, fan_in: int, kernels: int, positions: int,
        weight_bits: int | None, bias: str,
    ) -> str:  # fmt: skip
        found = self._constant(bias) if bias else None
        if min(fan_in, kernels, positions) < 1:
            return "a size is not positive"
        self.made[node.output[0]] = len(self.layers)
        self.layers.append(
            Layer(
                name=own,
                kind=kind,
                fan_in=fan_in,
                weights=fan_in * kernels,
                biases=prod(found[0]) if found else 0,
                multiplications=fan_in * kernels * positions,
                weight_bits=weight_bits,
                bias_bits=found[1] if found else None,
                input_bits=self._width(node.input[0]),
            )
        )
        return ""

    def _dense(self, node: Any, own: str) -> str:
        if len(node.input) < 2:
            return "an input is missing"
        weights = self._constant(node.input[1])
        if weights is None or len(weights[0]) != 2:
            return "it multiplies two values that both depend on the event"
        rows, columns = weights[0]
        if any(item.name == "transB" and item.i for item in node.attribute):
            rows, columns = columns, rows
        shape = self.shapes.get(node.input[0])
        positions = prod(size or 1 for size in shape[1:-1]) if shape else 1
        bias = node.input[2] if len(node.input) > 2 else ""
        return self._add(node, own, "dense", rows, columns, positions, weights[1], bias)

    def _conv(self, node: Any, own: str) -> str:
        weights = self._constant(node.input[1]) if len(node.input) > 1 else None
        if weights is None or len(weights[0]) < 3:
            return "its weights are not in the file"
        shape = self.shapes.get(node.output[0])
        if shape is None or None in shape[2:]:
            return "the size of its output is not known"
        fan_in, kernels = prod(weights[0][1:]), weights[0][0]
        positions = prod(size or 1 for size in shape[2:])
        bias = node.input[2] if len(node.input) > 2 else ""
        kind = f"conv{len(weights[0]) - 2}d"
        return self._add(node, own, kind, fan_in, kernels, positions, weights[1], bias)

    def _recurrent(self, node: Any, own: str) -> str:
        parts = [self._constant(name) for name in node.input[1:3]]
        shape = self.shapes.get(node.input[0]) if node.input else None
        if len(parts) < 2 or parts[0] is None or parts[1] is None or len(parts[0][0]) != 3:
            return "its weights are not in the file"
        if not shape or not shape[0]:
            return "the length of its sequence is not known"
        directions, gates, inner = parts[0][0]
        fan_in = inner + parts[1][0][-1]
        bias = node.input[3] if len(node.input) > 3 else ""
        kind = node.op_type.lower()
        return self._add(node, own, kind, fan_in, directions * gates, shape[0], parts[0][1], bias)

    def _bias(self, node: Any) -> None:
        """Count a constant that is added to what a layer without biases puts out."""
        for value, other in ((0, 1), (1, 0)):
            if len(node.input) != 2:
                return
            index, found = self.made.get(node.input[value]), self._constant(node.input[other])
            if index is not None and found is not None and not self.layers[index].biases:
                layer = self.layers[index]
                self.layers[index] = replace(layer, biases=prod(found[0]), bias_bits=found[1])


def _shapes(model: Any) -> dict[str, tuple[int | None, ...]]:
    """Return what shapes `onnx` infers, None for an open size; nothing where it fails."""
    import onnx  # noqa: PLC0415

    told = {item.domain for item in model.opset_import}
    for domain in {node.domain for node in model.graph.node} - told - {"", "ai.onnx"}:
        model.opset_import.add(domain=domain, version=1)  # operators of unknown kinds are passed by
    try:
        model = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError):
        pass  # what the file itself says of shapes is left
    graph = model.graph
    return {
        item.name: tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
            for dim in item.type.tensor_type.shape.dim
        )
        for item in (*graph.input, *graph.value_info, *graph.output)
    }


def _numbers(tensor: Any) -> list[float]:
    """Return the values of a small tensor inside the file, none of another."""
    from onnx import numpy_helper  # noqa: PLC0415

    if tensor is None or tensor.data_location or prod(tensor.dims) > 16:
        return []
    try:
        return [float(value) for value in numpy_helper.to_array(tensor).reshape(-1)]
    except (ValueError, TypeError):
        return []
