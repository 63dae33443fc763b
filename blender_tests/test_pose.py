"""Latent sliders and pose tools, without any engine."""

import bpy
import numpy as np
import pytest

from addon import session
from addon.scene import body, latent, pose
from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import geodesic_angle
from kinflow.priors.arrays import load_prior_arrays


@pytest.fixture
def armature():
    assert bpy.ops.kinflow.add_body() == {"FINISHED"}
    return bpy.context.view_layer.objects.active


def test_a_slider_poses_the_rig_at_once_and_without_an_engine(armature):
    session.close()
    armature.kinflow.latent_0[0] = 2.0
    flow = load_prior_arrays(armature.kinflow.prior)
    want = flow.decode((2.0 * flow.axes[:1]).astype(np.float32))[0]
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), want).max() < 1e-3
    assert session.state() == "off"


def test_sampling_follows_the_seed_and_reset_goes_back_to_the_mean(armature):
    state = bpy.context.scene.kinflow
    state.seed, state.temperature = 5, 0.7
    assert bpy.ops.kinflow.sample() == {"FINISHED"}
    first = latent.latent(armature)
    assert state.seed == 6
    state.seed = 5
    bpy.ops.kinflow.sample()
    assert np.allclose(latent.latent(armature), first)
    bpy.ops.kinflow.reset_pose()
    assert np.allclose(latent.latent(armature), 0)


def test_a_pose_by_hand_is_read_into_the_sliders_and_stays(armature):
    bpy.ops.kinflow.sample()
    armature.pose.bones["left_elbow"].rotation_mode = "XYZ"
    armature.pose.bones["left_elbow"].rotation_euler = (0.2, 0.1, 0.4)
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    assert bpy.ops.kinflow.read_pose() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), before).max() < 5e-3


def test_mirroring_twice_gives_the_pose_back(armature):
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    bpy.ops.kinflow.mirror_pose()
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), before).max() > 0.05
    bpy.ops.kinflow.mirror_pose()
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), before).max() < 5e-3


def test_scaling_to_zero_is_the_mean(armature):
    bpy.ops.kinflow.sample()
    bpy.ops.kinflow.scale_latent(factor=0.0)
    assert np.allclose(latent.latent(armature), 0)


def test_shape_sliders_move_the_joints_and_keep_the_pose(armature):
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    armature.kinflow.betas[0] = 2.0
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), before).max() < 1e-3
    betas = np.zeros(10)
    betas[0] = 2.0
    joints = default_body_arrays().joints(betas)
    head = armature.data.bones["left_knee"].head_local
    assert np.allclose([head.x, head.z, -head.y], joints[4], atol=1e-5)


def test_two_bodies_do_not_share_their_pose(armature):
    bpy.ops.kinflow.add_body()
    other = bpy.context.view_layer.objects.active
    other.kinflow.latent_0[0] = 2.0
    bpy.context.view_layer.update()
    assert (
        geodesic_angle(xp, pose.read_body_pose(armature), pose.read_body_pose(other)).max() > 0.05
    )
    assert len(body.find_bodies()) == 2


def test_a_saved_file_opens_with_its_pose(armature, tmp_path):
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    sigmas, rotations = latent.latent(armature), pose.read_body_pose(armature)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "s.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "s.blend"))
    again = body.find_bodies()[0]
    bpy.context.view_layer.update()
    assert np.allclose(latent.latent(again), sigmas, atol=1e-6)
    assert geodesic_angle(xp, pose.read_body_pose(again), rotations).max() < 1e-3


def test_keying_writes_every_bone(armature):
    assert bpy.ops.kinflow.key_pose() == {"FINISHED"}
    assert armature.animation_data.action is not None


def test_parameters_are_exported_in_smpls_names(armature, tmp_path):
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    assert bpy.ops.kinflow.export_parameters(filepath=str(tmp_path / "p.npz")) == {"FINISHED"}
    with np.load(tmp_path / "p.npz") as data:
        assert data["body_pose"].shape == (23, 3) and data["betas"].shape == (10,)


def test_pose_tools_are_grey_without_a_body():
    assert not bpy.ops.kinflow.sample.poll()
    assert not bpy.ops.kinflow.next_hypothesis.poll()
