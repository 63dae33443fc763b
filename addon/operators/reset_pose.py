"""The mean pose."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene import latent
from .common import BodyOperator, active_body


class KINFLOW_OT_reset_pose(BodyOperator, bpy.types.Operator):
    """Set every latent slider to zero: the mean pose"""

    bl_idname = "kinflow.reset_pose"
    bl_label = "Mean Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        latent.set_latent(armature, np.zeros(latent.prior_of(armature).dim))
        return {"FINISHED"}
