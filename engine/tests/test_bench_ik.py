"""The benchmark of inverse kinematics: its questions have answers, its rivals are what they say."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from kinflow.bodies.arrays import default_body_arrays
from kinflow.commands.bench import import_benchmark
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.joint_limits import joint_excess
from kinflow.posing.problem import Limits, Weights, scene_of, state_of
from kinflow.posing.rig import BACKEND, rig_of

NAMES = ("bench_ik", "ik_tasks", "prior_eval", "make_heldout")
bench, tasks, evaluation, data = map(import_benchmark, NAMES)
baselines = import_module("benchmarks.baselines")
limits = import_module("benchmarks.baselines.limits")


@pytest.fixture(scope="module")
def poses():
    return evaluation.load_poses(data.VALIDATION, 3)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_the_true_pose_answers_every_question_without_error(poses, task):
    for question in tasks.questions(task, poses, 6):
        errors = question.errors(question.truth.place[0], question.truth.world[0])
        np.testing.assert_allclose(errors, [0, 0, 1], atol=1e-5)


def test_questions_are_of_many_clips_and_of_the_kind_they_say(poses):
    five, some, moved = (tasks.questions(task, poses, 20) for task in tasks.TASKS)
    assert len({poses.clip[q.row] for q in five}) == 20
    assert {len(q.effectors) for q in five} == {6}
    assert all(7 <= len(q.effectors) <= 13 for q in some)
    for question in moved:
        (hand,) = question.effectors
        before = tasks.rig().posed(question.start).place[0, hand.index]
        assert 0.35 < np.linalg.norm(hand.position - before) < 0.45


def test_rows_of_joint_limits_are_their_slopes():
    prior, body = baselines.load_baselines()["none"], default_body_arrays()
    more = Limits(more=(limits.JointLimits(),))
    rig = rig_of(body, np.zeros(10))
    scene = scene_of(rig, prior.decoder(BACKEND), Weights(), None, more)
    z = 1.2 * np.random.default_rng(0).standard_normal((3, prior.dim))
    state = state_of(z, np.repeat(np.eye(3)[None], 3, 0), np.zeros((3, 3)))
    problem = scene.problem([], 3)
    linear = problem.linearise(state)
    assert (joint_excess(xp, problem.posed(state).skeleton.rotations[:, 1:]) > 0).sum() > 10
    found = np.einsum("sm,smd->sd", linear.residual, linear.by_latent)
    for k in range(0, prior.dim, 4):
        step = 1e-6 * np.eye(prior.dim)[k]
        ends = [problem.energy(state_of(z + s * step, state.root, state.transl)) for s in (1, -1)]
        np.testing.assert_allclose(found[:, k], (ends[0] - ends[1]) / 2e-6, atol=1e-3)


def test_rivals_answer_in_the_same_solver_and_those_with_full_rank_hold_pins(poses):
    (question,) = tasks.questions(tasks.TASKS[0], poses, 1)
    for name, rival in bench.rivals().items():
        errors = bench.score(rival, Weights(), [question])
        assert errors.shape == (4, 1) and 0 < errors[0, 0] < 150
        assert name == "vposer" or errors[2, 0] == 1


def test_a_drag_keeps_its_feet_and_does_not_flip(poses):
    numbers = bench.print_drags(poses, 1, 0)
    assert numbers["most_degrees_a_centimetre"] < 15 and numbers["frames_with_slip"] == 0


@pytest.mark.skipif(find_spec("bpy") is None, reason="pip's bpy is not installed")
def test_blender_poses_the_same_skeleton_and_reaches_what_it_is_asked(poses):
    asked = tasks.questions(tasks.TASKS[0], poses, 2)
    errors = bench.blender("LEGACY", asked)
    assert (errors[2] == 1).all() and (errors[0] < 200).all()
