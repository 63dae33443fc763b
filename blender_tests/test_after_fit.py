"""What one sees after Fit: the photo's view, alternatives as pictures, limbs that refit live."""

import contextlib
import json
from dataclasses import replace

import bpy
import numpy as np
import pytest
from conftest import put_fits, shown_photo, shown_vertices

from addon import session
from addon.scene import body, camera, closeness, hypothesis_pictures, keypoints, limbs, look, photos
from addon.scene.viewport import free_part, viewports
from addon.ui.keypoint_gizmo import KINFLOW_GT_keypoints
from kinflow.core.skeleton import JOINT_INDEX


@pytest.fixture
def fitted(fitted_samples):
    """The fitted sample in the scene, as after Fit, with a second hypothesis: an arm behind."""
    path, people, (result, *_) = fitted_samples["portrait"]
    best = result.hypotheses[0]
    pose = best.body_pose.copy()
    pose[JOINT_INDEX["left_shoulder"] - 1] = (0.9, 0, 1.3)
    other = replace(best, body_pose=pose, energy=best.energy + 5, keypoint_error_px=40.0)
    return put_fits(path, people, [replace(result, hypotheses=(best, other))])[0]


@pytest.fixture
def viewport():
    """The window's 3D viewport: a background Blender has one too."""
    bpy.context.view_layer.update()
    return viewports(bpy.context.window_manager.windows[0])[0]


@contextlib.contextmanager
def in_viewport(viewport):
    with bpy.context.temp_override(
        window=viewport.window, area=viewport.area, region=viewport.region
    ):
        yield bpy.context


def view_of(viewport) -> tuple:
    view, shading = viewport.view, viewport.space.shading
    place = tuple(np.round([*view.view_location, *view.view_rotation, view.view_distance], 4))
    return view.view_perspective, place, shading.show_xray, round(shading.xray_alpha, 4)


def used_limbs() -> set[str]:
    points = shown_photo().kinflow.people[0].keypoints
    used = [p.name for p in points if p.enabled]
    return {limb for limb in limbs.LIMBS if any(limbs.shows(limb, name) for name in used)}


# -- the view --------------------------------------------------------------------------------------


def test_one_button_looks_through_the_photo_see_through_and_back_to_where_one_was(fitted, viewport):
    before = view_of(viewport)
    with in_viewport(viewport):
        assert bpy.ops.kinflow.look_through() == {"FINISHED"}
        assert viewport.view.view_perspective == "CAMERA"
        assert look.is_through_photo(viewport.space, bpy.context)
        assert viewport.space.shading.show_xray and viewport.space.shading.xray_alpha < 1
        assert bpy.ops.kinflow.look_through() == {"FINISHED"}
    assert view_of(viewport) == before


def test_x_ray_that_was_on_already_is_on_again_after_the_way_back(fitted, viewport):
    viewport.space.shading.show_xray, viewport.space.shading.xray_alpha = True, 0.25
    before = view_of(viewport)
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through()
        bpy.ops.kinflow.look_through()
    assert view_of(viewport) == before


def test_the_way_back_leads_to_the_users_own_view_by_way_of_the_side_too(fitted, viewport):
    before = view_of(viewport)
    with in_viewport(viewport):
        for step in ("look_from_side", "look_through", "look_from_side", "look_through"):
            getattr(bpy.ops.kinflow, step)()
        bpy.ops.kinflow.look_through()
    assert view_of(viewport) == before


def test_the_side_is_a_quarter_turn_from_the_photo_solid_and_further_round_each_time(
    fitted, viewport
):
    photo = camera.camera_of(shown_photo()).matrix_world.to_quaternion()
    yaws = []
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through()
        for _ in range(4):
            bpy.ops.kinflow.look_from_side()
            assert view_of(viewport)[0] == "PERSP" and not viewport.space.shading.show_xray
            yaws.append(look._yaw(viewport.view.view_rotation) - look._yaw(photo))
    quarters = np.array(yaws) / (np.pi / 2)
    np.testing.assert_allclose(quarters, np.round(quarters), atol=1e-3)
    assert np.round(quarters[0]) % 2 == 1
    assert sorted(np.round(quarters) % 4) == [0, 1, 2, 3]


def test_the_body_seen_from_the_side_fills_what_the_panels_leave_free(fitted, viewport):
    with in_viewport(viewport):
        bpy.ops.kinflow.look_from_side()
    view, free = viewport.view, free_part(viewport)
    # by hand: a background Blender has no matrices of a view, and ends when they are asked for
    axes = np.array(view.view_rotation.to_matrix())
    right, up, back = ((shown_vertices(fitted) - np.array(view.view_location)) @ axes).T
    scale = free.whole.max() * viewport.space.lens / 72 / (view.view_distance - back)
    pixels = np.stack((right * scale, up * scale), -1) - free.middle
    share = np.abs(pixels).max(0) / (free.size / 2)
    assert share.max() < 1.0 and share.max() > 0.6


def filled(viewport) -> float:
    """Share of what the panels leave free that the camera's frame, in its middle, fills."""
    view, free, render = viewport.view, free_part(viewport), bpy.context.scene.render
    # the camera's frame as windows of 4.3 and 5.2 draw it
    share = (2**0.5 + view.view_camera_zoom / 50) ** 2 / 4
    wide = share * free.whole[0]
    middle = -2 * share * np.array(view.view_camera_offset) * free.whole
    np.testing.assert_allclose(middle, free.middle, atol=1)
    high = wide * render.resolution_y / render.resolution_x
    return max(wide / free.size[0], high / free.size[1])


def test_the_photo_fills_what_the_panels_leave_free(fitted, viewport):
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through()
    assert filled(viewport) == pytest.approx(1 / 1.03, abs=0.01)


def test_another_photo_that_is_chosen_in_the_photos_view_fills_it_too(
    fitted, fitted_samples, viewport
):
    first = shown_photo()
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through()
        put_fits(*fitted_samples["landscape"])
        assert filled(viewport) == pytest.approx(1 / 1.03, abs=0.01)
        viewport.view.view_camera_zoom = own = 7.0
        bpy.ops.kinflow.choose_photo(session_uid=shown_photo().session_uid)
        assert viewport.view.view_camera_zoom == own
        bpy.ops.kinflow.choose_photo(session_uid=first.session_uid)
    assert filled(viewport) == pytest.approx(1 / 1.03, abs=0.01)


def test_looking_is_no_undo_step_and_changes_no_data(fitted, viewport):
    bpy.ops.ed.undo_push(message="before")
    skin = tuple(bpy.data.materials["kinflow Skin"].diffuse_color)
    fitted.location.x = 7
    bpy.ops.ed.undo_push(message="moved")
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through("EXEC_DEFAULT", True)
        bpy.ops.kinflow.look_from_side("EXEC_DEFAULT", True)
        bpy.ops.kinflow.look_through("EXEC_DEFAULT", True)
    assert tuple(bpy.data.materials["kinflow Skin"].diffuse_color) == skin
    bpy.ops.ed.undo()
    assert body.find_bodies()[0].location.x != 7


def test_another_file_does_not_get_the_views_of_this_one(fitted, viewport):
    with in_viewport(viewport):
        bpy.ops.kinflow.look_through()
        bpy.ops.kinflow.look_from_side()
    assert look._own and look._aside
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert not (look._own or look._xray or look._aside)


def test_fit_in_background_leaves_every_view_alone(fitted, viewport):
    before = view_of(viewport)
    with in_viewport(viewport):
        look.after_fit(bpy.context)
        assert bpy.ops.kinflow.fit() == {"FINISHED"}
    assert view_of(viewport) == before


def test_in_a_window_fit_goes_to_the_photo_in_every_viewport(fitted, viewport, monkeypatch):
    class Window:
        background = False

    monkeypatch.setattr(look.bpy, "app", Window)
    with in_viewport(viewport):
        look.after_fit(bpy.context)
    assert look.is_through_photo(viewport.space, bpy.context)


def test_without_a_photo_the_buttons_are_grey(viewport):
    with in_viewport(viewport):
        assert not bpy.ops.kinflow.look_through.poll()
        assert not bpy.ops.kinflow.look_from_side.poll()


# -- keypoints -------------------------------------------------------------------------------------


def test_a_keypoint_is_told_by_its_name(fitted):
    from addon.operators.move_keypoint import KINFLOW_OT_move_keypoint

    points = shown_photo().kinflow.people[0].keypoints
    names = [p.name for p in points]
    wrist = points[names.index("left_wrist")]
    assert keypoints.label(wrist) == "Left Wrist"

    class Properties:
        index = names.index("left_wrist")

    tooltip = KINFLOW_OT_move_keypoint.description(bpy.context, Properties)
    assert tooltip.startswith("Left Wrist: ")
    wrist.enabled = False
    assert keypoints.label(wrist) == "Left Wrist (off)"
    assert KINFLOW_GT_keypoints.part == -1


# -- limbs -----------------------------------------------------------------------------------------


def test_a_limbs_switch_fits_the_body_again_in_one_undo_step(fitted):
    wrist = shown_photo().kinflow.people[0].keypoints["left_wrist"]
    wrist.x += 60
    bpy.ops.kinflow.refit()
    bpy.ops.ed.undo_push(message="refitted")
    before = shown_vertices(fitted)
    assert bpy.ops.kinflow.toggle_limb("EXEC_DEFAULT", True, limb="left_arm") == {"FINISHED"}
    assert "left_arm" not in used_limbs()
    assert np.abs(shown_vertices(fitted) - before).max() > 0.02
    assert bpy.context.scene.kinflow.message.startswith("Left Arm off: fitted again")
    bpy.ops.ed.undo()
    assert used_limbs() == set(limbs.LIMBS)
    np.testing.assert_allclose(shown_vertices(body.find_bodies()[0]), before, atol=1e-4)


def test_a_limbs_switch_before_the_fit_only_switches(fitted_samples):
    path, people, _ = fitted_samples["portrait"]
    bpy.ops.kinflow.import_photo(filepath=path)
    keypoints.store_people(shown_photo(), people)
    assert bpy.ops.kinflow.toggle_limb(limb="head") == {"FINISHED"}
    assert used_limbs() == set(limbs.LIMBS) - {"head"}
    assert not body.find_bodies()


def test_with_every_limb_off_it_says_so_and_the_body_stays(fitted):
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[0])
    for limb in limbs.LIMBS[:-1]:
        bpy.ops.kinflow.toggle_limb(limb=limb)
    before, result = shown_vertices(fitted), session.results[key]
    assert bpy.ops.kinflow.toggle_limb(limb=limbs.LIMBS[-1]) == {"FINISHED"}
    said = bpy.context.scene.kinflow.message
    assert "nothing to fit" in said and "stays as it is" in said
    for fit in (bpy.ops.kinflow.fit, bpy.ops.kinflow.refit):
        with pytest.raises(RuntimeError, match="Every limb of Person 1 is switched off"):
            fit()
    np.testing.assert_array_equal(shown_vertices(fitted), before)
    assert session.results[key] is result
    # the way out
    assert bpy.ops.kinflow.toggle_limb(limb="left_leg") == {"FINISHED"}
    assert "fitted again" in bpy.context.scene.kinflow.message


def test_somebody_with_every_limb_off_is_left_out_of_a_fit_of_all_and_named(fitted_samples):
    path, people, _ = fitted_samples["portrait"]
    bpy.ops.kinflow.import_photo(filepath=path)
    keypoints.store_people(shown_photo(), [*people, *people])
    for point in shown_photo().kinflow.people[1].keypoints:
        point.enabled = False
    assert bpy.ops.kinflow.fit() == {"FINISHED"}
    assert len(body.find_bodies()) == 1
    assert "Every limb of Person 2 is switched off" in bpy.context.scene.kinflow.message


def test_a_refit_that_fails_is_not_kept_as_the_last_result(fitted, monkeypatch):
    from addon.operators import usable

    monkeypatch.setattr(usable, "nothing_to_fit", lambda person: "")
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[0])
    for point in shown_photo().kinflow.people[0].keypoints:
        point.enabled = False
    result = session.results[key]
    with pytest.raises(RuntimeError, match="keypoints are needed"):
        bpy.ops.kinflow.refit()
    assert session.results[key] is result


# -- alternatives ----------------------------------------------------------------------------------


def test_alternatives_are_pictures_with_words_and_the_best_is_called_so(fitted):
    shown = hypothesis_pictures.draw(fitted)
    assert shown[0].words == "best" and shown[1].words.startswith("left ")
    pictures = [np.array(p.image_pixels_float) for p in hypothesis_pictures._previews.values()]
    assert {p.size for p in pictures} == {128 * 128 * 4}
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.003


def test_pictures_are_drawn_when_a_panel_has_asked_and_never_in_its_draw(fitted):
    hypothesis_pictures.clear()
    assert hypothesis_pictures.of(fitted) == ()
    hypothesis_pictures.want(fitted)
    assert hypothesis_pictures.of(fitted) == ()
    hypothesis_pictures._draw_wanted()  # what the timer calls
    assert hypothesis_pictures.of(fitted)[0].words == "best"


def test_pictures_survive_undo_and_reopening(fitted, tmp_path):
    hypothesis_pictures.draw(fitted)
    drawn = hypothesis_pictures.of(fitted)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.kinflow.show_hypothesis("EXEC_DEFAULT", True, index=1)
    bpy.ops.ed.undo()
    armature = body.find_bodies()[0]
    assert hypothesis_pictures.of(armature) == drawn
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    hypothesis_pictures.clear()
    # wanted, but not yet drawn when the file is opened
    hypothesis_pictures.want(armature)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    armature = body.find_bodies()[0]
    hypothesis_pictures.want(armature)
    assert bpy.app.timers.is_registered(hypothesis_pictures._draw_wanted)
    hypothesis_pictures._draw_wanted()
    assert [s.words for s in hypothesis_pictures.of(armature)] == [s.words for s in drawn]


def test_kept_pictures_do_not_grow_without_end(fitted):
    for number in range(hypothesis_pictures.MAX_KEPT + 3):
        fitted.kinflow.hypotheses[1].data += " "  # JSON all the same, and another set
        hypothesis_pictures._kept[f"{number}"] = ()
    hypothesis_pictures.draw(fitted)
    assert len(hypothesis_pictures._kept) == 1


def test_a_click_shows_the_alternative_and_its_tooltip_says_what_it_is(fitted):
    from addon.operators.show_hypothesis import KINFLOW_OT_show_hypothesis

    class Properties:
        index = 1

    hypothesis_pictures.draw(fitted)
    tooltip = KINFLOW_OT_show_hypothesis.description(bpy.context, Properties)
    assert "left elbow" in tooltip and "40.0 px" in tooltip and "nergy" not in tooltip
    before = shown_vertices(fitted)
    assert bpy.ops.kinflow.show_hypothesis(index=1) == {"FINISHED"}
    assert np.abs(shown_vertices(fitted) - before).max() > 0.1


# -- how close -------------------------------------------------------------------------------------


def test_the_error_is_told_in_words_for_what_is_shown(fitted):
    assert closeness.sentence(fitted).startswith("Follows the photo closely (")
    bpy.ops.kinflow.show_hypothesis(index=1)
    assert closeness.sentence(fitted) == "Follows the photo hardly (40.0 px)"


def test_the_same_error_in_pixels_is_worse_on_somebody_smaller(fitted):
    fitted.kinflow.hypotheses[0].error_px = 4.0
    assert "closely" in closeness.sentence(fitted)
    record = json.loads(shown_photo().kinflow.camera_json)
    shown_photo().kinflow.camera_json = json.dumps(record | {"fx": record["fx"] / 8})
    assert "hardly" in closeness.sentence(fitted)


def test_without_the_photos_camera_the_error_is_told_in_pixels(fitted):
    shown_photo().kinflow.camera_json = ""
    assert closeness.sentence(fitted).startswith("Keypoints miss the photo's by")


def test_the_fits_panel_has_neither_energies_nor_the_solvers_words():
    import inspect

    from addon.ui import fit_panel

    source = inspect.getsource(fit_panel)
    assert "energy" not in source.lower() and "status" not in source
