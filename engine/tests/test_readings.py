"""Photos that can be read in two ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinflow import Camera, Observation, fit
from kinflow.bodies.keypoint_names import BLAZEPOSE33, COCO17, partners
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.perception.views import sides

CAMERA = Camera(1000, 1000, 500, 500, 1000, 1000)
ANKLES = [BLAZEPOSE33.index(f"{side}_ankle") for side in ("left", "right")]
LEGS = np.array([n.endswith(("knee", "ankle", "heel", "foot_index")) for n in BLAZEPOSE33])


def test_partners_are_on_the_other_side():
    for names in (BLAZEPOSE33, COCO17):
        swap = partners(names)
        assert [swap[k] for k in swap] == list(range(len(names))) and swap[0] == 0
        for name, other in zip(names, swap, strict=True):
            assert name == names[other] or {name.replace("left", "right")} & {
                names[other],
                names[other].replace("left", "right"),
            }
    assert partners(["left_eye", "nose"]) == [0, 1]


@pytest.fixture(scope="module")
def striding(body):
    """Keypoints (33, 2) px of somebody who strides across the photo, one leg before the other."""
    pose = torch.zeros(1, 23, 3)
    pose[0, 0, 0], pose[0, 1, 0] = -0.6, 0.5  # hips
    pose[0, 15, 2], pose[0, 16, 2] = -1.1, 1.1  # arms down
    root = torch.tensor([[0.0, 0.0, 0.0]])
    root[0, 0] = torch.pi
    turned = torch.tensor([[0.0, 1.2, 0.0]])
    rotation = _product(root, turned)
    vertices, joints = body(rotation, pose, torch.zeros(1, 10), torch.tensor([[0.0, 0.1, 4.0]]))
    points = keypoint_regressor(body, "blazepose33")(joints, vertices)[0].numpy()
    return CAMERA.project(points)


def _product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Two rotations, one after the other, as axis and angle."""
    from scipy.spatial.transform import Rotation

    both = Rotation.from_rotvec(first.numpy()) * Rotation.from_rotvec(second.numpy())
    return torch.from_numpy(both.as_rotvec()).float()


def left_ankle_is_nearer_to_its_own(hypothesis, points):
    """Of a hypothesis's left ankle: whether it lies at the left one of `points`."""
    left = CAMERA.project(hypothesis.joints[7])
    apart = np.linalg.norm(points[ANKLES] - left, axis=1)
    return bool(apart[0] < apart[1])


def test_legs_that_may_be_the_other_way_round_are_read_in_both_ways(striding):
    stride = float(np.linalg.norm(np.subtract(*striding[ANKLES])))
    sigma = np.where(LEGS, 0.5 * stride, 3.0)
    person = Observation(
        *(striding, np.ones(33), "blazepose33", CAMERA), sigma=sigma, either_side=LEGS
    )
    (result,) = fit(person, losses=("ka",), device="cpu")
    readings = {left_ankle_is_nearer_to_its_own(h, striding) for h in result.hypotheses}
    assert readings == {True, False}


def test_legs_that_are_seen_well_are_read_in_one_way(striding):
    person = Observation(striding, np.ones(33), "blazepose33", CAMERA, sigma=np.full(33, 3.0))
    (result,) = fit(person, losses=("ka",), device="cpu")
    assert all(left_ankle_is_nearer_to_its_own(h, striding) for h in result.hypotheses)


def bodies(count):
    """Views of one body, a little apart."""
    random = np.random.default_rng(0)
    return random.uniform(0, 300, (1, 33, 2)) + random.normal(0, 2, (count, 33, 2))


@pytest.mark.parametrize("group", [slice(None), LEGS])
def test_views_that_take_left_for_right_are_turned_and_noted(group):
    points = bodies(10)
    swap = np.array(partners(BLAZEPOSE33))
    turned = points.copy()
    turned[6:, group] = points[6:][:, swap][:, group]
    order, doubt = sides(turned)
    np.testing.assert_allclose(np.take_along_axis(turned, order[..., None], 1), points)
    np.testing.assert_array_equal(doubt, np.isin(np.arange(33), np.arange(33)[group]))


def test_views_that_agree_stay_as_they_are():
    order, doubt = sides(bodies(10))
    np.testing.assert_array_equal(order, np.tile(np.arange(33), (10, 1)))
    assert not doubt.any()


def test_which_sides_are_in_doubt_is_kept_in_files():
    both = Observation(bodies(1)[0], np.ones(33), "blazepose33", CAMERA, either_side=LEGS)
    again = Observation.from_json(both.to_json())
    np.testing.assert_array_equal(again.either_side, LEGS)
