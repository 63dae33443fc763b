"""What the panels offer beyond the sliders; and rough handling."""

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, put_fits, shown_photo

from addon.scene import body, camera, latent, limbs, photos, pose
from addon.scene.choice import chosen


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    return body.find_bodies()[0]


@pytest.fixture
def fitted(fitted_samples):
    """The fitted sample in the scene, as after Fit."""
    return put_fits(*fitted_samples["portrait"])[0]


def bone(armature, name) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array(armature.pose.bones[name].matrix)


def test_a_moved_keypoint_takes_the_body_along_and_becomes_certain(fitted):
    person = chosen(bpy.context).person
    index = [p.name for p in person.keypoints].index("left_wrist")
    before, x = bone(fitted, "left_elbow"), person.keypoints[index].x
    assert bpy.ops.kinflow.move_keypoint(index=index, x=x - 40, y=person.keypoints[index].y) == {
        "FINISHED"
    }
    assert (
        person.keypoints[index].x == pytest.approx(x - 40)
        and person.keypoints[index].confidence == 1
    )
    assert not np.allclose(before, bone(fitted, "left_elbow"), atol=1e-3)
    from bpy_extras.object_utils import world_to_camera_view

    place = fitted.matrix_world @ fitted.pose.bones["left_wrist"].head
    scene = bpy.context.scene
    seen = world_to_camera_view(scene, camera.camera_of(shown_photo()), place)
    apart = np.hypot(
        seen.x * scene.render.resolution_x - person.keypoints[index].x,
        (1 - seen.y) * scene.render.resolution_y - person.keypoints[index].y,
    )
    assert apart < 25  # px: the hand goes to the mouse and is not held back by its fingers
    with pytest.raises(RuntimeError, match="no keypoint 99"):
        bpy.ops.kinflow.move_keypoint(index=99)


def test_a_limb_is_switched_off_and_on(fitted):
    person = chosen(bpy.context).person
    assert bpy.ops.kinflow.toggle_limb(limb="left_arm") == {"FINISHED"}
    off = {p.name for p in person.keypoints if not p.enabled}
    assert off == {"left_elbow", "left_wrist", "left_pinky", "left_index", "left_thumb"}
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    bpy.ops.kinflow.toggle_limb(limb="left_arm")
    assert all(p.enabled for p in person.keypoints)


def test_every_limb_has_keypoints_and_joints_of_its_own():
    from kinflow.bodies.keypoint_names import NAMES

    for names in NAMES.values():
        owners = [[limb for limb in limbs.LIMBS if limbs.shows(limb, name)] for name in names]
        assert all(len(o) <= 1 for o in owners)
        assert {limb for o in owners for limb in o} == set(limbs.LIMBS)
    joints = [j for limb in limbs.LIMBS for j in limbs.joints(limb)]
    assert len(joints) == len(set(joints)) == 20


def test_hypotheses_are_shown_by_number(fitted):
    for index in range(len(fitted.kinflow.hypotheses)):
        assert bpy.ops.kinflow.show_hypothesis(index=index) == {"FINISHED"}
        assert fitted.kinflow.active_hypothesis == index
    with pytest.raises(RuntimeError, match="no alternative"):
        bpy.ops.kinflow.show_hypothesis(index=50)


def test_a_blend_goes_from_one_stored_pose_to_the_other_along_the_latent(armature):
    state = armature.kinflow
    bpy.ops.kinflow.sample()
    a = latent.latent(armature)
    bpy.ops.kinflow.store_pose(slot="A")
    state.blend = 0.7  # nothing to blend with yet
    np.testing.assert_allclose(latent.latent(armature), a, atol=1e-6)
    bpy.ops.kinflow.sample()
    b = latent.latent(armature)
    bpy.ops.kinflow.store_pose(slot="B")
    for share in (0.0, 0.25, 1.0):
        state.blend = share
        np.testing.assert_allclose(latent.latent(armature), (1 - share) * a + share * b, atol=1e-5)


def test_locked_limbs_stay_while_the_rest_is_sampled(armature):
    scene = bpy.context.scene.kinflow
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    scene.lock_left_arm = scene.lock_head = True
    bpy.ops.kinflow.sample()
    bpy.context.view_layer.update()
    after = pose.read_body_pose(armature)
    held = limbs.joints("left_arm") + limbs.joints("head")
    rest = [j for j in range(23) if j not in held]
    np.testing.assert_allclose(after[held], before[held], atol=2e-3)
    assert np.abs(after[rest] - before[rest]).max() > 0.1


def test_a_pose_preset_is_kept_on_disk_and_brings_the_pose_back(armature, tmp_path, monkeypatch):
    bpy.context.view_layer.objects.active = armature

    def own_folder(kind, *, path="", create=False):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        return str(tmp_path / path)

    monkeypatch.setattr(bpy.utils, "user_resource", own_folder)
    bpy.ops.kinflow.sample()
    kept = latent.latent(armature)
    assert bpy.ops.kinflow.pose_preset_add(name="Lunge") == {"FINISHED"}
    (path,) = tmp_path.rglob("*.py")
    bpy.ops.kinflow.reset_pose()
    bpy.ops.script.execute_preset(filepath=str(path), menu_idname="KINFLOW_MT_pose_presets")
    np.testing.assert_allclose(latent.latent(armature), kept, atol=1e-4)


def test_a_photo_deleted_after_it_was_opened_is_a_sentence(tmp_path):
    import shutil

    photo = tmp_path / "gone.png"
    shutil.copy(SAMPLES / "punch.png", photo)
    bpy.ops.kinflow.import_photo(filepath=str(photo))
    photo.unlink()
    with pytest.raises(RuntimeError, match="no file"):
        bpy.ops.kinflow.detect()
    assert "no file" in bpy.context.scene.kinflow.message


def test_a_fit_lands_though_the_photo_is_gone(fitted_samples, tmp_path):
    _, people, results = fitted_samples["portrait"]
    assert put_fits(tmp_path / "gone.png", people, results) == body.find_bodies()


def test_a_renamed_armature_is_still_the_body(fitted):
    fitted.name = fitted.data.name = "Hero"
    body.mesh_of(fitted).name = "Hero Mesh"
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[0])
    assert bpy.ops.kinflow.apply_fit(keys=key) == {"FINISHED"}
    assert [b.name for b in body.find_bodies()] == ["Hero"]


def test_a_deleted_armature_is_made_anew_by_the_next_fit(fitted):
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[0])
    bpy.data.objects.remove(fitted)
    assert not bpy.ops.kinflow.sample.poll()
    assert bpy.ops.kinflow.apply_fit(keys=key) == {"FINISHED"}
    assert len(body.find_bodies()) == 1


def test_an_armature_joined_with_another_keeps_posing(armature):
    other = bpy.data.objects.new("Prop", bpy.data.armatures.new("Prop"))
    bpy.context.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    bpy.ops.object.mode_set(mode="EDIT")
    extra = other.data.edit_bones.new("hat")
    extra.head, extra.tail = (0, 0, 1.8), (0, 0, 2.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    for obj in (other, armature):
        obj.select_set(True)
    bpy.context.view_layer.objects.active = armature
    assert bpy.ops.object.join() == {"FINISHED"}
    assert "hat" in armature.pose.bones
    before = bone(armature, "left_elbow")
    assert bpy.ops.kinflow.sample() == {"FINISHED"} and bpy.ops.kinflow.key_pose() == {"FINISHED"}
    assert not np.allclose(before, bone(armature, "left_elbow"), atol=1e-3)


def test_a_scaled_and_moved_armature_keeps_its_pose_and_sliders(armature):
    armature.scale, armature.location = (2, 2, 2), (1, 2, 3)
    bpy.ops.kinflow.sample()
    sigmas = latent.latent(armature)
    bpy.context.view_layer.update()
    before = pose.read_body_pose(armature)
    bpy.ops.kinflow.read_pose()
    bpy.context.view_layer.update()
    np.testing.assert_allclose(pose.read_body_pose(armature), before, atol=2e-3)
    assert len(sigmas) == 138


def test_undo_and_redo_take_sliders_and_bones_along_together(armature):
    name, before = armature.name, pose.read_body_pose(armature)
    bpy.ops.ed.undo_push(message="begin")
    bpy.ops.kinflow.sample()
    bpy.ops.ed.undo_push(message="sampled")
    sampled = latent.latent(armature).copy()
    bpy.ops.ed.undo()
    armature = bpy.data.objects[name]
    assert np.abs(latent.latent(armature)).max() == 0
    np.testing.assert_allclose(pose.read_body_pose(armature), before, atol=1e-5)
    bpy.ops.ed.redo()
    armature = bpy.data.objects[name]
    np.testing.assert_allclose(latent.latent(armature), sampled, atol=1e-6)
    assert not np.allclose(pose.read_body_pose(armature), before, atol=1e-2)


def test_the_photo_is_mapped_to_the_viewport_and_back():
    from addon.scene.photo_view import PhotoView

    view = PhotoView((100.0, 500.0), (0.5, -0.5))
    places = view.to_region(np.array([[0, 0], [640, 480]]))
    np.testing.assert_allclose(places, [[100, 500], [420, 260]])
    assert view.to_photo(*places[1]) == (640, 480)


def test_a_folder_is_fitted_by_the_engines_batch_and_goes_on_where_it_stopped(tmp_path):
    import shutil

    from addon.headless import command_line

    photos = tmp_path / "in"
    photos.mkdir()
    shutil.copy(SAMPLES / "punch.png", photos / "a.png")
    (photos / "b.png").write_bytes(b"no image")
    out = tmp_path / "out"
    assert command_line.fit([str(photos), "--output", str(out), "--no-render"]) == 1
    assert (
        (out / "a" / "scene.blend").exists()
        and (out / "a.0.npz").exists()
        and "cannot be read" in (out / "report.csv").read_text()
    )
    stamp = (out / "a" / "scene.blend").stat().st_mtime_ns
    command_line.fit([str(photos), "--output", str(out), "--no-render"])
    assert (out / "a" / "scene.blend").stat().st_mtime_ns == stamp
    assert camera.camera_of(shown_photo()) is not None


def test_without_an_engine_photos_get_a_sentence_and_bodies_and_sliders_work(monkeypatch):
    from addon.engine import find

    missing = find.find_python("/nowhere/python")
    assert missing.path is None and "There is no file" in missing.sentence
    monkeypatch.setattr(
        find,
        "find_python",
        lambda chosen="": type(missing)(None, "No Python with kinflow was found"),
    )
    bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "punch.png"))
    with pytest.raises(RuntimeError, match="No Python with kinflow was found"):
        bpy.ops.kinflow.detect()
    assert bpy.ops.kinflow.add_body() == {"FINISHED"}
    armature = body.find_bodies()[0]
    before = bone(armature, "left_elbow")
    armature.kinflow.latent_0[0] = 1.5
    assert not np.allclose(before, bone(armature, "left_elbow"), atol=1e-3)
