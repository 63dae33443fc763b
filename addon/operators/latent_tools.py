"""Reset, mirror, exaggerate or calm the pose along the latent; read the rig's pose into the sliders."""

from __future__ import annotations

import bpy
import numpy as np

from kinflow.mocap.clip import mirror_pose

from ..scene import pose
from .common import BodyOperator, active_body


def _encode(armature: bpy.types.Object, rotations: np.ndarray) -> np.ndarray:
    flow = pose.prior(armature.kinflow.prior)
    return flow.axes @ flow.encode(rotations[None].astype(np.float32))[0]


class KINFLOW_OT_reset_pose(BodyOperator, bpy.types.Operator):
    """Set every latent slider to zero: the mean pose"""

    bl_idname = "kinflow.reset_pose"
    bl_label = "Mean Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        pose.set_latent(armature, np.zeros(pose.prior(armature.kinflow.prior).dim))
        return {"FINISHED"}


class KINFLOW_OT_mirror_pose(BodyOperator, bpy.types.Operator):
    """Swap left and right of the pose"""

    bl_idname = "kinflow.mirror_pose"
    bl_label = "Mirror Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        pose.set_latent(armature, _encode(armature, mirror_pose(pose.read_body_pose(armature))))
        return {"FINISHED"}


class KINFLOW_OT_scale_latent(BodyOperator, bpy.types.Operator):
    """Take the pose towards the mean (below 1) or away from it (above 1)"""

    bl_idname = "kinflow.scale_latent"
    bl_label = "Scale Pose"
    bl_options = {"REGISTER", "UNDO"}

    factor: bpy.props.FloatProperty(name="Factor", default=0.8, min=0.0, soft_max=2.0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        pose.set_latent(armature, self.factor * pose.latent(armature))
        return {"FINISHED"}


class KINFLOW_OT_read_pose(BodyOperator, bpy.types.Operator):
    """Read the rig's pose, posed by hand, into the sliders"""

    bl_idname = "kinflow.read_pose"
    bl_label = "Read Pose"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        pose.set_latent(armature, _encode(armature, pose.read_body_pose(armature)))
        return {"FINISHED"}
