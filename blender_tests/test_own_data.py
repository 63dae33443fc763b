"""What copies, instances and further photos share of bodies and photos: no data."""

import bpy
import numpy as np
import pytest
from conftest import put_fits, shown_photo, shown_vertices

from addon import session
from addon.scene import body, camera, latent, photos, pose
from addon.scene.choice import chosen


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    return bpy.context.active_object


def appended(path):
    """A file's objects in the scene, appended. -> the body."""
    with bpy.data.libraries.load(str(path)) as (source, wanted):
        wanted.objects = source.objects
    for obj in wanted.objects:
        bpy.context.collection.objects.link(obj)
    return next(obj for obj in wanted.objects if obj.type == "ARMATURE")


def test_a_body_appended_twice_is_two_bodies(armature, tmp_path):
    path = tmp_path / "library.blend"
    bpy.data.libraries.write(str(path), {armature, body.mesh_of(armature)})
    first, second = appended(path), appended(path)
    second.location.x = 2
    before = [shown_vertices(one) for one in (armature, first)]
    second.kinflow.betas[0] = 2.0
    for one, vertices in zip((armature, first), before, strict=True):
        np.testing.assert_array_equal(shown_vertices(one), vertices)
    assert np.ptp(shown_vertices(second)[:, 2]) > np.ptp(before[0][:, 2]) + 0.05


def overridden(armature, path):
    """The body in a file of its own, linked from there and overridden. -> the local rig."""
    bpy.data.libraries.write(str(path), {armature, body.mesh_of(armature)})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(path), link=True) as (source, wanted):
        wanted.objects = source.objects
    for obj in wanted.objects:
        bpy.context.collection.objects.link(obj)
    rig = next(obj for obj in wanted.objects if obj.type == "ARMATURE")
    return rig.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)


def test_a_library_overrides_pose_and_sliders_are_in_the_file_and_agree(armature, tmp_path):
    local = overridden(armature, tmp_path / "library.blend")
    activate(local)
    bpy.ops.kinflow.sample()
    said, mine = latent.latent(local), tmp_path / "mine.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(mine))
    bpy.ops.wm.open_mainfile(filepath=str(mine))
    local = next(obj for obj in body.find_bodies() if obj.override_library)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(latent.latent(local), said, atol=1e-3)
    shown = pose.read_body_pose(local)
    np.testing.assert_allclose(latent.decode(local, said), shown, atol=5e-3)


def activate(obj):
    bpy.context.view_layer.objects.active = obj


def test_bodies_that_were_linked_to_one_mesh_have_shapes_of_their_own_again(armature):
    bpy.ops.kinflow.add_body(location=(2, 0, 0))
    other = bpy.context.active_object
    body.mesh_of(other).data = body.mesh_of(armature).data  # Link Object Data
    before = shown_vertices(armature)
    other.kinflow.betas[0] = 2.0
    meshes = [body.mesh_of(one).data for one in (armature, other)]
    assert meshes[0] != meshes[1] and meshes[0].shape_keys != meshes[1].shape_keys
    np.testing.assert_array_equal(shown_vertices(armature), before)


@pytest.fixture
def instance():
    """An instance of a collection with a body, which the scene has in no other way."""
    bpy.ops.kinflow.add_body()
    rig = bpy.context.active_object
    hero = bpy.data.collections.new("Hero")
    for obj in (rig, body.mesh_of(rig)):
        hero.objects.link(obj)
        bpy.context.scene.collection.objects.unlink(obj)
    empty = bpy.data.objects.new("Hero", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", hero
    bpy.context.scene.collection.objects.link(empty)
    activate(empty)
    return empty


def test_an_instance_says_how_it_becomes_a_body_and_becomes_one(instance):
    with pytest.raises(RuntimeError, match="Make Instances Real"):
        bpy.ops.kinflow.sample()
    original = next(o for o in instance.instance_collection.objects if body.is_body(o))
    before = original.kinflow.latent_0[:]
    instance.select_set(True)
    bpy.ops.object.duplicates_make_real()
    (real,) = [o for o in bpy.context.scene.objects if body.is_body(o)]
    activate(real)
    still = shown_vertices(real)
    assert bpy.ops.kinflow.sample() == {"FINISHED"}
    assert np.abs(shown_vertices(real) - still).max() > 0.05
    assert original.kinflow.latent_0[:] == before


def test_a_photos_collection_has_its_camera_its_background_its_people_and_their_bodies(
    fitted_samples,
):
    for name in ("portrait", "landscape"):
        put_fits(*fitted_samples[name])
    found = photos.all_photos(bpy.context.scene)
    assert len(found) == 2
    for photo, name in zip(found, ("portrait", "landscape"), strict=True):
        (person,) = photo.kinflow.people
        (background,) = camera.camera_of(photo).data.background_images
        assert background.image.filepath == fitted_samples[name][0]
        kinds = sorted(obj.type for obj in photo.objects)
        assert kinds == ["ARMATURE", "CAMERA", "MESH"] and person.body in list(photo.objects)


def test_refit_acts_on_the_body_that_the_viewport_has_active(fitted_samples):
    path, people, results = fitted_samples["portrait"]
    first, second = put_fits(path, people * 2, results * 2)
    photo = shown_photo()
    photo.kinflow.active_person = 0
    activate(second)
    bpy.context.view_layer.update()
    wrist = photo.kinflow.people[1].keypoints["left_wrist"]
    wrist.x += 120
    bodies = [shown_vertices(one) for one in (first, second)]
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    moved = [
        np.abs(shown_vertices(one) - before).max()
        for one, before in zip((first, second), bodies, strict=True)
    ]
    assert moved[0] < 1e-4 and moved[1] > 0.01
    assert chosen(bpy.context).body == second and session.results
