"""A prior's decoder as ONNX: latent -> representation -> rotation matrices. Needs the package
`onnx` (extra `onnx`).

The graph is written by hand, node by node: matrix products, kinks as sums and square roots,
couplings, and the representation's own way to rotations. Weights are stored from latent to pose, so
nothing is inverted. Only operators that OpenCV's dnn knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.flow import SCALE_BOUND, Coupling, Flow, Kink
from ..core.representations import PER_JOINT
from ..core.skeleton import NUM_BODY_JOINTS
from ..errors import InvalidInputError, KinflowError
from .arrays import PriorArrays
from .prior import Prior

OPSET = 13
POLAR_ROUNDS = 12


class _Graph:
    """Collects nodes and weights; every method returns the name of its output."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.nodes: list = []
        self.weights: list = []

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(self._numpy.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(
            self._helper.make_node(
                kind, list(inputs), [name], name=f"{kind}_{len(self.nodes)}", **attributes
            )
        )
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array([[value]], np.float32))

    def affine(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return self.op("Gemm", x, self.constant(weight), self.constant(bias), transB=1)

    def times(self, x: str, matrix: np.ndarray) -> str:
        return self.op("MatMul", x, self.constant(matrix.astype(np.float32)))


def _coupling(graph: _Graph, step: Coupling, h: str, dim: int) -> str:
    # halves by products with 0 and 1, which are exact: OpenCV cannot join slices of a batch of
    # unknown size
    half, eye = dim // 2, np.eye(dim)
    pick_a, pick_b = (
        (eye[:, :half], eye[:, half:]) if step.first_half else (eye[:, half:], eye[:, :half])
    )
    a, b = graph.times(h, pick_a), graph.times(h, pick_b)
    outputs = []
    for layers in (step.scale, step.shift):
        x = graph.affine(a, *layers[0])
        for weight, bias in layers[1:]:
            x = graph.affine(graph.op("Tanh", x), weight, bias)
        outputs.append(x)
    bounded = graph.op(
        "Mul",
        graph.op("Tanh", graph.op("Mul", outputs[0], graph.number(1 / SCALE_BOUND))),
        graph.number(SCALE_BOUND),
    )
    changed = graph.op("Add", graph.op("Mul", b, graph.op("Exp", bounded)), outputs[1])
    return graph.op("Add", graph.times(a, pick_a.T), graph.times(changed, pick_b.T))


def _kink(graph: _Graph, step: Kink, h: str) -> str:
    slope = float(step.slope[0])
    if step.eps == 0:
        bent, share = graph.op("Relu", h), slope
    else:
        squared = graph.op("Add", graph.op("Mul", h, h), graph.number(step.eps**2))
        bent, share = graph.op("Sqrt", squared), 0.5 * (1 + slope)
    rest = 1 - share if step.eps == 0 else 0.5 * (1 - slope)
    return graph.op(
        "Add",
        graph.op("Mul", bent, graph.number(rest)),
        graph.op("Mul", h, graph.number(share)),
    )


class _Joints:
    """Entries of all joints side by side as (B, 23) columns: arithmetic of small vectors without
    batched products.
    """

    def __init__(self, graph: _Graph, per_joint: int) -> None:
        self.graph, self.per_joint = graph, per_joint

    def entry(self, x: str, index: int) -> str:
        pick = np.zeros((self.per_joint * NUM_BODY_JOINTS, NUM_BODY_JOINTS), np.float32)
        pick[np.arange(NUM_BODY_JOINTS) * self.per_joint + index, np.arange(NUM_BODY_JOINTS)] = 1
        return self.graph.times(x, pick)

    def mul(self, a: str, b: str) -> str:
        return self.graph.op("Mul", a, b)

    def add(self, *terms: str) -> str:
        total = terms[0]
        for term in terms[1:]:
            total = self.graph.op("Add", total, term)
        return total

    def sub(self, a: str, b: str) -> str:
        return self.graph.op("Sub", a, b)

    def scaled(self, a: str, value: float) -> str:
        return self.graph.op("Mul", a, self.graph.number(value))

    def dot(self, a: list[str], b: list[str]) -> str:
        return self.add(*(self.mul(x, y) for x, y in zip(a, b, strict=True)))

    def cross(self, a: list[str], b: list[str]) -> list[str]:
        return [
            self.sub(self.mul(a[i - 2], b[i - 1]), self.mul(a[i - 1], b[i - 2])) for i in range(3)
        ]

    def unit(self, a: list[str]) -> list[str]:
        length = self.graph.op(
            "Sqrt", self.graph.op("Add", self.dot(a, a), self.graph.number(1e-24))
        )
        return [self.graph.op("Div", x, length) for x in a]

    def stack(self, entries: list[str], output: str) -> str:
        """Nine (B, 23) columns, row by row of the matrices -> (B, 23, 3, 3) flat as (B, 207)."""
        total = None
        for index, entry in enumerate(entries):
            place = np.zeros((NUM_BODY_JOINTS, 9 * NUM_BODY_JOINTS), np.float32)
            place[np.arange(NUM_BODY_JOINTS), np.arange(NUM_BODY_JOINTS) * 9 + index] = 1
            term = self.graph.times(entry, place)
            total = (
                term
                if total is None
                else self.graph.op("Add", total, term, output=output if index == 8 else None)
            )
        assert total is not None
        return total


def _sixd(joints: _Joints, x: str) -> list[str]:
    a = [joints.entry(x, i) for i in range(6)]
    first = joints.unit(a[:3])
    along = joints.dot(first, a[3:])
    second = joints.unit(
        [joints.sub(v, joints.mul(along, f)) for v, f in zip(a[3:], first, strict=True)]
    )
    third = joints.cross(first, second)
    return [column[row] for row in range(3) for column in (first, second, third)]


def _axis_angle(joints: _Joints, x: str) -> list[str]:
    graph = joints.graph
    v = [joints.entry(x, i) for i in range(3)]
    # quaternion by half the angle: sin(t/2)/t stays smooth with a floor far below any real angle
    squared = graph.op("Add", joints.dot(v, v), graph.number(1e-12))
    angle = graph.op("Sqrt", squared)
    half = joints.scaled(angle, 0.5)
    factor = graph.op("Div", graph.op("Sin", half), angle)
    w, (i, j, k) = graph.op("Cos", half), [joints.mul(c, factor) for c in v]
    one = graph.number(1.0)

    def diagonal(a: str, b: str) -> str:
        return graph.op(
            "Sub", one, joints.scaled(joints.add(joints.mul(a, a), joints.mul(b, b)), 2.0)
        )

    def off(a: str, b: str, c: str, sign: float) -> str:
        return joints.scaled(
            joints.add(joints.mul(a, b), joints.scaled(joints.mul(c, w), sign)), 2.0
        )

    return [
        diagonal(j, k),
        off(i, j, k, -1),
        off(i, k, j, 1),
        off(i, j, k, 1),
        diagonal(i, k),
        off(j, k, i, -1),
        off(i, k, j, -1),
        off(j, k, i, 1),
        diagonal(i, j),
    ]


def _matrix(joints: _Joints, x: str) -> list[str]:
    """Nearest rotation by Newton's iteration X <- (X + X^-T) / 2, X^-T = cofactors /
    determinant.
    """
    rows = [[joints.entry(x, 3 * r + c) for c in range(3)] for r in range(3)]
    for _ in range(POLAR_ROUNDS):
        cofactors = [
            joints.cross(rows[1], rows[2]),
            joints.cross(rows[2], rows[0]),
            joints.cross(rows[0], rows[1]),
        ]
        determinant = joints.dot(rows[0], cofactors[0])
        rows = [
            [
                joints.scaled(joints.add(m, joints.graph.op("Div", c, determinant)), 0.5)
                for m, c in zip(row, other, strict=True)
            ]
            for row, other in zip(rows, cofactors, strict=True)
        ]
    return [entry for row in rows for entry in row]


def _decoder(flow: Flow) -> _Graph:
    graph, h, last = _Graph(), "z", len(flow.steps)
    for i, (weight, bias) in enumerate(zip(flow.weights, flow.biases, strict=True)):
        output = "representation" if i == last else None
        inputs = (h, graph.constant(weight), graph.constant(bias))
        h = graph.op("Gemm", *inputs, transB=1, output=output)
        if i < last:
            step = flow.steps[i]
            if isinstance(step, Kink):
                h = _kink(graph, step, h)
            else:
                h = _coupling(graph, step, h, flow.dim)
    joints = _Joints(graph, PER_JOINT[flow.representation])
    build = {"6d": _sixd, "axis_angle": _axis_angle, "matrix": _matrix}[flow.representation]
    joints.stack(build(joints, h), "rotations")
    return graph


def export_onnx(prior: Prior | PriorArrays, path: str | Path) -> None:
    """Writes z (B, D) -> `representation` (B, D), `rotations` (B, 207): 23 row-major 3 x 3 matrices
    side by side.

    Matrices by Newton's polar iteration need a positive determinant, which every decoded pose
    within some ten sigmas has. Raises KinflowError where the package onnx is missing,
    InvalidInputError where the path cannot be written.
    """
    try:
        from onnx import TensorProto, checker, helper, save
    except ImportError as error:
        raise KinflowError("The package onnx is not installed.", "pip install onnx") from error
    flow = prior.arrays.flow
    graph = _decoder(flow)

    def value(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])

    outputs = [value("representation", flow.dim), value("rotations", 9 * NUM_BODY_JOINTS)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            f"kinflow_{prior.arrays.header.architecture}",
            [value("z", flow.dim)],
            outputs,
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="kinflow",
        ir_version=8,
        doc_string=f"kinflow prior {prior.name}: {prior.arrays.header.data}",
    )
    checker.check_model(model, full_check=True)
    try:
        save(model, str(path))
    except OSError as error:
        raise InvalidInputError(
            f"{path} cannot be written: {error}", "Choose another place."
        ) from error
