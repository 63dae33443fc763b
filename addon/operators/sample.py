"""A random believable pose."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import limbs, pose
from .common import BodyOperator, active_body


class KINFLOW_OT_sample(BodyOperator, bpy.types.Operator):
    """Pose the body at random, within what people do; locked limbs stay as they are"""

    bl_idname = "kinflow.sample"
    bl_label = "Sample Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature, state = active_body(context), context.scene.kinflow
        flow = pose.prior(armature.kinflow.prior)
        sigmas = state.temperature * np.random.default_rng(state.seed).standard_normal(flow.dim)
        held = [
            j for limb in limbs.LIMBS if getattr(state, f"lock_{limb}") for j in limbs.joints(limb)
        ]
        if held:
            rotations = flow.decode((flow.axes.T @ sigmas)[None].astype(np.float32))[0]
            rotations[held] = pose.read_body_pose(armature)[held]
            sigmas = flow.axes @ flow.encode(rotations[None].astype(np.float32))[0]
        pose.set_latent(armature, sigmas)
        state.seed += 1
        return {"FINISHED"}
