"""Other tools' files arrive where SMPL means them."""

from __future__ import annotations

import numpy as np
import pytest
from motions import PELVIS, RADIANS, turned_by
from scipy.spatial.transform import Rotation

from kinflow.core.skeleton import JOINT_INDEX
from kinflow.errors import AssetError
from kinflow.formats import read_motion
from kinflow.formats.tools import plain_name


def test_amass_lies_on_its_back_at_rest_and_stands_up_here(tmp_path):
    poses = np.zeros((3, 165))
    poses[:, :3] = [np.pi / 2, 0, 0]  # how AMASS says upright
    poses[1, 3 * JOINT_INDEX["left_knee"]] = 0.7
    poses[:, 75] = 0.4  # the first finger of the left hand, after jaw and eyes
    trans = np.tile([0.0, 0.0, 1.0], (3, 1))
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans, mocap_frame_rate=60, betas=np.ones(16))
    motion = read_motion(tmp_path / "a.npz")
    upright = motion.with_up("y", PELVIS)
    assert turned_by(upright.global_orient, np.zeros((3, 3))) < 1e-6
    # SMPL turns about the pelvis joint, whose place is kept
    np.testing.assert_allclose(
        upright.transl[0] + PELVIS,
        np.array([0, 0, 1.0])[[0, 2, 1]] + PELVIS[[0, 2, 1]] * [1, 1, -1],
    )
    assert upright.body_pose[1, 3 * JOINT_INDEX["left_knee"] - 3] == 0.7
    assert upright.left_hand_pose[0, 0, 0] == 0.4 and not upright.right_hand_pose.any()
    assert (upright.fps, upright.body) == (60.0, "smplx") and upright.betas.tolist() == [1.0] * 10


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_every_width_of_amass_is_read(tmp_path, width):
    np.savez(tmp_path / "a.npz", poses=np.full((2, width), 0.1), trans=np.zeros((2, 3)))
    motion = read_motion(tmp_path / "a.npz")
    assert (motion.left_hand_pose is not None) == (width > 72)
    assert motion.body_pose[0, 63:].any() == (width == 72)


def smplx_fields(frames: int = 4) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "global_orient": 0.1 * random.normal(size=(frames, 3)),
        "body_pose": random.normal(size=(frames, 63)),
        "left_hand_pose": random.normal(size=(frames, 45)),
        "right_hand_pose": random.normal(size=(frames, 6)),  # principal components
        "jaw_pose": np.zeros((frames, 3)),
        "betas": random.normal(size=(frames, 10)),
        "transl": random.normal(size=(frames, 3)),
    }


def test_smplx_fields_are_read_and_hands_in_components_left_out(tmp_path):
    fields = smplx_fields()
    np.savez(tmp_path / "x.npz", **fields)
    motion = read_motion(tmp_path / "x.npz")
    np.testing.assert_array_equal(motion.body_pose[:, :63], fields["body_pose"])
    assert not motion.body_pose[:, 63:].any() and motion.up == "y"
    np.testing.assert_array_equal(motion.left_hand_pose.reshape(4, 45), fields["left_hand_pose"])
    assert motion.right_hand_pose is None


@pytest.mark.parametrize("around", ["pred_smpl_params/{}", "smpl_params.{}", "pred_{}", "0.{}"])
def test_what_stands_around_the_names_does_not_matter(tmp_path, around):
    turns = Rotation.from_euler("xz", [[180, 5], [175, -5]], degrees=True)
    body = Rotation.random(46, random_state=0)
    fields = {
        "global_orient": turns.as_matrix().reshape(2, 1, 3, 3).astype(np.float32),
        "body_pose": body.as_matrix().reshape(2, 23, 3, 3).astype(np.float32),
        "betas": np.ones((2, 10), np.float32),
    }
    named = {around.format(name): value for name, value in fields.items()}
    np.savez(tmp_path / "t.npz", pred_cam_t=[[0, 0, 5.0]] * 2, verts=np.zeros((2, 9, 3)), **named)
    motion = read_motion(tmp_path / "t.npz")
    assert motion.up == "-y" and motion.body == "smpl"
    assert turned_by(motion.body_pose, body.as_rotvec()) < RADIANS
    upright = motion.with_up("y", PELVIS)
    heads_up = Rotation.from_rotvec(upright.global_orient.copy()).as_matrix()[:, 1, 1]
    assert (heads_up > 0.9).all() and (upright.transl[:, 2] < -4).all()


def test_a_pose_in_the_world_is_preferred_to_one_before_the_camera(tmp_path):
    random = np.random.default_rng(0)
    world, trans = 0.2 * random.normal(size=(5, 72)), random.normal(size=(5, 3))
    np.savez(
        tmp_path / "wham.npz",
        pose=random.normal(size=(5, 72)),
        trans=random.normal(size=(5, 3)),
        pose_world=world,
        trans_world=trans,
        betas=random.normal(size=(5, 10)),
    )
    motion = read_motion(tmp_path / "wham.npz")
    np.testing.assert_array_equal(motion.global_orient, world[:, :3])
    np.testing.assert_array_equal(motion.body_pose, world[:, 3:])
    np.testing.assert_array_equal(motion.transl, trans)


def test_a_place_before_the_camera_is_none_in_the_world(tmp_path):
    np.savez(tmp_path / "w.npz", pose_world=np.zeros((5, 72)), trans=np.full((5, 3), 4.0))
    assert not read_motion(tmp_path / "w.npz").transl.any()


def test_names_in_the_camera_come_after_names_in_the_world(tmp_path):
    wanted = 0.1 * np.ones((2, 69))
    np.savez(
        tmp_path / "g.npz",
        **{"smpl_params_incam.body_pose": np.zeros((2, 69))},
        **{"smpl_params_global.body_pose": wanted},
    )
    np.testing.assert_array_equal(read_motion(tmp_path / "g.npz").body_pose, wanted)
    assert plain_name("smpl_params_global.body_pose") == "body_pose"


@pytest.mark.parametrize("name", ["wham.pkl", "hmr2.pt", "a.PTH"])
def test_a_pickle_is_refused_in_one_sentence_that_says_how_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(AssetError, match="pickle") as caught:
        read_motion(tmp_path / name)
    assert "numpy.savez" in caught.value.hint
