import array_api_compat.torch as xt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinflow.core import rotations
from kinflow.core.arrays import numpy_namespace as xn

angles = st.lists(st.floats(-3.1, 3.1, allow_nan=False), min_size=3, max_size=3)


@given(angles)
def test_logarithm_undoes_exponential(vector):
    v = np.array([vector])
    if np.linalg.norm(v) > 3.1:
        v = v / np.linalg.norm(v) * 3.1
    matrix = rotations.axis_angle_to_matrix(xn, v)
    assert np.allclose(rotations.matrix_to_axis_angle(xn, matrix), v, atol=1e-7)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, 0.5, np.pi - 1e-6, np.pi])
def test_numpy_equals_torch_at_every_angle(angle):
    v = np.array([[0.6, -0.64, 0.48]]) * angle
    matrix = rotations.axis_angle_to_matrix(xn, v)
    exact = rotations.axis_angle_to_matrix(xt, torch.from_numpy(v))
    assert np.allclose(matrix, exact.numpy(), atol=1e-12)
    back = rotations.matrix_to_axis_angle(xn, matrix)
    assert np.allclose(back, rotations.matrix_to_axis_angle(xt, exact).numpy(), atol=1e-6)
    assert np.allclose(rotations.axis_angle_to_matrix(xn, back), matrix, atol=1e-6)


def test_gradients_are_finite_at_zero_and_at_half_turns():
    for v in (torch.zeros(1, 3), torch.tensor([[torch.pi, 0.0, 0.0]])):
        v = v.clone().requires_grad_()
        matrix = rotations.axis_angle_to_matrix(xt, v)
        rotations.matrix_to_axis_angle(xt, matrix).sum().backward()
        assert torch.isfinite(v.grad).all()


def test_sixd_and_procrustes_give_rotations_and_keep_them():
    random = np.random.default_rng(0)
    r = rotations.sixd_to_matrix(xn, random.normal(size=(50, 6)))
    assert np.allclose(r @ r.swapaxes(-1, -2), np.eye(3), atol=1e-12)
    again = rotations.sixd_to_matrix(xn, rotations.matrix_to_sixd(xn, r))
    assert np.allclose(again, r, atol=1e-12)
    p = rotations.project_to_rotation(xn, r + 0.1 * random.normal(size=r.shape))
    assert np.allclose(np.linalg.det(p), 1)


def test_one_matrix_that_is_not_finite_is_nan_alone():
    matrices = np.stack((np.full((3, 3), np.inf), np.eye(3)))
    projected = rotations.project_to_rotation(xn, matrices)
    assert np.isnan(projected[0]).all() and np.allclose(projected[1], np.eye(3))


@pytest.mark.parametrize("vector", [[0.3, -0.5, 0.9], [1e-5, 0, 0], [1.5, 1.5, -1.0]])
def test_the_left_jacobian_is_that_of_autograd_and_its_inverse_inverts_it(vector):
    v = torch.tensor(vector, dtype=torch.float64)

    def turned(moved):
        one, other = (rotations.axis_angle_to_matrix(xt, a) for a in (v + moved, -v))
        return rotations.matrix_to_axis_angle(xt, one @ other)

    exact = torch.autograd.functional.jacobian(turned, torch.full_like(v, 1e-9))
    found = rotations.left_jacobian(xn, np.array(vector))
    assert np.allclose(found, exact.numpy(), atol=1e-5)
    assert np.allclose(found @ rotations.left_jacobian_inverse(xn, np.array(vector)), np.eye(3))


def test_euler_angles_turn_about_the_axes_in_their_order():
    z, y, x = 0.3, -0.7, 1.1
    found = rotations.euler_to_matrix(xn, np.array([z, y, x]), "ZYX")
    turns = [
        rotations.axis_angle_to_matrix(xn, np.array(v)) for v in ([0, 0, z], [0, y, 0], [x, 0, 0])
    ]
    assert np.allclose(found, turns[0] @ turns[1] @ turns[2])


@pytest.mark.parametrize("xp", [xn, xt])
def test_quaternions_in_time_are_the_same_rotations_and_never_jump(xp):
    vectors = np.cumsum(np.full((40, 2, 3), 0.3), axis=0)  # several full turns
    matrix = rotations.axis_angle_to_matrix(xp, xp.asarray(vectors))
    quaternions = rotations.continuous(xp, rotations.matrix_to_quaternion(xp, matrix))
    assert (xp.sum(quaternions[1:] * quaternions[:-1], axis=-1) > 0).all()
    back = rotations.quaternion_to_matrix(xp, quaternions)
    assert np.allclose(np.asarray(back), np.asarray(matrix), atol=1e-12)
