"""The same fit through torch: on the CPU everywhere, on CUDA where there is a card."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinflow import Camera, Observation, fit, fit_sequence
from kinflow.bodies.model import torch_backend
from kinflow.core.metrics import mpjpe
from kinflow.fitting import fit as fit_module
from kinflow.fitting.sequence import joint_fit

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
CAMERA = Camera(700, 700, 320, 320, 640, 640)


@pytest.fixture(scope="module")
def people(body, light):
    """Four people from the prior itself, with masks."""
    from kinflow.bodies.keypoints import keypoint_regressor

    pose = light.sample(4, 0.6, seed=4)
    root = torch.tensor([[3.1, 0.2, 0.1]]).expand(4, 3)
    vertices, joints = body(root, pose, None, torch.tensor([[0.0, 0.2, 4.0]]).expand(4, 3))
    points = keypoint_regressor(body, "coco17")(joints, vertices).double().numpy()
    observations = []
    for i, (place, mesh) in enumerate(zip(points, vertices.double().numpy(), strict=True)):
        columns, lines = CAMERA.project(mesh).round().astype(int).T
        mask = np.zeros((640, 640), bool)
        mask[lines.clip(0, 639), columns.clip(0, 639)] = True
        keypoints = CAMERA.project(place)
        ones = np.ones(17)
        observations.append(Observation(keypoints, ones, "coco17", CAMERA, mask=mask, photo=i // 2))
    return observations


@pytest.fixture(params=DEVICES)
def through_torch(request, monkeypatch):
    backend = torch_backend(request.param)
    for module in (fit_module, joint_fit):
        monkeypatch.setattr(module, "backend_for", lambda device: backend)


@pytest.mark.parametrize("losses", [("ka",), ("ka", "ba")])
def test_energies_and_poses_are_those_of_numpy(people, losses, through_torch, monkeypatch):
    results = fit(people, losses=losses)
    monkeypatch.undo()
    for found, wanted in zip(results, fit(people, losses=losses, device="cpu"), strict=True):
        assert found.status in ("converged", "max_iterations")
        energy = wanted.hypotheses[0].energy
        assert abs(found.hypotheses[0].energy - energy) < 0.02 * abs(energy) + 0.2
        assert mpjpe(found.joints, wanted.joints) < 0.01


def test_a_shared_shape_is_shared_through_torch_too(people, through_torch):
    results = fit(people[:3], losses=("ka",), shared_betas=True)
    assert all(np.array_equal(r.betas, results[0].betas) for r in results)


def test_a_clip_is_fitted_through_torch_too(people, through_torch):
    results = fit_sequence([people[0]] * 4, losses=("ka",))
    assert {r.status for r in results} <= {"converged", "max_iterations"}
    joints = np.stack([r.joints for r in results])
    assert np.ptp(joints, axis=0).max() < 0.02


def test_a_device_without_memory_is_told_to_who_calls(people, monkeypatch):
    """The engine then halves the batch; nobody is marked as failed."""

    def full(*arguments):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(fit_module, "begin", full)
    with pytest.raises(torch.OutOfMemoryError):
        fit(people, losses=("ka",), device="cpu")
