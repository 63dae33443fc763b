"""From the menus to a body and to the engine; thumbnails and poses that outlive the session."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, shown_photo, shown_vertices
from drawn_panels import drawn

from addon import keymap, pose_library, preferences, sections, session
from addon.engine import find, self_test
from addon.scene import body, camera, picture, pose
from kinflow.core.skeleton import JOINT_NAMES
from kinflow.errors import EngineError

SAVED = "way_there.blend"


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    return body.find_bodies()[0]


def test_where_the_engine_is_missing_its_panel_and_the_photos_lead_to_the_preferences(monkeypatch):
    from addon.ui import engine_panel, photo_panel

    panels = engine_panel.KINFLOW_PT_engine, photo_panel.KINFLOW_PT_photo
    assert "kinflow.open_preferences" not in drawn(panels[1]).operators
    monkeypatch.setattr(find, "_last", find.FoundPython(None, "none"))
    for panel in panels:
        assert "kinflow.open_preferences" in drawn(panel).operators


def test_panels_read_no_file_to_tell_whether_the_engine_is_there(monkeypatch):
    from addon.ui import engine_panel

    find.find_python()
    monkeypatch.setattr(find, "_look", lambda chosen: pytest.fail("a panel looked for files"))
    drawn(engine_panel.KINFLOW_PT_engine)


def test_the_preferences_open_by_the_name_under_which_the_add_on_runs(monkeypatch):
    from addon.operators import open_preferences

    shown = []
    show = SimpleNamespace(addon_show=lambda *a, module: shown.append(module) or {"FINISHED"})
    operators = SimpleNamespace(preferences=show)
    monkeypatch.setattr(open_preferences, "bpy", SimpleNamespace(ops=operators))
    open_preferences.KINFLOW_OT_open_preferences.execute(None, bpy.context)
    assert shown == [preferences.KinflowPreferences.bl_idname]


def test_a_working_engine_says_so_in_one_sentence():
    assert bpy.ops.kinflow.self_test() == {"FINISHED"}
    assert self_test.said.startswith("All works") and "\n" not in self_test.said


def test_a_wrong_answer_and_no_engine_are_no_success(monkeypatch):
    truth = session.engine().fit(self_test.observation(), losses=["ka"], mesh=False)
    assert self_test.apart(truth[0]) < 0.02
    monkeypatch.setattr(self_test, "apart", lambda result: 0.3)
    with pytest.raises(RuntimeError, match="wrong"):
        bpy.ops.kinflow.self_test()
    assert "install it again" in self_test.said

    def missing():
        raise EngineError("No engine found.")

    monkeypatch.setattr(session, "engine", missing)
    monkeypatch.setattr(find, "_last", find.FoundPython(None, "none"))
    with pytest.raises(RuntimeError, match="No engine"):
        bpy.ops.kinflow.self_test()
    assert "press Install Engine" in self_test.said


def test_a_python_without_the_engine_is_a_sentence_that_names_it(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named kinflow >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("KINFLOW_PYTHON", str(python))
    with pytest.raises(RuntimeError):
        bpy.ops.kinflow.self_test()
    session.close()
    assert self_test.said.startswith("The engine does not work.")
    assert str(python) in self_test.said and "no module" not in self_test.said


def test_a_body_is_added_with_its_feet_at_the_cursor():
    bpy.context.scene.cursor.location = (1.0, -2.0, 0.5)
    bpy.ops.kinflow.add_body()
    vertices = shown_vertices(body.find_bodies()[0])
    assert vertices[:, 2].min() == pytest.approx(0.5, abs=0.01)
    low = vertices[vertices[:, 2] < 0.55]
    np.testing.assert_allclose(0.5 * (low.min(0) + low.max(0))[:2], (1.0, -2.0), atol=0.1)


def test_a_place_that_is_asked_for_counts_more_than_the_cursor():
    bpy.context.scene.cursor.location = (1.0, -2.0, 0.5)
    bpy.ops.kinflow.add_body(location=(0, 3, 0))
    assert tuple(body.find_bodies()[0].location) == (0, 3, 0)


def test_the_add_menus_armatures_have_the_body():
    menu = bpy.types.VIEW3D_MT_armature_add
    assert "kinflow.add_body" in drawn(menu).operators


def test_a_photos_thumbnail_is_there_after_saving_and_reopening(tmp_path):
    bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "punch.png"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / SAVED))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / SAVED))
    assert camera.thumbnail(shown_photo()) is not None
    (image,) = bpy.data.images
    width, height = image.preview.image_size
    assert max(width, height) >= 64 and width < height
    pixels = np.array(image.preview.image_pixels_float).reshape(height, width, 4)
    small = image.copy()
    small.scale(width, height)
    truth = np.array(small.pixels).reshape(height, width, 4)
    assert np.abs(pixels - truth)[..., :3].mean() < 0.05


def test_a_pose_asset_shows_the_body_in_its_pose_after_reopening(armature, tmp_path):
    pictures = []
    for _ in range(2):
        bpy.ops.kinflow.sample()
        assert bpy.ops.kinflow.pose_asset() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / SAVED))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / SAVED))
    for action in (a for a in bpy.data.actions if a.asset_data):
        size = tuple(action.preview.image_size)
        assert size == (picture.SIZE, picture.SIZE)
        pixels = np.array(action.preview.image_pixels_float).reshape(*size, 4)
        assert 0.05 < (pixels[..., 3] > 0.5).mean() < 0.7
        pictures.append(pixels[..., 3])
    assert len(pictures) == 2 and np.abs(pictures[0] - pictures[1]).mean() > 0.01


def test_marking_a_pose_leaves_the_animation_as_it_was(armature):
    bpy.ops.kinflow.key_pose()
    data = armature.animation_data
    before = data.action, getattr(data, "action_slot", None)
    bpy.ops.kinflow.pose_asset()
    assert (data.action, getattr(data, "action_slot", None)) == before


def test_a_picture_stands_upright_and_fills_its_frame(armature):
    bpy.ops.kinflow.reset_pose(pose="T")
    rgba = picture.body_picture(bpy.context, armature, 64)
    rows = np.flatnonzero((rgba[..., 3] > 0.5).any(1))
    assert rgba.shape == (64, 64, 4) and len(rows) > 50
    # arms in the upper half
    widths = (rgba[..., 3] > 0.5).sum(1)
    assert widths[:32].max() > 2 * widths[32:].max()


def test_poses_are_listed_by_a_button_alone_and_taken_off_by_it_again():
    libraries = bpy.context.preferences.filepaths.asset_libraries
    before = [one.name for one in libraries]
    assert pose_library.listed() is None
    assert bpy.ops.kinflow.pose_library() == {"FINISHED"}
    assert pose_library.listed() is not None and len(libraries) == len(before) + 1
    assert bpy.ops.kinflow.pose_library() == {"FINISHED"}
    assert [one.name for one in libraries] == before


def test_every_shipped_pose_has_a_picture_and_poses_a_body_that_stays_on_the_floor(armature):
    with bpy.data.libraries.load(str(pose_library.FILE), assets_only=True) as (source, target):
        target.actions = list(source.actions)
    assert len(target.actions) >= 24
    seen = []
    for action in target.actions:
        assert min(action.preview.image_size) >= 128, action.name
        assert action.asset_data.catalog_id, action.name
        armature.pose.apply_pose_from_action(action)
        bpy.context.view_layer.update()
        turned = pose.read_body_pose(armature)
        assert all(np.abs(turned - other).max() > 0.1 for other in seen), action.name
        seen.append(turned)
        low = shown_vertices(armature)[:, 2].min()
        assert abs(low) < 0.03 or action.name == "Jump", (action.name, low)
    assert {b.name for b in armature.pose.bones} == set(JOINT_NAMES)


def test_the_pose_library_is_small_and_opens_in_the_oldest_blender():
    assert pose_library.FILE.stat().st_size < 1e6
    with bpy.data.libraries.load(str(pose_library.FILE), link=True) as (source, target):
        target.actions = source.actions[:1]
    assert tuple(bpy.data.libraries[0].version)[:2] == (4, 2)


def test_keys_are_offered_and_off():
    manager = bpy.context.window_manager
    items = [
        item
        for item in manager.keyconfigs.addon.keymaps["3D View"].keymap_items
        if item.idname in {s.operator for s in keymap.SHORTCUTS}
    ]
    assert len(items) == len(keymap.SHORTCUTS) and not any(item.active for item in items)


def test_open_photo_asks_for_a_file_each_time():
    properties = bpy.ops.kinflow.import_photo.get_rna_type().properties
    # a kept path would be opened again without asking, as if it had been dropped
    assert properties["filepath"].is_skip_save


def test_shortcuts_have_the_whole_row_for_their_names():
    layout = MagicMock()
    sections.draw_shortcuts(layout)
    assert layout.column.return_value.use_property_split is False


def test_the_pie_has_eight_entries_that_exist():
    from addon.ui import pie_menu

    names = drawn(pie_menu.KINFLOW_MT_pie).operators
    assert len(names) == len(set(names)) == 8
    for name in names:
        assert getattr(bpy.ops.kinflow, name.split(".")[1]).get_rna_type()
