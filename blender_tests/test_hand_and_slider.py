"""What was posed by hand is where everything else begins, and the sliders say so."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from conftest import put_fits, shown_photo
from mathutils import Matrix, Vector

from addon import session
from addon.scene import body, camera, hand_posed, latent, limbs, photos, pose
from addon.scene.parameters import as_shown
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import geodesic_angle, matrix_to_axis_angle
from kinflow.mocap.clip import mirror_pose


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    return bpy.context.active_object


def by_hand(armature, name="left_elbow", angles=(0.2, 0.1, 0.9)):
    """Turns a bone as an artist does. -> the pose as it is then shown."""
    bone = armature.pose.bones[name]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = angles
    return shown(armature)


def shown(armature):
    bpy.context.view_layer.update()
    return pose.read_body_pose(armature)


def apart(a, b) -> float:
    """The largest angle between two poses' joints, degrees."""
    return float(np.degrees(geodesic_angle(xp, a, b).max()))


def test_a_pose_by_hand_is_made_more_and_less_of(armature):
    posed = by_hand(armature)
    bpy.ops.kinflow.scale_latent(factor=1.02)
    assert 0 < apart(shown(armature), posed) < 6


def test_a_pose_by_hand_is_mirrored(armature):
    posed = by_hand(armature)
    bpy.ops.kinflow.mirror_pose()
    assert apart(shown(armature), mirror_pose(posed)) < 0.5


def test_a_pose_by_hand_is_what_is_stored_for_a_blend(armature):
    bpy.ops.kinflow.store_pose(slot="B")
    posed = by_hand(armature)
    bpy.ops.kinflow.store_pose(slot="A")
    bpy.ops.kinflow.reset_pose()
    armature.kinflow.blend = 1.0
    armature.kinflow.blend = 0.0
    assert apart(shown(armature), posed) < 0.5


def test_a_limb_posed_by_hand_and_locked_stays_while_the_rest_is_sampled(armature):
    joints = limbs.joints("left_arm")
    posed = by_hand(armature)
    bpy.context.scene.kinflow.lock_left_arm = True
    bpy.ops.kinflow.sample()
    assert apart(shown(armature)[joints], posed[joints]) < 0.5


def test_after_a_sample_is_undone_the_sliders_say_what_was_posed_by_hand(armature):
    name = armature.name
    posed = by_hand(armature)
    bpy.ops.ed.undo_push(message="posed by hand")
    bpy.ops.kinflow.sample("EXEC_DEFAULT", True)
    bpy.ops.ed.undo()
    armature = bpy.data.objects[name]
    assert apart(shown(armature), posed) < 0.1
    assert apart(latent.decode(armature, latent.latent(armature)), posed) < 0.5


def test_undo_and_redo_of_a_bone_posed_by_hand_keep_the_sliders_true(armature):
    name = armature.name
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="begin")
    posed = by_hand(armature)
    bpy.ops.ed.undo_push(message="posed by hand")
    bpy.ops.ed.undo()
    armature = bpy.data.objects[name]
    assert np.abs(latent.latent(armature)).max() < 1e-3
    bpy.ops.ed.redo()
    armature = bpy.data.objects[name]
    assert apart(shown(armature), posed) < 0.1
    assert apart(latent.decode(armature, latent.latent(armature)), posed) < 0.5


def test_keys_set_by_hand_are_followed_by_the_sliders_from_frame_to_frame(armature):
    bone, scene = armature.pose.bones["left_elbow"], bpy.context.scene
    bone.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (11, 1.0)):
        bone.rotation_euler = (0, 0, angle)
        bone.keyframe_insert("rotation_euler", frame=frame)
    for frame in (11, 6, 1):
        scene.frame_set(frame)
        assert apart(latent.decode(armature, latent.latent(armature)), shown(armature)) < 0.5


def test_bones_posed_while_the_add_on_was_off_are_read_in_when_the_file_is_opened(
    armature, tmp_path
):
    hand_posed.unregister()
    try:
        posed = by_hand(armature)
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "posed.blend"))
    finally:
        hand_posed.register()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "posed.blend"))
    (armature,) = body.find_bodies()
    armature.kinflow.latent_0[3] += 0.01
    assert apart(shown(armature), posed) < 3


@pytest.fixture
def fitted(fitted_samples):
    return put_fits(*fitted_samples["portrait"])[0]


def towards_camera(armature) -> float:
    """How far the left forearm points to the photo's camera, -1 to 1."""
    bpy.context.view_layer.update()
    bone = armature.pose.bones["left_elbow"]
    return (bone.tail - bone.head).normalized().dot(to_camera())


def to_camera() -> Vector:
    return camera.camera_of(shown_photo()).matrix_world.col[2].xyz


def bend_the_other_way(armature):
    """Turns the left forearm by hand to where it looks the same in the photo, but for its depth."""
    bone = armature.pose.bones["left_elbow"]
    way, back = bone.tail - bone.head, to_camera()
    turn = way.rotation_difference(way - 2 * way.dot(back) * back).to_matrix().to_4x4()
    place = Matrix.Translation(bone.head)
    bone.matrix = place @ turn @ place.inverted() @ bone.matrix


def test_a_refit_begins_from_the_bones_as_they_were_posed_by_hand(fitted):
    assert towards_camera(fitted) > 0.5
    bend_the_other_way(fitted)
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    assert towards_camera(fitted) < -0.5


def test_a_dragged_keypoint_begins_from_the_bones_as_they_were_posed_by_hand(fitted):
    bend_the_other_way(fitted)
    points = shown_photo().kinflow.people[0].keypoints
    wrist = points["left_wrist"]
    index = [p.name for p in points].index(wrist.name)
    assert bpy.ops.kinflow.move_keypoint(index=index, x=wrist.x + 4, y=wrist.y) == {"FINISHED"}
    assert towards_camera(fitted) < -0.5


def test_a_refit_goes_on_from_the_alternative_that_is_shown(fitted, fitted_samples):
    (result, *_) = fitted_samples["portrait"][2]
    bend_the_other_way(fitted)
    vectors = matrix_to_axis_angle(xp, shown(fitted))
    best = result.hypotheses[0]
    other = replace(best, body_pose=vectors, energy=best.energy + 5)
    path, people, _ = fitted_samples["portrait"]
    rig = put_fits(path, people, [replace(result, hypotheses=(best, other))])[0]
    assert towards_camera(rig) > 0.5
    bpy.ops.kinflow.show_hypothesis(index=1)
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    assert towards_camera(rig) < -0.5


def test_a_refit_of_what_nobody_changed_begins_from_the_fit_to_the_digit(fitted):
    photo = shown_photo()
    result = session.results[photos.key_of(photo, photo.kinflow.people[0])]
    assert as_shown(result, fitted, camera.viewpoint(photo)) is result


def test_a_refit_keeps_the_size_that_was_set_by_its_slider(fitted):
    fitted.kinflow.betas[0] = 1.7
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    assert fitted.kinflow.betas[0] == pytest.approx(1.7, abs=1e-3)
    assert body.shape_keys(fitted)[0].value == pytest.approx(1.7, abs=1e-3)
