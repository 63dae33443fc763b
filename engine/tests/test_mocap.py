import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, euler_to_matrix
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.errors import AssetError, InvalidInputError
from kinflow.mocap import mirror_pose, read_amc, read_bvh
from kinflow.mocap.shoulders import share_shoulder_motion


def _node(name, children, depth=0, root=False):
    pad = "\t" * depth
    channels = (
        "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
        if root
        else "CHANNELS 3 Zrotation Yrotation Xrotation"
    )
    inner = (
        "".join(_node(n, c, depth + 1) for n, c in children)
        or f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET 0 1 0\n{pad}\t}}\n"
    )
    head = f"{pad}{'ROOT' if root else 'JOINT'} {name}\n{pad}{{\n"
    return f"{head}{pad}\tOFFSET 0 1 0\n{pad}\t{channels}\n{inner}{pad}}}\n"


def _leg(side):
    return (f"{side}UpLeg", [(f"{side}Leg", [(f"{side}Foot", [(f"{side}ToeBase", [])])])])


def _arm(side):
    return (f"{side}Shoulder", [(f"{side}Arm", [(f"{side}ForeArm", [(f"{side}Hand", [])])])])


_CHEST = ("Spine2", [("Neck", [("Head", [])]), _arm("Left"), _arm("Right")])
HIERARCHY = "HIERARCHY\n" + _node(
    "Hips", [_leg("Left"), _leg("Right"), ("Spine", [("Spine1", [_CHEST])])], root=True
)
ORDER = [
    "Hips",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftToeBase",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "RightToeBase",
    "Spine",
    "Spine1",
    "Spine2",
    "Neck",
    "Head",
    "LeftShoulder",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "RightShoulder",
    "RightArm",
    "RightForeArm",
    "RightHand",
]


def write_bvh(path, frames):
    rows = "\n".join(" ".join(f"{v:.6f}" for v in row) for row in frames)
    path.write_text(f"{HIERARCHY}MOTION\nFrames: {len(frames)}\nFrame Time: 0.0333333\n{rows}\n")


def test_bvh_rotations_and_metres_arrive_at_smpls_joints(tmp_path):
    frames = np.zeros((2, 69))
    frames[1, :3] = [100, 90, -50]
    frames[1, 3 + 3 * ORDER.index("LeftForeArm") : 6 + 3 * ORDER.index("LeftForeArm")] = [
        10,
        20,
        30,
    ]
    write_bvh(tmp_path / "c.bvh", frames)
    clip = read_bvh(tmp_path / "c.bvh")
    assert len(clip) == 2 and clip.fps == pytest.approx(30, abs=0.01)
    want = euler_to_matrix(xp, np.radians([10.0, 20.0, 30.0]), "ZYX")
    assert np.allclose(clip.body_pose[1, JOINT_INDEX["left_elbow"] - 1], want)
    assert np.allclose(clip.transl[1], [1.0, 0.9, -0.5])
    others = [j for j in range(23) if j != JOINT_INDEX["left_elbow"] - 1]
    assert np.allclose(clip.body_pose[1, others], np.eye(3))


@pytest.mark.parametrize(
    "change,where",
    [
        (lambda t: t.replace("MOTION", ""), "MOTION"),
        (lambda t: t.replace("Frames: 1", "Frames: 9"), "9 frames"),
        (lambda t: t.replace("0.000000", "x", 1), "numbers"),
        (lambda t: t.replace("Zrotation", "Wrotation", 1), "channels"),
        (lambda t: t.replace("0.000000", "nan", 1), "finite"),
        (lambda t: "", "MOTION"),
    ],
)
def test_broken_bvh_is_an_error_with_the_line(tmp_path, change, where):
    write_bvh(tmp_path / "c.bvh", np.zeros((1, 69)))
    path = tmp_path / "b.bvh"
    path.write_text(change((tmp_path / "c.bvh").read_text()))
    with pytest.raises(AssetError, match=r"line \d+.*"):
        read_bvh(path)


def test_unknown_skeletons_ask_for_a_joint_map(tmp_path):
    write_bvh(tmp_path / "c.bvh", np.zeros((1, 69)))
    path = tmp_path / "b.bvh"
    text = (tmp_path / "c.bvh").read_text()
    for name in ORDER:
        text = text.replace(f" {name}\n", f" bone{name.swapcase()}x\n")
    path.write_text(text)
    with pytest.raises(InvalidInputError, match="joint_map"):
        read_bvh(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=400), st.integers(0, 3000))
def test_no_bytes_break_the_bvh_reader_otherwise(tmp_path, junk, place):
    write_bvh(tmp_path / "c.bvh", np.zeros((1, 69)))
    raw = (tmp_path / "c.bvh").read_bytes()
    path = tmp_path / "f.bvh"
    path.write_bytes(raw[:place] + junk + raw[place + len(junk) :])
    with contextlib.suppress(AssetError, InvalidInputError):
        read_bvh(path)


ASF = (
    """:version 1.10
:units
  mass 1.0
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
"""
    + "".join(
        f"  begin\n     id {i}\n     name {name}\n     direction {d}\n     length 1\n"
        f"     axis 0 0 {a} XYZ\n    {dof}\n  end\n"
        for i, (name, d, a, dof) in enumerate(
            [
                ("lfemur", "0.34 -0.94 0", 20, "dof rx ry rz"),
                ("ltibia", "0.34 -0.94 0", 20, "dof rx"),
                ("lfoot", "0 -0.3 0.95", 0, "dof rx rz"),
                ("ltoes", "0 0 1", 0, "dof rx"),
                ("rfemur", "-0.34 -0.94 0", -20, "dof rx ry rz"),
                ("rtibia", "-0.34 -0.94 0", -20, "dof rx"),
                ("rfoot", "0 -0.3 0.95", 0, "dof rx rz"),
                ("lowerback", "0 1 0", 0, "dof rx ry rz"),
                ("upperback", "0 1 0", 0, "dof rx ry rz"),
                ("thorax", "0 1 0", 0, "dof rx ry rz"),
                ("lhumerus", "1 0 0", 0, "dof rx ry rz"),
                ("lradius", "1 0 0", 0, "dof rx"),
            ],
            1,
        )
    )
    + """:hierarchy
  begin
    root lfemur rfemur lowerback
    lfemur ltibia
    ltibia lfoot
    lfoot ltoes
    rfemur rtibia
    rtibia rfoot
    lowerback upperback
    upperback thorax
    thorax lhumerus
    lhumerus lradius
  end
"""
)


def test_amc_at_rest_is_the_t_pose_with_legs_as_captured(tmp_path):
    (tmp_path / "s.asf").write_text(ASF)
    (tmp_path / "m.amc").write_text(
        ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 0 10 0 0 90 0\nltibia 30\n"
    )
    clip = read_amc(tmp_path / "m.amc", tmp_path / "s.asf")
    assert np.allclose(
        clip.global_orient[0], axis_angle_to_matrix(xp, np.array([0, np.pi / 2, 0])), atol=1e-6
    )
    knee = clip.body_pose[0, JOINT_INDEX["left_knee"] - 1]
    assert np.arccos((np.trace(knee) - 1) / 2) == pytest.approx(np.radians(30), abs=1e-3)
    assert np.allclose(clip.body_pose[0, JOINT_INDEX["left_elbow"] - 1], np.eye(3), atol=1e-6)


def test_amc_with_a_wrong_count_names_frame_and_bone(tmp_path):
    (tmp_path / "s.asf").write_text(ASF)
    (tmp_path / "m.amc").write_text("1\nroot 0 0 0 0 0 0\nlfemur 1\n")
    with pytest.raises(AssetError, match=r"frame 1.*lfemur"):
        read_amc(tmp_path / "m.amc", tmp_path / "s.asf")


def random_poses(n=50, seed=0):
    return axis_angle_to_matrix(xp, 0.7 * np.random.default_rng(seed).normal(size=(n, 23, 3)))


def test_sharing_shoulder_motion_keeps_the_arms_total():
    poses = random_poses()
    poses[:, [12, 13]] = np.eye(3)
    shared = share_shoulder_motion(poses)
    for side in ("left", "right"):
        c, s = JOINT_INDEX[f"{side}_collar"] - 1, JOINT_INDEX[f"{side}_shoulder"] - 1
        assert np.allclose(shared[:, c] @ shared[:, s], poses[:, c] @ poses[:, s])
        assert np.abs(shared[:, c] - np.eye(3)).max() > 0.05, "the collar moves"


def test_collars_of_mirrored_poses_mirror():
    poses = random_poses()
    poses[:, [12, 13]] = np.eye(3)
    assert np.allclose(
        mirror_pose(share_shoulder_motion(poses)), share_shoulder_motion(mirror_pose(poses))
    )


def test_mirroring_twice_gives_the_pose_back():
    poses = random_poses()
    assert np.allclose(mirror_pose(mirror_pose(poses)), poses)
