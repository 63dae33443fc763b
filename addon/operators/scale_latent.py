"""Exaggerate or calm the pose along the latent."""

import bpy

from ..scene import latent
from .common import BodyOperator


class KINFLOW_OT_scale_latent(BodyOperator, bpy.types.Operator):
    """Calm the pose (below 1) or exaggerate it (above 1)"""

    bl_idname = "kinflow.scale_latent"
    bl_label = "Scale Pose"

    factor: bpy.props.FloatProperty(name="Factor", default=0.8, min=0.0, soft_max=2.0)

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        latent.set_latent(armature, self.factor * latent.latent(armature))
