"""Inverse kinematics: what effectors ask is done, what should stay stays, nothing flips."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kinflow import Camera, Effector, KinflowError, Observation, fit, solve_ik
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.cli import main
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, geodesic_angle
from kinflow.core.skeleton import JOINT_INDEX, PARENTS
from kinflow.errors import InvalidInputError
from kinflow.mocap import read_bvh
from kinflow.posing import Floor, Pose, Pull, feet_on_floor, standing
from kinflow.posing.rig import rig_of
from kinflow.priors.arrays import load_prior_arrays

BODY, FLOOR = default_body_arrays(), Floor()
UP_A_LITTLE = np.array([0, 0.01, 0])
HAND = np.array([0.25, 1.3, 0.4])


@pytest.fixture(scope="module")
def start() -> Pose:
    return standing()


@pytest.fixture(scope="module")
def feet(start):
    return feet_on_floor(start, FLOOR, BODY)


def bones(result) -> np.ndarray:
    """Lengths of the 23 bones, m."""
    return np.linalg.norm(result.joints[1:] - result.joints[list(PARENTS[1:])], axis=-1)


def turned(one, other) -> float:
    """The largest turn of a joint, degrees."""
    a, b = (
        axis_angle_to_matrix(xp, np.concatenate((p.global_orient[None], p.body_pose)))
        for p in (one, other)
    )
    return float(np.degrees(geodesic_angle(xp, a, b)).max())


def test_a_pinned_hand_is_reached_and_feet_stay(start, feet):
    result = solve_ik([Effector("left_wrist", HAND, pinned=True), *feet], start, floor=FLOOR)
    assert np.abs(result.joints[JOINT_INDEX["left_wrist"]] - HAND).max() < 1e-3
    assert (result.reached < 1e-3).all() and (result.turned < 0.02).all()
    assert not result.message and np.isfinite(result.log_prob)


def test_without_a_start_places_rotations_and_sights_are_found(start):
    joints = rig_of(BODY, start.betas).posed(replace(start, body_pose=0.2 * np.ones((23, 3))))
    names = ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
    asked = [Effector(n, joints.place[0, JOINT_INDEX[n]], pinned=True) for n in names]
    asked.append(Effector("pelvis", rotation=joints.world[0, 0], pinned=True))
    asked.append(Effector("right_foot", look_at=[0, 0, 5.0]))
    result = solve_ik(asked)
    assert (result.reached < 1e-3).all()
    assert result.turned[5] < 0.01 and result.turned[6] < 0.7


def test_what_a_result_says_is_what_its_pose_gives(start):
    result = solve_ik([Effector("right_wrist", [-0.4, 1.4, 0.2])], start)
    pose = Pose.of(result)
    skeleton = rig_of(BODY, pose.betas).posed(pose)
    np.testing.assert_allclose(skeleton.place[0] + pose.transl, result.joints, atol=1e-9)
    decoded = load_prior_arrays().decode(result.z[None])
    wanted = axis_angle_to_matrix(xp, result.body_pose)
    np.testing.assert_allclose(decoded[0], wanted, atol=1e-4)


def test_locked_joints_stay_to_the_digit(start, feet):
    hand = Effector("left_wrist", HAND, pinned=True)
    result = solve_ik([hand, *feet], start, locked=("right_arm", "head", "spine1"), floor=FLOOR)
    locked = ("right_collar", "right_shoulder", "right_elbow", "right_wrist", "right_hand")
    rows = [JOINT_INDEX[n] - 1 for n in (*locked, "neck", "head", "spine1")]
    assert (result.body_pose[rows] == start.body_pose[rows]).all()
    assert result.reached[0] < 1e-3


def test_a_locked_pelvis_keeps_the_root(start):
    result = solve_ik([Effector("head", [0.1, 1.5, 0.1])], start, locked=("pelvis",))
    assert (result.global_orient == start.global_orient).all()
    assert (result.transl == start.transl).all()


def test_a_pull_of_nothing_changes_nothing(start, feet):
    pull = Pull(start, feet, floor=FLOOR)
    place = pull.joints[JOINT_INDEX["left_wrist"]]
    assert turned(pull.move([Effector("left_wrist", place)]), start) < 0.1


def test_nothing_asked_is_the_start(start):
    assert turned(Pull(start).move(), start) < 0.1


def test_a_small_pull_is_a_small_change_and_is_taken_back(start, feet):
    pull = Pull(start, feet, floor=FLOOR)
    place = pull.joints[JOINT_INDEX["left_wrist"]].copy()
    assert turned(pull.move([Effector("left_wrist", place + UP_A_LITTLE)]), start) < 5
    assert turned(pull.move([Effector("left_wrist", place)]), start) < 0.5


@pytest.mark.parametrize(
    ("joint", "way"),
    [
        ("left_wrist", (0.1, 0.7, 0.1)),
        ("right_wrist", (0.2, -0.8, 0.5)),
        ("pelvis", (0.05, -0.5, -0.1)),
        ("head", (0.3, -0.3, 0.4)),
        ("left_knee", (0.2, 0.4, 0.4)),
    ],
)
def test_a_drag_is_followed_no_joint_flips_and_pinned_feet_stay(start, feet, joint, way):
    pins = feet[1:] if joint == "left_knee" else feet
    pull, last = Pull(start, pins, floor=FLOOR), start
    first, steps = pull.joints[JOINT_INDEX[joint]].copy(), 60
    step = 100 * np.linalg.norm(way) / steps
    for share in np.linspace(0, 1, steps + 1)[1:]:
        result = pull.move([Effector(joint, first + share * np.array(way))])
        assert turned(result, last) < 15 * max(step, 1)
        assert (result.reached[:-1] < 1e-3).all() and result.reached[-1] < 5e-3
        last = result


def test_a_jump_of_the_mouse_is_held_back(start, feet):
    pull = Pull(start, feet, floor=FLOOR)
    place = pull.joints[JOINT_INDEX["left_wrist"]].copy()
    far = place + np.array([-0.5, 0.5, 0.3])
    pull.move([Effector("left_wrist", far)])
    before = pull.move([Effector("left_wrist", far)])
    for _ in range(5):  # the mouse stands still: what is left of the way is no jump
        after = pull.move([Effector("left_wrist", far)])
        assert turned(after, before) < 4
        before = after


def test_soles_hands_knees_and_seat_stay_above_the_floor(start):
    pull = Pull(start, floor=FLOOR)
    place = pull.joints[0].copy()
    for share in np.linspace(0, 1, 30):
        result = pull.move([Effector("pelvis", place - [0, 1.2 * share, 0])])
    height = rig_of(BODY, start.betas).contact_places(Pose.of(result))[:, 1]
    assert height.min() > -0.005


def test_who_stands_in_the_floor_is_not_thrown_out(start):
    sunk = replace(start, transl=start.transl - [0, 0.05, 0])
    pull = Pull(sunk, floor=FLOOR)
    place = pull.joints[JOINT_INDEX["head"]].copy()
    result = pull.move([Effector("head", place + 0.5 * UP_A_LITTLE)])
    assert np.abs(result.transl - sunk.transl).max() < 0.01


@pytest.mark.parametrize(
    "asked",
    [
        [Effector("left_wrist", [0, 9, 0], pinned=True)],
        [Effector("head", [0, 1.5, 0], pinned=True), Effector("head", [0, 0.5, 0], pinned=True)],
        [Effector("left_ankle", [0.1, -0.5, 0], pinned=True)],
    ],
    ids=["beyond reach", "contradiction", "inside the floor"],
)
def test_pins_that_cannot_hold_give_a_natural_pose_and_a_sentence(start, feet, asked):
    busy = {e.joint for e in asked}
    pins = [pin for pin in feet if pin.joint not in busy]
    result = solve_ik([*asked, *pins], start, floor=FLOOR)
    assert result.message.startswith("Not all pins can hold: ")
    np.testing.assert_allclose(bones(result), bones(with_joints(start)), atol=1e-6)
    captured = load_prior_arrays().unusual(axis_angle_to_matrix(xp, result.body_pose)[None])
    assert np.isfinite(result.log_prob) and captured.body[0] <= 100


def with_joints(pose: Pose):
    """A pose as a result."""
    pull = Pull(pose)
    return pull.move([Effector("head", pull.joints[JOINT_INDEX["head"]])])


def test_a_better_pose_far_away_is_offered_and_not_jumped_to(start, feet):
    twisted = replace(start, body_pose=start.body_pose.copy())
    twisted.body_pose[JOINT_INDEX["left_shoulder"] - 1] += [1.2, 0.8, -0.5]
    place = Pull(twisted).joints[JOINT_INDEX["left_wrist"]]
    result = solve_ik([Effector("left_wrist", place, pinned=True), *feet], twisted, floor=FLOOR)
    assert turned(result, twisted) < 10
    for other in result.hypotheses:
        assert np.linalg.norm(other.joints - result.joints, axis=-1).mean() > 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda: Effector("left_hoof", [0, 0, 0]),
        lambda: Effector("head"),
        lambda: Effector("head", [0, np.nan, 0]),
        lambda: Effector("head", [0, 1]),
        lambda: Effector("head", "above"),
        lambda: Effector("head", [0, 1e9, 0]),
        lambda: Effector("head", rotation=np.ones((3, 3))),
        lambda: Effector("head", [0, 1, 0], weight=-1),
        lambda: Floor(np.inf),
        lambda: Floor(0.0, (0, 0, 0)),
        lambda: Pose.of(Pose(np.full((23, 3), np.nan))),
        lambda: Pose.of(Pose(np.zeros((22, 3)))),
        lambda: solve_ik([]),
        lambda: solve_ik([Effector("head", [0, 1, 0])], locked=("left_arm",)),
        lambda: solve_ik([Effector("head", [0, 1, 0])], Pose(np.zeros((23, 3))), locked=("tail",)),
    ],
)
def test_what_makes_no_sense_is_a_sentence(make):
    with pytest.raises(InvalidInputError) as caught:
        make()
    assert caught.value.message.endswith(".")


def test_another_prior_poses_too(start):
    result = solve_ik([Effector("head", [0.1, 1.4, 0.2], pinned=True)], start, prior="light-aa")
    assert len(result.z) == load_prior_arrays("light-aa").dim and result.reached[0] < 1e-3


def test_the_command_writes_the_pose_in_three_forms(tmp_path, capsys):
    files = [str(tmp_path / f"pose{suffix}") for suffix in (".npz", ".obj", ".bvh")]
    words = ["pose", "--effector", "left_wrist=0.3,1.2,0.4", "--look", "head=0.3,1.2,0.4"]
    assert main([*words, "--out", *files, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["out"] == files and answer["reached_m"]["left_wrist"] < 1e-3
    with np.load(files[0]) as data:
        wrist = data["joints"][JOINT_INDEX["left_wrist"]]
    np.testing.assert_allclose(wrist, [0.3, 1.2, 0.4], atol=1e-3)
    assert len(read_bvh(files[2])) == 1
    with open(files[1], encoding="ascii") as stream:
        lines = stream.read().splitlines()
    assert sum(line.startswith("v ") for line in lines) == BODY.num_vertices
    again = ["pose", "--start", files[0], "--effector", "left_wrist=0,4,0", "--out", files[0]]
    assert main(again) == 1
    assert "stays" in capsys.readouterr().err


def test_the_command_goes_on_from_a_fit_stood_upright(tmp_path):
    camera = Camera(800, 800, 320, 240, 640, 480)
    rest = keypoint_regressor(BODY, "coco17")(BODY.J_template[None], BODY.v_template[None])[0]
    points = camera.project(rest * [1, -1, -1] + [0.1, 0, 4])
    observation = Observation(points, np.ones(17), "coco17", camera)
    (person,) = fit(observation, losses=("ka",), device="cpu")
    person.save(tmp_path / "fit.npz")
    out = str(tmp_path / "pose.npz")
    words = ["pose", "--start", str(tmp_path / "fit.npz"), "--look", "head=0,1,9", "--soft"]
    assert main([*words, "--out", out]) == 0
    with np.load(out) as data:
        joints, betas = data["joints"], data["betas"]
    np.testing.assert_array_equal(betas, person.betas)
    assert joints[JOINT_INDEX["head"], 1] > joints[0, 1] + 0.3 > joints[JOINT_INDEX["left_foot"], 1]


@pytest.mark.parametrize(
    "words",
    [
        ["--effector", "left_wrist=0.3,1.2"],
        ["--effector", "tail=0,0,0"],
        [],
        ["--effector", "head=0,1,0", "--out", "pose.txt"],
    ],
)
def test_the_command_says_what_it_does_not_understand(words, capsys):
    assert main(["pose", *words]) == 1
    assert KinflowError.__name__ not in capsys.readouterr().err


def test_a_joint_that_is_not_there_leads_to_those_that_may_be_meant(capsys):
    assert main(["pose", "--effector", "hand=0,1,0"]) == 1
    assert "Did you mean left_hand or right_hand?" in capsys.readouterr().err
    assert main(["pose", "--effector", "left_wirst=0,1,0"]) == 1
    assert "Did you mean left_wrist" in capsys.readouterr().err
