"""Latent sliders and pose tools, without any engine."""

import bpy
import numpy as np
import pytest
from conftest import shown_vertices
from mathutils import Matrix

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


def test_the_panel_says_which_part_of_a_pose_is_unusual(armature):
    bpy.ops.kinflow.reset_pose()
    assert latent.rarity(armature) == "usual"
    armature.pose.bones["left_elbow"].matrix_basis = Matrix.Rotation(2.6, 4, "X")
    bpy.context.view_layer.update()
    assert "arms: very unusual" in latent.rarity(armature)
    assert "legs" not in latent.rarity(armature)


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
    bones = armature.data.bones
    way = bones["left_knee"].head_local - bones["pelvis"].head_local
    assert np.allclose([way.x, way.z, -way.y], joints[4] - joints[0], atol=1e-5)


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


def crouch(armature):
    armature.kinflow.latent_0[1] = 2.5


def grow(armature):
    armature.kinflow.betas[0] = 2.0


def pose_by_hand(armature):
    """As in Pose Mode, where nothing of ours runs, then Read Pose."""
    rotations = pose.read_body_pose(armature)
    pose.set_body_pose(armature, rotations[::-1])
    bpy.context.view_layer.update()


CHANGES = {
    "crouch": crouch,
    "size": grow,
    "sample": lambda armature: bpy.ops.kinflow.sample(),
    "mirror": lambda armature: bpy.ops.kinflow.mirror_pose(),
    "exaggerate": lambda armature: bpy.ops.kinflow.scale_latent(factor=1.5),
    "read": lambda armature: bpy.ops.kinflow.read_pose(),
}


def lowest(armature) -> float:
    return float(shown_vertices(armature)[:, 2].min())


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("height", [0.0, 0.3])
def test_posing_and_shaping_keep_the_soles_at_their_height(armature, name, height):
    """On the floor, and for a jump as high above it as it was."""
    bpy.ops.kinflow.sample()
    assert bpy.ops.kinflow.put_on_floor() == {"FINISHED"}
    armature.location.z = height
    before = shown_vertices(armature)
    assert before[:, 2].min() == pytest.approx(height, abs=1e-4)
    CHANGES[name](armature)
    after = shown_vertices(armature)
    assert after[:, 2].min() == pytest.approx(height, abs=1e-4)
    assert name == "read" or np.abs(after - before).max() > 0.02


def test_a_new_body_stands_on_the_floor_in_every_pose(armature):
    assert abs(lowest(armature)) < 1e-4
    for axis in range(12):
        for sigmas in (-2.5, 2.5):
            armature.kinflow.latent_0[axis] = sigmas
            assert abs(lowest(armature)) < 1e-4, (axis, sigmas)
            armature.kinflow.latent_0[axis] = 0.0


def test_a_blend_and_a_shape_under_it_keep_the_soles(armature):
    for slot in "AB":
        bpy.ops.kinflow.sample()
        bpy.ops.kinflow.store_pose(slot=slot)
    for share, size in ((0.2, -2.0), (0.6, 1.0), (1.0, 2.0)):
        armature.kinflow.blend, armature.kinflow.betas[0] = share, size
        assert abs(lowest(armature)) < 1e-4


def amid_the_feet(armature) -> np.ndarray:
    bpy.context.view_layer.update()
    balls = [armature.pose.bones[f"{side}_foot"].head for side in ("left", "right")]
    return np.array(armature.matrix_world @ (0.5 * (balls[0] + balls[1])))


@pytest.mark.parametrize("name", ["crouch", "size"])
def test_feet_that_stand_do_not_slide(armature, name):
    bpy.ops.kinflow.reset_pose()
    before = amid_the_feet(armature)
    CHANGES[name](armature)
    assert np.linalg.norm((amid_the_feet(armature) - before)[:2]) < 0.01


def test_sliders_there_and_back_again_leave_the_body_where_it_was(armature):
    before = shown_vertices(armature)
    bpy.ops.kinflow.reset_pose()
    for axis in (5, 1, 2, 6):  # legs apart, a crouch, a stride, the weight on one foot
        armature.kinflow.latent_0[axis] = 3.0
    grow(armature)
    for axis in (1, 6, 5, 2):
        armature.kinflow.latent_0[axis] = 0.0
    armature.kinflow.betas[0] = 0.0
    after = shown_vertices(armature)
    np.testing.assert_allclose(after[:, 2], before[:, 2], atol=1e-4)


def test_a_turned_and_scaled_body_keeps_its_soles_too(armature):
    armature.matrix_world = Matrix.LocRotScale((1, 2, 0.5), Matrix.Rotation(0.7, 3, "Y"), [2] * 3)
    bpy.context.view_layer.update()
    before = lowest(armature)
    crouch(armature)
    assert lowest(armature) == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize("turn", [0.0, 1.2, np.pi])
def test_any_body_in_any_pose_is_put_on_the_floor(armature, turn):
    """Standing, tumbling, upside down; up in the air and under the ground."""
    bpy.ops.kinflow.sample()
    pelvis = armature.pose.bones["pelvis"]
    for height in (0.8, -0.6):
        pelvis.rotation_quaternion = Matrix.Rotation(turn, 3, "X").to_quaternion()
        armature.location.z = height
        rotations = pose.read_body_pose(armature)
        assert bpy.ops.kinflow.put_on_floor() == {"FINISHED"}
        assert abs(lowest(armature)) < 1e-4
        np.testing.assert_allclose(pose.read_body_pose(armature), rotations, atol=1e-6)


def test_put_on_floor_sees_what_constraints_and_scales_do(armature):
    bpy.ops.kinflow.sample()
    raised = armature.pose.bones["left_knee"].constraints.new("LIMIT_ROTATION")
    raised.use_limit_x, raised.min_x, raised.max_x = True, 1.2, 1.5
    raised.owner_space = "LOCAL"
    armature.pose.bones["right_foot"].scale = (2, 2, 2)
    assert bpy.ops.kinflow.put_on_floor() == {"FINISHED"}
    assert abs(lowest(armature)) < 1e-4


def test_all_selected_bodies_are_put_on_the_floor(armature):
    bpy.ops.kinflow.add_body()
    bodies = body.find_bodies()
    for height, other in zip((0.5, -0.2), bodies, strict=True):
        other.location.z = height
    bodies[0].select_set(True)
    body.mesh_of(bodies[1]).select_set(True)
    bodies[1].select_set(False)
    bpy.ops.kinflow.put_on_floor()
    assert max(abs(lowest(other)) for other in bodies) < 1e-4


def test_a_body_without_mesh_stays_where_it_is_and_still_poses(armature):
    bpy.data.objects.remove(body.mesh_of(armature))
    assert bpy.ops.kinflow.put_on_floor() == {"CANCELLED"}
    crouch(armature)
    grow(armature)
