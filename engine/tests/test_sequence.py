from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import COUNT, scene

from kinflow import Camera, Observation, fit
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.core.arrays import numpy_backend, pick
from kinflow.core.metrics import mpjpe
from kinflow.core.posterior import ROOT, SHARED_BETAS, TRANSL
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.terms.smoothness import Smoothness, SmoothWeights
from kinflow.errors import CancelledError, InvalidInputError
from kinflow.fitting.sequence import SequenceConfig, fit_sequence, track
from kinflow.fitting.sequence import path as path_module
from kinflow.fitting.sequence.chain import Chain
from kinflow.fitting.sequence.path import best_path

CLIPS = Path(__file__).parents[1] / "benchmarks" / "data" / "heldout_clips.npz"


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("hold_shape", [False, True])
def test_a_step_of_a_chain_equals_a_dense_solve(count, hold_shape):
    one = scene(numpy_backend(np.float64))
    random = np.random.default_rng(count)
    rows = np.resize(np.arange(COUNT), count)
    state = pick(one.state, rows)
    state = replace(state, transl=state.transl + 0.05 * random.normal(size=(count, 3)))
    problem = replace(
        one.problem.pick(rows),
        unknowns=(ROOT, TRANSL, SHARED_BETAS),
        group=np.zeros(count, int),
    )
    smoothness = Smoothness(SmoothWeights(), np.cumsum(random.integers(1, 4, count)) * 1.0)
    chain = Chain(problem, smoothness, np.zeros(count, bool), hold_shape)
    linear, damping = chain.linearise(state), np.full(count, 0.3)
    moved = chain.step(linear, state, damping)
    own, shape = dense_chain_step(chain, linear, state, 0.3)
    np.testing.assert_allclose(moved.z - state.z, own[:, :138], atol=1e-7)
    np.testing.assert_allclose(moved.transl - state.transl, own[:, 141:], atol=1e-7)
    np.testing.assert_allclose(moved.betas - state.betas, np.tile(shape, (count, 1)), atol=1e-7)


def dense_chain_step(chain, linear, state, damping):
    """All frames and the shape in one matrix; the smoothness from its rows, densely."""
    count, size = linear.gradient.shape
    total = count * size + 10
    normal, pull = np.zeros((total, total)), np.zeros(total)
    for t in range(count):
        here = slice(t * size, (t + 1) * size)
        normal[here, here] = linear.blocks[t]
        normal[here, -10:], normal[-10:, here] = linear.border[t], linear.border[t].T
        pull[here] = linear.gradient[t]
    normal[-10:, -10:], pull[-10:] = linear.corner.sum(0), linear.shape_gradient.sum(0)
    if count >= 3:
        links = chain.smoothness.rows(chain.xp, state)
        for t in range(count - 2):
            table = np.zeros((144, total))
            for i in range(3):
                start = (t + i) * size
                scale = links.coefficients[t, i] / links.deviation
                table[np.arange(138), start + np.arange(138)] = scale[:138]
                table[138 + np.arange(3), start + 141 + np.arange(3)] = scale[138:]
                table[141:, start + 138 : start + 141] = links.turn_slopes[t, i]
            residual = np.concatenate((links.linear[t], links.turn[t]))
            normal, pull = normal + table.T @ table, pull + table.T @ residual
    normal[np.arange(total), np.arange(total)] += damping * (1 + 0.1 * normal.diagonal())
    if chain.hold_shape:
        normal, pull = normal[:-10, :-10], pull[:-10]
    step = -np.linalg.solve(normal, pull)
    shape = np.zeros(10) if chain.hold_shape else step[-10:]
    return step[: count * size].reshape(count, size), shape


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


def seen(body, number):
    """Sixteen frames of a captured clip, each a photo of its own, with 3 px of noise."""
    with np.load(CLIPS) as data:
        pose, root = (
            axis_angle_to_matrix(xp, torch.from_numpy(data[k][number][:16]))
            for k in ("pose", "global_orient")
        )
    view = axis_angle_to_matrix(xp, torch.tensor([torch.pi, 0.0, 0.0]))
    vertices, joints = body(
        view @ root, pose, torch.zeros(16, 10), torch.tensor([[0.0, 0.2, 3.5]]).expand(16, 3)
    )
    camera = Camera(600, 600, 240, 240, 480, 480)
    points = camera.project(keypoint_regressor(body, "coco17")(joints, vertices).double().numpy())
    random = np.random.default_rng(3)
    noisy = [p + 3 * random.normal(size=(17, 2)) for p in points]
    sure = np.full(17, 0.9)
    people = [Observation(p, sure, "coco17", camera, photo=i) for i, p in enumerate(noisy)]
    return people, joints.numpy()


@pytest.fixture(scope="module")
def clip(body):
    return seen(body, 8)


def test_clips_are_far_calmer_as_a_whole_than_frame_by_frame_and_nearer_the_truth(body):
    errors = []
    for people, truth in (seen(body, number) for number in (0, 3, 5, 8)):
        alone, whole = (f(people, losses=("ka",), device="cpu") for f in (fit, fit_sequence))
        joints = [np.stack([r.joints for r in results]) for results in (alone, whole)]
        jerk = [np.linalg.norm(np.diff(j - j[:, :1], 2, axis=0), axis=-1).mean() for j in joints]
        assert jerk[1] < 0.4 * jerk[0]
        errors.append([float(mpjpe(j, truth).mean()) for j in joints])
        assert all(
            np.array_equal(r.betas, whole[0].betas) and r.camera == whole[0].camera for r in whole
        )
    by_frame, together = np.mean(errors, axis=0)
    assert together < by_frame


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


def test_a_clip_is_converged_only_where_its_solver_was(clip):
    people, _ = clip
    for iterations, status in ((1, "max_iterations"), (60, "converged")):
        config = SequenceConfig(iterations=iterations)
        results = fit_sequence(people[:6], losses=("ka",), device="cpu", config=config)
        assert {r.status for r in results} == {status}


def test_wrong_frames_and_cancelling_are_told(clip):
    people, _ = clip
    with pytest.raises(InvalidInputError, match="rising"):
        fit_sequence(people[:3], frames=[0, 2, 2])
    with pytest.raises(CancelledError):
        fit_sequence(
            people[:4], losses=("ka",), device="cpu", progress=lambda share, text: share < 0.6
        )
    assert fit_sequence([]) == []
