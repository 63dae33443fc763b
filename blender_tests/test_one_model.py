"""One model behind panels, lists, viewport and operators: photos, bodies and sliders agree."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, put_fits, shown_photo, shown_vertices

from addon import session
from addon.scene import body, bones, camera, clip_files, latent, photos, pose, settle, standing
from addon.scene.choice import chosen
from addon.scene.clip import Fitted
from kinflow.mocap.clip import mirror_pose


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    return bpy.context.active_object


def select(*objects):
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]


def copy_of(armature, linked=False):
    """Shift+D, or Alt+D, of a body. -> the copy's armature."""
    select(armature, body.mesh_of(armature))
    bpy.ops.object.duplicate(linked=linked)
    bpy.context.view_layer.update()
    return bpy.context.active_object


def by_hand(armature, name="left_elbow", angles=(0.2, 0.1, 0.9)):
    bone = armature.pose.bones[name]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = angles
    return pose.read_body_pose(armature)


@pytest.mark.parametrize("linked", [False, True])
def test_a_copy_and_its_original_are_two_bodies(armature, linked):
    copy = copy_of(armature, linked)
    assert copy != armature and chosen(bpy.context).body == copy
    assert body.mesh_of(copy) not in (None, body.mesh_of(armature))
    bpy.ops.kinflow.sample()
    copy.kinflow.betas[0] = 2.0
    before = shown_vertices(armature)
    assert body.mesh_of(copy).data != body.mesh_of(armature).data
    assert body.shape_keys(armature)[0].value == 0 and body.shape_keys(copy)[0].value == 2
    copy.kinflow.latent_0[1] = 2.0
    np.testing.assert_array_equal(shown_vertices(armature), before)


def test_a_copys_own_pose_drives_its_own_correctives(armature):
    copy = copy_of(armature, linked=True)
    copy.kinflow.latent_0[0] = 2.0
    bpy.context.view_layer.update()
    moved = [
        [k.value for k in body.mesh_of(b).data.shape_keys.key_blocks if "Corrective" in k.name]
        for b in (armature, copy)
    ]
    assert not np.allclose(*moved, atol=1e-3)


def test_a_rig_copied_without_its_mesh_leaves_the_mesh_to_its_own(armature):
    select(armature)
    bpy.ops.object.duplicate()
    copy = bpy.context.active_object
    assert body.mesh_of(copy) is None and body.mesh_of(armature) is not None
    before = shown_vertices(armature)
    copy.kinflow.betas[0] = 2.0
    np.testing.assert_array_equal(shown_vertices(armature), before)


def test_an_appended_body_is_whole_and_a_linked_one_says_what_to_do(armature, tmp_path):
    armature.kinflow.betas[0] = 1.0
    path = tmp_path / "library.blend"
    bpy.data.libraries.write(str(path), {armature, body.mesh_of(armature)})
    for link, users in ((False, 1), (True, 0)):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        with bpy.data.libraries.load(str(path), link=link) as (source, wanted):
            wanted.objects = source.objects
        for obj in wanted.objects:
            bpy.context.collection.objects.link(obj)
        rig = next(o for o in wanted.objects if o.type == "ARMATURE")
        bpy.context.view_layer.objects.active = rig
        assert body.mesh_of(rig) in wanted.objects
        assert bpy.ops.kinflow.sample.poll() is bool(users)


def test_an_overridden_body_is_posed_and_its_shape_says_why_it_stays(armature, tmp_path):
    path = tmp_path / "library.blend"
    bpy.data.libraries.write(str(path), {armature, body.mesh_of(armature)})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=True) as (source, wanted):
        wanted.objects = source.objects
    rig = next(o for o in wanted.objects if o.type == "ARMATURE")
    for obj in wanted.objects:
        bpy.context.collection.objects.link(obj)
    local = rig.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    bpy.context.view_layer.objects.active = local
    bpy.context.view_layer.update()
    before = pose.read_body_pose(local)
    assert bpy.ops.kinflow.sample() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert not np.allclose(pose.read_body_pose(local), before, atol=1e-2)
    assert "file" in body.shape_remark(local) and body.shape_remark(armature_new()) == ""


def armature_new():
    bpy.ops.kinflow.add_body()
    return bpy.context.active_object


def test_a_second_photo_leaves_the_first_as_it_was(fitted_samples):
    first = put_fits(*fitted_samples["portrait"])[0]
    photo, before = shown_photo(), shown_vertices(first)
    place = np.array(camera.camera_of(photo).matrix_world)
    second = put_fits(*fitted_samples["landscape"])[0]
    assert shown_photo() != photo and second.kinflow.photo == shown_photo()
    np.testing.assert_array_equal(shown_vertices(first), before)
    np.testing.assert_array_equal(np.array(camera.camera_of(photo).matrix_world), place)
    assert camera.camera_of(shown_photo()) != camera.camera_of(photo)
    # each stands apart, on the same ground
    assert np.abs(shown_vertices(second)[:, 0].mean() - before[:, 0].mean()) > 5
    assert abs(shown_vertices(second)[:, 2].min()) < 0.03


def test_no_photos_camera_stands_in_a_body_that_was_there_before(armature, fitted_samples):
    bpy.context.view_layer.update()
    fitted = put_fits(*fitted_samples["portrait"])[0]
    seat = np.array(camera.camera_of(shown_photo()).matrix_world.translation)
    bpy.context.view_layer.update()
    assert abs(seat[0] - armature.matrix_world.translation.x) >= photos.APART
    assert abs(fitted.matrix_world.translation.x - seat[0]) < photos.APART / 2


def test_after_a_fit_the_body_is_selected(fitted_samples):
    (armature,) = put_fits(*fitted_samples["portrait"])
    assert bpy.context.active_object == armature and armature.select_get()


def test_a_photo_that_was_just_opened_is_the_chosen_one_whatever_was_selected(fitted_samples):
    (first,) = put_fits(*fitted_samples["portrait"])
    select(first)
    bpy.ops.kinflow.import_photo(filepath=fitted_samples["landscape"][0])
    assert shown_photo() != first.kinflow.photo and shown_photo().kinflow.path.endswith(
        "landscape.png"
    )


def test_what_is_chosen_in_the_viewport_is_chosen_in_the_lists_and_acted_on(fitted_samples):
    path, people, results = fitted_samples["portrait"]
    first, other = put_fits(path, people * 2, results * 2)
    photo = shown_photo()
    (second,) = put_fits(*fitted_samples["landscape"])
    for rig, index in ((first, 0), (other, 1)):
        select(rig)
        assert chosen(bpy.context).photo == photo and photo.kinflow.active_person == index
        assert chosen(bpy.context).person == photo.kinflow.people[index]
        select(body.mesh_of(rig))
        assert chosen(bpy.context).body == rig
    photo.kinflow.active_person = 0  # the list
    assert bpy.context.active_object == first and chosen(bpy.context).body == first
    assert bpy.ops.kinflow.choose_photo(session_uid=second.kinflow.photo.session_uid) == {
        "FINISHED"
    }
    assert chosen(bpy.context).body == second
    assert bpy.context.scene.camera == camera.camera_of(second.kinflow.photo)
    copy = copy_of(first)
    assert chosen(bpy.context).body == copy and not bpy.ops.kinflow.refit.poll()


def test_a_photos_camera_that_was_deleted_is_not_made_the_scenes_again(fitted_samples):
    put_fits(*fitted_samples["portrait"])
    photo = shown_photo()
    select(camera.camera_of(photo))
    bpy.ops.object.delete()
    bpy.context.scene.camera = None
    assert bpy.ops.kinflow.choose_photo(session_uid=photo.session_uid) == {"FINISHED"}
    assert bpy.context.scene.camera is None


def test_a_copy_of_a_photo_has_people_and_bodies_of_its_own(fitted_samples):
    put_fits(*fitted_samples["portrait"])
    photo = shown_photo()
    again = photo.copy()
    bpy.context.scene.collection.children.link(again)
    from addon.scene import photos

    keys = {photos.key_of(p, p.kinflow.people[0]) for p in (photo, again)}
    assert len(keys) == 2


def test_a_bone_posed_by_hand_is_in_the_sliders_before_the_next_change(armature):
    bpy.ops.kinflow.sample()
    wanted = by_hand(armature)
    bpy.context.view_layer.update()
    shown = pose.read_body_pose(armature)
    np.testing.assert_allclose(latent.decode(armature, latent.latent(armature)), shown, atol=2e-3)
    sigmas = latent.latent(armature)
    armature.kinflow.latent_0[3] += 0.01
    bpy.context.view_layer.update()
    after = pose.read_body_pose(armature)
    assert np.abs(after - shown).max() < 0.05, "a nudge must not lose what was posed by hand"
    assert np.abs(latent.latent(armature) - sigmas).max() == pytest.approx(0.01, abs=1e-4)
    assert wanted.shape == shown.shape


def test_a_script_that_poses_and_slides_without_a_redraw_loses_nothing(armature):
    bpy.ops.kinflow.sample()
    by_hand(armature)
    wanted = latent.encode(armature, bones.turns(armature)[1:])
    wanted[3] = armature.kinflow.latent_0[3] + 0.01
    armature.kinflow.latent_0[3] = wanted[3]
    np.testing.assert_allclose(latent.latent(armature), wanted, atol=1e-4)
    np.testing.assert_allclose(
        bones.turns(armature)[1:], latent.decode(armature, wanted), atol=1e-3
    )


def test_sliders_follow_frames_undo_and_redo(armature):
    bpy.ops.kinflow.key_pose()
    bpy.context.scene.frame_set(20)
    bpy.ops.kinflow.sample()
    sampled = latent.latent(armature)
    bpy.ops.kinflow.key_pose()
    bpy.context.scene.frame_set(1)
    assert np.abs(latent.latent(armature)[:12]).max() < 0.1
    bpy.context.scene.frame_set(20)
    shown = pose.read_body_pose(armature)
    np.testing.assert_allclose(latent.decode(armature, latent.latent(armature)), shown, atol=2e-3)
    assert np.abs(sampled).max() > 0.5


def test_zero_is_one_symmetric_pose_and_a_new_body_stands_in_it(armature):
    assert np.abs(latent.latent(armature)).max() == 0
    bpy.context.view_layer.update()
    mean = pose.read_body_pose(armature)
    np.testing.assert_allclose(mean, mirror_pose(mean), atol=1e-4)
    before = shown_vertices(armature)
    bpy.ops.kinflow.sample()
    bpy.ops.kinflow.reset_pose()
    np.testing.assert_allclose(shown_vertices(armature), before, atol=1e-3)
    assert abs(before[:, 2].min()) < 1e-4


@pytest.mark.parametrize("name", [item[0] for item in standing.ITEMS])
def test_poses_to_begin_from_stand_upright_on_the_floor_with_true_sliders(armature, name):
    bpy.ops.kinflow.sample()
    armature.pose.bones["pelvis"].rotation_quaternion = (0.7, 0.5, 0.3, 0.1)
    armature.location = (1, 2, 0.4)
    assert bpy.ops.kinflow.reset_pose(pose=name) == {"FINISHED"}
    shown = shown_vertices(armature)
    assert abs(shown[:, 2].min()) < 1e-3 and 1.5 < np.ptp(shown[:, 2]) < 1.9
    posed = pose.read_body_pose(armature)
    np.testing.assert_allclose(latent.decode(armature, latent.latent(armature)), posed, atol=2e-3)
    if name == "T":
        np.testing.assert_allclose(posed, np.tile(np.eye(3), (23, 1, 1)), atol=1e-3)


def test_sliders_end_where_bodies_are_whole():
    properties = bpy.types.Object.bl_rna.properties["kinflow"].fixed_type.properties
    assert properties["latent_0"].soft_max == 2.5
    temperature = bpy.types.Scene.bl_rna.properties["kinflow"].fixed_type.properties["temperature"]
    assert temperature.soft_max == 1.0 and temperature.hard_max > 1


@pytest.mark.parametrize(
    "names,motion",
    [
        (["clip.mp4"], True),
        (["a_001.png", "a_002.png", "a_003.png", "a_010.png"], False),
        (["a_001.png", "a_002.png", "a_004.png", "a_005.png"], True),
        (["walk9.jpg", "walk10.jpg"], True),
        (["beach.jpg", "party.jpg"], False),
        (["IMG_2231.jpg", "IMG_2388.jpg", "IMG_2389.jpg"], False),
        (["one.jpg"], False),
    ],
)
def test_files_say_whether_they_are_a_motion(names, motion):
    assert clip_files.are_one_motion(names) is motion
    assert clip_files.in_order(["walk10.jpg", "walk9.jpg"]) == ["walk9.jpg", "walk10.jpg"]


def key_sequence(results, motion):
    session.sequence = Fitted([str(SAMPLES / "punch.png")], results, [None] * len(results))
    return bpy.ops.kinflow.apply_sequence(motion=motion, step=2)


def test_a_sequence_sets_the_range_selects_its_rig_stays_on_the_floor_and_says_that_it_adds(
    fitted_samples,
):
    results = [fitted_samples[n][2][0] for n in ("portrait", "landscape", "cropped")]
    bpy.context.scene.frame_current = 5
    assert key_sequence(results, False) == {"FINISHED"}
    scene, rig = bpy.context.scene, bpy.context.active_object
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (5, 9, 5)
    assert body.is_body(rig) and shown_photo().name == Path("punch").name
    for frame in (5, 7, 9):
        scene.frame_set(frame)
        assert abs(shown_vertices(rig)[:, 2].min()) < 2e-3
        posed = pose.read_body_pose(rig)
        np.testing.assert_allclose(latent.decode(rig, latent.latent(rig)), posed, atol=5e-3)
    assert key_sequence(results, True) == {"FINISHED"}
    assert "beside punch" in scene.kinflow.message and len(body.find_bodies()) == 2


def test_another_file_leaves_no_job_and_no_results_behind(fitted_samples):
    put_fits(*fitted_samples["portrait"])
    session.running_job = session.engine().submit("observe", photo=str(SAMPLES / "punch.png"))
    assert session.busy() and session.results
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not session.busy() and not session.results


def test_a_size_slider_changes_no_mode_and_no_selection(armature):
    bpy.ops.object.mode_set(mode="POSE")
    armature.kinflow.betas[0] = 1.5
    assert bpy.context.mode == "POSE" and bpy.context.active_object == armature


def test_in_a_window_a_size_slider_changes_no_mode_in_its_update_but_a_moment_later(
    armature, monkeypatch
):
    class Window:
        background = False
        timers = bpy.app.timers
        handlers = bpy.app.handlers

    monkeypatch.setattr(settle.bpy, "app", Window)
    armature.kinflow.betas[0] = 1.5
    assert body.shape_keys(armature)[0].value == 0 and bpy.app.timers.is_registered(settle._run)
    settle._run()
    assert body.shape_keys(armature)[0].value == 1.5
    bpy.app.timers.unregister(settle._run)


def test_long_sentences_wrap_to_the_sidebars_width_and_nothing_is_cut():
    from types import SimpleNamespace

    from addon.wrapped import draw_wrapped

    lines = []

    class Layout:
        def column(self, **options):
            return self

        def label(self, text="", icon="NONE"):
            lines.append(text)

    context = SimpleNamespace(
        region=SimpleNamespace(width=290),
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),
    )
    sentence = "No person was found in this photo. Try one with a larger, clearer person."
    draw_wrapped(Layout(), context, sentence, "INFO")
    assert len(lines) > 1 and " ".join(lines) == sentence and max(map(len, lines)) < 45


def test_places_of_keypoints_are_in_pixels():
    from addon.properties import KinflowKeypoint

    assert {KinflowKeypoint.bl_rna.properties[n].subtype for n in "xy"} == {"PIXEL"}
