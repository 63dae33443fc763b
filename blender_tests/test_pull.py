"""Pulling a body by its handles, without a window and without an engine."""

import bpy
import numpy as np
import pytest
from conftest import shown_vertices
from mathutils import Matrix, Quaternion, Vector

from addon.scene import body, latent, pins, pose, soles
from addon.scene.pull import Drag
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import geodesic_angle


@pytest.fixture
def armature():
    """A body in the mean pose, standing."""
    bpy.ops.kinflow.add_body()
    rig = body.find_bodies()[0]
    bpy.ops.kinflow.reset_pose()
    bpy.ops.kinflow.put_on_floor()
    bpy.context.view_layer.update()
    return rig


def place(rig, joint):
    bpy.context.view_layer.update()
    return np.array(pins.handle_place(rig, joint))


def pull_to(rig, joint, way):
    """-> where the handle was asked to go."""
    target = place(rig, joint) + np.array(way)
    assert bpy.ops.kinflow.pull_to(handle=joint, location=target) == {"FINISHED"}
    return target


def state_of(rig):
    bones = [(b.rotation_mode, *b.rotation_quaternion, *b.location) for b in rig.pose.bones]
    return bones, latent.latent(rig).tolist()


def millimetres(a, b):
    return 1000 * np.linalg.norm(np.asarray(a) - np.asarray(b))


def test_a_hand_goes_to_the_place_and_the_feet_stay(armature):
    feet = {joint: place(armature, joint) for joint in pins.FEET}
    target = pull_to(armature, "right_wrist", (-0.1, -0.25, 0.3))
    assert millimetres(place(armature, "right_wrist"), target) < 1
    for joint, before in feet.items():
        assert millimetres(place(armature, joint), before) < 1


def test_hips_that_go_down_bend_the_knees(armature):
    feet = {joint: place(armature, joint) for joint in pins.FEET}
    pull_to(armature, "pelvis", (0, 0.05, -0.35))
    knees = latent.decode(armature, latent.latent(armature))[[3, 4]]
    assert geodesic_angle(xp, knees, np.eye(3)).min() > np.radians(50)
    for joint, before in feet.items():
        assert millimetres(place(armature, joint), before) < 1
    assert shown_vertices(armature)[:, 2].min() > -0.015


def test_sliders_say_what_a_pull_has_made(armature):
    pull_to(armature, "left_wrist", (0.1, -0.2, 0.3))
    want = latent.decode(armature, latent.latent(armature))
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), want).max() < 1e-3


def test_an_abandoned_pull_leaves_every_digit(armature):
    armature.pose.bones["left_elbow"].rotation_mode = "XYZ"
    armature.pose.bones["left_elbow"].rotation_euler = (0.2, 0.1, 0.4)
    bpy.context.view_layer.update()
    before = state_of(armature)
    drag = Drag(bpy.context, armature, "left_wrist")
    drag.move(drag.place + Vector((0.1, -0.2, 0.3)))
    assert state_of(armature) != before
    drag.put_back()
    assert state_of(armature) == before
    assert tuple(armature.pose.bones["left_elbow"].rotation_euler) == pytest.approx((0.2, 0.1, 0.4))


def test_a_pull_is_one_undo_step_to_the_digit(armature):
    bpy.ops.ed.undo_push(message="begin")
    before, name = state_of(armature), armature.name
    pull_to(armature, "head", (0.1, -0.2, -0.1))
    after = state_of(armature)
    bpy.ops.ed.undo_push(message="pulled")
    bpy.ops.ed.undo()
    assert state_of(bpy.data.objects[name]) == before
    bpy.ops.ed.redo()
    assert state_of(bpy.data.objects[name]) == after


def test_pins_survive_the_file_and_hold(armature, tmp_path):
    bpy.ops.kinflow.toggle_pin(handle="left_wrist")
    pinned = place(armature, "left_wrist")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pinned.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pinned.blend"))
    rig = body.find_bodies()[0]
    assert [pin.joint for pin in rig.kinflow.pins] == ["left_wrist"]
    pull_to(rig, "right_wrist", (-0.1, -0.2, 0.2))
    assert millimetres(place(rig, "left_wrist"), pinned) < 1


def test_pins_hold_while_sliders_move_and_samples_are_drawn(armature):
    bpy.ops.kinflow.toggle_pin(handle="left_wrist")
    pinned = place(armature, "left_wrist")
    for value in (0.5, 1.0, 1.5):
        armature.kinflow.latent_0[1] = value
        assert millimetres(place(armature, "left_wrist"), pinned) < 2
    assert armature.kinflow.latent_0[1] == 1.5
    bpy.context.scene.kinflow.seed = 3
    bpy.ops.kinflow.sample()
    assert millimetres(place(armature, "left_wrist"), pinned) < 2
    armature.kinflow.sample_with_pins = False
    bpy.ops.kinflow.sample()
    assert millimetres(place(armature, "left_wrist"), pinned) > 20


def test_a_pinned_handle_takes_its_pin_along(armature):
    bpy.ops.kinflow.toggle_pin(handle="right_wrist")
    target = pull_to(armature, "right_wrist", (0, -0.1, 0.1))
    pin = pins.pin_of(armature, "right_wrist")
    assert millimetres(armature.matrix_world @ Vector(pin.location), target) < 1
    bpy.ops.kinflow.toggle_pin(handle="right_wrist")
    assert not len(armature.kinflow.pins)


def test_a_bone_with_a_constraint_stays_and_the_panel_says_so(armature):
    constraint = armature.pose.bones["left_elbow"].constraints.new("LIMIT_ROTATION")
    constraint.name = "Mine"
    armature.pose.bones["left_elbow"].rotation_quaternion = Quaternion((0, 0, 1), 0.4)
    before = tuple(armature.pose.bones["left_elbow"].rotation_quaternion)
    pull_to(armature, "left_wrist", (0, -0.15, 0.1))
    assert tuple(armature.pose.bones["left_elbow"].rotation_quaternion) == before
    assert pins.remarks(armature) == ["left elbow has a constraint (Mine): left alone"]
    constraint.mute = True
    assert pins.remarks(armature) == []


def test_the_chain_of_an_ik_constraint_is_left_alone(armature):
    goal = bpy.data.objects.new("Goal", None)
    bpy.context.collection.objects.link(goal)
    constraint = armature.pose.bones["right_elbow"].constraints.new("IK")
    constraint.target, constraint.chain_count = goal, 2
    assert set(pins.left_alone(armature)) == {"right_elbow", "right_shoulder"}


def test_locked_limbs_stay_to_the_digit(armature):
    bpy.context.scene.kinflow.lock_right_leg = True
    names = ("right_hip", "right_knee", "right_ankle", "right_foot")
    before = [tuple(armature.pose.bones[n].rotation_quaternion) for n in names]
    pull_to(armature, "left_wrist", (0, -0.3, 0.1))
    assert [tuple(armature.pose.bones[n].rotation_quaternion) for n in names] == before


def test_a_small_pull_of_a_pose_made_by_hand_is_a_small_change(armature):
    bones = armature.pose.bones
    for name, angle in (("left_elbow", 0.7), ("right_knee", 0.5), ("spine2", 0.3), ("neck", 0.3)):
        bones[name].rotation_mode = "XYZ"
        bones[name].rotation_euler = (angle, 0.1, 0.0)
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    pull_to(armature, "left_wrist", (0.005, 0, 0))
    bpy.context.view_layer.update()
    assert geodesic_angle(xp, pose.read_body_pose(armature), before).max() < np.radians(8)


@pytest.mark.parametrize("scale", [0.5, (2.0, 2.0, 2.0)])
def test_a_rig_that_is_scaled_turned_and_parented_is_pulled_in_the_world(armature, scale):
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.collection.objects.link(parent)
    parent.matrix_world = Matrix.Rotation(0.7, 4, "Z") @ Matrix.Translation((1, 2, 0))
    armature.parent = parent
    armature.scale = (scale,) * 3 if isinstance(scale, float) else scale
    bpy.context.view_layer.update()
    soles.lift(armature, -soles.lowest_shown(bpy.context, armature))
    feet = {joint: place(armature, joint) for joint in pins.FEET}
    target = pull_to(armature, "right_wrist", np.array((-0.1, -0.1, 0.1)) * armature.scale[0])
    assert millimetres(place(armature, "right_wrist"), target) < 2
    for joint, before in feet.items():
        assert millimetres(place(armature, joint), before) < 2


def test_another_priors_body_is_encoded_again(armature):
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    armature.kinflow.prior_checksum = "of another"
    target = pull_to(armature, "left_wrist", (0, -0.02, 0.02))
    assert millimetres(place(armature, "left_wrist"), target) < 1
    assert armature.kinflow.prior_checksum == latent.prior_of(armature).checksum


def test_beyond_reach_the_body_stretches_and_stays_whole(armature):
    bpy.ops.kinflow.toggle_pin(handle="left_ankle")
    bpy.ops.kinflow.toggle_pin(handle="right_ankle")
    pull_to(armature, "right_wrist", (0, 0, 3))
    assert place(armature, "right_wrist")[2] > 1.6
    points = shown_vertices(armature)
    assert np.isfinite(points).all() and np.ptp(points, axis=0).max() < 2.8
    assert "Not all pins can hold" in armature.kinflow.pull_message


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e9])
def test_a_place_that_is_none_changes_nothing(armature, bad):
    before = state_of(armature)
    with pytest.raises(RuntimeError, match="finite"):
        bpy.ops.kinflow.pull_to(handle="head", location=(0, 0, bad))
    assert state_of(armature) == before


def test_a_pin_that_is_no_number_is_a_sentence(armature):
    bpy.ops.kinflow.toggle_pin(handle="left_wrist")
    armature.kinflow.pins[0].location[0] = float("nan")
    before = state_of(armature)
    with pytest.raises(RuntimeError, match="finite"):
        bpy.ops.kinflow.pull_to(handle="head", location=(0, 0, 1))
    armature.kinflow.latent_0[0] = 1.0
    assert "finite" in armature.kinflow.pull_message
    assert state_of(armature)[0] != before[0]


def test_turning_a_hand_leaves_it_where_it_is(armature):
    drag = Drag(bpy.context, armature, "left_wrist")
    turn = np.array(Matrix.Rotation(0.4, 3, "X"))
    for share in np.linspace(0, 1, 9)[1:]:
        drag.move(drag.place, drag.turned(np.array(Matrix.Rotation(0.4 * share, 3, "X"))))
    assert millimetres(place(armature, "left_wrist"), drag.place) < 10
    bone = armature.pose.bones["left_wrist"]
    shown = np.array((bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3().normalized())
    assert geodesic_angle(xp, shown, turn @ drag.turn) < np.radians(6)


def test_automatic_keys_are_set_where_blender_sets_them(armature):
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    pull_to(armature, "left_wrist", (0, -0.1, 0.1))
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = False
    assert armature.animation_data is not None and armature.animation_data.action is not None


def test_who_only_sets_a_shape_keeps_the_pins(armature):
    bpy.ops.kinflow.toggle_pin(handle="left_wrist")
    pinned = place(armature, "left_wrist")
    armature.kinflow.betas[0] = 1.0
    assert millimetres(place(armature, "left_wrist"), pinned) < 2
