"""A fit as Blender data: the golden tests between engine and Blender."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from conftest import put_fits, shown_photo, shown_vertices

from addon import session
from addon.operators.apply_fit import show_result
from addon.scene import body, camera, latent, photos, pose
from kinflow.core.skeleton import JOINT_NAMES, PARENTS
from kinflow.gravity import gravity_of, level_gravity, pitch_and_roll


def apply(name, fitted):
    path, people, results = fitted[name]
    return put_fits(path, people, results)[0], results[0]


TILTS = [(0.0, 0.0), (-25.0, 4.0), (15.0, -5.0), (-90.0, 0.0), (0.0, 90.0)]  # pitch, roll


def tilted(fitted, name, pitch, roll):
    """The fits of a photo, with what a photo from such a camera says of down and of the floor."""
    path, people, results = fitted[name]
    gravity = gravity_of(pitch, roll)
    floor = max(float((r.vertices @ gravity).max()) for r in results)
    turned = [replace(r, gravity=gravity, floor=floor, camera_assumed=False) for r in results]
    return {name: (path, people, turned)}


@pytest.mark.parametrize("name", ["portrait", "landscape", "cropped"])
@pytest.mark.parametrize("pitch, roll", TILTS)
def test_shown_mesh_equals_the_engines_vertices_within_a_tenth_of_a_millimetre(
    fitted_samples, name, pitch, roll
):
    armature, result = apply(name, tilted(fitted_samples, name, pitch, roll))
    view = camera.viewpoint(shown_photo())
    shown = shown_vertices(armature)
    assert np.linalg.norm(shown - view.points(result.vertices), axis=1).max() < 1e-4
    # what is up in the photo is up in Blender, and the floor is Blender's
    height = result.floor - result.vertices @ result.gravity
    np.testing.assert_allclose(shown[:, 2], height, atol=1e-4)
    assert abs(shown[:, 2].min()) < 1e-3


@pytest.mark.parametrize("name", ["portrait", "landscape", "cropped"])
@pytest.mark.parametrize("pitch, roll", TILTS)
def test_joints_projected_by_blenders_camera_lie_within_half_a_pixel(
    fitted_samples, name, pitch, roll
):
    armature, result = apply(name, tilted(fitted_samples, name, pitch, roll))
    render = bpy.context.scene.render
    size = (render.resolution_x, render.resolution_y)
    assert size == (result.camera.width, result.camera.height)
    assert pixel_error(armature, result) < 0.5


def pixel_error(armature, result) -> float:
    """Largest distance of a joint's head, as Blender's camera sees it, from the engine's, px."""
    bpy.context.view_layer.update()
    scene, matched = bpy.context.scene, camera.camera_of(shown_photo())
    errors = []
    for joint, point in zip(JOINT_NAMES, result.camera.project(result.joints), strict=True):
        place = armature.matrix_world @ armature.pose.bones[joint].head
        u, v, _ = world_to_camera_view(scene, matched, place)
        x, y = u * result.camera.width, (1 - v) * result.camera.height
        errors.append(np.hypot(x - point[0], y - point[1]))
    return max(errors)


def test_an_off_centre_camera_projects_as_the_engine_does(fitted_samples):
    path, people, results = fitted_samples["portrait"]
    shifted = replace(results[0], camera=replace(results[0].camera, cx=200.0, cy=500.0))
    armature, result = apply("portrait", {"portrait": (path, people, [shifted])})
    assert pixel_error(armature, result) < 0.5


def test_the_camera_has_the_photos_pitch_roll_and_height_and_looks_along_y(fitted_samples):
    _, result = apply("portrait", tilted(fitted_samples, "portrait", -25.0, 4.0))
    matched = camera.camera_of(shown_photo())
    assert matched.location.z == pytest.approx(result.floor, abs=1e-5)
    np.testing.assert_allclose(matched.location[:2], 0, atol=1e-6)
    across, up, back = np.array(matched.matrix_world.to_3x3()).T
    assert np.degrees(np.arcsin(-back[2])) == pytest.approx(-25.0, abs=1e-3)
    assert np.degrees(np.arctan2(-across[2], up[2])) == pytest.approx(4.0, abs=1e-3)
    assert abs(back[0]) < 1e-6 and back[1] < 0
    np.testing.assert_allclose(pitch_and_roll(result.gravity), (-25.0, 4.0), atol=1e-4)


def test_the_rig_has_smpls_24_bones_in_smpls_tree():
    armature = body.create_body(bpy.context.collection)
    assert [b.name for b in armature.data.bones] and set(armature.data.bones.keys()) == set(
        JOINT_NAMES
    )
    for joint, name in enumerate(JOINT_NAMES):
        parent = armature.data.bones[name].parent
        assert (parent.name if parent else None) == (
            JOINT_NAMES[PARENTS[joint]] if PARENTS[joint] >= 0 else None
        )


def test_bones_point_to_their_children():
    armature = body.create_body(bpy.context.collection)
    for bone in armature.data.bones:
        if bone.name in ("pelvis", "spine3") or not bone.children:
            continue
        to_child = (bone.children[0].head_local - bone.head_local).normalized()
        assert to_child.dot((bone.tail_local - bone.head_local).normalized()) > 0.85, bone.name


def test_the_mesh_is_skinned_to_the_rig_with_the_photo_behind(fitted_samples):
    armature, _ = apply("portrait", fitted_samples)
    mesh = body.mesh_of(armature)
    modifier = next(m for m in mesh.modifiers if m.type == "ARMATURE")
    assert modifier.object == armature and {g.name for g in mesh.vertex_groups} == set(JOINT_NAMES)
    data = camera.camera_of(shown_photo()).data
    assert data.show_background_images and data.background_images[0].image.filepath.endswith(
        "punch.png"
    )
    assert bpy.context.scene.camera == camera.camera_of(shown_photo())


def test_without_a_floor_the_lowest_point_of_all_bodies_is_on_the_ground(fitted_samples):
    path, people, (result, *_) = fitted_samples["portrait"]
    # nearer to the sky, and further away
    other = moved(result, np.array([0.8, -0.3, 1.0]))
    known = {"gravity": level_gravity(), "floor": None}
    low, high = put_fits(path, people * 2, [replace(r, **known) for r in (result, other)])
    assert abs(shown_vertices(low)[:, 2].min()) < 1e-3
    assert shown_vertices(high)[:, 2].min() == pytest.approx(0.3, abs=1e-3)


def moved(result, way):
    """A fit moved in the camera's frame."""
    way = way.astype(np.float32)
    places = {n: getattr(result, n) + way for n in ("transl", "vertices", "joints")}
    return replace(result, **places)


def two_people(fitted_samples):
    """Two people of a photo from above, on one floor. -> bodies, results."""
    path, people, (result, *_) = tilted(fitted_samples, "portrait", -20.0, 3.0)["portrait"]
    along = np.cross(result.gravity, [1.0, 0.0, 0.0])
    results = [result, moved(result, 1.5 * along / np.linalg.norm(along))]
    return put_fits(path, people * 2, results), results


def test_people_of_a_photo_stand_on_one_floor_in_their_true_places(fitted_samples):
    bodies, results = two_people(fitted_samples)
    seen = [shown_vertices(b) for b in bodies]
    for vertices, result in zip(seen, results, strict=True):
        assert abs(vertices[:, 2].min()) < 1e-3
        assert (
            np.abs(vertices - camera.viewpoint(shown_photo()).points(result.vertices)).max() < 1e-4
        )
    assert np.linalg.norm(seen[1] - seen[0], axis=1) == pytest.approx(1.5, abs=1e-4)


def test_a_refit_of_one_leaves_the_camera_and_everybody_else(fitted_samples):
    bodies, results = two_people(fitted_samples)
    before, other = (
        np.array(camera.camera_of(shown_photo()).matrix_world),
        shown_vertices(bodies[0]),
    )
    nearer = moved(results[1], np.array([0.0, 0.0, -0.2]))
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[1])
    session.results[key] = replace(nearer, gravity=gravity_of(-5.0, 0.0), floor=None)
    assert bpy.ops.kinflow.apply_fit(keys=key) == {"FINISHED"}
    np.testing.assert_array_equal(np.array(camera.camera_of(shown_photo()).matrix_world), before)
    np.testing.assert_array_equal(shown_vertices(bodies[0]), other)
    wanted = camera.viewpoint(shown_photo()).points(nearer.vertices)
    assert np.abs(shown_vertices(bodies[1]) - wanted).max() < 1e-4


def test_a_fit_lands_in_the_photo_wherever_its_armature_was_moved(fitted_samples):
    armature, result = apply("portrait", tilted(fitted_samples, "portrait", -25.0, 4.0))
    armature.location, armature.rotation_euler = (1, 2, 3), (0.3, 0.2, 1.0)
    show_result(armature, result, camera.viewpoint(shown_photo()))
    wanted = camera.viewpoint(shown_photo()).points(result.vertices)
    assert np.abs(shown_vertices(armature) - wanted).max() < 1e-4


@pytest.mark.parametrize("size", [0.0, 2.0, -2.0])
def test_the_rest_pose_stands_on_the_floor_around_the_rigs_origin(size):
    armature = body.create_body(bpy.context.collection)
    armature.kinflow.betas[0] = size
    armature.data.pose_position = "REST"
    vertices = shown_vertices(armature)
    assert abs(vertices[:, 2].min()) < 2e-3
    soles = vertices[vertices[:, 2] < 0.01]
    assert np.abs(0.5 * (soles.min(0) + soles.max(0)))[:2].max() < 0.05
    assert armature.data.bones["pelvis"].head_local.z > 0.7


def test_clearing_location_and_rotation_leaves_a_fitted_body_where_it_stands(fitted_samples):
    bodies, _ = two_people(fitted_samples)
    for armature in bodies:
        before = shown_vertices(armature)
        bpy.context.view_layer.objects.active = armature
        bpy.ops.object.mode_set(mode="POSE")
        bpy.ops.pose.select_all(action="SELECT")
        bpy.ops.pose.loc_clear()
        bpy.ops.pose.rot_clear()
        bpy.ops.object.mode_set(mode="OBJECT")
        after = shown_vertices(armature)
        assert abs(after[:, 2].min()) < 0.01
        apart = 0.5 * (after.min(0) + after.max(0) - before.min(0) - before.max(0))
        assert np.linalg.norm(apart[:2]) < 0.4


def test_correctives_are_few_and_need_no_scripted_expressions():
    armature = body.create_body(bpy.context.collection)
    drivers = body.mesh_of(armature).data.shape_keys.animation_data.drivers
    assert 0 < len(drivers) <= 40
    assert all(d.driver.type == "SUM" and not d.driver.expression.startswith("#") for d in drivers)


def test_correctives_follow_a_bone_posed_by_hand():
    """Live: no operator and no property of ours is touched."""
    from kinflow.bodies.arrays import default_body_arrays
    from kinflow.core.arrays import numpy_namespace as xp
    from kinflow.core.rotations import axis_angle_to_matrix

    armature = body.create_body(bpy.context.collection)
    turn = axis_angle_to_matrix(xp, np.array([0.3, -0.2, 1.1]))
    index = JOINT_NAMES.index("left_shoulder")
    rotations = np.tile(np.eye(3), (23, 1, 1))
    rotations[index - 1] = turn
    pose.set_body_pose(armature, rotations)
    bpy.context.view_layer.update()
    keys = (
        body.mesh_of(armature).evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
    )
    values = {
        k.name: k.value
        for k in (keys or body.mesh_of(armature).data.shape_keys).key_blocks
        if k.name.startswith("Corrective")
    }
    for number, (joint, row, column) in enumerate(default_body_arrays().features.tolist()):
        want = turn[row, column] - (row == column) if joint == index else 0.0
        assert values[f"Corrective {number + 1} {JOINT_NAMES[joint]}"] == pytest.approx(
            want, abs=1e-5
        )


def test_bodies_are_found_after_renaming_and_a_second_fit_updates_them(fitted_samples):
    armature, result = apply("portrait", fitted_samples)
    armature.name = "Something else"
    body.mesh_of(armature).name = "Mesh too"
    key = photos.key_of(shown_photo(), shown_photo().kinflow.people[0])
    session.results[key] = result
    assert bpy.ops.kinflow.apply_fit(keys=key) == {"FINISHED"}
    assert (
        len(body.find_bodies()) == 1
        and len([o for o in bpy.data.objects if o.type == "CAMERA"]) == 1
    )


def test_a_deleted_mesh_or_bone_does_not_stop_posing(fitted_samples):
    armature, result = apply("portrait", fitted_samples)
    bpy.data.objects.remove(body.mesh_of(armature))
    show_result(armature, result, camera.EYE_LEVEL)
    latent.set_latent(armature, np.ones(138))
