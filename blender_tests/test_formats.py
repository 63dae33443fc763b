"""What the engine writes without Blender opens in Blender as what it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from conftest import shown_vertices

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.skeleton import JOINT_NAMES
from kinflow.formats import Motion, write_motion
from kinflow.formats.posed import posed_mesh

FRAMES, FPS = 4, 30
CLOSE = 1e-3  # m


def in_blender(points: np.ndarray) -> np.ndarray:
    """Y up -> Blender's Z up."""
    return points[..., [0, 2, 1]] * [1, -1, 1]


@pytest.fixture
def motion() -> Motion:
    random = np.random.default_rng(3)
    turns = 0.5 * random.normal(size=(FRAMES, 69))
    roots = np.linspace((0, 0, 0), (0.3, 2.5, 0.1), FRAMES)
    places = np.linspace((0, 1.2, 0), (0.5, 1.0, 2), FRAMES)
    betas = 0.7 * random.normal(size=10)
    return Motion(roots, turns, places, betas, fps=FPS, body=default_body_arrays().name)


def converted(motion: Motion, target: Path) -> Path:
    """The file that `kinflow convert` writes, in the engine's Python."""
    source = target.with_name("motion.npz")
    write_motion(source, motion)
    python = os.environ.get("KINFLOW_PYTHON", sys.executable)
    words = [python, "-m", "kinflow.cli", "convert", str(source), str(target)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return target


def test_a_glb_is_the_engines_mesh_in_every_frame(motion, tmp_path):
    path = converted(motion, tmp_path / "m.glb")
    bpy.context.scene.render.fps = FPS
    bpy.ops.import_scene.gltf(filepath=str(path))
    mesh = next(o for o in bpy.data.objects if o.type == "MESH" and o.find_armature())
    assert {b.name for b in mesh.find_armature().data.bones} == set(JOINT_NAMES)
    start = bpy.data.actions[0].frame_range[0]
    for frame in range(FRAMES):
        bpy.context.scene.frame_set(int(start) + frame)
        bpy.context.view_layer.update()
        wanted = in_blender(posed_mesh(motion, default_body_arrays(), frame))
        assert np.abs(shown_vertices(mesh) - wanted).max() < CLOSE, frame


def test_a_bvh_has_its_joints_where_the_engine_has_them(motion, tmp_path):
    path = converted(motion, tmp_path / "m.bvh")
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, frame_start=1)
    (armature,) = (o for o in bpy.data.objects if o.type == "ARMATURE")
    table = body_table(default_body_arrays(), numpy_backend(np.float64))
    betas = np.tile(motion.betas, (FRAMES, 1))
    wanted = pose_skeleton(xp, table, motion.rotations(), betas).place + motion.transl[:, None]
    for frame in range(FRAMES):
        bpy.context.scene.frame_set(1 + frame)
        bpy.context.view_layer.update()
        bones = armature.pose.bones
        found = np.array([armature.matrix_world @ bones[name].head for name in JOINT_NAMES])
        assert np.abs(found - in_blender(wanted[frame])).max() < CLOSE, frame


def test_an_obj_is_the_engines_mesh(motion, tmp_path):
    path = converted(motion, tmp_path / "m.obj")
    bpy.ops.wm.obj_import(filepath=str(path))
    (mesh,) = (o for o in bpy.data.objects if o.type == "MESH")
    wanted = in_blender(posed_mesh(motion, default_body_arrays(), 0))
    assert np.abs(shown_vertices(mesh) - wanted).max() < CLOSE
