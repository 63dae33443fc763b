"""Ranges of motion flag what no joint does and pass what every joint can do."""

from __future__ import annotations

import math
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from kinflow import load_prior
from kinflow.core.arrays import numpy_namespace
from kinflow.core.joint_limits import MEASURES, joint_excess, violation_rate
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.priors.arrays import SHIPPED

TRAINING = Path(__file__).parents[1] / "benchmarks" / "data" / "training_poses.npz"


def pose_with(joint: str, vector: tuple[float, float, float]) -> torch.Tensor:
    pose = torch.zeros(1, 23, 3)
    pose[0, JOINT_INDEX[joint] - 1] = torch.tensor([math.radians(v) for v in vector])
    return axis_angle_to_matrix(xp, pose)


@pytest.mark.parametrize(
    ("joint", "vector", "beyond"),
    [
        ("left_knee", (120, 0, 0), False),
        ("left_knee", (-40, 0, 0), True),
        ("right_elbow", (0, 130, 0), False),
        ("right_elbow", (0, -40, 0), True),
        ("left_elbow", (0, -130, 0), False),
        ("left_elbow", (0, 40, 0), True),
        ("neck", (0, 70, 0), False),
        ("neck", (0, 95, 0), True),
        ("left_ankle", (60, 0, 0), True),
    ],
)
def test_limits_flag_the_joint_that_is_beyond_its_range(joint, vector, beyond):
    excess = joint_excess(xp, pose_with(joint, vector))
    assert bool((excess > 0).any()) == beyond
    if beyond:
        assert MEASURES[int(excess.argmax())] == joint


def test_captured_people_and_samples_keep_to_their_joints(heldout):
    captured = violation_rate(xp, heldout)
    assert captured < 0.004
    with np.load(TRAINING) as data:
        training = violation_rate(xp, axis_angle_to_matrix(xp, torch.from_numpy(data["pose"])))
    for name in SHIPPED:
        sampled = violation_rate(xp, load_prior(name).sample(1000, seed=1))
        assert sampled < training, name


def test_numpy_and_torch_measure_the_same(heldout):
    by_numpy = joint_excess(numpy_namespace, heldout[:50].numpy())
    np.testing.assert_allclose(by_numpy, joint_excess(xp, heldout[:50]), atol=1e-5)
