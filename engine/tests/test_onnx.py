"""The exported decoder is the prior's, wherever it runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinflow import load_prior
from kinflow.priors.onnx_export import export_onnx
from kinflow.priors.prior import SHIPPED

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module", params=SHIPPED)
def exported(request, tmp_path_factory):
    prior = load_prior(request.param)
    path = tmp_path_factory.mktemp("onnx") / "prior.onnx"
    export_onnx(prior, path)
    z = torch.randn(16, prior.dim, generator=torch.Generator().manual_seed(0))
    return prior, path, z.numpy(), prior.flow.to_pose(z).numpy(), prior.decode(z).flatten(1).numpy()


def test_passes_the_checker_and_holds_no_inversion(exported):
    _, path, *_ = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert not {"Inverse", "Det", "Einsum"} & {node.op_type for node in model.graph.node}


def test_equals_torch_in_onnxruntime(exported):
    _, path, z, x, rotations = exported
    session = pytest.importorskip("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    answer = dict(
        zip(
            ("representation", "rotations"),
            session.run(["representation", "rotations"], {"z": z}),
            strict=True,
        )
    )
    np.testing.assert_allclose(answer["representation"], x, atol=1e-5)
    np.testing.assert_allclose(answer["rotations"], rotations, atol=1e-5)


def test_equals_torch_in_opencv(exported):
    import cv2

    _, path, z, x, rotations = exported
    net = cv2.dnn.readNetFromONNX(str(path))
    for row in range(3):
        net.setInput(z[row : row + 1])
        representation, matrices = net.forward(["representation", "rotations"])
        np.testing.assert_allclose(representation[0], x[row], atol=1e-5)
        np.testing.assert_allclose(matrices[0], rotations[row], atol=1e-5)
