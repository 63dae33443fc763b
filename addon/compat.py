"""Every difference between Blender versions, 4.2 LTS to 5.x, in one place."""

from __future__ import annotations

import bpy


def new_shape_key(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    """A shape key at value 0: from Blender 5.0 on new ones start at 1."""
    key = obj.shape_key_add(name=name, from_mix=False)
    key.value = 0.0
    return key


def prepare_cycles(scene: bpy.types.Scene, samples: int) -> None:
    """Cycles on the CPU, without denoising, at which builds without OpenImageDenoise raise."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
