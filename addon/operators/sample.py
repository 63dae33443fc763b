"""A random believable pose."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import pose
from .common import BodyOperator, active_body


class KINFLOW_OT_sample(BodyOperator, bpy.types.Operator):
    """Pose the body at random, within what people do"""

    bl_idname = "kinflow.sample"
    bl_label = "Sample Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature, state = active_body(context), context.scene.kinflow
        dim = pose.prior(armature.kinflow.prior).dim
        pose.set_latent(armature, state.temperature * np.random.default_rng(state.seed).standard_normal(dim))
        state.seed += 1
        return {"FINISHED"}
