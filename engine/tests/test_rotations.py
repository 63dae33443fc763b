import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinflow import rotations, rotations_np

angles = st.lists(st.floats(-3.1, 3.1, allow_nan=False), min_size=3, max_size=3)


@given(angles)
def test_logarithm_undoes_exponential(vector):
    v = torch.tensor([vector], dtype=torch.float64)
    if v.norm() > 3.1:
        v = v / v.norm() * 3.1
    assert torch.allclose(
        rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(v)), v, atol=1e-7
    )


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, 0.5, np.pi - 1e-6, np.pi])
def test_numpy_equals_torch_at_every_angle(angle):
    v = np.array([[0.6, -0.64, 0.48]]) * angle
    matrix = rotations_np.axis_angle_to_matrix(v)
    assert np.allclose(
        matrix, rotations.axis_angle_to_matrix(torch.from_numpy(v)).numpy(), atol=1e-12
    )
    assert np.allclose(
        rotations_np.matrix_to_axis_angle(matrix),
        rotations.matrix_to_axis_angle(torch.from_numpy(matrix)).numpy(),
        atol=1e-6,
    )
    assert np.allclose(
        rotations_np.axis_angle_to_matrix(rotations_np.matrix_to_axis_angle(matrix)),
        matrix,
        atol=1e-6,
    )


def test_gradients_are_finite_at_zero_and_at_half_turns():
    for v in (torch.zeros(1, 3), torch.tensor([[torch.pi, 0.0, 0.0]])):
        v = v.clone().requires_grad_()
        rotations.matrix_to_axis_angle(rotations.axis_angle_to_matrix(v)).sum().backward()
        assert torch.isfinite(v.grad).all()


def test_sixd_and_procrustes_give_rotations_and_keep_them():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    r = rotations.sixd_to_matrix(x)
    eye = torch.eye(3, dtype=torch.float64)
    assert torch.allclose(r @ r.transpose(-1, -2), eye.expand_as(r), atol=1e-12)
    assert torch.allclose(rotations.sixd_to_matrix(rotations.matrix_to_sixd(r)), r, atol=1e-12)
    noisy = r + 0.1 * torch.randn(r.shape, generator=generator, dtype=torch.float64)
    p = rotations.project_to_rotation(noisy)
    assert torch.allclose(torch.linalg.det(p), torch.ones(50, dtype=torch.float64))
    assert np.allclose(p.numpy(), rotations_np.project_to_rotation(noisy.numpy()), atol=1e-10)
