"""A random believable pose."""

import bpy
import numpy as np

from ..scene import latent, limbs, pose, pull
from .common import BodyOperator


class KINFLOW_OT_sample(BodyOperator, bpy.types.Operator):
    """Pose the body at random, within what people do; locked limbs stay as they are"""

    bl_idname = "kinflow.sample"
    bl_label = "Sample Pose"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        state = context.scene.kinflow
        random = np.random.default_rng(state.seed)
        dim = latent.prior_of(armature).dim
        sigmas = state.temperature * random.standard_normal(dim)
        locked = [limb for limb in limbs.LIMBS if getattr(state, f"lock_{limb}")]
        joints = [j for limb in locked for j in limbs.joints(limb)]
        if joints:
            rotations = latent.decode(armature, sigmas)
            rotations[joints] = pose.read_body_pose(armature)[joints]
            sigmas = latent.encode(armature, rotations)
        latent.set_latent(armature, sigmas)
        if armature.kinflow.sample_with_pins:
            pull.hold_pins(armature, write_latent=True)
        state.seed += 1
