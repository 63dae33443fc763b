"""What leaves Blender comes back the same; photos become keys; poses become assets."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, shown_vertices
from mathutils.kdtree import KDTree

from addon.scene import body, pose


@pytest.fixture
def posed():
    bpy.ops.kinflow.add_body()
    armature = body.find_bodies()[0]
    armature.kinflow.latent_0[0], armature.kinflow.latent_0[1], armature.kinflow.betas[0] = (
        1.5,
        -1.0,
        1.0,
    )
    bpy.context.view_layer.update()
    return armature


def farthest(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance from a point of a to the nearest of b."""
    tree = KDTree(len(b))
    for i, point in enumerate(b):
        tree.insert(point, i)
    tree.balance()
    return max(tree.find(point)[2] for point in a)


def imported_mesh(before: set) -> bpy.types.Object:
    return next(
        o
        for o in bpy.data.objects
        if o.type == "MESH" and o.name not in before and o.find_armature() is not None
    )


def select(armature) -> None:
    mesh = body.mesh_of(armature)
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj in (armature, mesh))
    bpy.context.view_layer.objects.active = armature


def test_gltf_comes_back_as_the_same_mesh(posed, tmp_path):
    truth = shown_vertices(posed)
    bpy.context.scene.frame_set(1)
    bpy.ops.kinflow.key_pose()
    select(posed)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "b.glb"), use_selection=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "b.glb"))
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.update()
    found = shown_vertices(imported_mesh(set()))
    assert max(farthest(found, truth), farthest(truth, found)) < 1e-3


def test_a_gltf_without_keys_comes_back_on_the_floor_below_its_body(posed, tmp_path):
    posed.location = (2, -1, 0)
    select(posed)
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "b.glb"), use_selection=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "b.glb"))
    bpy.context.view_layer.update()
    found = shown_vertices(imported_mesh(set()))
    assert abs(found[:, 2].min()) < 0.01
    np.testing.assert_allclose(0.5 * (found.min(0) + found.max(0))[:2], (2, -1), atol=0.1)


def test_fbx_comes_back_as_the_same_mesh(posed, tmp_path):
    truth = shown_vertices(posed)
    bpy.context.scene.frame_set(1)
    bpy.ops.kinflow.key_pose()
    select(posed)
    bpy.ops.export_scene.fbx(
        filepath=str(tmp_path / "b.fbx"), use_selection=True, add_leaf_bones=False, bake_anim=True
    )
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "b.fbx"))
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.update()
    found = shown_vertices(imported_mesh(set()))
    assert max(farthest(found, truth), farthest(truth, found)) < 1e-3


def test_bvh_plays_in_a_fresh_scene(posed, tmp_path):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 3
    heads = []
    for frame in (1, 2, 3):
        scene.frame_set(frame)
        posed.kinflow.latent_0[0] = 0.7 * frame
        bpy.ops.kinflow.key_pose()
        bpy.context.view_layer.update()
        heads.append(
            [
                np.array(posed.matrix_world @ posed.pose.bones[n].head)
                for n in ("left_wrist", "right_ankle", "head")
            ]
        )
    select(posed)
    bpy.ops.export_anim.bvh(filepath=str(tmp_path / "b.bvh"), frame_start=1, frame_end=3)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_anim.bvh(
        filepath=str(tmp_path / "b.bvh"), axis_forward="Y", axis_up="Z", rotate_mode="QUATERNION"
    )
    again = next(o for o in bpy.data.objects if o.type == "ARMATURE")
    for frame, wanted in zip((1, 2, 3), heads, strict=True):
        bpy.context.scene.frame_set(frame)
        bpy.context.view_layer.update()
        found = [
            np.array(again.matrix_world @ again.pose.bones[n].head)
            for n in ("left_wrist", "right_ankle", "head")
        ]
        assert np.abs(np.array(found) - np.array(wanted)).max() < 2e-3


def test_several_photos_become_keys_of_one_body(tmp_path):
    image = bpy.data.images.load(str(SAMPLES / "punch.png"))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)
    for index, array in enumerate((pixels, pixels[:, ::-1], np.full_like(pixels, 0.5))):
        out = bpy.data.images.new("frame", width, height)
        out.pixels[:] = np.ascontiguousarray(array).ravel()
        out.filepath_raw, out.file_format = str(tmp_path / f"frame-{index}.png"), "PNG"
        out.save()
    files = [{"name": f"frame-{i}.png"} for i in range(3)]
    assert bpy.ops.kinflow.fit_sequence(
        "EXEC_DEFAULT", directory=str(tmp_path), files=files, step=5
    ) == {"FINISHED"}
    (armature,) = body.find_bodies()
    scene = bpy.context.scene
    assert "2 frames keyed" in scene.kinflow.message and "1" in scene.kinflow.message.split(";")[1]
    poses = []
    for frame in (scene.frame_current, scene.frame_current + 5):
        scene.frame_set(frame)
        bpy.context.view_layer.update()
        poses.append(pose.read_body_pose(armature))
    assert np.abs(poses[0] - poses[1]).max() > 0.1  # the second photo is the first one mirrored


def test_a_sequence_without_photos_is_a_plain_sentence(tmp_path):
    with pytest.raises(RuntimeError, match="No photo was chosen"):
        bpy.ops.kinflow.fit_sequence(
            "EXEC_DEFAULT", directory=str(tmp_path), files=[{"name": "notes.txt"}]
        )


def test_a_pose_becomes_an_asset_and_the_rig_keeps_its_own_action(posed):
    bpy.ops.kinflow.key_pose()
    before = posed.animation_data.action
    assert bpy.ops.kinflow.pose_asset() == {"FINISHED"}
    (asset,) = [a for a in bpy.data.actions if a.asset_data is not None]
    assert asset.use_fake_user and posed.animation_data.action == before


def test_scene_units_change_nothing_about_the_body():
    bpy.context.scene.unit_settings.system = "IMPERIAL"
    bpy.context.scene.unit_settings.scale_length = 0.01
    bpy.ops.kinflow.add_body()
    points = shown_vertices(body.find_bodies()[0])
    assert 1.5 < np.ptp(points[:, 2]) < 1.9


def test_a_hidden_body_still_follows_its_sliders(posed):
    posed.hide_set(True)
    before = pose.read_body_pose(posed)
    posed.kinflow.latent_0[2] = 2.0
    bpy.context.view_layer.update()
    assert np.abs(pose.read_body_pose(posed) - before).max() > 0.05


def test_a_linked_body_refuses_in_a_sentence_and_harms_nothing(posed, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    name = posed.name
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, target):
        target.objects = [name]
    linked = bpy.data.objects[name]
    bpy.context.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    assert not bpy.ops.kinflow.sample.poll()
    assert not bpy.ops.kinflow.key_pose.poll()


def test_correctives_need_no_permission_to_run_scripts(posed):
    drivers = body.mesh_of(posed).data.shape_keys.animation_data.drivers
    assert all(d.driver.is_simple_expression or d.driver.type != "SCRIPTED" for d in drivers)
