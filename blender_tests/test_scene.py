"""A fit as Blender data: the golden tests between engine and Blender."""

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view

from addon import session
from addon.operators.apply_fit import show_result
from addon.scene import body, camera, frames, latent, pose
from kinflow.core.skeleton import JOINT_NAMES, PARENTS


def evaluated_vertices(armature):
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    obj = body.mesh_of(armature).evaluated_get(graph)
    mesh = obj.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    matrix = np.array(obj.matrix_world)
    obj.to_mesh_clear()
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def apply(name, fitted):
    from addon.scene.keypoints import store_people

    path, people, results = fitted[name]
    bpy.context.scene.kinflow.photo_path = path
    store_people(bpy.context.scene, people)
    uids = [p.uid for p in bpy.context.scene.kinflow.people]
    session.results.update(zip(uids, results, strict=True))
    assert bpy.ops.kinflow.apply_fit(uids=",".join(uids)) == {"FINISHED"}
    return body.find_bodies()[0], results[0]


@pytest.mark.parametrize("name", ["portrait", "landscape", "cropped"])
def test_evaluated_mesh_equals_the_engines_vertices_within_a_tenth_of_a_millimetre(
    fitted_samples, name
):
    armature, result = apply(name, fitted_samples)
    height = camera.find_camera().matrix_world.translation.z
    wanted = frames.camera_points(result.vertices, height)
    assert np.linalg.norm(evaluated_vertices(armature) - wanted, axis=1).max() < 1e-4


@pytest.mark.parametrize("name", ["portrait", "landscape", "cropped"])
def test_joints_projected_by_blenders_camera_lie_within_half_a_pixel(fitted_samples, name):
    armature, result = apply(name, fitted_samples)
    bpy.context.view_layer.update()
    scene, matched = bpy.context.scene, camera.find_camera()
    assert (scene.render.resolution_x, scene.render.resolution_y) == (
        result.camera.width,
        result.camera.height,
    )
    for joint, point in zip(JOINT_NAMES, result.camera.project(result.joints), strict=True):
        u, v, _ = world_to_camera_view(
            scene, matched, armature.matrix_world @ armature.pose.bones[joint].head
        )
        assert (
            np.hypot(u * result.camera.width - point[0], (1 - v) * result.camera.height - point[1])
            < 0.5
        )


def test_an_off_centre_camera_projects_as_the_engine_does(fitted_samples):
    from dataclasses import replace

    path, people, results = fitted_samples["portrait"]
    shifted = replace(results[0], camera=replace(results[0].camera, cx=200.0, cy=500.0))
    armature, result = apply("portrait", {"portrait": (path, people, [shifted])})
    bpy.context.view_layer.update()
    for joint, point in zip(JOINT_NAMES, result.camera.project(result.joints), strict=True):
        u, v, _ = world_to_camera_view(
            bpy.context.scene,
            camera.find_camera(),
            armature.matrix_world @ armature.pose.bones[joint].head,
        )
        assert (
            np.hypot(u * result.camera.width - point[0], (1 - v) * result.camera.height - point[1])
            < 0.5
        )


def test_the_rig_has_smpls_24_bones_in_smpls_tree():
    armature = body.create_body(bpy.context)
    assert [b.name for b in armature.data.bones] and set(armature.data.bones.keys()) == set(
        JOINT_NAMES
    )
    for joint, name in enumerate(JOINT_NAMES):
        parent = armature.data.bones[name].parent
        assert (parent.name if parent else None) == (
            JOINT_NAMES[PARENTS[joint]] if PARENTS[joint] >= 0 else None
        )


def test_bones_point_to_their_children():
    armature = body.create_body(bpy.context)
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
    data = camera.find_camera().data
    assert data.show_background_images and data.background_images[0].image.filepath.endswith(
        "punch.png"
    )
    assert bpy.context.scene.camera == camera.find_camera()


def test_feet_stand_on_the_ground(fitted_samples):
    armature, _ = apply("portrait", fitted_samples)
    assert abs(evaluated_vertices(armature)[:, 2].min()) < 1e-3


def test_correctives_are_few_and_need_no_scripted_expressions():
    armature = body.create_body(bpy.context)
    drivers = body.mesh_of(armature).data.shape_keys.animation_data.drivers
    assert 0 < len(drivers) <= 40
    assert all(d.driver.type == "SUM" and not d.driver.expression.startswith("#") for d in drivers)


def test_correctives_follow_a_bone_posed_by_hand():
    """Live: no operator and no property of ours is touched."""
    from kinflow.bodies.arrays import default_body_arrays
    from kinflow.core.arrays import numpy_namespace as xp
    from kinflow.core.rotations import axis_angle_to_matrix

    armature = body.create_body(bpy.context)
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
    person = bpy.context.scene.kinflow.people[0]
    session.results[person.uid] = result
    assert bpy.ops.kinflow.apply_fit(uids=person.uid) == {"FINISHED"}
    assert (
        len(body.find_bodies()) == 1
        and len([o for o in bpy.data.objects if o.type == "CAMERA"]) == 1
    )


def test_a_deleted_mesh_or_bone_does_not_stop_posing(fitted_samples):
    armature, result = apply("portrait", fitted_samples)
    bpy.data.objects.remove(body.mesh_of(armature))
    show_result(armature, result, 1.0)
    latent.set_latent(armature, np.ones(138))
