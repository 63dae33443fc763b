"""The part network as ONNX, node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KinflowError
from .synthetic import CROP

OPSET, IR_VERSION = 13, 8


class _Graph:
    """Nodes and weights, as they are added."""

    def __init__(self) -> None:
        try:
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise KinflowError("The package onnx is not installed.", "pip install onnx") from error
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """A node; returns its output's name."""
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        """A weight; returns its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(self.numpy_helper.from_array(array, name))
        return name

    def convolve(self, layer: Any, x: str, output: str = "") -> str:
        """A convolution that keeps the size."""
        size = layer.kernel_size[0]
        weight, bias = (self.constant(a.detach().numpy()) for a in (layer.weight, layer.bias))
        padding: dict[str, Any] = {"kernel_shape": [size, size], "pads": [size // 2] * 4}
        return self.add("Conv", [x, weight, bias], output, **padding)

    def block(self, layers: Any, x: str) -> str:
        """Two convolutions, each with a ReLU."""
        hidden = self.add("Relu", [self.convolve(layers[0], x)])
        return self.add("Relu", [self.convolve(layers[2], hidden)])


def export_part_network(net: Any, path: Path) -> None:
    """Writes a `PartNetwork`. Raises KinflowError where the package onnx is missing."""
    graph = _Graph()
    x, kept = "planes", []
    for i, layers in enumerate(net.down):
        x = graph.block(layers, x if i == 0 else graph.add("MaxPool", [x], **_HALF))
        kept.append(x)
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    for i in range(len(net.up) - 1, -1, -1):
        x = graph.add("Resize", [x, "", scales], **_NEAREST)
        x = graph.block(net.up[i], graph.add("Concat", [kept[i], x], axis=1))
    graph.convolve(net.head, x, "logits")
    _save(graph, net.down[0][0].in_channels, net.head.out_channels, path)


_HALF: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
_NEAREST: dict[str, Any] = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def _save(graph: _Graph, planes: int, classes: int, path: Path) -> None:
    from onnx import TensorProto, checker, save

    helper = graph.helper
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, CROP, CROP])
        for name, channels in (("planes", planes), ("logits", classes))
    ]
    whole = helper.make_graph(graph.nodes, "kinflow_parts", ends[:1], ends[1:], graph.weights)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        whole, opset_imports=opsets, producer_name="kinflow", ir_version=IR_VERSION
    )
    checker.check_model(model, full_check=True)
    save(model, str(path))
