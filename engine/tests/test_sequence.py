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
from scenes import COUNT, on_a_floor, scene

from benchmarks.motion_errors import errors, fitted
from benchmarks.motions import Seen, cut, load_motions
from kinflow import Camera, Observation, fit
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.contacts import contact_names, contact_table, contacts
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.core.arrays import numpy_backend, pick
from kinflow.core.level import FLOOR, GRAVITY
from kinflow.core.metrics import mpjpe
from kinflow.core.posterior import ROOT, SHARED_BETAS, TRANSL
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.terms.contacts import Contacts, Firmness
from kinflow.core.terms.smoothness import Smoothness
from kinflow.errors import CancelledError, InvalidInputError
from kinflow.fitting.sequence import (
    Pin,
    SequenceConfig,
    fit_sequence,
    fit_windows,
    refit_span,
    track,
)
from kinflow.fitting.sequence import path as path_module
from kinflow.fitting.sequence.captured import captured_scales
from kinflow.fitting.sequence.chain import Chain
from kinflow.fitting.sequence.clip import spans
from kinflow.fitting.sequence.config import STAGES
from kinflow.fitting.sequence.path import best_path

CLIPS = Path(__file__).parents[1] / "benchmarks" / "data" / "heldout_motions.npz"


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("shares", [False, True])
def test_a_step_of_a_chain_equals_a_dense_solve(count, shares):
    backend = numpy_backend(np.float64)
    one = on_a_floor(scene(backend), backend)
    random = np.random.default_rng(count)
    rows = np.resize(np.arange(COUNT), count)
    state = pick(one.state, rows)
    state = replace(state, transl=state.transl + 0.05 * random.normal(size=(count, 3)))
    problem = replace(
        one.problem.pick(rows),
        unknowns=(ROOT, TRANSL, SHARED_BETAS, GRAVITY, FLOOR),
        group=np.zeros(count, int),
    )
    body = default_body_arrays()
    shares_of = random.uniform(size=(2, count, len(contacts(body))))
    times = np.cumsum(random.integers(1, 4, count)) * 1.0
    ties = (
        Smoothness(captured_scales(), times),
        Contacts(contact_table(body, backend), Firmness(0.2, 0.1, 0.3), *shares_of),
    )
    held = np.arange(count) < min(1, count - 1)
    chain = Chain(problem, ties, held, shares)
    linear, damping = chain.linearise(state), np.full(count, 0.3)
    moved = chain.step(linear, state, damping)
    own, shared = dense_chain_step(chain, linear, 0.3)
    np.testing.assert_allclose(moved.z - state.z, own[:, :138], atol=1e-6)
    np.testing.assert_allclose(moved.transl - state.transl, own[:, 141:], atol=1e-7)
    np.testing.assert_allclose(
        moved.betas - state.betas, np.tile(shared[:10], (count, 1)), atol=5e-6
    )
    assert np.array_equal(moved.z[held], state.z[held])


def dense_chain_step(chain, linear, damping):
    """All free frames and what they share in one matrix."""
    count, size = linear.gradient.shape
    total, shared = count * size, linear.border.shape[-1]
    normal, pull = np.zeros((total + shared, total + shared)), np.zeros(total + shared)
    for t in range(count):
        here = slice(t * size, (t + 1) * size)
        normal[here, here] = linear.own[t]
        for reach, table in ((1, linear.next), (2, linear.second)):
            if t + reach < count:
                there = slice((t + reach) * size, (t + reach + 1) * size)
                normal[there, here], normal[here, there] = table[t], table[t].T
        normal[here, total:], normal[total:, here] = linear.border[t], linear.border[t].T
        pull[here] = linear.gradient[t]
    normal[total:, total:], pull[total:] = linear.corner.sum(0), linear.shared_gradient.sum(0)
    places = np.arange(total + shared)
    normal[places, places] += damping * (1 + 0.1 * normal.diagonal())
    free = np.concatenate((np.repeat(~chain.held, size), np.full(shared, chain.shares)))
    step = np.zeros(total + shared)
    step[free] = -np.linalg.solve(normal[np.ix_(free, free)], pull[free])
    return step[:total].reshape(count, size), step[total:]


def test_the_blocks_of_a_chain_are_those_of_its_energy():
    """By differences of the energy along directions that move all frames and what they share."""
    backend = numpy_backend(np.float64)
    one = on_a_floor(scene(backend), backend)
    random = np.random.default_rng(5)
    rows = np.resize(np.arange(COUNT), 4)
    state = pick(one.state, rows)
    state = replace(state, transl=state.transl + 0.02 * random.normal(size=(4, 3)))
    problem = replace(
        one.only("keypoints").pick(rows),
        unknowns=(ROOT, TRANSL, SHARED_BETAS, GRAVITY, FLOOR),
        group=np.zeros(4, int),
    )
    body = default_body_arrays()
    touch = random.uniform(size=(2, 4, len(contacts(body))))
    ties = (
        Smoothness(captured_scales(), np.array([0.0, 1, 2, 4])),
        Contacts(contact_table(body, backend), Firmness(0.2, 0.1, 0.3), *touch),
    )
    chain = Chain(problem, ties, np.zeros(4, bool))
    linear = chain.linearise(state)
    np.testing.assert_allclose(linear.energy, chain.energy(state), rtol=1e-9)
    own = random.normal(size=linear.gradient.shape)
    shared = random.normal(size=13)
    slope = (linear.gradient * own).sum() + linear.shared_gradient.sum(0) @ shared
    rest = np.concatenate((own[:, -6:], np.tile(shared, (4, 1))), 1)
    ends = [
        chain.energy(problem.moved(state, e * own[:, :-6], e * rest)).sum() for e in (1e-6, -1e-6)
    ]
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-4)


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
            axis_angle_to_matrix(xp, torch.from_numpy(data[k][data["first"][number] :][:16]))
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
    config = SequenceConfig(window=8, tail=3)
    joints = np.stack(
        [r.joints for r in fit_sequence(people, losses=("ka",), device="cpu", config=config)]
    )
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean(-1)
    assert steps.max() < 4 * np.median(steps)


def test_a_frame_without_keypoints_follows_its_neighbours_and_says_so(clip):
    people, truth = clip
    hidden = [replace(people[i], confidence=np.zeros(17)) for i in (0, 3, 4, 7)]
    broken = [hidden[0], *people[1:3], *hidden[1:3], *people[5:7], hidden[3]]
    results = fit_sequence(broken, losses=("ka",), device="cpu")
    states = [r.status for r in results]
    assert states[3:5] == ["filled"] * 2 and "Not seen" in results[3].message
    assert states[0] == states[-1] == "too_few_keypoints"  # nobody tells where it comes from
    assert 1e3 * mpjpe(results[3].joints, truth[3]) < 120


def test_a_clip_is_converged_only_where_its_solver_was(clip):
    people, _ = clip
    for iterations, status in ((1, "max_iterations"), (60, "converged")):
        stages = tuple(replace(s, iterations=iterations) for s in STAGES)
        config = SequenceConfig(stages=stages)
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


@pytest.fixture(scope="module")
def walk():
    """Sixty frames of somebody who walks, with what touches the floor."""
    motions = load_motions("heldout_motions.npz", Seen(noise=0.004))
    return next(m for m in motions if m.name == "cmu/08_06")


def test_feet_that_stand_stay_and_nobody_sinks(walk):
    rows = slice(0, 40)
    results = fit_sequence(walk.people[rows], losses=("ka",), device="cpu")
    one, alone = fitted(results), fitted(fit(walk.people[rows], losses=("ka",), device="cpu"))
    both = cut(walk, rows)
    whole, by_frame = errors(one, both), errors(alone, both)
    assert whole["skate"] < 3 < 10 < by_frame["skate"]
    assert whole["sinking"] < 10 and whole["f1"] > 0.6
    assert whole["mpjpe"] < by_frame["mpjpe"]
    assert all(r.contacts.shape == (9,) and r.floor == results[0].floor for r in results)


def test_a_fit_that_was_cut_off_goes_on_to_the_same_numbers(walk):
    people, options = walk.people[:24], {"losses": ("ka",), "device": "cpu"}
    options["config"] = SequenceConfig(window=12, tail=4)
    windows = list(fit_windows(people, **options))
    assert len(windows) == 3
    rest = fit_windows(people, known=windows[0], **options)
    for one, other in zip(windows[1:], rest, strict=True):
        for wanted, found in zip(one, other, strict=True):
            np.testing.assert_array_equal(wanted.body_pose, found.body_pose)
            np.testing.assert_array_equal(wanted.transl, found.transl)


def test_a_pinned_foot_stays_and_frames_beside_the_span_are_held(walk):
    people = walk.people[:30]
    whole = fit_sequence(people, losses=("ka",), device="cpu")
    pin = Pin("right_ball", 10, 16)
    again = refit_span(people, whole, (8, 19), pins=[pin], device="cpu")
    assert len(again) == 11 and all(r.contacts[5] > 0.99 for r in again[2:9])
    points = fitted(again).points[2:9]
    ball = [n == "right_ball" for n in contact_names(default_body_arrays())]
    assert 1e3 * np.abs(np.diff(points[:, ball], axis=0)).max() < 4
    steps = np.diff([r.transl for r in (*whole[5:8], *again, *whole[19:22])], axis=0)
    assert np.abs(np.diff(steps, axis=0)).max() < 0.05
    with pytest.raises(InvalidInputError, match="pinned"):
        refit_span(people, whole, (8, 19), pins=[Pin("nose", 10, 16)])
    with pytest.raises(InvalidInputError, match="not in a clip"):
        refit_span(people, whole, (8, 40))


def test_a_cut_begins_a_motion_of_its_own(walk):
    far = [replace(p, keypoints=p.keypoints + np.float32([400, 0])) for p in walk.people[12:24]]
    runs = spans([*walk.people[:12], *far], np.arange(24.0))
    assert runs == [range(12), range(12, 24)]
    times = np.concatenate((np.arange(12.0), 100 + np.arange(12.0)))
    assert spans(walk.people[:24], times) == [range(12), range(12, 24)]
