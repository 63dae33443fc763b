"""The mean pose."""

import bpy
import numpy as np

from ..scene import latent
from .common import BodyOperator


class KINFLOW_OT_reset_pose(BodyOperator, bpy.types.Operator):
    """Set every latent slider to zero: the mean pose"""

    bl_idname = "kinflow.reset_pose"
    bl_label = "Mean Pose"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        latent.set_latent(armature, np.zeros(latent.prior_of(armature).dim))
