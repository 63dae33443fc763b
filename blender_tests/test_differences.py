"""How a pose differs from another, in words and in pictures: on made poses, without a scene."""

import numpy as np
import pytest

from addon.scene import body_picture, differences, frames
from addon.scene.closeness import word
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.records import Parameters

LEVEL = frames.BODY_TO_BLENDER  # of a camera's frame whose Y is up, as the body's


def posed(turn=(0.0, 0.0, 0.0), **joints):
    """The default body with some joints turned, axis-angle in degrees. Z is up, it faces -Y."""
    body_pose = np.zeros((23, 3), np.float32)
    # arms hang: a T-pose is no start for words
    body_pose[JOINT_INDEX["left_shoulder"] - 1] = (0, 0, -1.3)
    body_pose[JOINT_INDEX["right_shoulder"] - 1] = (0, 0, 1.3)
    for name, angles in joints.items():
        body_pose[JOINT_INDEX[name] - 1] = np.radians(angles)
    nothing = np.zeros(10, np.float32)
    root = np.radians(turn).astype(np.float32)
    parameters = Parameters(root, body_pose, nothing, nothing[:3], nothing)
    return body_picture.figure(parameters, LEVEL)


STANDING = posed()


def words(*others):
    return differences.tell_apart([f.joints for f in (STANDING, *others)])


@pytest.mark.parametrize(
    "text, change",
    [
        ("left leg forward", {"left_hip": (-60, 0, 0)}),
        ("right leg back", {"right_hip": (40, 0, 0)}),
        ("right arm out", {"right_shoulder": (0, 0, 40)}),
        ("left arm forward", {"left_shoulder": (-60, 0, -75)}),
        ("right arm behind", {"right_shoulder": (50, 0, 75)}),
        ("arms raised", {"left_shoulder": (0, 0, 75), "right_shoulder": (0, 0, -75)}),
        ("turned round", {"turn": (0, 180, 0)}),
        ("turned left", {"turn": (0, 45, 0)}),
        ("turned right", {"turn": (0, -45, 0)}),
        ("leaning forward", {"turn": (25, 0, 0)}),
        ("leaning back", {"turn": (-25, 0, 0)}),
        ("leaning left", {"turn": (0, 0, -25)}),
    ],
)
def test_what_differs_from_the_best_is_told_in_words(text, change):
    assert words(posed(**change)) == ["best", text]


def test_the_greater_difference_is_told_first_and_only_two_are_told():
    other = posed(turn=(0, 180, 0), left_hip=(-60, 0, 0), right_shoulder=(50, 0, 75))
    assert words(other)[1].split(", ")[0] == "turned round"
    assert words(other)[1].count(",") == 1


def test_limbs_are_told_in_the_bodys_own_frame_whichever_way_it_faces():
    turned = {"turn": (0, 130, 0)}
    pair = [posed(**turned).joints, posed(left_hip=(-60, 0, 0), **turned).joints]
    assert differences.tell_apart(pair) == ["best", "left leg forward"]


def test_no_two_alternatives_have_the_same_words():
    kicks = [posed(left_hip=(-angle, 0, 0)) for angle in (50, 60, 70)]
    assert len(set(words(*kicks))) == 4
    assert words(*kicks)[1] == "left leg forward"


def test_a_difference_too_small_for_words_is_called_little():
    assert words(posed(left_hip=(-3, 0, 0)))[1].endswith("a little")


def test_pictures_have_one_scale_and_what_differs_is_orange():
    other = posed(left_hip=(-70, 0, 0))
    best, kick = body_picture.draw([STANDING, other], 0, np.array([0.0, 1.0, 0.0]))
    assert best.shape == kick.shape == (128, 128, 4) and best.dtype == np.uint8

    def orange(picture):
        red, _, blue = np.moveaxis(picture[..., :3].astype(int), -1, 0)
        return (red > blue + 60) & (picture[..., 3] > 200)

    assert not orange(best).any()
    rows = np.nonzero(orange(kick))[0]
    assert len(rows) > 200 and rows.min() > 50  # a leg of it, nothing above the hips
    # the body fills most of the picture, and its head is at the same place in both
    seen = [p[..., 3] > 128 for p in (best, kick)]
    assert np.ptp(np.nonzero(seen[0])[0]) > 100
    assert (seen[0][:40] != seen[1][:40]).mean() < 0.002


@pytest.mark.parametrize("angle", [0, 40, 90, 140, -40, -100, 180])
def test_a_picture_is_from_before_the_body_and_not_from_where_the_photo_was_taken(angle):
    joints = posed(turn=(0, angle, 0)).joints
    forward = differences.torso_axes(joints)[2]
    photo = np.array([0.0, 1.0, 0.0])
    right, down, ahead = body_picture.look_from(joints, photo)
    assert forward @ ahead < -0.6
    assert abs(ahead @ photo) < 0.9
    np.testing.assert_allclose(np.cross(right, down), ahead, atol=1e-9)
    assert down[2] < -0.9


def test_somebody_who_lies_is_pictured_too():
    joints = posed(turn=(-90, 0, 0)).joints
    axes = body_picture.look_from(joints, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("share, told", [(0.009, "closely"), (0.025, "roughly"), (0.2, "hardly")])
def test_an_error_is_told_by_its_share_of_the_bodys_height(share, told):
    assert word(share) == told
