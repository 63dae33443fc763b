"""Read the rig's pose into the sliders."""

from __future__ import annotations

import bpy

from ..scene import latent, pose
from .common import BodyOperator, active_body


class KINFLOW_OT_read_pose(BodyOperator, bpy.types.Operator):
    """Read the rig's pose, posed by hand, into the sliders"""

    bl_idname = "kinflow.read_pose"
    bl_label = "Read Pose"

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        latent.set_latent(armature, latent.encode(armature, pose.read_body_pose(armature)))
        return {"FINISHED"}
