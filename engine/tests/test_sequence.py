from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinflow import Camera, Observation, fit
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.errors import CancelledError, InvalidInputError
from kinflow.fitting.sequence import SequenceConfig, fit_sequence, track
from kinflow.fitting.sequence import path as path_module
from kinflow.fitting.sequence.banded import solve_arrow
from kinflow.fitting.sequence.path import best_path
from kinflow.fitting.sequence.smoothness import (
    coefficients,
    left_jacobian_inverse,
    turn_acceleration,
    vector_acceleration,
)
from kinflow.core.metrics import mpjpe
from kinflow.rotations import axis_angle_to_matrix, matrix_to_axis_angle

CLIPS = Path(__file__).parents[1] / "benchmarks" / "data" / "heldout_clips.npz"
torch.manual_seed(0)


def test_acceleration_of_an_even_motion_is_nothing_whatever_the_gaps():
    frames = torch.tensor([0.0, 1, 4, 5, 9], dtype=torch.float64)
    even = torch.tensor([[2.0, -1.0]], dtype=torch.float64) * frames[:, None] + 3
    assert vector_acceleration(even, frames).abs().max() < 1e-12
    falling = 0.5 * frames[:, None] ** 2
    torch.testing.assert_close(
        vector_acceleration(falling, frames), torch.ones(3, 1, dtype=torch.float64)
    )
    assert coefficients(frames).sum(1).abs().max() < 1e-12


def test_slopes_of_the_turns_acceleration_equal_autograd():
    frames = torch.tensor([0.0, 1, 3, 4], dtype=torch.float64)
    root = axis_angle_to_matrix(0.4 * torch.randn(4, 3, dtype=torch.float64).cumsum(0))
    _, slopes = turn_acceleration(root, frames)
    moved = lambda w: turn_acceleration(axis_angle_to_matrix(w) @ root, frames)[0]  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(
        moved, torch.full((4, 3), 1e-9, dtype=torch.float64)
    )
    for t, i in itertools.product(range(2), range(3)):
        torch.testing.assert_close(slopes[t, i], jacobian[t, :, t + i], atol=1e-6, rtol=1e-5)


def test_the_inverse_left_jacobian_inverts_the_left_jacobian():
    vector = torch.tensor([[0.3, -0.5, 0.9], [1e-5, 0, 0], [1.5, 1.5, -1.0]], dtype=torch.float64)
    moved = lambda w: matrix_to_axis_angle(axis_angle_to_matrix(w) @ axis_angle_to_matrix(vector))  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(moved, torch.full_like(vector, 1e-9))
    for k in range(3):
        torch.testing.assert_close(
            left_jacobian_inverse(vector)[k], jacobian[k, :, k], atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_the_banded_solver_equals_a_dense_one(count):
    size, shared = 3, 2
    generator = torch.Generator().manual_seed(count)
    total = count * size + shared
    diagonal = torch.randn(count, size, size, generator=generator, dtype=torch.float64)
    diagonal = diagonal @ diagonal.transpose(1, 2) + 20 * torch.eye(size)
    first = torch.randn(max(0, count - 1), size, size, generator=generator, dtype=torch.float64)
    second = torch.randn(max(0, count - 2), size, size, generator=generator, dtype=torch.float64)
    border = torch.randn(count, size, shared, generator=generator, dtype=torch.float64)
    corner = 30 * torch.eye(shared, dtype=torch.float64)
    at = lambda t: slice(t * size, (t + 1) * size)  # noqa: E731
    full = torch.zeros(total, total, dtype=torch.float64)
    for t in range(count):
        full[at(t), at(t)] = diagonal[t]
        full[at(t), count * size :], full[count * size :, at(t)] = border[t], border[t].T
    for offset, blocks in ((1, first), (2, second)):
        for t, block in enumerate(blocks):
            full[at(t + offset), at(t)], full[at(t), at(t + offset)] = block, block.T
    full[count * size :, count * size :] = corner
    right = torch.randn(total, generator=generator, dtype=torch.float64)
    x, s = solve_arrow(
        diagonal,
        first,
        second,
        border,
        corner,
        right[: count * size].unflatten(0, (count, size)),
        right[count * size :],
    )
    torch.testing.assert_close(torch.cat((x.flatten(), s)), torch.linalg.solve(full, right))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_the_chosen_path_is_the_cheapest_of_all(seed, count):
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 4, count)
    joints = [random.normal(0, 0.05, (n, 24, 3)) for n in sizes]
    energies = [random.uniform(0, 20, n) for n in sizes]
    chosen = list(path_module.METRIC_JOINTS)

    def cost(path) -> float:
        total = sum(e[i] for e, i in zip(energies, path, strict=True))
        for t in range(1, count):
            a, b = joints[t - 1][path[t - 1]], joints[t][path[t]]
            moved = ((a - a[:1])[chosen] - (b - b[:1])[chosen]) ** 2
            total += min(1.5 * moved.sum(-1).mean() / path_module.STEP_METRES**2, path_module.MOST)
        return total

    best = min(itertools.product(*(range(n) for n in sizes)), key=cost)
    assert cost(best_path(joints, energies, [1] * (count - 1))) == pytest.approx(cost(best))


def _person(x: float, **changed) -> Observation:
    points = np.stack((np.linspace(0, 20, 17) + x, np.linspace(0, 100, 17)), 1)
    return replace(Observation(points, np.ones(17)), **changed)


def test_two_people_who_pass_each_other_keep_their_tracks():
    frames = [[_person(10.0 * t), _person(200 - 10.0 * t)] if t != 10 else [] for t in range(8)]
    frames[3] = frames[3][::-1]
    frames[5] = frames[5][:1]
    tracks = track(frames)
    assert [len(t) for t in tracks] == [8, 7]
    assert [round(float(p.keypoints[0, 0])) for p in tracks[0].people] == [10 * t for t in range(8)]


def test_a_person_who_is_gone_for_long_is_a_new_track():
    assert [len(t) for t in track([[_person(0)], *[[]] * 20, [_person(0)]])] == [1, 1]


@pytest.fixture(scope="module")
def clip(body):
    with np.load(CLIPS) as data:
        pose, root = (
            axis_angle_to_matrix(torch.from_numpy(data[k][8][:16]))
            for k in ("pose", "global_orient")
        )
    view = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0]))
    vertices, joints = body(
        view @ root, pose, torch.zeros(16, 10), torch.tensor([[0.0, 0.2, 3.5]]).expand(16, 3)
    )
    camera = Camera(600, 600, 240, 240, 480, 480)
    points = camera.project(keypoint_regressor(body, "coco17")(joints, vertices).double().numpy())
    random = np.random.default_rng(3)
    return [
        Observation(p + 3 * random.normal(size=(17, 2)), np.full(17, 0.9), "coco17", camera)
        for p in points
    ], joints.numpy()


def test_a_clip_is_nearer_the_truth_and_calmer_as_a_whole_than_frame_by_frame(clip):
    people, truth = clip
    alone, whole = (
        fit(people, losses=("ka",), device="cpu"),
        fit_sequence(people, losses=("ka",), device="cpu"),
    )
    joints = [np.stack([r.joints for r in results]) for results in (alone, whole)]
    jerk = [np.linalg.norm(np.diff(j - j[:, :1], 2, axis=0), axis=-1).mean() for j in joints]
    error = [float(mpjpe(j, truth).mean()) for j in joints]
    assert jerk[1] < 0.4 * jerk[0] and error[1] < error[0]
    assert all(
        np.array_equal(r.betas, whole[0].betas) and r.camera == whole[0].camera for r in whole
    )


def test_windows_join_without_a_jump(clip):
    people, _ = clip
    config = SequenceConfig(window=8, overlap=3)
    joints = np.stack(
        [r.joints for r in fit_sequence(people, losses=("ka",), device="cpu", config=config)]
    )
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(-1)
    assert steps.max() < 4 * np.median(steps)


def test_a_frame_without_keypoints_keeps_its_status_and_the_others_are_fitted(clip):
    people, _ = clip
    broken = [*people[:3], replace(people[3], confidence=np.zeros(17)), *people[4:7]]
    results = fit_sequence(broken, losses=("ka",), device="cpu")
    assert [r.status for r in results].count("too_few_keypoints") == 1 and results[
        3
    ].status == "too_few_keypoints"


def test_wrong_frames_and_cancelling_are_told(clip):
    people, _ = clip
    with pytest.raises(InvalidInputError, match="rising"):
        fit_sequence(people[:3], frames=[0, 2, 2])
    with pytest.raises(CancelledError):
        fit_sequence(
            people[:4], losses=("ka",), device="cpu", progress=lambda share, text: share < 0.6
        )
    assert fit_sequence([]) == []
