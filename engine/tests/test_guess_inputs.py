"""What the regressor is shown: crops, planes, rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn import drawn_people, observations_of

from kinflow.guessing.inputs import (
    CROP,
    NUM_PLANES,
    cut,
    keypoint_crop,
    make_planes,
    observed_inputs,
    ray_rotation,
)


@pytest.fixture(scope="module")
def people():
    return drawn_people()


def planes_of(observations):
    return make_planes(observed_inputs(observations, [o.camera for o in observations]))


def test_the_crop_holds_the_keypoints_and_planes_show_them_where_they_are(people):
    crops = keypoint_crop(people.keypoints, np.ones((24, 17)))
    local = (people.keypoints - crops[:, None, :2]) / crops[:, None, 2:]
    assert (local > 0.1).all() and (local < 0.9).all()
    planes = planes_of(observations_of(people))
    assert planes.shape == (24, NUM_PLANES, CROP, CROP)
    heat = planes[:, 1:18].flatten(2).argmax(-1)
    shown = np.stack((heat.numpy() % CROP, heat.numpy() // CROP), -1) + 0.5
    assert np.abs(shown - local * CROP).max() <= 0.75


def test_every_plane_shows_something_of_who_is_observed_with_parts(people):
    """A plane that is zero for everybody would be a weight that nothing ever asks for."""
    observations = []
    for person, parts, crop in zip(observations_of(people), people.parts, people.crop, strict=True):
        # each pixel of the photo by its place in the drawn crop
        x, y = (
            ((np.arange(480) + 0.5 - corner) / crop[2] * CROP).astype(int) for corner in crop[:2]
        )
        inside = (x >= 0) & (x < CROP), (y >= 0) & (y < CROP)
        photo = parts[np.clip(y, 0, CROP - 1)[:, None], np.clip(x, 0, CROP - 1)]
        photo = photo * (inside[1][:, None] & inside[0])
        observations.append(replace(person, parts=photo))
    planes = planes_of(observations)
    assert (planes.flatten(2).amax((0, 2)) > 0.5).all()


def test_a_crop_that_leaves_the_photo_is_black_there():
    image = np.full((40, 40, 3), 200, np.uint8)
    piece = cut(image, np.array([-20.0, 0.0, 40.0]), 3)
    assert (piece[:, :31] == 0).all() and (piece[:, 33:] == 200).all()
    assert (cut(image, np.array([100.0, 100.0, 40.0]), 3) == 0).all()


def test_the_ray_rotation_takes_the_axis_to_the_ray():
    ray = torch.tensor([[0.3, -0.4], [0.0, 0.0]])
    rotation = ray_rotation(ray)
    direction = torch.nn.functional.normalize(torch.cat((ray, torch.ones(2, 1)), 1), dim=1)
    torch.testing.assert_close(rotation @ torch.tensor([0.0, 0.0, 1.0]), direction)
    eye = torch.eye(3).expand(2, 3, 3)
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), eye, atol=1e-6, rtol=0)
