"""Where a body stands: the translation of equation 2, and loss KA's definition."""

import array_api_compat.torch as xp
import pytest
import torch

from kinflow.core.camera import (
    Lens,
    Targets,
    perspective_translation,
    project,
    weak_perspective_translation,
)
from kinflow.core.terms.keypoints import keypoint_alignment
from kinflow.core.terms.parts import part_alignment


def lens(count, focal, centre):
    return Lens(
        torch.full((count, 2), focal, dtype=torch.float64),
        torch.full((count, 2), centre, dtype=torch.float64),
    )


def test_translation_equals_plain_least_squares():
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(4, 17, 3, generator=generator, dtype=torch.float64)
    flat[..., 2] = 0
    true = torch.tensor([0.2, -0.1, 6.0], dtype=torch.float64)
    keypoints = (flat + true)[..., :2] / 6.0 * 900 + 240
    noisy = keypoints + torch.randn(keypoints.shape, generator=generator, dtype=torch.float64)
    confidence = torch.rand(4, 17, generator=generator, dtype=torch.float64)
    place = weak_perspective_translation(xp, flat, Targets(noisy, confidence), lens(4, 900, 240))
    for b in range(4):
        w = confidence[b].sqrt().repeat_interleave(2)
        design = torch.zeros(34, 3, dtype=torch.float64)
        design[:, 0] = flat[b, :, :2].flatten()
        design[0::2, 1], design[1::2, 2] = 1, 1
        u = ((noisy[b] - 240) / 900).flatten()
        s, dx, dy = torch.linalg.lstsq(design * w[:, None], (u * w)[:, None]).solution[:, 0]
        assert torch.allclose(place[b], torch.stack((dx / s, dy / s, 1 / s)), atol=1e-8)

    def placed(points, targets, weights):
        return weak_perspective_translation(
            xp, points, Targets(targets, weights), lens(1, 900, 240)
        )

    inputs = tuple(t[:1].clone().requires_grad_() for t in (flat, noisy, confidence))
    assert torch.autograd.gradcheck(placed, inputs)


@pytest.mark.parametrize("case", ["one", "same_place", "none"])
def test_degenerate_translations_are_finite_and_in_front(case):
    points = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    keypoints, confidence = torch.rand(1, 5, 2).double() * 100, torch.ones(1, 5).double()
    if case == "one":
        confidence[:, 1:] = 0
    elif case == "same_place":
        keypoints[:] = 50.0
    else:
        confidence[:] = 0
    targets, camera = Targets(keypoints, confidence), lens(1, 500, 50)
    place = weak_perspective_translation(xp, points, targets, camera)
    better = perspective_translation(xp, points, targets, camera, torch.full((1,), 10.0).double())
    assert torch.isfinite(place).all() and torch.isfinite(better).all()
    middle = (points * confidence[..., None]).sum(1)[:, 2] / confidence.sum().clamp_min(1)
    assert (better[:, 2] > 0).all() and (place[:, 2] + middle > 0).all()


def test_under_perspective_the_true_place_is_found_where_equation_2_misses_it():
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([0.3, 0.7, 0.3], dtype=torch.float64)
    points = torch.randn(6, 17, 3, generator=generator, dtype=torch.float64) * spread
    true = torch.tensor([0.2, -0.1, 2.0], dtype=torch.float64).expand(6, 3)
    camera = lens(6, 400, 240)
    keypoints, _ = project(xp, points + true[:, None], camera)
    confidence, scale = torch.ones(6, 17).double(), torch.full((6,), 40.0).double()
    confidence[:, 3], keypoints[:, 3] = 0, torch.nan
    targets = Targets(keypoints, confidence)
    weak = weak_perspective_translation(xp, points, targets, camera)
    better = perspective_translation(xp, points, targets, camera, scale)
    assert (better - true).norm(dim=1).max() < 0.1 * (weak - true).norm(dim=1).max()
    wrong = keypoints.clone()
    wrong[:, 7] += 150  # one swapped keypoint
    swapped = Targets(wrong, confidence)
    robust = perspective_translation(xp, points, swapped, camera, scale)
    pulled = perspective_translation(xp, points, swapped, camera, 1e6 * scale)
    assert ((robust - true).norm(dim=1) < (pulled - true).norm(dim=1)).all()
    known = Targets(torch.nan_to_num(keypoints[:1]), confidence[:1])

    def placed(p):
        return perspective_translation(xp, p, known, lens(1, 400, 240), scale[:1])

    assert torch.autograd.gradcheck(placed, points[:1].clone().requires_grad_())


def test_keypoint_alignment_is_equation_1():
    projected = torch.tensor([[[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]]])
    keypoints = torch.tensor([[[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]]])
    confidence = torch.tensor([[1.0, 0.5, 0.0]])
    error = keypoint_alignment(xp, projected, keypoints, confidence)
    assert error.item() == pytest.approx((2 + 0.5 * 5) / 1.5)


def test_part_alignment_goes_part_by_part_in_both_directions():
    vertices = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [50.0, 0.0]]])
    pixels = torch.tensor([[[3.0, 4.0], [10.0, 2.0], [0.0, 0.0]]])
    vertex_parts, pixel_parts = torch.tensor([[1, 2, 3]]), torch.tensor([[1, 2, 0]])
    error = part_alignment(xp, vertices, vertex_parts, pixels, pixel_parts)
    # part 3 has no pixels and the last pixel no part: they cost nothing
    assert error.item() == pytest.approx((5 + 2) / 2 + (5 + 2) / 2, abs=1e-4)
