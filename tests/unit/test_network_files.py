"""Networks from files of other tools: what they say is counted, what they hide does no harm."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.architecture import keras_file
from harness.architecture.model_file import read_network
from harness.errors import InputError
from harness.overlay import find_overlay


def keras(*layers: tuple[str, dict[str, Any]], inputs: tuple[int, ...] = (16,)) -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *inputs]}}
    ]
    items += [
        {"class_name": kind, "config": {"name": f"{kind}_{index}", **config}}
        for index, (kind, config) in enumerate(layers)
    ]
    return {"class_name": "Sequential", "config": {"name": "net", "layers": items}}


def written(folder: Path, content: object, name: str = "net.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def quantised(units: int) -> tuple[str, dict[str, Any]]:
    return "QDense", {
        "units": units,
        "kernel_quantizer": {"class_name": "quantized_bits", "config": {"bits": 6}},
        "bias_quantizer": "quantized_bits(7,0,alpha=1)",
    }


JET = keras(
    quantised(64),
    ("QActivation", {"activation": "quantized_relu(6)"}),
    quantised(32),
    ("QActivation", {"activation": "quantized_relu(bits=5)"}),
    quantised(32),
    ("ReLU", {}),
    quantised(5),
)


def test_qkeras_gives_shapes_and_widths(tmp_path: Path) -> None:
    found = read_network(written(tmp_path, JET), input_bits=16)
    assert (found.parameters, found.multiplications, found.unsupported) == (4389, 4256, ())
    assert [layer.input_bits for layer in found.layers] == [16, 6, 5, 16]
    assert found.bits == 4256 * 6 + 133 * 7


def test_the_same_configuration_from_a_zip_and_from_hdf5(tmp_path: Path) -> None:
    expected = read_network(written(tmp_path, JET)).layers
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(JET))
    assert read_network(tmp_path / "net.keras").layers == expected
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "net.h5", "w") as archive:
        archive.attrs["model_config"] = json.dumps(JET)
    assert read_network(tmp_path / "net.h5").layers == expected


def test_convolutions_pooling_and_recurrence(tmp_path: Path) -> None:
    image = keras(
        ("Conv2D", {"filters": 8, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same"}),
        ("MaxPooling2D", {"pool_size": [2, 2], "strides": None, "padding": "valid"}),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 3], "strides": 2, "padding": "valid"}),
        ("DepthwiseConv2D", {"kernel_size": [1, 1], "use_bias": False}),
        ("Flatten", {}),
        ("Dense", {"units": 10, "use_bias": False}),
        inputs=(12, 12, 3),
    )
    layers = read_network(written(tmp_path, image)).layers
    # 12x12 same, pooled to 6x6, then (6 - 3) / 2 + 1 = 2: 2x2.
    assert [layer.multiplications for layer in layers] == [
        27 * 8 * 144, 72 * 4 * 4, 4 * 4, 16 * 10,
    ]  # fmt: skip
    assert [layer.parameters for layer in layers] == [27 * 8 + 8, 72 * 4 + 4, 4, 160]
    series = keras(("GRU", {"units": 32}), ("Dense", {"units": 1}), inputs=(50, 7))
    gru, dense = read_network(written(tmp_path, series)).layers
    # Keras' own count of a GRU with reset_after: 3 * (7 + 32 + 2) * 32.
    assert gru.parameters == 3 * (7 + 32 + 2) * 32
    assert gru.multiplications == gru.weights * 50
    assert dense.weights == 32


def test_branches_of_a_functional_network_are_followed(tmp_path: Path) -> None:
    def layer(name: str, kind: str, sources: list[str], **config: Any) -> dict[str, Any]:
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        config["name"] = name
        return {"class_name": kind, "config": config, "inbound_nodes": nodes}

    content = {
        "class_name": "Functional",
        "config": {
            "layers": [
                layer("in", "InputLayer", [], batch_input_shape=[None, 10]),
                layer("left", "Dense", ["in"], units=4),
                layer("right", "Dense", ["in"], units=6),
                layer("both", "Concatenate", ["left", "right"]),
                layer("out", "Dense", ["both"], units=2),
            ]
        },
    }
    found = read_network(written(tmp_path, content))
    assert found.unsupported == ()
    assert found.layers[-1].weights == (4 + 6) * 2


def test_unsupported_layers_are_named_and_the_rest_is_counted(tmp_path: Path) -> None:
    content = keras(("Dense", {"units": 4}), ("Lambda", {}), ("Dense", {"units": 3}))
    # Keras 3 states the shape that a layer was built with: what follows is understood again.
    content["config"]["layers"].append(
        {
            "class_name": "Dense",
            "config": {"name": "last", "units": 2},
            "build_config": {"input_shape": [None, 3]},
        }
    )
    found = read_network(written(tmp_path, content))
    assert [layer.name for layer in found.layers] == ["Dense_0", "last"]
    assert [words.split(" ")[0] for words in found.unsupported] == ["Lambda_1", "Dense_2"]


def test_nothing_in_a_file_is_imported(tmp_path: Path) -> None:
    content = keras(("Dense", {"units": 4}))
    content["config"]["layers"][1] |= {"module": "antigravity", "registered_name": "antigravity>X"}
    content["config"]["layers"].append({"class_name": "antigravity.Layer", "config": {}})
    found = read_network(written(tmp_path, content))
    assert len(found.unsupported) == 1
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"units": "many"}, "not understood"),
        ({"units": -3}, "not positive"),
        ({}, "units"),
    ],
)
def test_a_layer_that_makes_no_sense_is_left_out(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    found = read_network(written(tmp_path, keras(("Dense", config))))
    assert found.layers == ()
    assert message in found.unsupported[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "is no model file"),
        ("a.json", b"{", "is no JSON file"),
        ("a.json", b"[" * 200_000, "is no JSON file"),
        ("a.json", b'{"config": 3}', "is no Keras model"),
        ("a.json", b'{"config": {"layers": []}}', "has no layers"),
        ("a.json", b'{"config": {"layers": [5]}}', "is no layer"),
        ("a.keras", b"PK nonsense", "no configuration"),
        ("a.json", b'{"schema": 1}', "missing"),
    ],
)
def test_other_files_are_refused_by_name(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_network(path)
    assert name in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_network(tmp_path / "missing.json")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_file, "LARGEST_CONFIG", 1000)
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 5_000_000)
    with pytest.raises(InputError, match="larger than"):
        read_network(tmp_path / "a.keras")


def test_an_overlays_own_model_is_read_as_such() -> None:
    path = find_overlay("jet_tagger").model_path
    assert path is not None
    assert read_network(path).parameters == 4389


def test_hls4ml_precisions_go_before_the_files_own(tmp_path: Path) -> None:
    config = tmp_path / "hls4ml.yml"
    config.write_text(
        "HLSConfig:\n  Model:\n    Precision: ap_fixed<16,6>\n    ReuseFactor: 1\n"
        "  LayerName:\n    Dense_0:\n      Precision:\n"
        "        weight: ap_fixed<9,2>\n        bias: ap_fixed<11,4>\n        result: ufixed<7,0>\n"
    )
    path = written(tmp_path, keras(("Dense", {"units": 4}), ("Dense", {"units": 2})))
    first, second = read_network(path, hls4ml=config).layers
    assert (first.weight_bits, first.bias_bits, first.input_bits) == (9, 11, 16)
    assert (second.weight_bits, second.bias_bits, second.input_bits) == (16, 16, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nModel: *x\n", "anchor"),
        ("!!python/object/apply:os.system ['true']\n", "is no YAML"),
        ("just words", "no configuration of hls4ml"),
    ],
)
def test_a_hostile_hls4ml_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "hls4ml.yml"
    config.write_text(text)
    with pytest.raises(InputError, match=message):
        read_network(written(tmp_path, JET), hls4ml=config)


class Onnx:
    """Builds small ONNX files."""

    def __init__(self) -> None:
        onnx = pytest.importorskip("onnx")
        self.onnx, self.help, self.kinds = onnx, onnx.helper, onnx.TensorProto
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def tensor(self, name: str, values: Any) -> str:
        self.tensors.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **more: Any) -> str:
        self.nodes.append(self.help.make_node(kind, inputs, [output], name=output, **more))
        return output

    def quant(self, value: str, bits: int) -> str:
        scale = self.tensor(f"{value}_s", np.float32(0.5))
        zero = self.tensor(f"{value}_z", np.float32(0))
        width = self.tensor(f"{value}_b", np.float32(bits))
        return self.node(
            "Quant", [value, scale, zero, width], f"{value}_q", domain="qonnx.custom_op.general",
            signed=1, narrow=0, rounding_mode="ROUND",
        )  # fmt: skip

    def write(self, path: Path, shape: list[int], out: str = "y") -> Path:
        graph = self.help.make_graph(
            self.nodes,
            "g",
            [self.help.make_tensor_value_info("x", self.kinds.FLOAT, shape)],
            [self.help.make_tensor_value_info(out, self.kinds.FLOAT, None)],
            self.tensors,
        )
        imports = [
            self.help.make_opsetid("", 13),
            self.help.make_opsetid("qonnx.custom_op.general", 1),
        ]
        path.write_bytes(self.help.make_model(graph, opset_imports=imports).SerializeToString())
        return path


def floats(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def test_qonnx_quantisers_give_the_widths(tmp_path: Path) -> None:
    file = Onnx()
    value = file.quant("x", 8)
    for index, (inner, outer) in enumerate([(57, 28), (28, 15), (15, 8)]):
        weights = file.quant(file.tensor(f"w{index}", floats(inner, outer)), 6)
        product = file.node("MatMul", [value, weights], f"m{index}")
        bias = file.quant(file.tensor(f"b{index}", floats(outer)), 5)
        total = file.node("Add", [product, bias], f"a{index}")
        value = file.quant(file.node("Relu", [total], f"r{index}"), 4)
    found = read_network(file.write(tmp_path / "a.onnx", [1, 57], value))
    assert (found.parameters, found.unsupported) == (2187, ())
    assert [layer.input_bits for layer in found.layers] == [8, 4, 4]
    assert found.bits == (57 * 28 + 28 * 15 + 15 * 8) * 6 + (28 + 15 + 8) * 5


def test_onnx_gemm_convolution_and_recurrence(tmp_path: Path) -> None:
    file = Onnx()
    weights = file.tensor("k", floats(8, 3, 3, 3))
    conv = file.node("Conv", ["x", weights, file.tensor("kb", floats(8))], "c", pads=[1, 1, 1, 1])
    flat = file.node("Flatten", [conv], "f")
    file.node("Gemm", [flat, file.tensor("g", floats(10, 128))], "y", transB=1)
    convolution, dense = read_network(file.write(tmp_path / "c.onnx", [1, 3, 4, 4])).layers
    assert (convolution.kind, convolution.multiplications) == ("conv2d", 27 * 8 * 16)
    assert (convolution.biases, dense.fan_in, dense.weights) == (8, 128, 1280)
    assert convolution.weight_bits is None  # float32 in the file says nothing about the fabric
    gru = Onnx()
    w, r = gru.tensor("w", floats(1, 96, 7)), gru.tensor("r", floats(1, 96, 32))
    gru.node("GRU", ["x", w, r], "y", hidden_size=32)
    (layer,) = read_network(gru.write(tmp_path / "g.onnx", [50, 1, 7])).layers
    assert (layer.weights, layer.multiplications) == (96 * 39, 96 * 39 * 50)


def test_onnx_integers_are_as_wide_as_they_are(tmp_path: Path) -> None:
    file = Onnx()
    stored = file.tensor("w", np.ones((16, 4), np.int8))
    scale = file.tensor("s", np.float32(0.1))
    file.node("MatMul", ["x", file.node("DequantizeLinear", [stored, scale], "d")], "y")
    (layer,) = read_network(file.write(tmp_path / "q.onnx", [1, 16])).layers
    assert layer.weight_bits == 8


def test_onnx_operators_that_are_not_known_are_named(tmp_path: Path) -> None:
    file = Onnx()
    strange = file.node("Strange", ["x"], "s", domain="antigravity")
    product = file.node("MatMul", [strange, file.tensor("w", floats(16, 4))], "m")
    file.node("MatMul", [product, product], "y")
    found = read_network(file.write(tmp_path / "s.onnx", [1, 16]))
    assert [layer.weights for layer in found.layers] == [64]
    assert [words.split(":")[0] for words in found.unsupported] == ["s (Strange)", "y (MatMul)"]
    assert "antigravity" not in sys.modules


def test_onnx_tensors_outside_the_file_are_not_opened(tmp_path: Path) -> None:
    file = Onnx()
    file.node("MatMul", ["x", file.tensor("w", floats(16, 4))], "y")
    tensor = file.tensors[0]
    tensor.ClearField("raw_data")
    tensor.data_location = file.kinds.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/shadow"
    assert read_network(file.write(tmp_path / "e.onnx", [1, 16])).parameters == 64


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x08\x07"])
def test_what_is_no_onnx_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.onnx"):
        read_network(path)


def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, suffix in (("onnx", ".onnx"), ("h5py", ".h5")):
        monkeypatch.setitem(sys.modules, name, None)
        path = tmp_path / f"a{suffix}"
        path.write_bytes(b"x")
        with pytest.raises(InputError, match=rf"without {name}.*fpga-harness\[models\]"):
            read_network(path)
