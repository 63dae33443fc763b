"""Blender data as all versions make it, 4.2 LTS to 5.x: every difference is in this place."""

import bpy


def new_shape_key(obj: bpy.types.Object, name: str) -> bpy.types.ShapeKey:
    """A shape key at value 0: from Blender 5.0 on new ones start at 1."""
    key = obj.shape_key_add(name=name, from_mix=False)
    key.value = 0.0
    return key


def new_material(name: str, colour: tuple[float, ...], roughness: float) -> bpy.types.Material:
    """A material of one colour (RGBA)."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = roughness
    return material


def prepare_cycles(scene: bpy.types.Scene, samples: int) -> None:
    """Cycles on the CPU, without denoising, at which builds without OpenImageDenoise raise."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False


def curve_of(owner: bpy.types.ID, path: str, index: int) -> bpy.types.FCurve | None:
    """The curve that animates a property of a data-block; None where it is not animated.

    From Blender 4.4 on an action has a slot for each data-block, and from 5.0 on curves there only.
    """
    animation = owner.animation_data
    action = animation.action if animation is not None else None
    if action is None:
        return None
    slot = getattr(animation, "action_slot", None)
    if slot is None:
        return action.fcurves.find(path, index=index) if hasattr(action, "fcurves") else None
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None and (found := bag.fcurves.find(path, index=index)) is not None:
                return found
    return None
