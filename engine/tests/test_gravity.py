"""Pitch, roll and the world that stands upright."""

import numpy as np
import pytest

from kinflow.gravity import gravity_of, level_gravity, pitch_and_roll, upright_rotation


@pytest.mark.parametrize("angles", [(0, 0), (-30, 4), (20, -5), (-89, 170), (60, 90)])
def test_pitch_and_roll_are_read_from_the_gravity_that_they_make(angles):
    assert pitch_and_roll(gravity_of(*angles)) == pytest.approx(angles, abs=1e-9)


def test_a_camera_that_looks_down_sees_the_floor_go_forward():
    assert gravity_of(-30, 0)[2] == pytest.approx(0.5)
    np.testing.assert_allclose(gravity_of(0, 0), level_gravity())


@pytest.mark.parametrize("angles", [(0, 0), (-30, 4), (20, -5), (-90, 0), (90, 0), (5, 180)])
def test_the_upright_world_is_a_rotation_with_gravity_down_and_the_view_towards_minus_z(angles):
    gravity = gravity_of(*angles)
    world = upright_rotation(3 * gravity)
    np.testing.assert_allclose(world @ world.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(world) == pytest.approx(1)
    np.testing.assert_allclose(world @ gravity, [0, -1, 0], atol=1e-12)
    ahead = world @ [0, 0, 1]
    assert ahead[0] == pytest.approx(0, abs=1e-9) and ahead[2] < 1e-9


def test_a_level_camera_turns_half_round():
    np.testing.assert_allclose(upright_rotation(level_gravity()), np.diag([1, -1, -1]), atol=1e-12)
